"""Supervised loops: what runs, when it is due again, and how it fares.

A loop is a function ``tick(now) -> next due``. The supervisor calls it when it is due or woken,
catches what it could not answer, records it, waits a growing pause and goes on: one broken loop
never stops another, and its error is on the Today page rather than in a log nobody reads.

``settle`` and ``wind`` are how a wound clock moves a whole application: stop at every moment
somebody waits for, let all that is due finish, go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

import structlog

from opsbook.base.clock import Clock, WoundClock
from opsbook.base.database import DatabaseAway
from opsbook.base.errors import Bug

Patience = Literal["never", "bursts", "always"]
BURST_S: Final = 0.1
Tick = Callable[[datetime], Awaitable[datetime | None]]
SLOWEST: Final = timedelta(minutes=1)
log = structlog.get_logger("opsbook.loops")


@dataclass
class Loop:
    """One loop and how it fares.

    ``deciding`` loops rest while another server decides. ``patient`` ones gather what wakes them
    for a moment, so that those which somebody waits for go first and a burst is one look; those
    that are patient in bursts do so only when they were woken a moment ago, too.
    """

    name: str
    tick: Tick
    deciding: bool = True
    patient: Patience = "never"
    slowest: timedelta = SLOWEST
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    parked: bool = False
    failures: int = 0
    error: str = ""
    last_ok: datetime | None = None


class Loops:
    """All loops of one application."""

    def __init__(self, clock: Clock, may_decide: Callable[[], bool] = lambda: True) -> None:
        self.clock = clock
        self.may_decide = may_decide
        self.loops: dict[str, Loop] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._busy = 0
        self._moved = asyncio.Event()
        self._stopping = False

    def add(
        self, name: str, tick: Tick, *, deciding: bool = True, patient: Patience = "never",
        slowest: timedelta = SLOWEST,
    ) -> Callable[[], None]:  # fmt: skip
        """Add a loop; return what wakes it. ``slowest`` is its longest pause after errors."""
        loop = Loop(name, tick, deciding, patient, slowest)
        self.loops[name] = loop
        return lambda: self.wake(name)

    def wake(self, name: str) -> None:
        """Let a loop look again now."""
        self.loops[name].wake.set()
        self.loops[name].parked = False

    def start(self) -> None:
        """Start every loop."""
        self._tasks = [asyncio.create_task(self._run(x), name=x.name) for x in self.loops.values()]

    async def stop(self) -> None:
        """Stop every loop; a tick under way is cancelled, its rows are its own."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    @contextlib.asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Mark work that a tick left under way (a check, a step), so that ``settle`` waits."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            self._moved.set()

    async def _run(self, loop: Loop) -> None:
        while not self._stopping:
            loop.wake.clear()
            due: datetime | None = None
            if not loop.deciding or self.may_decide():
                try:
                    due = await loop.tick(self.clock.now())
                    loop.failures, loop.error, loop.last_ok = 0, "", self.clock.now()
                except Exception as error:  # noqa: BLE001 (the edge of a loop: record, delay, go on)
                    loop.failures += 1
                    loop.error = f"{type(error).__name__}: {error}"
                    _note(loop, error)
                    pause = min(loop.slowest, timedelta(seconds=2 ** min(loop.failures, 6)))
                    due = self.clock.now() + pause
            rests_since = time.monotonic()
            if not loop.wake.is_set():
                loop.parked = True
                self._moved.set()
            await self.clock.wait(due, loop.wake)
            loop.parked = False
            rested = time.monotonic() - rests_since
            hurried = loop.patient == "always" or (loop.patient == "bursts" and rested < BURST_S)
            if hurried and loop.wake.is_set():
                await self.clock.gather()

    async def settle(self, limit: float = 30.0) -> None:
        """Wait until every loop waits and nothing is under way; ``limit`` is in real seconds."""
        async with asyncio.timeout(limit):
            quiet = 0
            while quiet < 3:
                now = self.clock.now()
                due = self.clock.earliest() if isinstance(self.clock, WoundClock) else None
                still = (
                    self._busy == 0
                    and all(loop.parked for loop in self.loops.values())
                    and (due is None or due > now)
                )
                if still:
                    quiet += 1
                    await asyncio.sleep(0)
                else:
                    quiet = 0
                    self._moved.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._moved.wait(), 0.005)

    async def wind(self, by: timedelta) -> None:
        """Wind the clock on by ``by``, stopping wherever somebody waits."""
        if not isinstance(self.clock, WoundClock):
            raise Bug("Only a wound clock can be wound: this is a bug in Opsbook.")
        target = self.clock.now() + by
        await self.settle()
        while (due := self.clock.earliest()) is not None and due <= target:
            self.clock.set(due)
            await self.settle()
        self.clock.set(target)
        await self.settle()


def _note(loop: Loop, error: Exception) -> None:
    """Say that a loop failed; of a database that is away without a trace, each time, of each."""
    about = {"loop": loop.name, "failures": loop.failures}
    if isinstance(error, DatabaseAway):
        log.warning("loop waits for the database", why=str(error.__cause__ or error), **about)
    else:
        log.exception("loop failed", **about)
