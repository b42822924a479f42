"""``opsbook runs approve``."""

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
    """Approve the step that a RUN waits with.

    Needs a token of your own with the scope "approve" (OPSBOOK_TOKEN): the local token of this
    machine stands for nobody and can never approve.
    """
    answer(data, form, run, "approve", {"step": step, "note": note}, words.APPROVED)
