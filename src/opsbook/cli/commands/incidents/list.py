"""``opsbook incidents list``."""

from __future__ import annotations

from typing import Any

import click

from opsbook.cli import options, output, server, words


@click.command()
@click.option("--all", "everything", is_flag=True, help=words.ALL_INCIDENTS)
@click.option("--book", metavar="ID", help=words.BOOK)
@options.paged()
@options.talks
def command(
    everything: bool, book: str | None, limit: int, before: int | None, data: str | None, form: str
) -> int:
    """List incidents that are not resolved, the worst first.

    Exits with 1 if any of them is not resolved.
    """
    state = None if everything else "active"
    answer = server.find(data).get("/incidents", state=state, book=book, limit=limit, before=before)
    incidents = answer["incidents"]
    if form == "json":
        output.as_json(answer)
    elif not incidents:
        output.say(words.NO_INCIDENTS_EVER if everything else words.NO_INCIDENTS)
    else:
        heads = ["", "ID", "SEVERITY", "STATE", "OPENED", "ANSWER", "TITLE"]
        output.table(heads, [_row(one) for one in incidents], right=[1])
    return int(any(one["state"] != "resolved" for one in incidents))


def _row(one: dict[str, Any]) -> list[str]:
    return [
        output.glyph(one["state"]),
        str(one["id"]),
        one["severity"],
        one["state"],
        output.age(one["opened_at"]),
        _answer(one),
        one["title"],
    ]


def _answer(one: dict[str, Any]) -> str:
    """Return who answered, or until when somebody has to."""
    if one["acknowledged_by"]:
        by: str = one["acknowledged_by"]
        return by
    if one["state"] == "open" and one["acknowledge_by"]:
        return output.left(one["acknowledge_by"])
    return "–"
