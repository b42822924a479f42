"""``/checks``: what the checks see now, and what one of them saw lately."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query

from opsbook.base.errors import NotFound
from opsbook.book import Book
from opsbook.checks import store, windows
from opsbook.web.api.callers import Ask
from opsbook.web.api.models import CheckDetail, CheckOut, Checks, ObservationOut
from opsbook.web.api.problems import ProblemRoute

routes = APIRouter(route_class=ProblemRoute, tags=["checks"])
SEEN = (
    "state", "since", "at", "value", "unit", "latency_ms", "message", "flapping", "behind",
)  # fmt: skip
HOUR = 3600
DAYS_400 = 400 * 24 * HOUR


@routes.get("/checks")
async def checks(ask: Ask, book: str | None = None) -> Checks:
    """Every check of the books the caller may read, in the order of the book."""
    books = ask.books("checks", book)
    seen = await ask.app.database.read(
        lambda tx: {one.id: store.statuses(tx, one.id) for one in books}
    )
    now = ask.app.clock.now()
    shown = []
    for one in books:
        rests = windows.paused(one, now)
        for check_id in one.checks:
            told = shaped(one, check_id, seen[one.id].get(check_id), ask.language)
            shown.append(CheckOut(**told, paused=check_id in rests))
    return Checks(checks=shown)


@routes.get("/checks/{book}/{check}")
async def check(
    ask: Ask,
    book: str,
    check: str,
    seconds: Annotated[int, Query(ge=1, le=DAYS_400)] = HOUR,
    limit: Annotated[int, Query(ge=1, le=5_000)] = 1_000,
) -> CheckDetail:
    """One check with its rules and what it saw in the last ``seconds``, oldest first."""
    found = ask.books("checks", book)[0]
    if check not in found.checks:
        known = ", ".join(list(found.checks)[:12]) or "none"
        raise NotFound(f"The book {book!r} has no check {check!r}.", remedy=f"It has: {known}.")
    since = ask.app.clock.now() - timedelta(seconds=seconds)
    row, series = await ask.app.database.read(
        lambda tx: (
            store.status_of(tx, book, check),
            store.series(tx, book, check, since=since, limit=limit),
        )
    )
    return CheckDetail(
        **shaped(found, check, row, ask.language),
        paused=check in windows.paused(found, ask.app.clock.now()),
        rules=[rule.id for rule in found.rules.values() if rule.check == check],
        series=[ObservationOut(**one) for one in series],
    )


def shaped(book: Book, check_id: str, row: dict[str, Any] | None, language: str) -> dict[str, Any]:
    """Return a check as the API tells it; one that has not looked yet is ``new``."""
    check = book.checks[check_id]
    seen = row or {
        "state": "new", "since": None, "at": None, "value": None, "unit": "",
        "latency_ms": None, "message": "", "flapping": False, "behind": "",
    }  # fmt: skip
    return {
        "book": book.id,
        "id": check_id,
        "title": check.title.in_language(language),
        "kind": check.kind,
        "every": check.every.total_seconds(),
        "where": book.where("checks", check_id),
        **{name: seen[name] for name in SEEN},
    }
