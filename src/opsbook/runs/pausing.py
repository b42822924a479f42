"""When something is tried again, and when the day of a step has come: values in, moments out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from opsbook.base.errors import Invalid
from opsbook.base.quantities import format_duration
from opsbook.book import Book, Runbook, Step
from opsbook.calendar import ScheduleError
from opsbook.calendar.offset import Offset

LONGEST_PAUSE: Final = timedelta(hours=1)
EARLIEST: Final = date(1900, 1, 1)
LATEST: Final = date(9000, 1, 1)
"""Between these days the calendar reaches every phase that a book can write."""


class BeyondCalendar(Invalid):
    """A phase of this run would begin on a day that there is not."""

    remedy = f"Give a day between {EARLIEST} and {LATEST}; if it is one, look at the holidays."


def before_try(step: Step, failures: int) -> timedelta:
    """How long to wait after so many failures: ``backoff=``, doubled each time, an hour at most."""
    doublings = min(failures - 1, 20)
    return min(step.backoff * (1 << doublings), LONGEST_PAUSE)


def begins(book: Book, step: Step, day: str) -> datetime | None:
    """When the day of a step begins, for a run of that day; None for one without a day.

    Raises:
        BeyondCalendar: the calendar has no such day. No run is started that would come to that:
            it would be asked about in every turn, and could neither move nor end.
    """
    if step.day is None or not day:
        return None
    offset, zone = Offset.parse(step.day), ZoneInfo(book.timezone)
    try:
        return offset.at(date.fromisoformat(day), zone, book.days)
    except ScheduleError as error:
        raise BeyondCalendar(
            f"The step {step.key} cannot begin on {step.day} of {day}: {error}."
        ) from None


def unreachable(book: Book, runbook: Runbook, day: str) -> Iterator[tuple[Step, BeyondCalendar]]:
    """Yield every step whose day is none for a run of that day, with what is wrong."""
    for step in runbook.steps:
        try:
            begins(book, step, day)
        except BeyondCalendar as error:
            yield step, error


def deadline(book: Book, runbook: Runbook, day: str, now: datetime) -> datetime | None:
    """Until when a run that starts now must be over.

    The time that a runbook allows counts from its last phase, where one of them is still to come:
    nobody means two hours for what begins a week before.

    Raises:
        BeyondCalendar: as `begins`.
    """
    if runbook.timeout is None:
        return None
    days = [begins(book, step, day) for step in runbook.steps]
    last = max([now, *(one for one in days if one is not None)])
    try:
        return last + runbook.timeout
    except OverflowError:
        told = f"A run of {day} cannot last {format_duration(runbook.timeout)}: no day is so late."
        raise BeyondCalendar(told) from None
