"""Writing observations down: whatever finishes while a write is under way goes into the next one.

One commit for each observation would let the disk decide how many checks there may be, and a pause
before each would delay every alert. So an observation that comes alone is written at once; one that
comes right after another waits a moment for more. A storm of them is then twenty commits a second,
and as many calls to all who listen, however many checks there are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from opsbook.base.clock import GATHER_S
from opsbook.base.database import Database, Transaction
from opsbook.base.loops import Loops
from opsbook.book.library import Library
from opsbook.checks import standing
from opsbook.checks.model import Observation

Told = Callable[[Exception | None], None]
"""Called once an observation is on disk, or with why it is not."""


@dataclass(eq=False, slots=True)
class _Batch:
    observations: list[Observation] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)


class Ledger:
    """The order and the writing of observations."""

    def __init__(self, database: Database, library: Library, loops: Loops) -> None:
        self.database = database
        self.library = library
        self.loops = loops
        self.clock = loops.clock
        self._memory = standing.Memory()
        self._wrote = -GATHER_S
        self._open: _Batch | None = None
        self._writer: asyncio.Task[None] | None = None
        self._tickets = 0
        self._newest: dict[tuple[str, str], int] = {}

    def ticket(self) -> int:
        """Return a look's place in the order; drawn when the look begins."""
        self._tickets += 1
        return self._tickets

    async def keep(self, ticket: int, observation: Observation) -> None:
        """Return once the observation is on disk."""
        written = asyncio.get_running_loop().create_future()

        def told(error: Exception | None) -> None:
            if written.done():
                return
            if error is not None:
                written.set_exception(error)
            else:
                written.set_result(None)

        self.add(ticket, observation, told)
        await written

    def add(self, ticket: int, observation: Observation, told: Told) -> None:
        """Write an observation with the next batch; who asks for it is told and waits for nothing.

        One that was overtaken, because a look at the same check that began later has already been
        written, is not kept: it would be taken for the newer state. Clocks are not asked for that;
        they can be set back.
        """
        key = (observation.book, observation.check_id)
        if self._newest.get(key, 0) > ticket:
            told(None)
            return
        self._newest[key] = ticket
        batch = self._open = self._open or _Batch()
        batch.observations.append(observation)
        batch.told.append(told)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())

    async def close(self) -> None:
        """Wait for what is being written."""
        if self._writer is not None:
            await asyncio.wait({self._writer})

    async def renew(self) -> None:
        """Follow what the books have now, and which checks are paused."""
        await self.database.write(partial(self._renew, now=self.clock.now()))

    async def _write(self) -> None:
        async with self.loops.busy():
            while self._open is not None:
                if time.monotonic() - self._wrote < GATHER_S:
                    await self.clock.gather()
                batch, self._open = self._open, None
                self._wrote = time.monotonic()
                await self._write_one(batch)

    async def _write_one(self, batch: _Batch) -> None:
        work = partial(self._keep, now=self.clock.now(), seen=batch.observations)
        failure: Exception | None = None
        try:
            await self.database.write(work)
        except Exception as error:  # noqa: BLE001  told to everyone who waits for this batch
            failure = error
            self._memory = standing.Memory()
        for told in batch.told:
            told(failure)

    def _keep(self, tx: Transaction, now: datetime, seen: list[Observation]) -> None:
        books = {book.id: book for book in self.library.books()}
        standing.keep(tx, now, seen, books, self._memory)

    def _renew(self, tx: Transaction, now: datetime) -> None:
        standing.renew(tx, now, self.library.books(), self._memory)
