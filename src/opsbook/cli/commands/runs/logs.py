"""``opsbook runs logs``."""

from __future__ import annotations

from typing import Any

import click

from opsbook.cli import follow, options, output, server, words


@click.command()
@click.argument("run", type=int)
@click.option("-f", "--follow", "live", is_flag=True, help=words.FOLLOW_LOGS)
@click.option("--step", metavar="KEY", help=words.ONE_STEP)
@options.talks
def command(run: int, live: bool, step: str | None, data: str | None, form: str) -> None:
    """Show what the steps of a RUN wrote.

    With -f go on until the run has ended. With -f and -o json each piece is one line.
    """
    found = server.find(data)
    if live:
        shown = follow.Screen(only=step) if form == "table" else follow.Lines(only=step)
        follow.follow(lambda: server.find(data), run, shown, through_waits=True)
        return
    pieces = _all(found, run, step)
    if form == "json":
        output.as_json({"pieces": pieces})
        return
    screen = follow.Screen(only=step)
    for piece in pieces:
        screen.output(piece)
    screen.close()
    if not pieces:
        output.say(words.NO_OUTPUT)


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
