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
@click.option("--ahead", metavar="DAYS", type=click.IntRange(1, 366), help=words.ONCALL_AHEAD)
@click.option("--book", metavar="ID", help=words.BOOK)
@options.talks
def command(
    at: str | None, ahead: int | None, book: str | None, data: str | None, form: str
) -> None:
    """Say who is on duty, team by team, and who comes next; or what is wrong in time to come."""
    if ahead is not None:
        if at is not None:
            raise click.UsageError(words.AT_OR_AHEAD)
        _wrong(server.find(data).get("/oncall/ahead", days=ahead, book=book), form)
        return
    answer = server.find(data).get("/oncall", at=at, book=book)
    if form == "json":
        output.as_json(answer)
    elif not answer["teams"]:
        output.say(words.NO_TEAMS)
    else:
        heads = ["TEAM", "ON DUTY", "THEN", "NEXT", "FROM", ""]
        output.table(heads, [_row(one) for one in answer["teams"]])


def _wrong(answer: dict[str, Any], form: str) -> None:
    """Write what is wrong with duty; the exit status says whether anything is."""
    rows = [
        [output.glyph("warning"), words.GAP, one["rotation"], _times(one),
         words.GAP_CALLS.format(person=one["person"])]
        for one in answer["gaps"]
    ]  # fmt: skip
    rows += [
        [output.glyph("warning"), words.CLASH, ", ".join(one["rotations"]), _times(one),
         words.CLASH_CALLS.format(person=one["person"])]
        for one in answer["clashes"]
    ]  # fmt: skip
    if form == "json":
        output.as_json(answer)
    elif not rows:
        output.say(words.DUTY_IS_WELL.format(until=output.clock_time(answer["until"])))
    else:
        output.table(["", "WHAT", "WHERE", "WHEN", ""], rows)
    if rows:
        raise SystemExit(1)


def _times(one: dict[str, Any]) -> str:
    return f"{output.clock_time(one['start'])} – {output.clock_time(one['end'])}"


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
