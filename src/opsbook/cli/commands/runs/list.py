"""``opsbook runs list``."""

from __future__ import annotations

from typing import Any

import click

from opsbook.cli import options, output, server, words
from opsbook.cli.waits import told

STATES = ["queued", "running", "waiting", "succeeded", "failed", "cancelled"]


@click.command()
@click.option("--book", metavar="ID", help=words.BOOK)
@click.option("--state", "states", type=click.Choice(STATES), multiple=True, help=words.STATE)
@options.paged()
@options.talks
def command(
    book: str | None, states: tuple[str, ...], limit: int, before: int | None, data: str | None,
    form: str,
) -> None:  # fmt: skip
    """List runs, newest first."""
    found = server.find(data)
    answer = found.get("/runs", book=book, state=states, limit=limit, before=before)
    if form == "json":
        output.as_json(answer)
    elif not answer["runs"]:
        output.say(words.NO_RUNS)
    else:
        heads = ["", "RUN", "RUNBOOK", "STATE", "STARTED", "BY", "WHAT"]
        output.table(heads, [_row(one) for one in answer["runs"]], right=[1])


def _row(one: dict[str, Any]) -> list[str]:
    waits = [told(one, wait, hint=False) for wait in one["waits"]]
    return [
        output.glyph(one["state"]),
        str(one["id"]),
        one["runbook"],
        one["state"],
        output.age(one["created_at"]),
        one["trigger"] or one["started_by_name"],
        "; ".join(waits) or one["reason"] or one["title"],
    ]
