"""``opsbook runs resume``."""

from __future__ import annotations

import click

from opsbook.cli import options, words
from opsbook.cli.commands.runs.answering import answer


@click.command()
@click.argument("run", type=int)
@click.option("--reason", required=True, metavar="TEXT", help=words.REASON)
@options.talks
def command(run: int, reason: str, data: str | None, form: str) -> None:
    """Go on with a failed RUN at the step that failed, after what was wrong was mended."""
    if not reason.strip():
        raise click.UsageError(words.NO_REASON)
    answer(data, form, run, "resume", {"reason": reason}, words.RESUMED)
