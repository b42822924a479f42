"""Dates relative to a day that matters: ``D-7``, ``D-Day``, ``D-3 영업일 18:00``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from opsbook.calendar import local, words
from opsbook.calendar.days import Days
from opsbook.calendar.errors import ScheduleError

_FORM = re.compile(
    r"D\s*(?:-\s*Day|(?P<sign>[-+])\s*(?P<count>\d{1,5})"
    r"(?P<business>\s*(?:business days?|영업일))?)"
    rf"(?:\s+(?:at\s+)?(?P<time>{words.TIME}))?",
    re.IGNORECASE,
)
_FURTHEST = 3660
_FIRST_YEAR, _LAST_YEAR = 2, 9998
"""The calendar of datetime ends with the years 1 and 9999. A moment within a year of its ends has
no local time in some zone, and nothing can be told before or after it."""


@dataclass(frozen=True, slots=True)
class Offset:
    """So many days before (below zero) or after a day, at a time of day.

    `business` counts business days: ``D-1`` business day of a Monday is the Friday before. Without
    a `time` it means the beginning of the day.
    """

    count: int
    business: bool = False
    time: time | None = None

    @classmethod
    def parse(cls, text: str) -> Offset:
        """Read ``D-7``, ``D-Day``, ``D+1 09:00``, ``D-3 business days``, ``D-3 영업일 18:00``.

        ScheduleError names the text and what would be accepted.
        """
        text = " ".join(text.split())
        said = _FORM.fullmatch(text)
        if said is None:
            raise ScheduleError(
                f'{text!r} is no offset from a day; write "D-7", "D-Day", "D+1 09:00", '
                '"D-3 business days" or "D-3 영업일 18:00"'
            )
        count = int(f"{said['sign'] or ''}{said['count'] or 0}")
        if abs(count) > _FURTHEST:
            raise ScheduleError(f"{text!r} is out of reach; write at most {_FURTHEST} days")
        if said["business"] and not count:
            raise ScheduleError(f'{text!r} counts no business day; write "D-Day"')
        at = time(*words.time_of_day(said["time"], text)) if said["time"] else None
        return cls(count, bool(said["business"]), at)

    def on(self, day: date, days: Days | None = None) -> date:
        """The date meant, for the D-Day `day`; without `days` nothing is a holiday.

        ScheduleError where the calendar has no such date, or keeps too little distance from its
        ends; also where `days` leave no business day.
        """
        found: date | None
        try:
            if self.business:
                found = (days or Days()).move(day, self.count)
            else:
                found = day + timedelta(days=self.count)
        except OverflowError:
            found = None
        if found is None or not _FIRST_YEAR <= found.year <= _LAST_YEAR:
            raise ScheduleError(
                f"{self.describe('en')} of {day} lies beyond the calendar; "
                f"give a day in the years {_FIRST_YEAR} to {_LAST_YEAR} and far enough inside them"
            )
        return found

    def at(self, day: date, zone: ZoneInfo | str, days: Days | None = None) -> datetime:
        """The instant meant, for the D-Day `day` in a zone: aware, in UTC. As `on`."""
        moment = datetime.combine(self.on(day, days), self.time or time())
        return local.happens(moment, local.zone_of(zone))

    def describe(self, language: str) -> str:
        """The offset as it is written: ``D-3 영업일 18:00``, ``D-Day``."""
        told = f"D{self.count:+}" if self.count else "D-Day"
        if self.business:
            one = "business day" if abs(self.count) == 1 else "business days"
            told += " 영업일" if language.split("-", maxsplit=1)[0] == "ko" else f" {one}"
        return f"{told} {self.time:%H:%M}" if self.time else told
