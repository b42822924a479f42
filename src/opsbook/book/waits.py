"""What a ``wait`` step waits for: one line, read as one of four things.

``10m`` is a span. ``until 22:00`` and ``until 2026-03-31 09:00`` are times of the book's zone; a
time of day means the next one. ``window maintenance`` is one of the book's windows for changes.
``until check api-health is ok`` looks at a check.

A condition on a variable was refused: parameters and saved values do not change while a run waits,
so it would be over at once or never.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from opsbook.base import quantities
from opsbook.calendar import local

_UNTIL: Final = re.compile(r"until\s+(?P<what>\S.*)", re.IGNORECASE)
_WINDOW: Final = re.compile(r"window\s+(?P<id>\S+)", re.IGNORECASE)
_CHECK: Final = re.compile(r"check\s+(?P<id>\S+)\s+is\s+(?P<state>\S.*)", re.IGNORECASE)
_TIME: Final = re.compile(r"\d{1,2}:\d{2}")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\s*\d{1,2}:\d{2}")
_COMPARED: Final = re.compile(r"==|!=|<=|>=|<|>")
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class For:
    """A span of time."""

    span: timedelta


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """The next time at which the clocks of the book's zone show this."""

    time: time

    def next_after(self, now: datetime, zone: ZoneInfo) -> datetime:
        """The moment, strictly after `now`, by the calendar's rule for nights that change clocks.

        A time that is skipped comes right after the gap, one that comes twice counts once.
        """
        today = local.wall(now, zone).date()
        days = (today + timedelta(days=n) for n in range(4))
        found = (local.happens(datetime.combine(day, self.time), zone) for day in days)
        return next(moment for moment in found if moment > now)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of one day, as the clocks of the book's zone show it."""

    at: datetime

    def instant(self, zone: ZoneInfo) -> datetime:
        """When that is."""
        return local.happens(self.at, zone)


@dataclass(frozen=True, slots=True)
class Opening:
    """Until one of the book's windows for changes is open."""

    window: str


@dataclass(frozen=True, slots=True)
class CheckIsOk:
    """Until a check is ok; `check` is its id, or ``$param``."""

    check: str


Awaited = For | TimeOfDay | Moment | Opening | CheckIsOk


def parse(text: str) -> Awaited:
    """Read the body of a wait step; raises ValueError, with the remedy after a semicolon."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if len(lines) > 1:
        raise ValueError(f"it waits for {len(lines)} things; write one line, and a step for each")
    line = " ".join(lines[0].split()) if lines else ""
    if until := _UNTIL.fullmatch(line):
        return _until(until["what"])
    if window := _WINDOW.fullmatch(line):
        return Opening(window["id"])
    try:
        span = quantities.parse_duration(line)
    except quantities.QuantityError:
        raise ValueError(
            f"{line[:_SHOWN]!r} is nothing to wait for; write 10m, until 22:00, "
            "until 2026-03-31 09:00, window name, or until check name is ok"
        ) from None
    if not span:
        raise ValueError("it waits for no time at all; write a time such as 10m, or remove it")
    return For(span)


def _until(what: str) -> Awaited:
    if check := _CHECK.fullmatch(what):
        if check["state"].lower() != "ok":
            raise ValueError(
                f"a check is waited for until it is ok, not until it is {check['state'][:_SHOWN]}; "
                f"write until check {check['id'][:_SHOWN]} is ok"
            )
        return CheckIsOk(check["id"])
    if _TIME.fullmatch(what):
        return TimeOfDay(_moment(f"2000-01-01T{what:0>5}", what).time())
    if _DATE.fullmatch(what):
        _moment(f"{what}T00:00", what)
        raise ValueError(
            f"{what!r} does not say the time of day; write until {what} 09:00, as it is meant"
        )
    if _MOMENT.fullmatch(what):
        day, at = what[:10], what[11:].strip()
        return Moment(_moment(f"{day}T{at:0>5}", what))
    if _COMPARED.search(what):
        raise ValueError(
            f"{what[:_SHOWN]!r} is about a variable, and none changes while a run waits; "
            "write when= on the next step, or wait until check name is ok"
        )
    raise ValueError(
        f"{what[:_SHOWN]!r} is no time to wait until; write until 22:00, until 2026-03-31 09:00 "
        "or until check name is ok"
    )


def _moment(text: str, said: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M")  # noqa: DTZ007 - of the book's zone
    except ValueError:
        raise ValueError(
            f"there is no {said!r} on any calendar or clock; write one such as 22:00 or "
            "2026-03-31 09:00"
        ) from None
