"""What a silence is, when it holds, and which alerts it keeps quiet: values in, values out."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import re2

from opsbook.base.errors import Invalid
from opsbook.book.matchers import MOST_MATCHERS, Matcher, Matchers, all_match
from opsbook.calendar import Schedule, Window

LONGEST_PATTERN: Final = 1_000
MOST_STEPS: Final = 2_000
MOST_STEPS_OF_BOOK: Final = 100_000
"""Of all its silences that are not over: patterns that are each allowed may be too many."""
"""Of RE2's program for a pattern: what a character of a value costs at worst."""
State = Literal["pending", "active", "expired"]


class InvalidSilence(Invalid):
    """This silence cannot be set."""


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence. A recurring one holds in its window only, between its start and its end."""

    id: int
    uuid: str
    book: str
    matchers: Matchers
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str
    updated_at: datetime
    schedule: str = ""
    length: timedelta = timedelta(0)
    timezone: str = ""
    expired_by: str = field(default="", compare=False)

    @property
    def recurs(self) -> bool:
        """Whether it holds at certain times only."""
        return bool(self.schedule)

    def holds(self, now: datetime) -> bool:
        """Whether it keeps alerts quiet at `now`."""
        if not self.starts_at <= now < self.ends_at:
            return False
        if not self.recurs:
            return True
        return _window(self.schedule, self.timezone, self.length).open_at(now) is not None

    def state(self, now: datetime) -> State:
        """How it stands; a recurring one is pending between its windows."""
        if now >= self.ends_at:
            return "expired"
        return "active" if self.holds(now) else "pending"

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """Return from when to when it holds: for a recurring one its window now, or the next."""
        if not self.recurs:
            return self.starts_at, self.ends_at
        window = _window(self.schedule, self.timezone, self.length)
        at = max(now, self.starts_at)
        open_now = window.open_at(at) or window.next_after(at)
        if open_now.start >= self.ends_at:
            return self.starts_at, self.ends_at
        return max(open_now.start, self.starts_at), min(open_now.end, self.ends_at)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks for; `uuid` names the silence it is to replace."""

    matchers: Matchers
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str
    uuid: str = ""
    schedule: str = ""
    length: timedelta = timedelta(0)
    timezone: str = ""


@functools.lru_cache(maxsize=512)
def _window(schedule: str, timezone: str, length: timedelta) -> Window:
    return Window(Schedule.parse(schedule, ZoneInfo(timezone or "UTC")), length)


def matching(known: Iterable[Silence], labels: Mapping[str, str], now: datetime) -> list[Silence]:
    """Return the silences that keep an alert with these labels quiet at `now`."""
    return [one for one in known if all_match(one.matchers, labels) and one.holds(now)]


def of_row(row: Mapping[str, Any]) -> Silence:
    """Return the silence of a row."""
    return Silence(
        id=row["id"],
        uuid=row["uuid"],
        book=row["book"],
        matchers=tuple(Matcher(one["name"], one["op"], one["value"]) for one in row["matchers"]),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        created_by=row["created_by"],
        comment=row["comment"],
        updated_at=row["updated_at"],
        schedule=row["schedule"],
        length=timedelta(seconds=row["length_s"]),
        timezone=row["timezone"],
        expired_by=row["expired_by"],
    )


def faults(wanted: Wanted, now: datetime) -> list[str]:
    """Return everything that is wrong with a silence that is asked for."""
    found = []
    if not wanted.matchers:
        found.append("it has no matcher: it would keep everything quiet")
    elif all(one.takes_empty for one in wanted.matchers):
        found.append("every matcher takes an alert without its label: it would keep all quiet")
    found += _matcher_faults(wanted.matchers)
    if wanted.ends_at <= wanted.starts_at:
        found.append("it ends before it begins")
    elif wanted.ends_at <= now:
        found.append("its end is past already")
    if not wanted.comment.strip():
        found.append("it has no comment that says why")
    if not wanted.created_by.strip():
        found.append("it does not say who sets it")
    if wanted.schedule:
        found += _schedule_faults(wanted)
    return found


def _matcher_faults(matchers: Matchers) -> list[str]:
    """Return what would make looking for it take long: alerts are looked at by thousands."""
    found = []
    if len(matchers) > MOST_MATCHERS:
        found.append(f"more than {MOST_MATCHERS} matchers are not taken")
    for one in matchers:
        if one.is_regex and len(one.value) > LONGEST_PATTERN:
            found.append(
                f"the pattern of {one.name[:80]!r} is longer than {LONGEST_PATTERN:,} characters: "
                "set several silences, or match a label that these alerts share"
            )
        elif one.is_regex and re2.compile(one.value).programsize > MOST_STEPS:
            found.append(
                f"the pattern of {one.name[:80]!r} is too much work to look for: write it without "
                "repetitions such as {100}"
            )
    return found


def steps(matchers: Matchers) -> int:
    """Return how much work it is to look for these patterns, in steps of RE2's programs."""
    return sum(re2.compile(one.value).programsize for one in matchers if one.is_regex)


def _schedule_faults(wanted: Wanted) -> list[str]:
    if wanted.length <= timedelta(0):
        return ["it comes again without saying for how long each time"]
    try:
        _window(wanted.schedule, wanted.timezone, wanted.length)
    except (ValueError, KeyError) as error:
        return [str(error)]
    return []


def can_change(old: Silence, wanted: Wanted, now: datetime) -> bool:
    """Whether a silence can be changed in place; else it ends and another begins.

    Alertmanager's rule: what it matches stays, what has begun keeps its beginning, what is over
    stays over. One that was set for last night must not look as if it had been for tonight.
    """
    if old.matchers != wanted.matchers or old.schedule != wanted.schedule:
        return False
    if (old.length, old.timezone) != (wanted.length, wanted.timezone):
        return False
    if now >= old.ends_at:
        return False
    if now >= old.starts_at:
        return wanted.starts_at == old.starts_at and wanted.ends_at >= now
    return wanted.starts_at >= now
