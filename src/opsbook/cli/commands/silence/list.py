"""``opsbook silence list``."""

from __future__ import annotations

from typing import Any

import click

from opsbook.cli import options, output, server, words


@click.command()
@click.option("--all", "everything", is_flag=True, help=words.ALL_SILENCES)
@click.option("--book", metavar="ID", help=words.BOOK)
@options.talks
def command(everything: bool, book: str | None, data: str | None, form: str) -> None:
    """List silences that hold or will, those that end first in front."""
    state = "all" if everything else None
    answer = server.find(data).get("/silences", state=state, book=book)
    if form == "json":
        output.as_json(answer)
    elif not answer["silences"]:
        output.say(words.NO_SILENCES)
    else:
        heads = ["", "ID", "STATE", "ENDS", "BY", "ALERTS", "WHY"]
        output.table(heads, [_row(one) for one in answer["silences"]])


def _row(one: dict[str, Any]) -> list[str]:
    when = f" ({one['schedule']})" if one["schedule"] else ""
    return [
        output.glyph(one["state"]),
        one["id"],
        one["state"],
        output.clock_time(one["ends_at"]),
        one["created_by"],
        ", ".join(one["matchers"]) + when,
        one["comment"],
    ]
