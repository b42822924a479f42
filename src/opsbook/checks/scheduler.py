"""Looking at every check when it is due, at most so many at once, none of them waiting for another.

A tick of the loop starts what is due and returns; each look is a task of its own under a timeout
of its own. When every place is taken, what is due waits in its order and starts as places become
free: a place is held for the look and not for the writing, and never longer than the timeout.

A look that somebody asks for (a step of a run, the button on the page) has places of its own: it
must not stand in line behind an outage.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from datetime import datetime

from opsbook.base.clock import Clock
from opsbook.base.database import Database, Transaction
from opsbook.base.errors import NotFound, OpsbookError
from opsbook.base.hub import Hub
from opsbook.base.loops import Loops
from opsbook.book.library import Library
from opsbook.checks import store
from opsbook.checks.kind import Facts, Kind
from opsbook.checks.kinds import KINDS
from opsbook.checks.ledger import Ledger
from opsbook.checks.looking import Looker
from opsbook.checks.model import Observation
from opsbook.checks.plan import Plan, Planned
from opsbook.checks.retention import Forgetting

AT_MOST = 32


class NotWritten(OpsbookError):
    """What checks saw cannot be stored."""


class Scheduler:
    """The loops ``checks`` and ``observations``, and looks on request."""

    def __init__(
        self,
        database: Database,
        library: Library,
        loops: Loops,
        clock: Clock,
        facts: Facts,
        *,
        at_most: int = AT_MOST,
        kinds: Mapping[str, Kind] = KINDS,
    ) -> None:
        self.database = database
        self.library = library
        self.loops = loops
        self.clock = clock
        self.at_most = at_most
        self.plan = Plan(facts.by_name())
        self._looker = Looker(clock, kinds)
        self._ledger = Ledger(database)
        self._waiting: deque[Planned] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking = 0
        self._asked = asyncio.Semaphore(at_most)
        self._renewed = False
        self._trouble = ""
        self._forgetting = Forgetting(database, library)
        self.wake = loops.add("checks", self.tick)
        self._wake_tidy = loops.add("observations", self.tidy)

    def wire(self, hub: Hub) -> None:
        """Look at the plan again whenever a book has changed."""
        hub.on("books", self.wake)

    async def start(self) -> None:
        """Nothing is looked at before the loops start; a look on request works from here on."""

    async def stop(self) -> None:
        """Stop looking. A look that is cut off leaves no observation; what was seen is written."""
        self._waiting.clear()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._ledger.close()
        await self._looker.close()

    def hanging(self) -> dict[str, datetime]:
        """Return the looks whose threads have not come back after their time, and since when."""
        return self._looker.threads.hanging()

    async def tick(self, now: datetime) -> datetime | None:
        """Start every look that is due; return when the next one is."""
        self._renewed |= self.plan.renew(self.library.books(), now)
        if self._renewed:
            await self.database.write(self._forget_removed)
            self._renewed = False
        for planned in self.plan.due(now):
            planned.under_way = True
            self._waiting.append(planned)
        self._fill()
        return self.plan.next_due()

    async def tidy(self, now: datetime) -> datetime:
        """Forget old observations; return when to do so again.

        Raises:
            NotWritten: what was seen cannot be stored at present. Raised here and not from `tick`,
                whose looks must go on at their intervals: the first that can be stored ends it.
        """
        if self._trouble:
            raise NotWritten(f"What checks saw cannot be stored: {self._trouble}")
        return await self._forgetting.tick(now)

    async def look(self, book_id: str, check_id: str) -> Observation:
        """Look at a check now, whether it is due or not, and store what was seen.

        Raises:
            NotFound: no such book is running, or it has no such check.
        """
        check = self.library.current(book_id).checks.get(check_id)
        if check is None:
            raise NotFound(
                f"The book {book_id!r} has no check {check_id!r}.",
                remedy="It may have been removed; see the Checks page for those there are.",
            )
        planned = self.plan.planned.get((book_id, check_id))
        if planned is None or planned.check != check:
            planned = Planned.of(book_id, check, self.plan.known)
        async with self.loops.busy(), self._asked:
            ticket = self._ledger.ticket()
            observation = await self._looker.look(planned)
            await self._ledger.keep(ticket, observation)
        return observation

    def _fill(self) -> None:
        while self._waiting and self._looking < self.at_most:
            planned = self._waiting.popleft()
            if planned.gone:
                continue
            self._looking += 1
            task = asyncio.create_task(self._look(planned))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _look(self, planned: Planned) -> None:
        async with self.loops.busy():
            ticket = self._ledger.ticket()
            try:
                observation = await self._looker.look(planned)
            finally:
                self._looking -= 1
                self._fill()
            try:
                if not planned.gone:
                    await self._ledger.keep(ticket, observation)
                    self._written("")
            except Exception as error:  # noqa: BLE001  the loop `observations` tells
                self._written(f"{type(error).__name__}: {error}")
            finally:
                planned.under_way = False

    def _written(self, trouble: str) -> None:
        if bool(trouble) != bool(self._trouble):
            self._wake_tidy()
        self._trouble = trouble

    def _forget_removed(self, tx: Transaction) -> None:
        for book in self.library.books():
            store.keep_only(tx, book.id, list(book.checks))
