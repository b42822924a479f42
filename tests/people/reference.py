"""Who is called first, told the slow way: turn after turn from the beginning, minute by minute.

Nothing of `opsbook.people` or `opsbook.calendar` is used here. Hours are a table of weekdays and
minutes that the wall clock must read; hand-overs are walked one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Opening:
    """Open from one minute of the day to another (it may be past midnight) on these weekdays."""

    weekdays: frozenset[int]
    start: int
    end: int
    not_on: frozenset[date] = frozenset()

    def contains(self, wall: datetime) -> bool:
        minute = wall.hour * 60 + wall.minute
        return any(
            (day.weekday() in self.weekdays and day not in self.not_on)
            and self.start <= minute + offset < self.end
            for day, offset in ((wall.date(), 0), (wall.date() - DAY, 1440))
        )


@dataclass(frozen=True)
class Layer:
    people: tuple[str, ...]
    shift: timedelta
    starts: datetime
    zone: ZoneInfo
    opening: Opening | None = None
    until: datetime | None = None
    """An instant, or none."""


def instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant, to the minute, at which the zone's clock reads this or later."""
    at = wall.replace(tzinfo=UTC) - timedelta(hours=15)
    while at.astimezone(zone).replace(tzinfo=None) < wall:
        at += timedelta(minutes=1)
    return at


class Walker:
    """The turns of one layer, walked from the first on."""

    def __init__(self, layer: Layer, last: datetime) -> None:
        self.layer = layer
        self.edges = [instant(layer.starts, layer.zone)]
        wall = layer.starts
        while self.edges[-1] <= last:
            if layer.shift % DAY:
                self.edges.append(self.edges[-1] + layer.shift)
            else:
                wall += layer.shift
                self.edges.append(instant(wall, layer.zone))

    def person(self, at: datetime) -> str:
        turn = -1
        for n, edge in enumerate(self.edges):
            if edge <= at:
                turn = n
        return self.layer.people[max(turn, 0) % len(self.layer.people)]

    def holds(self, at: datetime) -> bool:
        layer = self.layer
        if layer.until is not None and layer.until <= at:
            return False
        wall = at.astimezone(layer.zone).replace(tzinfo=None)
        return layer.opening is None or layer.opening.contains(wall)


def first(
    walkers: list[Walker], overrides: list[tuple[str, datetime, datetime]], at: datetime
) -> str:
    """Who is called first: the last override that holds, else the topmost layer that does."""
    for person, start, end in reversed(overrides):
        if start <= at < end:
            return person
    for one in reversed(walkers):
        if one.holds(at):
            return one.person(at)
    left = [one for one in walkers if one.layer.until is None or at < one.layer.until]
    return (left or walkers)[-1].person(at)
