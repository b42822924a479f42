"""``opsbook runs decide``."""

from __future__ import annotations

import click

from opsbook.cli import options, words
from opsbook.cli.commands.runs.answering import answer


@click.command()
@click.argument("run", type=int)
@click.argument("choice", type=click.Choice(["retry", "skip", "fail", "stop"]))
@options.step
@options.note
@options.talks
def command(
    run: int, choice: str, step: str | None, note: str, data: str | None, form: str
) -> None:
    """Decide what becomes of the step of a RUN that was interrupted, or has failed and asks.

    Nobody knows whether an interrupted step did its work: look first. "retry" starts it again,
    "skip" goes on without it, "fail" ends the run and rolls back what it did. "stop", after a
    failure, ends it and leaves everything as it is.
    """
    body = {"step": step, "note": note, "choice": choice}
    answer(data, form, run, "decide", body, words.DECIDED)
