"""A sign of life to the outside: an address that is told regularly, whose silence is the alarm.

Whoever watches from elsewhere cannot see whether alerts are still noticed here, only that somebody
says so. So it is said by the server that decides, and only while its loops do their work: one that
fails, or has been at the same thing for `STUCK`, and nothing is said, with the reason in the log.

What came of it is kept in memory and not in the database: it is of this minute, and a database that
is away is one of the reasons to be silent.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from opsbook.alerts.outward import Outward
from opsbook.base import secrets
from opsbook.base.clock import Clock
from opsbook.base.errors import OpsbookError
from opsbook.base.loops import Loop, Loops
from opsbook.book.library import Library
from opsbook.book.sections.intakes import Heartbeat

NAME: Final = "heartbeats"
AGAIN: Final = timedelta(seconds=15)
"""How soon it is tried again where it failed or was not said; never more often than the book says.
"""
STUCK: Final = timedelta(minutes=10)
TIMEOUT_S: Final = 5.0

log = structlog.get_logger("opsbook.alerts")

Key = tuple[str, str]
"""A book's id and a heartbeat's."""


@dataclass(frozen=True, slots=True)
class Beat:
    """What came of telling it last: told, or why not. `told_at` is the last time that it was."""

    at: datetime
    told_at: datetime | None
    error: str = ""


class Heartbeats:
    """Tells all addresses of the running books. ``timeout`` is in seconds of the real clock."""

    def __init__(
        self, library: Library, loops: Loops, clock: Clock, outward: Outward | None = None, *,
        timeout: float = TIMEOUT_S,
    ) -> None:  # fmt: skip
        self.library = library
        self.loops = loops
        self.clock = clock
        self.outward = outward or Outward(clock)
        self.timeout = timeout
        self._due: dict[Key, datetime] = {}
        self._last: dict[Key, Beat] = {}
        self._under_way: dict[Key, asyncio.Task[None]] = {}
        self._at_work: dict[str, tuple[datetime, datetime | None, int]] = {}

    def last(self, book: str, heartbeat: str) -> Beat | None:
        """Return what came of telling it last on this server, since it started."""
        return self._last.get((book, heartbeat))

    async def stop(self) -> None:
        """Leave what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.outward.close()

    async def tick(self, now: datetime) -> datetime | None:
        """Tell whoever is due; return when the next one is."""
        wanted = {
            (book.id, id): one
            for book in self.library.books()
            if book.status == "active"
            for id, one in book.heartbeats.items()
        }
        for key in self._due.keys() - wanted.keys():
            del self._due[key]
            self._last.pop(key, None)
        trouble = self._trouble(now)
        for key, one in wanted.items():
            due = self._due.get(key)
            if key in self._under_way or (due is not None and due > now):
                continue
            if trouble:
                self._note(key, now, f"Not told: {trouble}.")
                self._due[key] = now + min(one.every, AGAIN)
                continue
            self._due[key] = now + one.every
            name = f"heartbeat {key[1]}"
            self._under_way[key] = asyncio.create_task(self._tell(key, one), name=name)
        return min(self._due.values(), default=None)

    def _trouble(self, now: datetime) -> str:
        """Return why this server is not well; an empty text if it is."""
        for loop in self.loops.loops.values():
            if loop.name == NAME:
                continue
            if loop.failures:
                kind = loop.error.partition(":")[0]
                return f"the loop {loop.name} has failed {loop.failures} times ({kind})"
            if (since := self._stuck_since(loop, now)) is not None and now - since >= STUCK:
                return f"the loop {loop.name} has been at the same thing since {since:%H:%M} UTC"
        return ""

    def _stuck_since(self, loop: Loop, now: datetime) -> datetime | None:
        """Return since when a loop has been seen in the same tick, if it is in one."""
        if loop.parked:
            self._at_work.pop(loop.name, None)
            return None
        since, last_ok, failures = self._at_work.get(loop.name, (now, loop.last_ok, loop.failures))
        if (last_ok, failures) != (loop.last_ok, loop.failures):
            since = now
        self._at_work[loop.name] = (since, loop.last_ok, loop.failures)
        return since

    async def _tell(self, key: Key, one: Heartbeat) -> None:
        try:
            async with self.loops.busy():
                error = await self._asked(one)
                now = self.clock.now()
                self._note(key, now, error)
                if error:
                    self._due[key] = now + min(one.every, AGAIN)
                    self.loops.wake(NAME)
        finally:
            self._under_way.pop(key, None)

    async def _asked(self, one: Heartbeat) -> str:
        """Tell one, and return why it was not taken; an empty text if it was."""
        try:
            address = one.url.url or secrets.resolve(one.url.secret or "")
            status, _ = await self.outward.ask(
                address, loopback=one.loopback, timeout=self.timeout, keep=False
            )
        except OpsbookError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001  (the edge; its text may hold the address)
            return f"It failed with {type(error).__name__}."
        return "" if 200 <= status <= 299 else f"It answered {status}."

    def _note(self, key: Key, now: datetime, error: str) -> None:
        before = self._last.get(key)
        told_at = now if not error else before.told_at if before is not None else None
        self._last[key] = Beat(now, told_at, error)
        if error and (before is None or before.error != error):
            log.warning("a heartbeat was not told", book=key[0], heartbeat=key[1], why=error)
        elif not error and before is not None and before.error:
            log.info("a heartbeat is told again", book=key[0], heartbeat=key[1])
