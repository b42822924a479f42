"""When changes may happen and when they may not: windows that recur, freezes that do not."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from opsbook.base.quantities import format_duration
from opsbook.calendar import local
from opsbook.calendar.errors import ScheduleError
from opsbook.calendar.local import Span
from opsbook.calendar.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Window:
    """A time for changes that opens on a schedule and stays open for `length` of real time.

    `per_month` limits how many of a month's windows may be *used*, whichever they are: "Sunday
    02:00-06:00, monthly at most" offers every Sunday until one was used. The methods therefore take
    `used`, the instants of what was done so far; an instant outside every window counts for none. A
    window belongs to the month, in the schedule's zone, in which it opens, and the one in use stays
    open to more.
    """

    schedule: Schedule
    length: timedelta
    per_month: int | None = None

    def __post_init__(self) -> None:
        if self.length <= timedelta():
            raise ScheduleError(f"a window is open for some time, not {self.length}; write 4h")
        if self.per_month is not None and self.per_month < 1:
            raise ScheduleError(
                f"a window {self.per_month} times a month never opens; write 1 or more"
            )

    def open_at(self, now: datetime, used: Iterable[datetime] = ()) -> Span | None:
        """The window that is open at `now`, or None; of several, the one that opened last."""
        now = local.aware(now)
        spent = self._spent(used)
        for span in self._reaching(now):
            if self._left(span, spent):
                return span
        return None

    def next_after(self, now: datetime, used: Iterable[datetime] = ()) -> Span:
        """The first window to open strictly after `now` whose month has one left."""
        spent = self._spent(used)
        start = local.aware(now)
        while True:
            start = self.schedule.next_after(start)
            span = Span(start, start + self.length)
            if self._left(span, spent):
                return span

    def spans(self, start: datetime, end: datetime, used: Iterable[datetime] = ()) -> list[Span]:
        """The windows that are open at some time from `start` to before `end`, whole, in order."""
        start, end = local.aware(start), local.aware(end)
        spent = self._spent(used)
        found = [span for span in self._reaching(start) if start < end][::-1]
        opens = self.schedule.next_after(start)
        while opens < end:
            found.append(Span(opens, opens + self.length))
            opens = self.schedule.next_after(opens)
        return [span for span in found if self._left(span, spent)]

    def describe(self, language: str) -> str:
        """``first Sunday of the month 02:00 (Asia/Seoul) for 4h, at most 1 a month``."""
        told, length = self.schedule.describe(language), format_duration(self.length)
        if language.split("-", maxsplit=1)[0] == "ko":
            return f"{told}부터 {length}" + (
                f", 월 {self.per_month}회까지" if self.per_month else ""
            )
        return f"{told} for {length}" + (
            f", at most {self.per_month} a month" if self.per_month else ""
        )

    def _reaching(self, now: datetime) -> Iterator[Span]:
        """The windows open at `now`, the last to open first."""
        before = now + timedelta(microseconds=1)
        while True:
            try:
                opened = self.schedule.previous_or_at(before - timedelta(microseconds=1))
            except ScheduleError:  # the schedule has a first date, and this is before it
                return
            if opened + self.length <= now:
                return
            yield Span(opened, opened + self.length)
            before = opened

    def _spent(self, used: Iterable[datetime]) -> dict[tuple[int, int], set[datetime]]:
        """The windows used, by month."""
        spent: dict[tuple[int, int], set[datetime]] = defaultdict(set)
        if self.per_month is not None:
            for instant in used:
                for span in self._reaching(local.aware(instant)):
                    spent[self._month(span)].add(span.start)
                    break
        return spent

    def _left(self, span: Span, spent: dict[tuple[int, int], set[datetime]]) -> bool:
        if self.per_month is None:
            return True
        of_month = spent.get(self._month(span), set())
        return span.start in of_month or len(of_month) < self.per_month

    def _month(self, span: Span) -> tuple[int, int]:
        opens = local.wall(span.start, self.schedule.zone)
        return opens.year, opens.month


_DATE = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2})?"
_FREEZE = re.compile(
    rf"(?P<start>{_DATE})(?:\s*(?:~|–|to|until|부터)\s*(?P<end>{_DATE})(?:\s*까지)?)?",
    re.IGNORECASE,
)
_ACCEPTED = 'write "2026-12-24 to 2027-01-02" or "2026-12-24 18:00 to 2027-01-02 09:00"'


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time in which nothing is changed: from `start` to just before `end`, aware, in UTC.

    Made from local dates or date-times by `of` and `parse`; ScheduleError if it ends before it
    begins.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", local.aware(self.start))
        object.__setattr__(self, "end", local.aware(self.end))
        if self.end <= self.start:
            raise ScheduleError(
                f"a freeze ends after it begins, not {self.start} to {self.end}; {_ACCEPTED}"
            )

    @classmethod
    def of(cls, start: date | datetime, end: date | datetime, zone: ZoneInfo | str) -> Freeze:
        """From dates, meaning whole days of the zone and `end` with them, or from date-times.

        A date-time without a zone of its own is one of `zone`.
        """
        place = local.zone_of(zone)
        return cls(_begin(start, place), _end(end, place))

    @classmethod
    def parse(cls, text: str, zone: ZoneInfo | str) -> Freeze:
        """Read ``2026-12-24 to 2027-01-02``, ``2026-12-24 18:00 ~ 2027-01-02 09:00``, one date.

        In Korean ``2026-12-24부터 2027-01-02까지``.
        """
        text = " ".join(text.split())
        said = _FREEZE.fullmatch(text)
        if said is None:
            raise ScheduleError(f"{text!r} is no freeze; {_ACCEPTED}")
        start = _day_or_time(said["start"], text)
        if said["end"] is None and isinstance(start, datetime):
            raise ScheduleError(f"{text!r} does not say when the freeze ends; {_ACCEPTED}")
        end = _day_or_time(said["end"], text) if said["end"] else start
        place = local.zone_of(zone)
        if _end(end, place) <= _begin(start, place):
            raise ScheduleError(f"{text!r} ends before it begins; {_ACCEPTED}")
        return cls.of(start, end, place)

    @property
    def span(self) -> Span:
        """The frozen time, for `overlaps`."""
        return Span(self.start, self.end)

    def contains(self, now: datetime) -> bool:
        """Whether it is in force at `now`."""
        return self.span.contains(now)

    def describe(self, language: str, zone: ZoneInfo | str) -> str:
        """``2026-12-24 to 2027-01-02 (Asia/Seoul)``: dates where it covers whole days there."""
        place = local.zone_of(zone)
        first, last = local.wall(self.start, place), local.wall(self.end, place)
        if first.time() == last.time() == time():
            said = (f"{first:%Y-%m-%d}", f"{last - timedelta(days=1):%Y-%m-%d}")
        else:
            said = (f"{first:%Y-%m-%d %H:%M}", f"{last:%Y-%m-%d %H:%M}")
        korean = language.split("-", maxsplit=1)[0] == "ko"
        told = f"{said[0]}부터 {said[1]}까지" if korean else f"{said[0]} to {said[1]}"
        return f"{told} ({place.key})"


def _begin(said: date | datetime, zone: ZoneInfo) -> datetime:
    if not isinstance(said, datetime):
        return local.happens(datetime.combine(said, time()), zone)
    return said.astimezone(UTC) if said.tzinfo else local.happens(said, zone)


def _end(said: date | datetime, zone: ZoneInfo) -> datetime:
    if isinstance(said, datetime):
        return _begin(said, zone)
    return _begin(said + timedelta(days=1), zone)


def _day_or_time(said: str, text: str) -> date | datetime:
    try:
        if len(said) == len("2026-12-24"):
            return date.fromisoformat(said)
        return datetime.fromisoformat(said)
    except ValueError:
        raise ScheduleError(f"{said!r} in {text!r} is no date or time; {_ACCEPTED}") from None
