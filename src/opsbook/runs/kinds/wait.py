"""Wait steps: a span, a time, an open window, or a check that is ok (`opsbook.book.waits`).

In between it is a row with the moment at which it is looked at. A window's next opening is known
beforehand; a check is looked at as by a check step that need not hold. Windows and freezes are
those of the revision that the run keeps: what is published meanwhile holds for later runs.

``timeout=`` bounds it where somebody wrote it, and a wait whose timeout passes has failed. There is
none otherwise: ten minutes would make no sense for "until the window".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from opsbook.base.database import Transaction
from opsbook.base.quantities import format_duration
from opsbook.book import Book, openings, waits
from opsbook.runs import windows
from opsbook.runs.kinds import check
from opsbook.runs.kinds.kind import Ended, Pause, Place, earliest
from opsbook.runs.model import WaitsFor


class Wait:
    """Waits for what its body says."""

    waits_for: WaitsFor = "time"

    def begin(self, tx: Transaction, now: datetime, place: Place) -> Pause | Ended:
        """Find out until when; a time that has come already, and an open window, end it at once."""
        limit = now + place.step.timeout if "timeout" in place.step.attributes else None
        zone = ZoneInfo(place.book.timezone)
        match waits.parse(place.step.body):
            case waits.For(span):
                return _until(now, place, now + span, limit)
            case waits.TimeOfDay() as daily:
                return _until(now, place, daily.next_after(now, zone), limit)
            case waits.Moment() as moment:
                return _until(now, place, moment.instant(zone), limit)
            case waits.Opening(window):
                return _opening(tx, now, place, window, limit)
            case waits.CheckIsOk(name):
                return check.watched(now, place, name, limit)

    def look(
        self, tx: Transaction, now: datetime, place: Place, wait: Mapping[str, Any]
    ) -> Pause | Ended | None:
        """Whether it has come."""
        if wait["kind"] == "check":
            return check.looked_at(tx, now, place, wait)
        data = wait["data"]
        limit = datetime.fromisoformat(data["limit"]) if data["limit"] else None
        if "window" in data:
            return _opening(tx, now, place, data["window"], limit)
        found = _until(now, place, datetime.fromisoformat(data["until"]), limit)
        return found if isinstance(found, Ended) else None


def _until(now: datetime, place: Place, target: datetime, limit: datetime | None) -> Pause | Ended:
    if now >= target and (limit is None or target <= limit):
        return Ended("succeeded", f"waited until {told(place.book, target)}")
    if limit is not None and now >= limit:
        return _too_long(place, f"until {told(place.book, target)}")
    data = {"until": target.isoformat(), "limit": limit.isoformat() if limit else None}
    return _pause(place, target, limit, data)


def _opening(
    tx: Transaction, now: datetime, place: Place, window: str, limit: datetime | None
) -> Pause | Ended:
    book = place.book
    since = openings.month_began(book, window, now)
    found = openings.next_opening(book, window, now, windows.used(tx, book, window, since))
    if limit is not None and now >= limit:
        return _too_long(place, f"for the window {window}")
    if found is None:
        return Ended("failed", f"the window {window} does not open any more")
    if found.start <= now:
        windows.use(tx, now, book, place.run, window)
        return Ended("succeeded", f"the window {window} is open until {told(book, found.end)}")
    data = {"window": window, "limit": limit.isoformat() if limit else None}
    return _pause(place, found.start, limit, data)


def _pause(place: Place, target: datetime, limit: datetime | None, data: dict[str, Any]) -> Pause:
    wake = earliest(target, limit, place.deadline)
    return Pause("time", due_at=earliest(target, limit), wake_at=wake, data=data)


def _too_long(place: Place, what: str) -> Ended:
    within = format_duration(place.step.timeout)
    return Ended("failed", f"waiting {what} took longer than its timeout of {within}")


def told(book: Book, moment: datetime) -> str:
    """A moment as the clocks of the book's zone show it."""
    return f"{moment.astimezone(ZoneInfo(book.timezone)):%Y-%m-%d %H:%M}"
