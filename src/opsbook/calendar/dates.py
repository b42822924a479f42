"""Which local dates a phrase falls on, walked forwards or backwards from a date.

Every form divides the calendar into periods of its own (weeks, months, quarters, years) and picks
dates in each; a walk goes from period to period, so a yearly schedule costs no more than a daily
one.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date, timedelta

from opsbook.calendar.days import Days
from opsbook.calendar.phrase import LAST, Phrase

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
HORIZON = timedelta(days=40 * 366)
"""How far ahead something is looked for; the rarest date there is (29 February that is no holiday)
comes within a few leap years."""
_EDGE = timedelta(days=800)
"""The calendar of datetime ends with the years 1 and 9999; nothing is looked for so near them."""

_LONGEST_PERIOD = timedelta(days=366)


def forward(phrase: Phrase, start: date, days: Days) -> Iterator[date]:
    """The dates from `start` on, ascending, for at most 40 years; a date may come twice where two
    days moved to one.
    """
    first = start
    if phrase.shift == "next":  # days of a break just before may have moved to `start` or later
        first = days.previous_business(start) + timedelta(days=1)
    if phrase.anchor and phrase.anchor > first:
        first = phrase.anchor
    until = min(first, date.max - HORIZON - _EDGE) + HORIZON
    for period in _periods(phrase, first, 1):
        if period > until:
            return
        for day in _pick(phrase, period, days):
            if day > until:
                return
            if day >= first and (moved := _moved(phrase, day, days)) and moved >= start:
                yield moved


def backward(phrase: Phrase, end: date, days: Days) -> Iterator[date]:
    """The dates up to and with `end`, descending, for at most 40 years."""
    first = end
    if phrase.shift == "before":
        first = days.next_business(end) - timedelta(days=1)
    until = max(first, date.min + HORIZON + _EDGE) - HORIZON
    for period in _periods(phrase, first, -1):
        if period < until - _LONGEST_PERIOD:
            return
        for day in reversed(_pick(phrase, period, days)):
            if day < until or (phrase.anchor and day < phrase.anchor):
                return
            if day <= first and (moved := _moved(phrase, day, days)) and moved <= end:
                yield moved


def _moved(phrase: Phrase, day: date, days: Days) -> date | None:
    match phrase.shift:
        case "next":
            return days.on_or_after(day)
        case "before":
            return days.on_or_before(day)
        case "skip":
            return None if days.is_holiday(day) else day
        case "":
            return day


def _periods(phrase: Phrase, start: date, direction: int) -> Iterator[date]:
    """The first day of each period, from the one `start` lies in."""
    months = 12 if phrase.form == "date" else _MONTHS.get(phrase.period, 1)
    if phrase.form == "week" or phrase.period == "day":
        monday = start - timedelta(days=start.weekday())
        if phrase.anchor:
            origin = phrase.anchor - timedelta(days=phrase.anchor.weekday())
            monday -= timedelta(weeks=(monday - origin).days // 7 % phrase.step)
        while True:
            yield monday
            monday += timedelta(weeks=phrase.step * direction)
    number = (start.year * 12 + start.month - 1) // months
    while True:
        yield date(number * months // 12, number * months % 12 + 1, 1)
        number += direction


def _pick(phrase: Phrase, first: date, days: Days) -> list[date]:
    """The dates of one period that begins with `first`, ascending."""
    match phrase.form:
        case "week":
            return sorted(first + timedelta(days=(day - 1) % 7) for day in phrase.days)
        case "business" if phrase.period == "day":
            week = (first + timedelta(days=n) for n in range(7))
            return [day for day in week if days.is_business(day)]
        case "business":
            return _nth_business(first, _last(first, phrase), phrase.nth, days)
        case "nth":
            last = _last(first, phrase)
            found = (_nth_weekday(first, last, (day - 1) % 7, phrase.nth) for day in phrase.days)
            return sorted(day for day in found if first <= day <= last)
        case "date":
            return _day_of_month(first.year, phrase.month, phrase.nth)
        case "day" if phrase.nth == LAST:
            return [_last(first, phrase)]
        case "day":
            return _day_of_month(first.year, first.month, phrase.nth)
    raise AssertionError(f"{phrase.form} has no dates; this is a bug")


def _day_of_month(year: int, month: int, day: int) -> list[date]:
    length = calendar.monthrange(year, month)[1]
    if day == LAST:
        return [date(year, month, length)]
    return [date(year, month, day)] if day <= length else []


def _last(first: date, phrase: Phrase) -> date:
    month = first.month + _MONTHS[phrase.period] - 1
    return date(first.year, month, calendar.monthrange(first.year, month)[1])


def _nth_weekday(first: date, last: date, weekday: int, nth: int) -> date:
    if nth == LAST:
        return last - timedelta(days=(last.weekday() - weekday) % 7)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _nth_business(first: date, last: date, nth: int, days: Days) -> list[date]:
    day, step, counted = (last, -1, 1) if nth == LAST else (first, 1, nth)
    while first <= day <= last:
        if days.is_business(day):
            counted -= 1
            if not counted:
                return [day]
        day += timedelta(days=step)
    return []
