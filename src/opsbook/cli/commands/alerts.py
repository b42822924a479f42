"""``opsbook alerts``."""

from __future__ import annotations

from typing import Any

import click

from opsbook.cli import options, output, server, words


@click.command()
@click.option("--all", "everything", is_flag=True, help=words.ALL_ALERTS)
@click.option("--book", metavar="ID", help=words.BOOK)
@options.paged()
@options.talks
def command(
    everything: bool, book: str | None, limit: int, before: int | None, data: str | None, form: str
) -> int:
    """List alerts that fire or are about to, newest first.

    Exits with 1 if any of them fires and somebody is to be told of it: one that is silenced,
    inhibited, muted, behind a failed check or outside of the hours of its route does not count.
    """
    state = None if everything else "active"
    answer = server.find(data).get("/alerts", state=state, book=book, limit=limit, before=before)
    alerts = answer["alerts"]
    if form == "json":
        output.as_json(answer)
    elif not alerts:
        output.say(words.NO_ALERTS_EVER if everything else words.NO_ALERTS)
    else:
        heads = ["", "ID", "SEVERITY", "STATE", "SINCE", "WHAT", "LABELS"]
        output.table(heads, [_row(one) for one in alerts], right=[1])
    return int(any(one["state"] == "firing" and not one["quiet"] for one in alerts))


def _row(one: dict[str, Any]) -> list[str]:
    state = one["quiet"] or one["state"]
    said = {"alertname", "severity", "book", "rule", "check"}
    labels = [f"{name}={value}" for name, value in one["labels"].items() if name not in said]
    return [
        output.glyph(state),
        str(one["id"]),
        one["severity"],
        state,
        output.age(one["fired_at"] or one["pending_since"]),
        one["summary"],
        " ".join(labels),
    ]
