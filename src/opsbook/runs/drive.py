"""Driving one run: a transaction, something outside of it, a transaction with what came of it.

The task lives only while the run moves. It keeps nothing that a restart would miss: whoever drives
the run next finds the same rows. A step's outcome and the next step's intent are one transaction,
so a run of n steps waits for n + 1 commits and for nothing else. Where a step is repeated over a
list, several things are outside at once; each comes back in a transaction of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
import structlog

from opsbook.base import secrets
from opsbook.base.clock import Clock
from opsbook.base.database import Database, DatabaseAway, Transaction
from opsbook.base.errors import OpsbookError
from opsbook.base.lease import Lease
from opsbook.base.places import Places
from opsbook.base.sealing import OtherKey, Sealer
from opsbook.book.library import Library
from opsbook.runs import given, outcomes, sealed, store, supervisor, targets
from opsbook.runs.errors import LeaseLost
from opsbook.runs.executors import Executor, executor_of
from opsbook.runs.following import Following, read_file
from opsbook.runs.journal import Clearing, Execution, Hand, Recovery, Story, Task, Turn
from opsbook.runs.kinds import STEP_KINDS
from opsbook.runs.kinds.kind import Place
from opsbook.runs.outcomes import Cleared, Ended, NotStarted, Result, Unknown
from opsbook.runs.output import Pieces, Recorder
from opsbook.runs.supervisor import Finished, Gone, Orphaned, Outcome, Running

UNKNOWN: Final = "the server stopped while it ran, and how it ended is not known"
LONGEST_PAUSE_S: Final = 5.0
Row = dict[str, Any]
log = structlog.get_logger("opsbook.runs")


class StillAlive(OpsbookError):
    """Processes of an interrupted step could not be ended."""


async def end_all(executor: Executor, scratch: Path, whose: str, then: str) -> None:
    """Kill what is left of an attempt, and prove that nothing of it runs any more.

    Raises:
        StillAlive: names the processes, `whose` they are, and what comes `then`.
    """
    await executor.kill_tree(scratch.name, scratch)
    if left := await executor.tree(scratch.name, scratch):
        listed = ", ".join(str(proc.pid) for proc in left)
        raise StillAlive(
            f"Processes {listed} of {whose} are still there after they were killed.",
            remedy=f"Look what they wait for (`ps` says D); {then}.",
        )


class Room:
    """How many steps may run at once."""

    def __init__(self, places: int) -> None:
        self.free = places

    def take(self) -> bool:
        """Take a place if there is one."""
        taken = self.free > 0
        self.free -= taken
        return taken

    def give(self) -> None:
        """Give a place back."""
        self.free += 1


@dataclass(frozen=True)
class Tools:
    """What driving needs of the engine. `discard` removes a scratch folder when there is time."""

    database: Database
    library: Library
    clock: Clock
    places: Places
    executors: Mapping[str, Executor]
    lease: Lease
    host: str
    secrets: Callable[[], tuple[str, ...]]
    discard: Callable[[Path], None]
    room: Room
    sealer: Sealer


class Drive:
    """One run on the move. `no_room` once it had to stop because too many steps run.

    `paused` while parts of it wait although others move: then it can be told to `look`.
    """

    def __init__(self, tools: Tools, run_id: int) -> None:
        self.tools = tools
        self.run_id = run_id
        self.no_room = False
        self.paused = False
        self._cancelled = False
        self._steps: list[Row] | None = None
        self._under_way: dict[str, asyncio.Task[Result]] = {}
        self._following: dict[str, tuple[str, Following]] = {}
        self._rubbish: dict[str, Path] = {}
        self._held = 0
        self._at_once = 1
        self._news = asyncio.Event()

    async def go(self) -> None:
        """Move the run on until it rests, has ended, or finds no room for its next step.

        Raises:
            LeaseLost: another server decides now.
            StillAlive: an interrupted step cannot be ended; to be tried again later.
        """
        try:
            done: dict[str, Result] = {}
            while True:
                self._reserve()
                turn = await self._turn(done)
                await self._taken_down(done)
                for task in turn.tasks:
                    self._begin(task)
                self._give_back()
                if turn.hungry and self.tools.room.free and not self._full:
                    done = {}
                    continue
                if not self._under_way:
                    self.no_room = turn.hungry
                    return
                done = await self._next_results()
        finally:
            await self._let_go()

    async def cancel(self) -> None:
        """End the main steps under way. What undoes and tidies up goes on: it is the answer."""
        self._cancelled = True
        for phase, following in list(self._following.values()):
            if phase == "main":
                await following.step.terminate()

    def look(self) -> None:
        """Something that a part of the run waits for may be there."""
        self._news.set()

    # ---- places ----

    @property
    def _full(self) -> bool:
        return len(self._under_way) >= self._at_once

    def _reserve(self) -> None:
        """Take places for what the next turn may begin; one is kept for as long as it moves."""
        while self._held < max(1, self._at_once) and self.tools.room.take():
            self._held += 1

    def _give_back(self) -> None:
        while self._held > max(1, len(self._under_way)):
            self._held -= 1
            self.tools.room.give()

    # ---- turns ----

    def _begin(self, task: Task) -> None:
        self._under_way[task.place.row["key"]] = asyncio.create_task(self._do(task))

    async def _do(self, task: Task) -> Result:
        match task:
            case Execution():
                return await self._execute(task)
            case Recovery():
                return await self._recover(task)
            case Clearing():
                return await self._clear(task)

    async def _next_results(self) -> dict[str, Result]:
        """Wait until something under way is over, or something may have been answered."""
        news = asyncio.create_task(self._news.wait())
        try:
            await asyncio.wait(
                [*self._under_way.values(), news], return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            news.cancel()
        self._news.clear()
        over = [key for key, task in self._under_way.items() if task.done()]
        return {key: self._under_way.pop(key).result() for key in over}

    async def _turn(self, done: Mapping[str, Result]) -> Turn:
        """One transaction. While the database is away it waits: what came of a step is kept."""
        pause = 0.1
        while True:
            now, lease = self.tools.clock.now(), self.tools.lease
            if not lease.held:
                raise LeaseLost(f"This server does not decide about run {self.run_id} any more.")
            followed = frozenset(self._under_way)
            free = max(0, self._held - len(followed))
            hand = Hand(lease.epoch, self.tools.host, self.tools.places.steps, free, followed)

            def work(tx: Transaction, now: datetime = now, hand: Hand = hand) -> Turn:
                if store.epoch_of_the_lease(tx) != hand.epoch:
                    raise LeaseLost(f"Run {self.run_id} is decided by another server now.")
                steps, self._steps = self._steps, None
                story = Story(tx, now, self.run_id, self.tools.library, steps, self.tools.sealer)
                if story.run["state"] in store.FINISHED:
                    return Turn()
                for key, result in done.items():
                    outcomes.enter(story, key, result)
                turn = story.advance(hand)
                moving = bool(hand.followed) or any(
                    isinstance(one, Execution) for one in turn.tasks
                )
                self._steps = story.steps if moving else None
                self.paused = bool(story.waits)
                self._at_once = story.at_once
                return turn

            try:
                return await self.tools.database.write(work)
            except (DatabaseAway, sa.exc.OperationalError, sa.exc.InterfaceError) as error:
                log.warning("the journal cannot be written", run=self.run_id, error=str(error))
                self._steps = None
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE_S, pause * 2)

    async def _taken_down(self, done: Mapping[str, Result]) -> None:
        """The outcomes are in the journal: supervisors may go on, folders are not needed."""
        for key in done:
            if (followed := self._following.pop(key, None)) is not None:
                await followed[1].step.acknowledge()
            if (scratch := self._rubbish.pop(key, None)) is not None:
                self.tools.discard(scratch)

    async def _let_go(self) -> None:
        """Whatever is still followed runs on, and is found again."""
        for task in self._under_way.values():
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way.values())
        for _, following in self._following.values():
            following.step.close()
        for _ in range(self._held):
            self.tools.room.give()
        self._held = 0

    # ---- outside ----

    async def _execute(self, task: Execution) -> Result:
        kind: Any = STEP_KINDS[task.place.row["kind"]]
        scratch = Path(task.attempt["scratch"])
        try:
            place = self._opened(task)
            request = kind.request(place, self.tools.places, scratch, task.allowed)
            step = await self._executor(place).spawn(request)
        except OpsbookError as error:
            await asyncio.to_thread(targets.discard_files, scratch)
            return NotStarted(task.attempt, self._masked(task.place, error.message))
        except OSError as error:
            await asyncio.to_thread(targets.discard_files, scratch)
            told = self._masked(task.place, f"it could not be prepared: {error}")
            return NotStarted(task.attempt, told)
        return await self._follow(place, task.attempt, step)

    def _executor(self, place: Place) -> Executor:
        return self.tools.executors[executor_of(place.book, place.step)]

    def _opened(self, task: Execution | Recovery) -> Place:
        """The place with the run's secret values, opened for this one step."""
        opened = {name: self.tools.sealer.open(token) for name, token in task.sealed.items()}
        return replace(task.place, secrets=opened)

    async def _follow(self, place: Place, attempt: Row, step: supervisor.Step) -> Result:
        recorder = self._recorder(place, attempt)
        following = Following(self.tools.database, attempt, step, recorder)
        self._following[place.row["key"]] = place.step.phase, following
        if place.step.phase == "main" and (self._cancelled or place.run["cancelling"]):
            await step.terminate()
        followed = await following.to_the_end()
        if followed.outcome.outcome == "lost":
            return Unknown(attempt, followed.outcome.note, followed.pieces)
        return await self._ended(
            place, attempt, followed.outcome, followed.pieces, followed.dropped
        )

    async def _ended(
        self, place: Place, attempt: Row, outcome: Outcome, pieces: Pieces, dropped: int
    ) -> Ended:
        """Look at what a step that succeeded has given out; its folder stays until then."""
        scratch = Path(attempt["scratch"])
        self._rubbish[place.row["key"]] = scratch
        if outcome.outcome != "succeeded" or not given.asked(place.step):
            return Ended(attempt, outcome, pieces, dropped)
        owner = self.tools.places.user[0] if self.tools.places.user else None
        found = await asyncio.to_thread(
            given.out, place.step, place.variables, scratch, owner, outcome
        )
        saved, fault = found.saved, self._masked(place, found.fault)
        if saved is not None:
            fault = fault or sealed.unfit(place.step, saved, self._secrets(place))
            saved = self.tools.sealer.seal(saved) if sealed.hidden(place.step) else saved
        return Ended(attempt, outcome, pieces, dropped, saved, fault)

    def _secrets(self, place: Place) -> tuple[str, ...]:
        """Everything that nothing this run leaves behind may show.

        Of targets also what the run's own revision of the book refers to, as it is now: another one
        may run by now, and a step prints what it has just been given.
        """
        return (*self.tools.secrets(), *place.secrets.values(), *targets.known(place.book))

    def _masked(self, place: Place, text: str) -> str:
        return secrets.mask(text, self._secrets(place))

    async def _recover(self, task: Recovery) -> Result:
        """Find what has become of an attempt whose server is gone. It is not started again here."""
        attempt, here = task.attempt, self.tools.host
        if attempt["host"] != here:
            told = f"it ran on {attempt['host']}, and whether it still does is not seen from {here}"
            return Unknown(attempt, told, elsewhere=True)
        scratch = Path(attempt["scratch"])
        try:
            place = self._opened(task)
        except OtherKey as error:  # what it wrote cannot be masked, so nobody looks at it
            return Unknown(attempt, error.message)
        match await self._executor(place).find(scratch, attempt["raw_offset"]):
            case Running(step):
                log.info("a step that outlived its server was found", run=self.run_id)
                return await self._follow(place, attempt, step)
            case Finished(outcome):
                pieces, dropped = await asyncio.to_thread(
                    read_file, scratch, self._recorder(place, attempt)
                )
                dropped += outcome.bytes_dropped
                return await self._ended(place, attempt, outcome, pieces, dropped)
            case Orphaned(pids):
                listed = ", ".join(str(pid) for pid in pids)
                told = f"{UNKNOWN}; of its processes these were left: {listed}"
            case Gone() | _:
                told = UNKNOWN
        pieces, _ = await asyncio.to_thread(read_file, scratch, self._recorder(place, attempt))
        return Unknown(attempt, told, pieces)

    def _recorder(self, place: Place, attempt: Row) -> Recorder:
        return Recorder(
            self._secrets(place),
            start=attempt.get("stored", 0),
            raw=attempt["raw_offset"],
        )

    async def _clear(self, task: Clearing) -> Result:
        """Prove that nothing of an interrupted attempt runs any more."""
        scratch = Path(task.attempt["scratch"])
        if task.attempt["host"] == self.tools.host:
            whose = f"step {task.place.step.key} (run {self.run_id})"
            then = "the run goes on when they end"
            await end_all(self._executor(task.place), scratch, whose, then)
            self._rubbish[task.place.row["key"]] = scratch
        return Cleared(task.choice)
