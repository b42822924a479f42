"""What is usual at this hour: the same weekday and hour of past weeks, holidays left out.

An hour is one of the clock in UTC, as the rollups are, and of the weeks before it is the hour at
which the clock on the book's wall read the same: across a change to summer time that is another one
in UTC. Of each the average is compared, so that a look missed here and there changes nothing, and
their median is what is usual: one week with a campaign or an outage does not move it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from opsbook.alerts.series import Look, together
from opsbook.base.quantities import Quantity, QuantityError
from opsbook.calendar import Days
from opsbook.calendar.local import happens
from opsbook.checks.recent import statistic
from opsbook.checks.rollups import STATES

HOUR: Final = timedelta(hours=1)
WEEK: Final = timedelta(days=7)
YOUNG: Final = timedelta(minutes=15)
"""Before it has seen this much of an hour, nobody can say what the hour will have."""


@dataclass(frozen=True, slots=True)
class Week:
    """The same hour of another week; without a mean there is nothing to compare with."""

    start: datetime
    mean: float | None = None
    unit: str = ""
    holiday: bool = False


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the hour that began at `start` is compared with.

    `fewest` is how many values it must have by now, and `holiday` whether today is one: what other
    days have is then not to be expected.
    """

    start: datetime
    holiday: bool
    fewest: int
    weeks: tuple[Week, ...]

    def comparable(self, unit: str) -> list[float]:
        """The means of the weeks that have one in this unit."""
        found = []
        for week in self.weeks:
            if week.mean is None or week.holiday:
                continue
            try:
                found.append(Quantity(week.mean, week.unit).in_unit(unit))
            except QuantityError:
                continue
        return found


def hour_of(at: datetime) -> datetime:
    """The start of the hour."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def same_hours(start: datetime, weeks: int, zone: ZoneInfo) -> list[datetime]:
    """The start of the same hour of each week before, the last week first."""
    wall = start.astimezone(zone).replace(tzinfo=None)
    return [hour_of(happens(wall - n * WEEK, zone)) for n in range(1, weeks + 1)]


def is_holiday(start: datetime, zone: ZoneInfo, days: Days) -> bool:
    """Whether the hour is one of a holiday."""
    return days.is_holiday(start.astimezone(zone).date())


def fewest(every: timedelta) -> int:
    """How many values an hour must have to be compared, of a check that looks `every` so often."""
    return max(1, YOUNG // every) if every else 1


@dataclass(frozen=True, slots=True)
class Hour:
    """What the looks of an hour came to; `values` is how many of its `looks` brought one."""

    looks: int
    values: int
    mean: float | None
    unit: str

    @classmethod
    def rolled(cls, row: Mapping[str, Any]) -> Hour:
        """An hour from its rollup."""
        looks = sum(row[state] for state in STATES)
        return cls(looks, row["count"], row["mean"], row["unit"])

    @classmethod
    def seen(cls, looks: Sequence[Look]) -> Hour:
        """An hour whose looks are still kept one by one, to the same effect."""
        _, found, unit, _ = together(looks)
        values = [value for value in found if not math.isnan(value)]
        mean = statistic("average", values) if values else None
        return cls(len(looks), len(values), mean, unit)

    @property
    def is_comparable(self) -> bool:
        """Whether at least half of the looks brought a value."""
        return self.mean is not None and 2 * self.values >= self.looks


def weeks_of(
    starts: Iterable[datetime], hours: Mapping[datetime, Hour], zone: ZoneInfo, days: Days
) -> tuple[Week, ...]:
    """The weeks, of which those without an hour to compare with have no mean."""
    found = []
    for start in starts:
        hour, holiday = hours.get(start), is_holiday(start, zone, days)
        if hour is not None and hour.is_comparable:
            found.append(Week(start, hour.mean, hour.unit, holiday))
        else:
            found.append(Week(start, holiday=holiday))
    return tuple(found)
