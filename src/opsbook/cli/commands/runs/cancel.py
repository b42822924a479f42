"""``opsbook runs cancel``."""

from __future__ import annotations

import click

from opsbook.cli import options, words
from opsbook.cli.commands.runs.answering import answer


@click.command()
@click.argument("run", type=int)
@click.option("--reason", default="", metavar="TEXT", help=words.REASON)
@options.talks
def command(run: int, reason: str, data: str | None, form: str) -> None:
    """Cancel a RUN: the step under way is stopped, then what undoes its steps runs."""
    answer(data, form, run, "cancel", {"reason": reason}, words.CANCELLED)
