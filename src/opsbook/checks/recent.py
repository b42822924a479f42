"""A statistic of a check's last looks, judged instead of the last value alone.

One slow answer is no outage, and a p95 of five minutes says so. The values are those of the looks
themselves that are less than `over` ago, this one with them. They are kept in memory and read again
from the observations after a restart: an observation has the statistic as its value, so its message
says what this one look brought (``p95 over 5m of 10 looks; this one 412 ms``), and what people read
there is what is read back. A column of its own was not worth a number that six digits of text hold.

A look that brought no value, or whose answer itself was wrong, says what it says at once and is not
counted: an average over the outage would hide it, and a fast error page is no fast answer.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from opsbook.base.quantities import QuantityError, format_duration
from opsbook.book.sections.checks import Check, Statistic
from opsbook.checks.model import Reading, judge, tidy

_MADE_OF = re.compile(
    r"(?:p95|average|maximum|minimum|sum) over \S+ of \d+ looks?; this one (-?\d[\d.e+-]*)\b"
)


def statistic(name: Statistic, values: Sequence[float]) -> float:
    """Return a statistic of values in the order of time; there is at least one.

    The p95 is by nearest rank: the smallest value that at least 95 % of them do not exceed, so one
    that was really seen, and of fewer than twenty the largest. A sum beyond what a number holds is
    infinite.
    """
    match name:
        case "last":
            return values[-1]
        case "p95":
            return sorted(values)[rank95(len(values)) - 1]
        case "maximum":
            return max(values)
        case "minimum":
            return min(values)
        case "sum":
            return _sum(values)
        case "average":
            return min(max(_sum(values) / len(values), min(values)), max(values))


def rank95(count: int) -> int:
    """Return which of `count` values in order is the p95, counted from 1."""
    return -(-count * 95 // 100)


def _sum(values: Sequence[float]) -> float:
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf if sum(value > 0 for value in values) * 2 > len(values) else -math.inf


@dataclass(slots=True)
class Recent:
    """The values of a check's last looks. `stale` until those before this server are read."""

    over: timedelta
    values: deque[tuple[datetime, float]] = field(default_factory=deque)
    stale: bool = True

    def load(self, seen: Iterable[tuple[datetime, str]]) -> None:
        """Take the values from stored observations, given as time and message, oldest first."""
        found = ((at, read(message)) for at, message in seen)
        self.values = deque((at, value) for at, value in found if value is not None)
        self.stale = False

    def add(self, at: datetime, value: float) -> list[float]:
        """Add a look's value; return those that count now."""
        self.values.append((at, value))
        while self.values and at - self.values[0][0] >= self.over:
            self.values.popleft()
        return [value for _, value in self.values]


def judged(check: Check, reading: Reading, recent: Recent | None, now: datetime) -> Reading:
    """Return the reading as `model.judge` does, by the check's statistic where it has one."""
    alone = judge(check, reading)
    if recent is None or alone.value is None or reading.state is not None:
        return alone
    values = recent.add(now, alone.value)
    told = written(check, len(values), alone)
    few = len(values) < check.at_least
    value = statistic(check.statistic, values)
    if few or not math.isfinite(value):
        why = f"at least {check.at_least} are needed" if few else f"the value is {value}"
        return Reading(None, alone.unit, tidy(f"{told}; {why}"), "nodata")
    message = tidy(f"{told}: {alone.message}" if alone.message else told)
    try:
        return Reading(value, alone.unit, message, check.bands.state(value, alone.unit))
    except QuantityError as error:
        return Reading(value, alone.unit, tidy(f"{told}: {error}"), "nodata")


def written(check: Check, count: int, reading: Reading) -> str:
    """Return what a statistic was made of, in the words that `read` reads back."""
    looks = "1 look" if count == 1 else f"{count} looks"
    over = format_duration(check.over or timedelta())
    one = f"{_digits(reading.value or 0.0)} {reading.unit}".rstrip()
    return f"{check.statistic} over {over} of {looks}; this one {one}"


def read(message: str) -> float | None:
    """Return what the look itself brought, from the message of a statistic; `None` of another."""
    found = _MADE_OF.match(message)
    try:
        return float(found[1]) if found else None
    except ValueError:
        return None


def _digits(value: float) -> str:
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:.6g}"
