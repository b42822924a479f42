"""Recurrences: when something comes next, as a pure function of ``now``.

A schedule is written in words, English or Korean (see `opsbook.calendar.words`), or as a cron line.
Words become dates, walked period by period in `opsbook.calendar.dates`; cron lines are cronsim's.
Both are walked as readings of the wall clock and only then put into real time, by the one rule of
`opsbook.calendar.local`: a fixed time that falls into the skipped hour happens right after the gap,
and a fixed time in a repeated hour happens once, the first time round; neither is skipped nor
doubled. Lines that tick through the hours (``every 15 minutes``) follow real time instead.
dateutil's rrule was refused: it yields local times that do not exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from opsbook.calendar import dates, local, words
from opsbook.calendar.days import Days
from opsbook.calendar.errors import ScheduleError
from opsbook.calendar.phrase import Phrase, Shift, told_shift

_TRIED_FROM = (datetime(2024, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))
"""A schedule must come after both: what falls on holidays may do so only from some year on."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A recurrence in a time zone; `text` is how it was written, `days` whose business days.

    `phrase` is None for a cron line, `line` None for what is walked by dates.
    """

    text: str
    zone: ZoneInfo
    days: Days = field(default_factory=Days)
    phrase: Phrase | None = field(compare=False, default=None)
    line: str | None = field(compare=False, default=None)
    shift: Shift = field(compare=False, default="")

    @classmethod
    def parse(cls, text: str, zone: ZoneInfo | str, days: Days | None = None) -> Schedule:
        """Read ``every day 09:00``, ``매월 첫 영업일 10:00``, ``0 3 * * *``.

        Without `days`, business days are Monday to Friday and nothing is a holiday. Raises
        ScheduleError, which names the text and what would be accepted; also for a schedule that
        never comes (the 30th of February) and for an unknown zone.
        """
        zone, days, text = local.zone_of(zone), days or Days(), " ".join(text.split())
        bare, shift = words.split_shift(text)
        if words.is_cron(bare):
            _check_cron(bare, shift, text)
            made = cls(text, zone, days, None, bare, shift)
        else:
            said = words.read(text)
            made = cls(text, zone, days, said, said.cron(), said.shift)
        for start in _TRIED_FROM if made.shift else _TRIED_FROM[:1]:
            made.next_after(start)
        return made

    def next_after(self, now: datetime) -> datetime:
        """The first time strictly after `now`, aware, in UTC.

        ScheduleError if there is none within 40 years, which `parse` has made all but impossible.
        """
        now = local.aware(now)
        for found in self._ahead(now):
            if found > now:
                return found
        raise ScheduleError(self._never())

    def previous_or_at(self, now: datetime) -> datetime:
        """The last time at or before `now`, aware, in UTC.

        ScheduleError if it has not come yet, which only a schedule with a first date can say.
        """
        now = local.aware(now)
        for found in self._behind(now):
            if found <= now:
                return found
        raise ScheduleError(f"{self.text!r} has not come yet by {now:%Y-%m-%d %H:%M} UTC")

    def describe(self, language: str) -> str:
        """The schedule in words with its zone: ``매일 09:00 (Asia/Seoul)``."""
        if self.phrase is not None:
            told = self.phrase.describe(language)
        else:
            told = f"cron {self.line}{told_shift(self.shift, language)}"
        return f"{told} ({self.zone.key})"

    def _ahead(self, now: datetime) -> Iterator[datetime]:
        """Times from about `now` on, ascending; perhaps a few before `now` among them."""
        here = local.wall(now, self.zone)
        if self.line is None:
            for day in dates.forward(self._phrase(), here.date(), self.days):
                yield from self._on(day)
        elif _is_fixed(self.line):
            start = here - timedelta(seconds=1)
            yield from map(self._happens, self._ticks(self.line, start))
        else:
            for tick in self._ticks(self.line, now.astimezone(self.zone)):
                yield tick.astimezone(UTC)

    def _behind(self, now: datetime) -> Iterator[datetime]:
        """Times from about `now` back, descending; perhaps a few after `now` among them."""
        if self.line is None:
            end = local.furthest_wall(now, self.zone).date()
            for day in dates.backward(self._phrase(), end, self.days):
                yield from reversed(self._on(day))
        elif _is_fixed(self.line):
            start = local.furthest_wall(now, self.zone) + timedelta(seconds=1)
            yield from map(self._happens, self._ticks(self.line, start, back=True))
        else:
            start = (now + timedelta(seconds=1)).astimezone(self.zone)
            for tick in self._ticks(self.line, start, back=True):
                yield tick.astimezone(UTC)

    def _on(self, day: date) -> list[datetime]:
        return [
            self._happens(datetime(day.year, day.month, day.day, hour, minute))  # noqa: DTZ001
            for hour, minute in self._phrase().times
        ]

    def _happens(self, reading: datetime) -> datetime:
        return local.happens(reading, self.zone)

    def _ticks(self, line: str, start: datetime, *, back: bool = False) -> Iterator[datetime]:
        """A cron line's readings of the wall clock, without holidays where it leaves them out.

        A holiday is passed in one step, since a line may tick every minute of it; not on the day
        the clocks change, when a date may come back after the next has begun.
        """
        ticks = CronSim(line, start, reverse=back)
        if self.shift != "skip":
            yield from ticks
            return
        while (tick := next(ticks, None)) and abs(tick - start) < dates.HORIZON:
            day = tick.date()
            if not self.days.is_holiday(day):
                yield tick
                continue
            midnight = datetime.combine(day, time(), tick.tzinfo)
            edge = midnight if back else midnight + timedelta(days=1, seconds=-1)
            if edge.utcoffset() == tick.utcoffset():
                ticks = CronSim(line, edge, reverse=back)

    def _phrase(self) -> Phrase:
        if self.phrase is None:
            raise AssertionError("a schedule is a phrase or a cron line; this is a bug")
        return self.phrase

    def _never(self) -> str:
        why = ""
        if self.shift == "skip":
            why = (
                ': each of its days is a holiday; leave out "except holidays", '
                'or write "or the next business day"'
            )
        return f"{self.text!r} never comes{why}"


def _check_cron(line: str, shift: Shift, text: str) -> None:
    try:
        next(CronSim(line, datetime(2024, 1, 1)))  # noqa: DTZ001 - only to see it works
    except (CronSimError, StopIteration, ValueError, IndexError) as error:
        why = str(error) or "it never comes"
        raise ScheduleError(
            f"{text!r} is not a cron line ({why}); write minute hour day month weekday, "
            'such as "0 3 * * *"'
        ) from None
    if shift in {"next", "before"}:
        raise ScheduleError(
            f"{text!r}: a cron line cannot move to another day; write it in words, "
            'such as "every month on day 1 09:00 or the next business day"'
        )


def _is_fixed(line: str) -> bool:
    """Whether cron counts the line as one of fixed times, which the clocks' change moves."""
    minute, hour = line.split()[:2]
    return not minute.startswith("*") and not hour.startswith("*")
