"""A check as pages show it: state, value with unit, limit and age, and the line of the last hour.

Shared by Today, the Checks page and incidents, so that a check looks the same wherever it is met.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from markupsafe import Markup

from opsbook.base.database import Transaction
from opsbook.base.quantities import Band, QuantityError
from opsbook.book import Book
from opsbook.book.sections.checks import Check
from opsbook.checks import store as checks
from opsbook.checks import windows
from opsbook.web import charts, store, words
from opsbook.web.i18n import Speech

HOUR: Final = timedelta(hours=1)
SPARK_STEP: Final = timedelta(minutes=1)
WEIGHT: Final = {"critical": 0, "warning": 1, "nodata": 2, "new": 3, "ok": 4, "paused": 5}
"""The order in which checks are read: who needs somebody first."""
QUIET: Final = frozenset({"ok", "new", "paused"})
"""States in which a check needs nobody."""
BAD: Final = frozenset({"warning", "critical", "nodata"})
"""States that have a reason."""


@dataclass(frozen=True)
class Row:
    """One check, ready to show."""

    book: str
    id: str
    title: str
    service: str
    path: str
    zone: ZoneInfo
    state: str
    since: datetime | None
    at: datetime | None
    reading: str
    limit: str
    message: str
    spark: Markup | str = ""
    flapping: bool = False
    behind: str = ""
    behind_path: str = ""


def rows(
    tx: Transaction, speech: Speech, now: datetime, book: Book,
    only: Collection[str] | None = None,
) -> list[Row]:  # fmt: skip
    """Return the checks of a book (or some of them), those that need somebody first."""
    seen = checks.statuses(tx, book.id)
    paused = windows.paused(book, now)
    found = [
        row(speech, book, check, seen.get(check.id), paused)
        for check in book.checks.values()
        if only is None or check.id in only
    ]
    return sorted(found, key=lambda one: WEIGHT.get(one.state, 3))


def row(
    speech: Speech, book: Book, check: Check, status: Mapping[str, Any] | None,
    paused: Collection[str] = (),
) -> Row:  # fmt: skip
    """Return one check from its latest status; without one it was not looked at yet.

    Outside of its hours it is paused, whatever it saw last: that is old, and never green.
    """
    state = status["state"] if status else "new"
    if check.id in paused:
        state = "paused"
    behind = status["behind"] if status else ""
    message = status["message"] if status else ""
    return Row(
        book=book.id,
        id=check.id,
        title=words.text(speech, check.title),
        service=service(speech, book, check),
        path=path(book.id, check.id),
        zone=ZoneInfo(book.timezone),
        state=state,
        since=status["since"] if status and state not in {"ok", "paused"} else None,
        at=status["at"] if status else None,
        reading=words.value(speech, status["value"], status["unit"]) if status else "",
        limit=limit(speech, check, state, status),
        message=message if state not in {"ok", "paused"} else "",
        flapping=bool(status and status["flapping"]) and state != "paused",
        behind=title(speech, book, behind) if behind else "",
        behind_path=path(book.id, behind) if behind else "",
    )


def with_sparks(
    tx: Transaction, speech: Speech, now: datetime, book: Book, shown: list[Row]
) -> list[Row]:
    """Return the rows with the line of their last hour, read in one query for all of them."""
    mine = [one.id for one in shown if one.book == book.id]
    if not mine:
        return shown
    since = now - HOUR
    seen = store.trends(tx, book.id, mine, since, SPARK_STEP)
    found = []
    for one in shown:
        points = seen.get(one.id, []) if one.book == book.id else []
        if not points:
            found.append(one)
            continue
        check = book.checks[one.id]
        tone, band = _next(check, one.state)
        limit_line = charts.limits(
            [(tone if one.state != "ok" else "", band)],
            check.value_unit or "",
            words.reader(speech),
        )
        drawn = charts.spark(
            worst_side(check, points), limit_line, since, now,
            speech.say("%(title)s, last hour: now %(value)s", title=one.title, value=one.reading),
        )  # fmt: skip
        found.append(Row(**{**vars(one), "spark": drawn}))
    return found


def worst_side(check: Check, points: Collection[Mapping[str, Any]]) -> list[charts.Point]:
    """Return points with the value that is nearer to the limit: a short peak must stay visible."""
    band = check.bands.warning or check.bands.critical
    side = "low" if band is not None and band.op in {"<", "<="} else "high"
    return [charts.Point(one["at"], one[side], one["state"]) for one in points]


def limit(speech: Speech, check: Check, state: str, status: Mapping[str, Any] | None) -> str:
    """Return the limit that says most: the one that the value is over, else the next one.

    Of a check that is bad for another reason than its value (an answer that is not what it should
    be, or none) there is no limit to tell: what it said is the reason.
    """
    _, band = _next(check, state)
    if band is not None and state in BAD:
        value = status["value"] if status else None
        if value is None or not _in(band, value, status["unit"] if status else ""):
            return ""
    return words.limit(speech, band)


def _in(band: Band, value: float, unit: str) -> bool:
    with contextlib.suppress(QuantityError):
        return band.holds(value, unit)
    return False


def _next(check: Check, state: str) -> tuple[str, Band | None]:
    warning, critical = check.bands.warning, check.bands.critical
    if critical is not None and (state == "critical" or warning is None):
        return "critical", critical
    return "warning", warning


def title(speech: Speech, book: Book, check_id: str) -> str:
    """Return what a check is called; its id where the book has it no more."""
    found = book.checks.get(check_id)
    return words.text(speech, found.title) if found is not None else check_id


def service(speech: Speech, book: Book, check: Check) -> str:
    """Return what a check's service is called; empty for none."""
    found = book.services.get(check.service or "")
    return words.text(speech, found.title) if found is not None else ""


def path(book: str, check: str) -> str:
    """Return where a check's page is."""
    return f"/checks/{quote(book)}/{quote(check)}"
