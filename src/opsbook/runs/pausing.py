"""When something is tried again, and when the day of a step has come: values in, moments out."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from opsbook.book import Book, Runbook, Step
from opsbook.calendar.offset import Offset

LONGEST_PAUSE: Final = timedelta(hours=1)


def before_try(step: Step, failures: int) -> timedelta:
    """How long to wait after so many failures: ``backoff=``, doubled each time, an hour at most."""
    doublings = min(failures - 1, 20)
    return min(step.backoff * (1 << doublings), LONGEST_PAUSE)


def begins(book: Book, step: Step, day: str) -> datetime | None:
    """When the day of a step begins, for a run of that day; None for one without a day."""
    if step.day is None or not day:
        return None
    return Offset.parse(step.day).at(date.fromisoformat(day), ZoneInfo(book.timezone), book.days)


def deadline(book: Book, runbook: Runbook, day: str, now: datetime) -> datetime | None:
    """Until when a run that starts now must be over.

    The time that a runbook allows counts from its last phase, where one of them is still to come:
    nobody means two hours for what begins a week before.
    """
    if runbook.timeout is None:
        return None
    days = [begins(book, step, day) for step in runbook.steps]
    return max([now, *(one for one in days if one is not None)]) + runbook.timeout
