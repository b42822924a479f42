"""``opsbook runs comment``."""

from __future__ import annotations

import click

from opsbook.cli import options, words
from opsbook.cli.commands.runs.answering import answer


@click.command()
@click.argument("run", type=int)
@click.argument("text")
@options.talks
def command(run: int, text: str, data: str | None, form: str) -> None:
    """Write TEXT about a RUN into its story, also after it has ended."""
    answer(data, form, run, "comments", {"text": text}, words.COMMENTED)
