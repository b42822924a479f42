"""Writing observations down: whatever finishes while a write is under way goes into the next one.

One commit for each observation would let the disk decide how many checks there may be; a pause to
collect them would delay every alert. Writing as soon as the writer is free does neither: alone, an
observation is written at once, and under load a hundred share a commit.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial

from opsbook.base.database import Database
from opsbook.checks import store
from opsbook.checks.model import Observation


@dataclass(eq=False, slots=True)
class _Batch:
    written: asyncio.Future[None]
    observations: list[Observation] = field(default_factory=list)


class Ledger:
    """The order and the writing of observations."""

    def __init__(self, database: Database) -> None:
        self.database = database
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

    async def _write(self) -> None:
        while (batch := self._open) is not None:
            self._open = None
            observations = batch.observations
            try:
                await self.database.write(partial(store.keep, seen=observations))
            except Exception as error:  # noqa: BLE001  told to everyone who waits for this batch
                batch.written.set_exception(error)
            else:
                batch.written.set_result(None)
