"""Times as a book writes them: schedules, hours of the day, days counted from a D-Day.

The words are `opsbook.calendar`'s. They are read when the book is, so that a schedule that never
comes is found then; what they mean is worked out later, in the zone that holds for the element.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from opsbook import calendar
from opsbook.book.fields import refusing

_UTC = "UTC"


def _readable(read: Callable[[str], Any]) -> Callable[[Any], str]:
    """The text itself, once `read` has understood it."""

    def validate(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is no text; put it in quotes")
        read(value)
        return value

    return refusing(validate)


@dataclass(frozen=True, slots=True)
class IsSchedule:
    """Marks a schedule, for whoever lists all of a book's."""


_text = WithJsonSchema({"type": "string"})

ScheduleText = Annotated[
    str,
    Field(min_length=1, max_length=200),
    BeforeValidator(_readable(lambda text: calendar.Schedule.parse(text, _UTC))),
    IsSchedule(),
    _text,
]
HoursText = Annotated[
    str,
    Field(min_length=1, max_length=200),
    BeforeValidator(_readable(lambda text: calendar.Hours.parse(text, _UTC))),
    _text,
]
OffsetText = Annotated[
    str,
    Field(min_length=1, max_length=60),
    BeforeValidator(_readable(calendar.Offset.parse)),
    _text,
]
