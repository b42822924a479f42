"""The observations of one check in the order of their times: what a rule measures.

Two flat arrays instead of rows: of 5,000 checks with windows of an hour the last 600,000 values are
remembered, at 16 bytes each. A look without a value is a NaN, which no observation's value is.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from opsbook.base.database import EPOCH
from opsbook.base.quantities import Quantity, QuantityError

NONE = math.nan
_STEP = timedelta(microseconds=1)

Look = tuple[int, float | None, str]
"""When (microseconds since 1970), its value and the value's unit."""


def micros(at: datetime) -> int:
    """A moment as microseconds since 1970, as the database keeps it."""
    return (at - EPOCH) // _STEP


@dataclass(frozen=True, slots=True)
class Series:
    """`times` in microseconds since 1970, `values` in `unit` with NaN for a look without one."""

    times: Sequence[int]
    values: Sequence[float]
    unit: str = ""

    def values_in(self, start: datetime, end: datetime, *, closed: bool = False) -> list[float]:
        """The values after `start` (with `closed`: from it on) up to and with `end`."""
        first = (bisect_left if closed else bisect_right)(self.times, micros(start))
        last = bisect_right(self.times, micros(end))
        return [value for value in self.values[first:last] if not math.isnan(value)]

    def has_look(self, start: datetime, end: datetime) -> bool:
        """Whether there was a look between the two, both included, with a value or without."""
        place = bisect_left(self.times, micros(start))
        return place < len(self.times) and self.times[place] <= micros(end)

    def index_at(self, at: datetime, earliest: datetime) -> int | None:
        """Where the value stands that was the newest `at` that time, if not before `earliest`."""
        first, place = micros(earliest), bisect_right(self.times, micros(at)) - 1
        while place >= 0 and self.times[place] >= first:
            if not math.isnan(self.values[place]):
                return place
            place -= 1
        return None

    def between(
        self, began: int | None, start: datetime, end: datetime
    ) -> tuple[list[int], list[float]]:
        """The value at the index `began`, if any, and those after `start` up to `end`."""
        first = bisect_right(self.times, micros(start))
        places = range(first, bisect_right(self.times, micros(end)))
        kept = [] if began is None else [began]
        kept += [place for place in places if not math.isnan(self.values[place])]
        return [self.times[place] for place in kept], [self.values[place] for place in kept]


EMPTY = Series((), ())


def together(looks: Iterable[Look]) -> tuple[array[int], array[float], str, bool]:
    """Times and values of looks in their order, the unit, and whether there are several units.

    All are in the unit of the newest value: a check that once gave milliseconds and gives seconds
    now is still one check. A value that has no place in that unit is left out.
    """
    looks = list(looks)
    unit = next((unit for _, value, unit in reversed(looks) if value is not None), "")
    times, values, mixed = array("q"), array("d"), False
    for at, value, own in looks:
        if value is not None and own != unit:
            mixed = True
            try:
                value = Quantity(value, own).in_unit(unit)
            except QuantityError:
                value = None
        times.append(at)
        values.append(NONE if value is None else value)
    return times, values, unit, mixed
