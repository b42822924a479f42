"""``opsbook runs reject``."""

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
    """Reject the step that a RUN waits with; what undoes its steps runs, and the run ends.

    Needs a token of your own with the scope "approve" (OPSBOOK_TOKEN).
    """
    answer(data, form, run, "reject", {"step": step, "note": note}, words.REJECTED)
