"""The hours in which a check is looked at; outside of them it is paused, which is never green.

Paused is no observation: nothing was seen. It follows from the book and the time alone, so whoever
shows a check asks here instead of reading what was seen last.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from opsbook.book import Book
from opsbook.book.sections.checks import Check
from opsbook.calendar import Hours, ScheduleError

PAUSED = "paused"
NEVER_OPEN = timedelta(days=1)


def hours_of(book: Book, check: Check) -> Hours | None:
    """Return the hours of a check, in the zone and with the holidays of its book."""
    named = book.hours.get(check.active) if check.active is not None else None
    return Hours.parse(named.open, book.timezone, book.days) if named is not None else None


def paused(book: Book, now: datetime) -> frozenset[str]:
    """Return the checks of a book that are outside their hours now."""
    return frozenset(_paused(book, now))


def _paused(book: Book, now: datetime) -> Iterator[str]:
    closed: dict[str, bool] = {}
    for id, check in book.checks.items():
        if check.active is None:
            continue
        if check.active not in closed:
            hours = hours_of(book, check)
            closed[check.active] = hours is not None and not hours.contains(now)
        if closed[check.active]:
            yield id


def opens(hours: Hours, now: datetime) -> datetime:
    """Return when hours that are closed open; asked again tomorrow if not within 500 days."""
    try:
        return hours.next_open(now)
    except ScheduleError:
        return now + NEVER_OPEN
