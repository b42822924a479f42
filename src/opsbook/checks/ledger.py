"""Writing observations down: whatever finishes while a write is under way goes into the next one.

One commit for each observation would let the disk decide how many checks there may be, and a pause
before each would delay every alert. So an observation that comes alone is written at once; one that
comes right after another waits a moment for more. A storm of them is then twenty commits a second,
and as many calls to all who listen, however many checks there are.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from opsbook.base.clock import GATHER_S, Clock
from opsbook.base.database import Database, Transaction
from opsbook.book.library import Library
from opsbook.checks import standing
from opsbook.checks.model import Observation


@dataclass(eq=False, slots=True)
class _Batch:
    written: asyncio.Future[None]
    observations: list[Observation] = field(default_factory=list)


class Ledger:
    """The order and the writing of observations."""

    def __init__(self, database: Database, library: Library, clock: Clock) -> None:
        self.database = database
        self.library = library
        self.clock = clock
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
        """Return once the observation is on disk.

        One that was overtaken, because a look at the same check that began later has already been
        written, is not kept: it would be taken for the newer state. Clocks are not asked for that;
        they can be set back.
        """
        key = (observation.book, observation.check_id)
        if self._newest.get(key, 0) > ticket:
            return
        self._newest[key] = ticket
        if self._open is None:
            self._open = _Batch(asyncio.get_running_loop().create_future())
        batch = self._open
        batch.observations.append(observation)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await asyncio.shield(batch.written)

    async def close(self) -> None:
        """Wait for what is being written."""
        if self._writer is not None:
            await asyncio.wait({self._writer})

    async def renew(self) -> None:
        """Follow what the books have now, and which checks are paused."""
        await self.database.write(partial(self._renew, now=self.clock.now()))

    async def _write(self) -> None:
        while self._open is not None:
            if time.monotonic() - self._wrote < GATHER_S:
                await self.clock.gather()
            batch, self._open = self._open, None
            self._wrote = time.monotonic()
            work = partial(self._keep, now=self.clock.now(), seen=batch.observations)
            try:
                await self.database.write(work)
            except Exception as error:  # noqa: BLE001  told to everyone who waits for this batch
                batch.written.set_exception(error)
            else:
                batch.written.set_result(None)

    def _keep(self, tx: Transaction, now: datetime, seen: list[Observation]) -> None:
        books = {book.id: book for book in self.library.books()}
        standing.keep(tx, now, seen, books, self._memory)

    def _renew(self, tx: Transaction, now: datetime) -> None:
        standing.renew(tx, now, self.library.books(), self._memory)
