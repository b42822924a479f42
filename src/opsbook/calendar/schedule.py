"""Recurrences: when something comes next, as a pure function of ``now``.

A schedule is written in words, English or Korean, or as a cron line (see `opsbook.calendar.words`);
either way it becomes one or more cron lines, and cronsim walks them. dateutil's rrule was refused:
it yields local times that do not exist on the day the clocks go forward.

What the clocks do: a fixed time that falls into the skipped hour happens right after the gap, and a
fixed time in a repeated hour happens once, the first time round; neither is skipped nor doubled.
Lines that tick through the hours (``every 15 minutes``) follow real time instead.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from opsbook.calendar import words
from opsbook.calendar.words import ScheduleError

_AROUND_A_GAP = timedelta(hours=26)
"""Longer than any jump of a zone's clock (Samoa left out a whole day), so that a walk that starts
this far away is past every skipped or repeated hour near `now`."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A recurrence in a time zone; `text` is how it was written."""

    text: str
    zone: ZoneInfo
    phrase: words.Phrase | None = field(compare=False)
    lines: tuple[str, ...] = field(compare=False)

    @classmethod
    def parse(cls, text: str, zone: ZoneInfo | str) -> Schedule:
        """Read ``every day 09:00``, ``매주 월요일 10:00``, ``first Sunday 02:00``, ``0 3 * * *``.

        Raises ScheduleError, which names the text and what would be accepted; also for a schedule
        that never comes (the 30th of February) and for an unknown zone.
        """
        if isinstance(zone, str):
            try:
                zone = ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ScheduleError(f"{zone!r} is not a time zone; write Asia/Seoul") from None
        text = " ".join(text.split())
        phrase = None if words.is_cron(text) else words.read(text)
        lines = phrase.cron() if phrase is not None else (text,)
        for line in lines:
            try:
                next(CronSim(line, datetime(2024, 1, 1)))  # noqa: DTZ001 - only to see it works
            except (CronSimError, StopIteration, ValueError, IndexError) as error:
                why = str(error) or "it never comes"
                raise ScheduleError(
                    f"{text!r} is not a cron line ({why}); write minute hour day month weekday, "
                    'such as "0 3 * * *"'
                ) from None
        return cls(text, zone, phrase, lines)

    def next_after(self, now: datetime) -> datetime:
        """The first time strictly after `now`, aware, in UTC."""
        return min(self._next(line, now) for line in self.lines)

    def previous_or_at(self, now: datetime) -> datetime:
        """The last time at or before `now`, aware, in UTC."""
        return max(self._previous(line, now) for line in self.lines)

    def describe(self, language: str) -> str:
        """The schedule in words with its zone: ``매일 09:00 (Asia/Seoul)``."""
        told = self.phrase.describe(language) if self.phrase is not None else f"cron {self.text}"
        return f"{told} ({self.zone.key})"

    def _next(self, line: str, now: datetime) -> datetime:
        now = _aware(now)
        start = now - _AROUND_A_GAP if _is_fixed(line) else now
        return next(time for time in self._from(line, start) if time > now)

    def _previous(self, line: str, now: datetime) -> datetime:
        now = _aware(now)
        start = (now + timedelta(seconds=1)).astimezone(self.zone)
        back = (time.astimezone(UTC) for time in CronSim(line, start, reverse=True))
        if not _is_fixed(line):
            return next(time for time in back if time <= now)
        # Backwards, cronsim leaves out times that a gap moved: the last stretch is walked forward.
        earlier = next(time for time in back if time <= now - _AROUND_A_GAP)
        times = itertools.takewhile(lambda time: time <= now, self._from(line, earlier))
        return max(times, default=earlier)

    def _from(self, line: str, start: datetime) -> Iterator[datetime]:
        return (time.astimezone(UTC) for time in CronSim(line, start.astimezone(self.zone)))


def _is_fixed(line: str) -> bool:
    """Whether cron counts the line as one of fixed times, which the clocks' change moves."""
    minute, hour = line.split()[:2]
    return not minute.startswith("*") and not hour.startswith("*")


def _aware(now: datetime) -> datetime:
    if now.tzinfo is None:
        raise ValueError("a schedule needs to know the zone of 'now'; this is a bug")
    return now.astimezone(UTC)
