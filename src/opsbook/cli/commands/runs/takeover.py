"""``opsbook runs takeover``."""

from __future__ import annotations

import click

from opsbook.cli import options, words
from opsbook.cli.commands.runs.answering import answer


@click.command()
@click.argument("run", type=int)
@click.option("--reason", default="", metavar="TEXT", help=words.REASON)
@options.talks
def command(run: int, reason: str, data: str | None, form: str) -> None:
    """Look after a RUN from now on. Needs a token of your own.

    You are told when it fails or asks, and no longer approve what it asks.
    """
    answer(data, form, run, "take-over", {"reason": reason}, words.TAKEN_OVER)
