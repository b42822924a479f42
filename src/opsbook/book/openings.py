"""When one of a book's windows is open for changes: its schedule, less the freezes that stand.

A freeze is in the way of a window when the two are about a common service; one that names no
service is about all of them. Kinds of change that a freeze allows belong to changes that were asked
for as such: a run has no kind, so that a freeze always holds it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from opsbook import calendar
from opsbook.book.model import Book
from opsbook.calendar import ScheduleError, Span, local


def next_opening(
    book: Book, window: str, now: datetime, used: Iterable[datetime] = ()
) -> Span | None:
    """The time from `now` or the next opening on in which a window is open and not frozen.

    It begins at `now` where that is so now. `used` is when it was used so far, for windows that may
    be used a few times a month. None where the schedule has no further times.
    """
    used, at = tuple(used), now
    found = _window(book, window)
    frozen = local.merged(_frozen(book, book.windows[window].services))
    try:
        while True:
            span = found.open_at(at, used) or found.next_after(at, used)
            at = max(span.start, at)
            at = next((freeze.end for freeze in frozen if freeze.contains(at)), at)
            if at < span.end:
                ends = [freeze.start for freeze in frozen if at < freeze.start < span.end]
                return Span(at, min([span.end, *ends]))
    except ScheduleError:
        return None


def month_began(book: Book, window: str, now: datetime) -> datetime:
    """When the month began in which the window that is open at `now` has opened, at the latest."""
    found = _window(book, window)
    zone = found.schedule.zone
    opened = found.open_at(now)
    reading = local.wall(opened.start if opened else now, zone)
    first = reading.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return local.happens(first, zone)


def _window(book: Book, window: str) -> calendar.Window:
    said = book.windows[window]
    zone = ZoneInfo(said.timezone or book.timezone)
    schedule = calendar.Schedule.parse(said.schedule, zone, book.days)
    return calendar.Window(schedule, said.length, said.per_month)


def _frozen(book: Book, services: Collection[str]) -> Iterator[Span]:
    for freeze in book.freezes.values():
        if services and freeze.services and not set(services) & set(freeze.services):
            continue
        zone = ZoneInfo(freeze.timezone or book.timezone)
        yield calendar.Freeze.of(freeze.from_, freeze.to, zone).span
