"""``opsbook runs decide``."""

from __future__ import annotations

import click

from opsbook.cli import options, words
from opsbook.cli.commands.runs.answering import answer


@click.command()
@click.argument("run", type=int)
@click.argument("choice", type=click.Choice(["retry", "skip", "fail"]))
@options.step
@options.note
@options.talks
def command(
    run: int, choice: str, step: str | None, note: str, data: str | None, form: str
) -> None:
    """Decide what becomes of the interrupted step of a RUN.

    Nobody knows whether it did its work: look first. "retry" starts it again, "skip" takes it as
    done, "fail" ends the run.
    """
    body = {"step": step, "note": note, "choice": choice}
    answer(data, form, run, "decide", body, words.DECIDED)
