"""Looking at every check when it is due, at most so many at once, none of them waiting for another.

A tick of the loop starts what is due and returns; each look is a task of its own under a timeout
of its own. When every place is taken, what is due waits in its order and starts as places become
free. A place is held for the look and not for the writing, and by a look that hangs for a second
only: after that it is one of the slow ones, which have places of their own, or a few dozen dead
targets would keep everybody waiting for their timeouts.

A look that somebody asks for (a step of a run, the button on the page) has places of its own: it
must not stand in line behind an outage.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import structlog

from opsbook.base.clock import Clock
from opsbook.base.database import Database
from opsbook.base.errors import NotFound, OpsbookError
from opsbook.base.hub import Hub
from opsbook.base.loops import Loops
from opsbook.book.library import Library
from opsbook.checks import pings, store
from opsbook.checks.kind import Facts, Kind
from opsbook.checks.kinds import KINDS
from opsbook.checks.ledger import Ledger
from opsbook.checks.lent import Lent, Programs
from opsbook.checks.looking import Looker
from opsbook.checks.model import Observation
from opsbook.checks.plan import Plan, Planned, target_of
from opsbook.checks.retention import Forgetting
from opsbook.checks.waking import Waking

log = structlog.get_logger("opsbook.checks")
AT_MOST = 32
MOST_SLOW = 224
SLOW_S = 1.0


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
        programs: Programs | None = None,
    ) -> None:
        self.database = database
        self.library = library
        self.loops = loops
        self.clock = clock
        self.at_most = at_most
        self.plan = Plan(facts.by_name())
        lent = Lent(
            database=database, book=library.current, data=Path(facts.data), programs=programs
        )
        self._looker = Looker(clock, kinds, lent)
        self._ledger = Ledger(database, library, loops)
        self._waiting: deque[Planned] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._quick: dict[Planned, float] = {}
        self._slow: set[Planned] = set()
        self._starting = 0
        self._room: asyncio.TimerHandle | None = None
        self._asked = asyncio.Semaphore(at_most)
        self._renewed = False
        self._trouble = ""
        self._forgetting = Forgetting(database, library)
        self.wake = loops.add("checks", self.tick)
        self._wake_tidy = loops.add("observations", self.tidy)

    def wire(self, hub: Hub) -> None:
        """Look at the plan again when a book has changed, and at a check whose job has reported."""
        hub.on("books", self.wake)
        hub.on(pings.TOPIC, self.loops.add("pings", Waking(self.look, hub).tick))

    async def start(self) -> None:
        """Nothing is looked at before the loops start; a look on request works from here on."""

    async def stop(self) -> None:
        """Stop looking. A look that is cut off leaves no observation; what was seen is written."""
        self._waiting.clear()
        if self._room is not None:
            self._room.cancel()
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
        for planned in self.plan.due(now):
            planned.under_way = True
            self._waiting.append(planned)
        self._fill()
        if self._renewed or self.plan.turned:
            await self._ledger.renew()
            self._renewed = self.plan.turned = False
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
        book = self.library.current(book_id)
        check = book.checks.get(check_id)
        if check is None:
            raise NotFound(
                f"The book {book_id!r} has no check {check_id!r}.",
                remedy="It may have been removed; see the Checks page for those there are.",
            )
        planned = self.plan.planned.get((book_id, check_id))
        target = target_of(book, check)
        if planned is None or (planned.check, planned.target) != (check, target):
            planned = Planned.of(book_id, check, self.plan.known, target)
        async with self.loops.busy(), self._asked:
            ticket = self._ledger.ticket()
            await self._recall(planned)
            observation = await self._looker.look(planned)
            await self._ledger.keep(ticket, observation)
        return observation

    def _fill(self) -> None:
        """Start as many who look as there are places for what waits."""
        while len(self._waiting) > self._starting and self._room_for(self._starting):
            self._starting += 1
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        """Look at what waits, one after the other, until there is nothing or no place."""
        self._starting -= 1
        async with self.loops.busy():
            while self._waiting and self._room_for(0):
                planned = self._waiting.popleft()
                if not planned.gone:
                    await self._look(planned)

    async def _look(self, planned: Planned) -> None:
        self._quick[planned] = time.monotonic()
        ticket = self._ledger.ticket()
        try:
            if planned.recent is not None:
                await self._recall(planned)
            observation = await self._looker.look(planned)
        except Exception:  # a mistake of ours must not end the looking
            planned.under_way = False
            log.exception("a look could not be judged", check="/".join(planned.key))
            return
        finally:
            self._quick.pop(planned, None)
            self._slow.discard(planned)
        if planned.gone:
            planned.under_way = False
        else:
            self._ledger.add(ticket, observation, functools.partial(self._written, planned))

    def _written(self, planned: Planned, error: Exception | None) -> None:
        planned.under_way = False
        trouble = f"{type(error).__name__}: {error}" if error is not None else ""
        if bool(trouble) != bool(self._trouble):
            self._wake_tidy()
        self._trouble = trouble

    def _room_for(self, others: int) -> bool:
        """Whether one more may look, beside those who do and `others` who are about to."""
        return len(self._quick) + others < self.at_most or self._make_room()

    def _make_room(self) -> bool:
        """Whether the look that has taken longest gives its place up; asked again when it does."""
        now = time.monotonic()
        planned, began = next(iter(self._quick.items()), (None, now))
        left = SLOW_S - (now - began)
        if planned is None or left > 0:
            if self._room is None:
                self._room = asyncio.get_running_loop().call_later(left, self._look_for_room)
            return False
        if len(self._slow) >= MOST_SLOW:
            return False
        del self._quick[planned]
        self._slow.add(planned)
        return True

    def _look_for_room(self) -> None:
        self._room = None
        self._fill()

    async def _recall(self, planned: Planned) -> None:
        """Read the values before this server's own, for a statistic; without them it has fewer."""
        recent, now = planned.recent, self.clock.now()
        if recent is None or not recent.stale:
            return
        since = now - recent.over
        with contextlib.suppress(Exception):  # they are asked for again with the next look
            recent.load(
                await self.database.read(lambda tx: store.messages(tx, *planned.key, since))
            )
