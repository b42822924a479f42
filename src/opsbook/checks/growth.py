"""Counters that only grow: how much within a window, and which share of what grew. Pure.

Many systems count since their start (evicted keys, deadlocks, hits of a cache). The number itself
says nothing; how much it grew lately does. What is remembered is in memory, so counting begins
again with a restart of ours; a counter that became smaller was reset by a restart of theirs, and
all it has counted since is growth.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any


class Growth:
    """The growth of named counters, summed up over a window."""

    def __init__(self, now: datetime) -> None:
        self.began = now
        self._last: dict[str, float] = {}
        self._grown: deque[tuple[datetime, str, float]] = deque()
        self._looked = False

    @classmethod
    def of(cls, memory: dict[str, Any], now: datetime) -> Growth:
        """The growth that a check remembers, or a new one."""
        kept: Growth = memory.setdefault("growth", cls(now))
        return kept

    def note(self, counters: Mapping[str, float], now: datetime, *, new: bool = False) -> None:
        """Take the counters as they are now; `new` is whether one not seen before began at zero.

        The first look has nothing to compare with, and counts nothing.
        """
        for name, value in counters.items():
            before = self._last.get(name)
            if before is None:
                grown = value if new and self._looked else 0.0
            else:
                grown = value - before if value >= before else value
            if grown:
                self._grown.append((now, name, grown))
        self._last = dict(counters)
        self._looked = True

    def within(self, window: timedelta, now: datetime) -> dict[str, float]:
        """Return the growth of each counter that grew within the window."""
        while self._grown and self._grown[0][0] <= now - window:
            self._grown.popleft()
        found: dict[str, float] = {}
        for _, name, grown in self._grown:
            found[name] = found.get(name, 0.0) + grown
        return found

    def since(self, window: timedelta, now: datetime) -> str:
        """Return from when on was counted, where that is not yet the whole window."""
        if now - self.began >= window:
            return ""
        return f" since {self.began:%H:%M:%S} UTC, when counting began"


def share(memory: dict[str, Any], good: float, bad: float, least: float) -> tuple[float, bool]:
    """Return the percentage of `good` in both counters' growth since the look before.

    With less than `least` of growth in all (or at the first look, or after a reset) it is that
    since the counters began, which is told by `False`: a share of three is chance.
    """
    before = memory.get("share")
    memory["share"] = (good, bad)
    if before is not None:
        hits, misses = good - before[0], bad - before[1]
        if hits >= 0 and misses >= 0 and hits + misses >= least:
            return 100 * hits / (hits + misses), True
        if hits >= 0 and misses >= 0:
            memory["share"] = before
    return (100 * good / (good + bad) if good + bad else 100.0), False
