"""Between the clock on the wall and real time, also on the day the clocks change.

One rule decides every doubtful case: a local time *happens* at the first instant at which the wall
clock of the zone reads it or later. So a time in the skipped hour happens right after the gap, a
time in a repeated hour happens once, the first time round, and a time on the day Samoa left out
happens as the next day begins. The rule never reverses two local times, which lets a walk over
local times stop at the first that fits.

A period of the day is another matter ("open 09:00-18:00"): it is every instant at which the wall
clock reads within it, a repeated hour both times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from opsbook.calendar.errors import ScheduleError

_PAST_A_JUMP = timedelta(hours=26)
"""Longer than any jump of a zone's clock, the 24 hours of Samoa included."""
_FURTHEST = timedelta(hours=15)
"""More than any zone's distance from UTC, 14 hours at present."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The time from `start` to just before `end`, both aware, kept in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", aware(self.start))
        object.__setattr__(self, "end", aware(self.end))
        if self.end <= self.start:
            raise ValueError(f"a span ends after it starts, not {self.start} to {self.end}")

    @property
    def length(self) -> timedelta:
        """How long it is in real time."""
        return self.end - self.start

    def contains(self, now: datetime) -> bool:
        """Whether `now` lies in it; the end does not."""
        return self.start <= aware(now) < self.end

    def common(self, other: Span) -> Span | None:
        """What the two share; None if nothing, also where one ends as the other begins."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Span(start, end) if start < end else None


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time in order, without overlaps; spans that touch become one."""
    whole: list[Span] = []
    for span in sorted(spans):
        if whole and span.start <= whole[-1].end:
            if span.end > whole[-1].end:
                whole[-1] = Span(whole[-1].start, span.end)
        else:
            whole.append(span)
    return whole


def overlaps(spans_a: Iterable[Span], spans_b: Iterable[Span]) -> list[Span]:
    """The time that lies in a span of both, in order and merged; empty if they never meet."""
    left, right = merged(spans_a), merged(spans_b)
    found: list[Span] = []
    i = j = 0
    while i < len(left) and j < len(right):
        if shared := left[i].common(right[j]):
            found.append(shared)
        if left[i].end <= right[j].end:
            i += 1
        else:
            j += 1
    return found


def zone_of(zone: ZoneInfo | str) -> ZoneInfo:
    """The zone of a name such as Asia/Seoul, or ScheduleError."""
    if isinstance(zone, ZoneInfo):
        return zone
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleError(f"{zone!r} is not a time zone; write Asia/Seoul") from None


def aware(now: datetime) -> datetime:
    """`now` in UTC; a time without a zone is our own mistake and raises ValueError."""
    if now.tzinfo is None:
        raise ValueError("the calendar needs to know the zone of 'now'; this is a bug")
    return now.astimezone(UTC)


def wall(now: datetime, zone: ZoneInfo) -> datetime:
    """What the wall clock reads, without a zone."""
    return aware(now).astimezone(zone).replace(tzinfo=None)


def furthest_wall(now: datetime, zone: ZoneInfo) -> datetime:
    """A reading that the wall clock has not yet been past: later than `wall` in a repeated hour."""
    now = aware(now)
    turned_back = _offset(now - _PAST_A_JUMP, zone) - _offset(now, zone)
    return wall(now, zone) + max(turned_back, timedelta())


def happens(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which a local time without a zone happens (see the module)."""
    found = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local:
        return found
    return _change(local.replace(tzinfo=zone, fold=1).astimezone(UTC), found, zone)


def readings(start: datetime, end: datetime, zone: ZoneInfo) -> list[Span]:
    """When the wall clock reads `start` to just before `end`: one span, rarely two or none.

    Both are local times without a zone, at most a few days apart.
    """
    utc_start, utc_end = start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)
    low, high = utc_start - _FURTHEST, utc_end + _FURTHEST
    before, after = _offset(low, zone), _offset(high, zone)
    if before == after:
        return [Span(utc_start - before, utc_end - before)]
    change = _change(low, high, zone)
    pieces = (
        (utc_start - before, min(utc_end - before, change)),
        (max(utc_start - after, change), utc_end - after),
    )
    return merged(Span(*piece) for piece in pieces if piece[0] < piece[1])


def _offset(now: datetime, zone: ZoneInfo) -> timedelta:
    return now.astimezone(zone).utcoffset() or timedelta()


def _change(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The second at which the zone's offset changes, which it does once between the two."""
    low = low.replace(microsecond=0)
    before = _offset(low, zone)
    left, right = 0, int((high - low).total_seconds()) + 1
    while right - left > 1:
        middle = (left + right) // 2
        if _offset(low + timedelta(seconds=middle), zone) == before:
            left = middle
        else:
            right = middle
    return low + timedelta(seconds=right)
