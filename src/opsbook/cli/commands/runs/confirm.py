"""``opsbook runs confirm``."""

from __future__ import annotations

import click

from opsbook.cli import options, words
from opsbook.cli.commands.runs.answering import answer


@click.command()
@click.argument("run", type=int)
@options.step
@options.note
@options.talks
def command(run: int, step: str | None, note: str, data: str | None, form: str) -> None:
    """Say that the manual step a RUN waits with is done. Needs a token of your own."""
    answer(data, form, run, "confirm", {"step": step, "note": note}, words.CONFIRMED)
