"""``opsbook runs withdraw``."""

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
    """Take your yes to the step that a RUN waits with back, while others are still waited for.

    Needs a token of your own with the scope "approve" (OPSBOOK_TOKEN).
    """
    answer(data, form, run, "withdraw", {"step": step, "note": note}, words.WITHDRAWN)
