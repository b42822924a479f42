"""``opsbook runs logs``."""

from __future__ import annotations

from typing import Any

import click

from opsbook.cli import follow, options, output, server, words


@click.command()
@click.argument("run", type=int)
@click.option("-f", "--follow", "live", is_flag=True, help=words.FOLLOW_LOGS)
@click.option("--step", metavar="KEY", help=words.ONE_STEP)
@click.option("--attempt", "tried", type=click.IntRange(1), metavar="N", help=words.TRY)
@options.talks
def command(
    run: int, live: bool, step: str | None, tried: int | None, data: str | None, form: str
) -> None:
    """Show what the steps of a RUN wrote.

    With -f go on until the run has ended. With -f and -o json each piece is one line. An item of a
    repeated step is a step of its own: --step 'move[2]'.
    """
    if tried is not None and step is None:
        raise click.UsageError(words.TRY_OF_STEP)
    found = server.find(data)
    _exists(found, run, step, tried)
    if live:
        only = follow.Only(step, tried)
        shown = follow.Screen(only=only) if form == "table" else follow.Lines(only=only)
        follow.follow(lambda: server.find(data), run, shown, through_waits=True)
        return
    pieces = [one for one in _all(found, run, step) if tried in (None, one["attempt"])]
    if form == "json":
        output.as_json({"pieces": pieces})
        return
    screen = follow.Screen(only=follow.Only(step, tried))
    for piece in pieces:
        screen.output(piece)
    screen.close()
    if not pieces:
        output.say(words.NO_OUTPUT)


def _exists(found: server.Server, run: int, step: str | None, tried: int | None) -> None:
    """Refuse a step or a try that the run does not have: silence would read as no output."""
    if step is None:
        return
    steps = {one["key"]: one for one in found.get(f"/runs/{run}")["steps"]}
    if step not in steps:
        raise click.UsageError(
            f"{words.NO_SUCH_STEP.format(id=run, key=step)} "
            + words.NO_SUCH_STEP_REMEDY.format(keys=", ".join(list(steps)[:20]))
        )
    count = len(steps[step]["attempts"])
    if tried is not None and tried > count:
        raise click.UsageError(words.NO_SUCH_TRY.format(key=step, id=run, n=tried, count=count))


def _all(found: server.Server, run: int, step: str | None) -> list[dict[str, Any]]:
    """Fetch every piece; the server hands them out in parts."""
    pieces: list[dict[str, Any]] = []
    after = 0
    while True:
        answer = found.get(f"/runs/{run}/output", after=after, step=step)
        if not answer["pieces"]:
            return pieces
        pieces += answer["pieces"]
        after = answer["next"]
