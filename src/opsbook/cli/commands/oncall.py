"""``opsbook oncall``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from opsbook.cli import options, output, server, words


def _moment(_context: click.Context, _option: click.Parameter, said: str | None) -> str | None:
    """Read a moment; without a zone it is one of this machine's clock."""
    if said is None:
        return None
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        raise click.BadParameter(words.NO_MOMENT.format(said=said)) from None
    return at.astimezone().isoformat()


@click.command()
@click.option("--at", metavar="TIME", callback=_moment, help=words.ONCALL_AT)
@click.option("--book", metavar="ID", help=words.BOOK)
@options.talks
def command(at: str | None, book: str | None, data: str | None, form: str) -> None:
    """Say who is on duty, team by team, and who comes next."""
    answer = server.find(data).get("/oncall", at=at, book=book)
    if form == "json":
        output.as_json(answer)
    elif not answer["teams"]:
        output.say(words.NO_TEAMS)
    else:
        heads = ["TEAM", "ON DUTY", "THEN", "NEXT", "FROM", ""]
        output.table(heads, [_row(one) for one in answer["teams"]])


def _row(one: dict[str, Any]) -> list[str]:
    first, *then = one["on_duty"]
    return [
        one["title"],
        first,
        ", ".join(then[:2]),
        one["next"] or "",
        output.clock_time(one["next_at"]) if one["next_at"] else "",
        words.ONCALL_WHY.get(one["why"] or "", ""),
    ]
