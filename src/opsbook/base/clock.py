"""The one place that knows what time it is.

Decisions take ``now`` as an argument; only loops own a clock. A test, a drill or a rehearsal
supplies a :class:`WoundClock`, which stands still until somebody winds it, so that a hold of five
minutes or a night of escalations is proven without sleeping.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

GATHER_S: Final = 0.05


class Clock(Protocol):
    """What loops may ask: the time, and to be woken at a time or by somebody."""

    def now(self) -> datetime:
        """Return the present moment, always aware and in UTC."""

    async def wait(self, until: datetime | None, wake: asyncio.Event) -> None:
        """Return once ``until`` is reached or ``wake`` is set; None waits for ``wake`` alone."""

    async def gather(self) -> None:
        """Let a moment pass in which more of what has just begun may come together."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)

    async def wait(self, until: datetime | None, wake: asyncio.Event) -> None:
        """Wait in slices of at most a minute, so that a stepped machine clock is noticed."""
        while not wake.is_set():
            left = 60.0 if until is None else (until - self.now()).total_seconds()
            if left <= 0:
                return
            try:
                await asyncio.wait_for(wake.wait(), min(left, 60.0))
            except TimeoutError:
                if until is None:
                    continue

    async def gather(self) -> None:
        """Wait 50 ms: several commits of one cause are seen at once, and others go first."""
        await asyncio.sleep(GATHER_S)


class WoundClock:
    """A clock that stands still until it is set; waiters are released in order of their time."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._waiting: dict[int, tuple[datetime | None, asyncio.Event]] = {}
        self._next = 0

    def now(self) -> datetime:
        """Return the time this clock was last set to."""
        return self._now

    def set(self, to: datetime) -> None:
        """Move to ``to`` (never back) and release everyone whose time has come."""
        self._now = max(self._now, to.astimezone(UTC))
        for until, released in self._waiting.values():
            if until is not None and until <= self._now:
                released.set()

    def advance(self, by: timedelta) -> None:
        """Move on by ``by`` at once, without stopping at the times in between."""
        self.set(self._now + by)

    def earliest(self) -> datetime | None:
        """Return the earliest time somebody waits for, or ``None`` when nobody waits for a time."""
        return min(
            (until for until, _ in self._waiting.values() if until is not None), default=None
        )

    async def gather(self) -> None:
        """Nothing passes while the clock stands still."""

    async def wait(self, until: datetime | None, wake: asyncio.Event) -> None:
        """Wait until wound to ``until`` or woken."""
        if wake.is_set() or (until is not None and until <= self._now):
            return
        released = asyncio.Event()
        self._next += 1
        key = self._next
        self._waiting[key] = (until, released)
        waits = [asyncio.ensure_future(wake.wait()), asyncio.ensure_future(released.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.pop(key, None)
            for one in waits:
                one.cancel()
