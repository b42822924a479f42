"""``opsbook checks``."""

from __future__ import annotations

from typing import Any

import click

from opsbook.cli import options, output, server, words

FINE = {"ok", "new"}


@click.command()
@click.argument("check", required=False)
@click.option("--book", metavar="ID", help=words.BOOK)
@options.talks
def command(check: str | None, book: str | None, data: str | None, form: str) -> int:
    """Show what the checks see, or one CHECK with its last observations.

    Exits with 1 if any shown check has seen something that is not ok: "no data" is not ok.
    """
    found = server.find(data)
    if check is None:
        answer = found.get("/checks", book=book)
        shown = answer["checks"]
        show = _list
    else:
        answer = found.get(
            f"/checks/{server.part(_book_of(found, check, book))}/{server.part(check)}"
        )
        shown, show = [answer], _one
    if form == "json":
        output.as_json(answer)
    else:
        show(shown)
    return int(any(not _fine(one) for one in shown))


def _fine(one: dict[str, Any]) -> bool:
    """Whether nobody has to look at it; one outside of its hours says nothing either way."""
    return one["paused"] or one["state"] in FINE


def _book_of(found: server.Server, check: str, book: str | None) -> str:
    """Return the book that has this check; where several do, the server's refusal names them."""
    if book is not None:
        return book
    owners = [one["book"] for one in found.get("/checks")["checks"] if one["id"] == check]
    if len(owners) > 1:
        raise click.UsageError(words.CHECK_IN_MORE.format(check=check, books=", ".join(owners)))
    if not owners:
        raise click.UsageError(words.NO_SUCH_CHECK.format(check=check))
    owner: str = owners[0]
    return owner


def _list(checks: list[dict[str, Any]]) -> None:
    output.say(_sentence(checks))
    if not checks:
        return
    output.say()
    several = len({one["book"] for one in checks}) > 1
    heads = ["", *(["BOOK"] if several else []), "CHECK", "VALUE", "TOOK", "SEEN", "SAYS"]
    rows = [
        [
            output.glyph("paused" if one["paused"] else one["state"]),
            *([one["book"]] if several else []),
            one["id"],
            output.quantity(one["value"], one["unit"]),
            output.quantity(one["latency_ms"], "ms") if one["at"] else "–",
            output.age(one["at"]),
            _says(one),
        ]
        for one in checks
    ]
    output.table(heads, rows, right=[len(heads) - 4, len(heads) - 3])


def _says(one: dict[str, Any]) -> str:
    """What it says, and what makes that less than it seems."""
    said = [one["message"]]
    if one["behind"]:
        said.insert(0, words.BEHIND.format(check=one["behind"]))
    if one["flapping"]:
        said.insert(0, words.FLAPPING)
    return " · ".join(part for part in said if part)


def _one(checks: list[dict[str, Any]]) -> None:
    one = checks[0]
    value = output.quantity(one["value"], one["unit"])
    output.say(f"{output.glyph(one['state'])} {one['title']}  {value} · {output.age(one['at'])}")
    if one["message"]:
        output.say(f"  {output.clean(one['message'])}")
    line = output.sparkline([seen["value"] for seen in one["series"][-60:]])
    if line:
        output.say(f"  {line}")
    for name, text in (
        ("check", f"{one['kind']}, every {output.quantity(one['every'], 's')}, {one['where']}"),
        ("since", output.age(one["since"])),
        ("rules", ", ".join(one["rules"])),
    ):
        output.say(f"  {output.faint(name)}  {text}")


def _sentence(checks: list[dict[str, Any]]) -> str:
    bad = sum(not _fine(one) for one in checks)
    new = sum(one["state"] == "new" for one in checks)
    if not checks:
        return words.NO_CHECKS
    if bad:
        return words.NEEDS.format(bad=bad, n=len(checks))
    n = len(checks) - new
    fine = words.ONE_FINE if n == 1 else words.ALL_FINE.format(n=n)
    return words.NOT_YET.format(fine=fine, new=words.plural(new, "has", "have")) if new else fine
