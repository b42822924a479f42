"""The ranges of Alertmanager's time intervals: times of day, weekdays, days of the month, months.

Written as there (``monday:friday``, ``-3:-1``, ``09:00`` to ``17:00``), so that a configuration can
be carried over; a time range is one text here, ``09:00-17:00``. Both ends belong to a range, but
for the end of a time, which does not. Source: the section ``time_interval`` of Alertmanager's
configuration.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

WEEKDAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS: Final = tuple(name.lower() for name in calendar.month_name)[1:]
_LONGEST: Final = 31
_TIME: Final = re.compile(r"(\d{2}):(\d{2})")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From `first` to `last`, as numbers; `text` is how it was written."""

    first: int
    last: int
    text: str

    def __str__(self) -> str:
        return self.text

    def holds(self, value: int) -> bool:
        """Whether a number lies in it, both ends included."""
        return self.first <= value <= self.last


def _complaint(value: Any, wanted: str) -> PydanticCustomError:
    """`wanted` is what it should be, and after a semicolon how that is written."""
    told = f"{value!r} is not {wanted}"
    return PydanticCustomError("interval", "{why}", {"why": told})


def _range(
    value: Any, number: Callable[[str], int | None], wanted: str, *, turned: bool = False
) -> Span:
    if isinstance(value, Span):
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise _complaint(value, wanted)
    text = str(value).strip().lower()
    first, colon, last = text.partition(":")
    begin, end = number(first), number(last if colon else first)
    if begin is None or end is None or (begin > end and not turned):
        raise _complaint(value, wanted)
    return Span(begin, end, text)


def _named(names: tuple[str, ...], start: int) -> Callable[[str], int | None]:
    def number(text: str) -> int | None:
        if text in names:
            return names.index(text) + start
        if start and text.isdigit() and 1 <= int(text) <= len(names):
            return int(text)
        return None

    return number


def _day(text: str) -> int | None:
    if not re.fullmatch(r"-?\d{1,2}", text):
        return None
    day = int(text)
    return day if day and -31 <= day <= 31 else None


def _year(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{4}", text) else None


def weekdays(value: Any) -> Span:
    """Read ``monday`` or ``monday:friday``; Sunday is 0."""
    return _range(
        value,
        _named(WEEKDAYS, 0),
        "a weekday; write one, or a range from sunday to saturday such as monday:friday",
    )


def days_of_month(value: Any) -> Span:
    """Read ``1``, ``1:5`` or ``-3:-1``; negative days count from the end of the month."""
    wanted = "a day of the month; write one, or a range such as 1:5 or -3:-1"
    span = _range(value, _day, wanted, turned=True)
    # What holds on no day of the longest month never does.
    first, last = (_LONGEST + 1 + day if day < 0 else day for day in (span.first, span.last))
    if span.first < 0 < span.last or first > last:
        raise _complaint(value, wanted)
    return span


def months(value: Any) -> Span:
    """Read ``may``, ``5`` or ``january:march``."""
    return _range(
        value, _named(MONTHS, 1), "a month; write one, or a range such as january:march or 1:3"
    )


def years(value: Any) -> Span:
    """Read ``2026`` or ``2026:2027``."""
    return _range(value, _year, "a year; write one, or a range such as 2026:2027")


def times(value: Any) -> Span:
    """Read ``09:00-18:00``, in minutes since midnight; the end does not belong to it."""
    if isinstance(value, Span):
        return value
    begun, dash, ended = str(value).replace(" ", "").partition("-")
    first, last = _minutes(begun), _minutes(ended)
    if not dash or first is None or last is None or first >= last:
        raise _complaint(value, 'a time range; write it in quotes, such as "09:00-18:00"')
    return Span(first, last, f"{begun}-{ended}")


def _minutes(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    minutes = int(found[1]) * 60 + int(found[2])
    return minutes if minutes <= 24 * 60 and int(found[2]) < 60 else None


def day_holds(span: Span, local: datetime) -> bool:
    """Whether a local day lies in a range of days of the month.

    Counted from the end, a day before the first is the first: ``-31:-1`` is the whole of February.
    A range from the front that ends behind the month ends with it.
    """
    length = calendar.monthrange(local.year, local.month)[1]

    def settled(day: int) -> int:
        return max(1, length + day + 1) if day < 0 else day

    if span.first > length:
        return False
    return settled(span.first) <= local.day <= min(settled(span.last), length)


Times = Annotated[
    Span, BeforeValidator(times), PlainSerializer(str), WithJsonSchema({"type": "string"})
]
Weekdays = Annotated[
    Span, BeforeValidator(weekdays), PlainSerializer(str), WithJsonSchema({"type": "string"})
]
_NUMBER_OR_TEXT: Final = WithJsonSchema({"type": ["string", "integer"]})
DaysOfMonth = Annotated[Span, BeforeValidator(days_of_month), PlainSerializer(str), _NUMBER_OR_TEXT]
Months = Annotated[Span, BeforeValidator(months), PlainSerializer(str), _NUMBER_OR_TEXT]
Years = Annotated[Span, BeforeValidator(years), PlainSerializer(str), _NUMBER_OR_TEXT]
