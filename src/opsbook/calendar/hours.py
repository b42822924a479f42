"""Opening hours: ``평일 09:00-18:00``, ``weekdays 22:00-06:00; weekends 24x7``, and clocks in them.

Open is every instant at which the wall clock reads within a period: on the day the clocks go back,
a repeated hour counts both times, and a night that loses an hour is an hour shorter. A period over
midnight belongs to the day it begins on, which also decides whether it falls on a holiday.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from opsbook.calendar import local, words
from opsbook.calendar.days import Days
from opsbook.calendar.errors import ScheduleError
from opsbook.calendar.local import Span, merged
from opsbook.calendar.phrase import (
    DAYS_EN,
    DAYS_KO,
    EVERY_DAY,
    WEEKDAYS,
    WEEKEND,
    days_in_english,
    days_in_korean,
    told_shift,
)

_DAY = 24 * 60
_ALWAYS = re.compile(r"24\s*[x×/]\s*7|always|항상|상시", re.IGNORECASE)
_CLOCK = rf"(?:24:00|{words.TIME})"
_PERIOD = re.compile(rf"(?P<days>.*?)\s*(?P<start>{_CLOCK})\s*(?:[-–~]|to)\s*(?P<end>{_CLOCK})")
_BETWEEN_DAYS = re.compile(
    rf"(?P<first>{'|'.join(DAYS_EN)})(?: to |\s*[-–]\s*)(?P<last>{'|'.join(DAYS_EN)})"
    r"|(?P<first_ko>[일월화수목금토])(?:요일)?\s*[-~]\s*(?P<last_ko>[일월화수목금토])(?:요일)?",
    re.IGNORECASE,
)
_NAMED = (
    (re.compile(r"every day|daily|매일", re.IGNORECASE), EVERY_DAY),
    (re.compile(r"(?:every )?weekdays?|평일", re.IGNORECASE), WEEKDAYS),
    (re.compile(r"(?:every )?weekends?|주말", re.IGNORECASE), WEEKEND),
)
_LISTED = tuple(
    re.compile(text, re.IGNORECASE)
    for text in (rf"(?:every )?{words.DAYS_IN_ENGLISH}", rf"(?:매주\s*)?{words.DAYS_IN_KOREAN}")
)
_BUSINESS = re.compile(r"(?:every )?business days?|(?:매\s*)?영업일", re.IGNORECASE)
_LOOK_AHEAD = (timedelta(days=3), timedelta(days=30), timedelta(days=500))
"""How far an opening or a closing is looked for, in turn; most come within days."""
_ACCEPTED = (
    'write "weekdays 09:00-18:00", "business days 09:00-18:00", "every day 22:00-06:00", '
    '"Monday to Thursday 09:00-18:00; Friday 09:00-16:00", the same in Korean '
    '("평일 09:00-18:00"), any of them with "except holidays", or "24x7"'
)


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` to `end`, minutes since midnight, on `days` (Sunday 0) or on business days.

    `end` is at most 24 hours after `start` and may lie on the next day (above 1440). With `skip`
    it does not begin on a holiday.
    """

    days: tuple[int, ...]
    start: int
    end: int
    business: bool = False
    skip: bool = False

    def begins(self, day: date, days: Days) -> bool:
        """Whether it begins on a date."""
        if self.business:
            return days.is_business(day)
        return (day.weekday() + 1) % 7 in self.days and not (self.skip and days.is_holiday(day))


@dataclass(frozen=True, slots=True)
class Hours:
    """When a place is open, in a time zone; `periods` is empty where it always is."""

    text: str
    zone: ZoneInfo
    days: Days = field(default_factory=Days)
    periods: tuple[Period, ...] = field(compare=False, default=())

    @classmethod
    def parse(cls, text: str, zone: ZoneInfo | str, days: Days | None = None) -> Hours:
        """Read ``weekdays 09:00-12:00, 13:00-18:00 except holidays; Saturday 10:00-14:00``.

        Periods are joined by ``;`` or ``,``. One without days has those of the period before it;
        ``except holidays`` holds for all periods back to the last ``;``. ScheduleError names the
        text and what would be accepted.
        """
        zone, days, text = local.zone_of(zone), days or Days(), " ".join(text.split())
        if _ALWAYS.fullmatch(text):
            return cls(text, zone, days)
        periods = tuple(dict.fromkeys(_periods(text)))
        return cls(text, zone, days, () if _never_close(periods, days) else periods)

    def contains(self, now: datetime) -> bool:
        """Whether it is open at `now`; it is not at the minute it closes."""
        if not self.periods:
            return True
        here = local.wall(now, self.zone)
        today = here.date()
        minute = (here - datetime.combine(today, time())) / timedelta(minutes=1)
        yesterday = today - timedelta(days=1)
        return any(
            (period.start <= minute < period.end and period.begins(today, self.days))
            or (minute + _DAY < period.end and period.begins(yesterday, self.days))
            for period in self.periods
        )

    def next_open(self, now: datetime) -> datetime:
        """The first instant at or after `now` at which it is open, in UTC: `now` if it is.

        ScheduleError if it does not open within 500 days.
        """
        now = local.aware(now)
        for ahead in _LOOK_AHEAD:
            if found := self.spans(now, now + ahead):
                return found[0].start
        raise ScheduleError(
            f"{self.text!r} does not open within 500 days of {now:%Y-%m-%d}; "
            "take dates out of the holidays"
        )

    def next_close(self, now: datetime) -> datetime | None:
        """The first instant at or after `now` at which it is closed, in UTC: `now` if it is.

        None if it never closes (not within 500 days).
        """
        now = local.aware(now)
        for ahead in _LOOK_AHEAD if self.periods else ():
            found = self.spans(now, now + ahead)
            if not found or found[0].start > now:
                return now
            if found[0].end < now + ahead:
                return found[0].end
        return None

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """How much open time lies between two instants, in real time; zero if `end` is earlier."""
        return sum((span.length for span in self.spans(start, end)), timedelta())

    def due(self, start: datetime, length: timedelta) -> datetime:
        """The instant at which `length` of open time has passed since `start`, in UTC.

        What a clock that runs in these hours only calls its deadline. With nothing left to pass it
        is `start`, open or not.
        """
        now, left = local.aware(start), length
        if left <= timedelta():
            return now
        if not self.periods:
            return now + left
        while True:
            now = self.next_open(now)
            chunk = now + min(max(left, timedelta(days=3)), timedelta(days=60))
            for span in self.spans(now, chunk):
                if span.length >= left:
                    return span.start + left
                left -= span.length
            now = chunk

    def spans(self, start: datetime, end: datetime) -> list[Span]:
        """The open time between two instants, in order, merged and cut to them."""
        start, end = local.aware(start), local.aware(end)
        if end <= start:
            return []
        whole = Span(start, end)
        if not self.periods:
            return [whole]
        cut = (span.common(whole) for span in self._around(start, end))
        return merged(span for span in cut if span)

    def _around(self, start: datetime, end: datetime) -> Iterator[Span]:
        """Every opening that could reach into the time between the two."""
        day = local.wall(start, self.zone).date() - timedelta(days=2)
        last = local.furthest_wall(end, self.zone).date()
        while day <= last:
            midnight = datetime.combine(day, time())
            for period in self.periods:
                if period.begins(day, self.days):
                    opens = midnight + timedelta(minutes=period.start)
                    closes = midnight + timedelta(minutes=period.end)
                    yield from local.readings(opens, closes, self.zone)
            day += timedelta(days=1)

    def describe(self, language: str) -> str:
        """The hours in words with their zone: ``평일 09:00-18:00 (Asia/Seoul)``."""
        korean = language.split("-", maxsplit=1)[0] == "ko"
        if not self.periods:
            told = "항상" if korean else "24x7"
        else:
            told = "; ".join(_told(period, language) for period in self.periods)
        return f"{told} ({self.zone.key})"


def _told(period: Period, language: str) -> str:
    korean = language.split("-", maxsplit=1)[0] == "ko"
    if period.business:
        days = "영업일" if korean else "business days"
    elif period.days == EVERY_DAY:
        days = "매일" if korean else "every day"
    elif period.days == WEEKDAYS:
        days = "평일" if korean else "weekdays"
    elif period.days == WEEKEND:
        days = "주말" if korean else "weekends"
    else:
        days = days_in_korean(period.days) if korean else days_in_english(period.days)
    end = period.end if period.end <= _DAY else period.end - _DAY
    clock = "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (period.start, end))
    return f"{days} {clock}{told_shift('skip' if period.skip else '', language)}"


def _periods(text: str) -> Iterator[Period]:
    """The periods of a whole text, group by group."""
    for group in text.split(";"):
        rest, shift = words.split_shift(group.strip())
        if shift not in {"", "skip"}:
            raise ScheduleError(f"{text!r}: hours do not move to another day; {_ACCEPTED}")
        said = ""
        while rest:
            found = _PERIOD.match(rest)
            if found is None:
                raise ScheduleError(f"{text!r} is not opening hours; {_ACCEPTED}")
            said = found["days"].strip() or said
            yield _period(said, found["start"], found["end"], text, skip=shift == "skip")
            rest = rest[found.end() :].strip()
            if rest and not rest.startswith(","):
                raise ScheduleError(f"{text!r} is not opening hours at {rest!r}; {_ACCEPTED}")
            rest = rest.removeprefix(",").strip()
        if not said:
            raise ScheduleError(f"{text!r} is not opening hours; {_ACCEPTED}")


def _period(days: str, start: str, end: str, text: str, *, skip: bool) -> Period:
    opens, closes = _minute(start, text), _minute(end, text)
    if opens in {closes, _DAY}:
        raise ScheduleError(
            f"{text!r} opens and closes at the same time; write 00:00-24:00 for the whole day"
        )
    if closes < opens:
        closes += _DAY
    if _BUSINESS.fullmatch(days):
        if skip:
            raise ScheduleError(
                f'{text!r}: a business day is never a holiday; leave out "except holidays"'
            )
        return Period((), opens, closes, business=True)
    return Period(_weekdays(days, text), opens, closes, skip=skip)


def _weekdays(said: str, text: str) -> tuple[int, ...]:
    for pattern, days in _NAMED:
        if pattern.fullmatch(said):
            return days
    if found := _BETWEEN_DAYS.fullmatch(said):
        names = [day.lower() for day in DAYS_EN] if found["first"] else list(DAYS_KO)
        first = names.index((found["first"] or found["first_ko"]).lower())
        last = names.index((found["last"] or found["last_ko"]).lower())
        return tuple(sorted((first + n) % 7 for n in range((last - first) % 7 + 1)))
    for pattern in _LISTED:
        if found := pattern.fullmatch(said):
            return words.days_of(found["days"])
    raise ScheduleError(f"{text!r} does not say on which days ({said!r}); {_ACCEPTED}")


def _minute(said: str, text: str) -> int:
    if said == "24:00":
        return _DAY
    hour, minute = words.time_of_day(said, text)
    return hour * 60 + minute


def _never_close(periods: tuple[Period, ...], days: Days) -> bool:
    """Whether the periods cover every minute of every week, holidays or not."""
    any_holidays = bool(days.country or days.also)
    covered = set[int]()
    for period in periods:
        if period.business or (period.skip and any_holidays):
            continue
        for day in period.days:
            covered |= {
                minute % (7 * _DAY)
                for minute in range(day * _DAY + period.start, day * _DAY + period.end)
            }
    return len(covered) == 7 * _DAY
