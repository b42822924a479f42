"""Driving one run: a transaction, something outside of it, a transaction with what came of it.

The task lives only while the run moves. It keeps nothing that a restart would miss: whoever drives
the run next finds the same rows. A step's outcome and the next step's intent are one transaction,
so a run of n steps waits for n + 1 commits and for nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
import structlog

from opsbook.base.clock import Clock
from opsbook.base.database import Database, Transaction
from opsbook.base.errors import OpsbookError
from opsbook.base.lease import Lease
from opsbook.base.places import Places
from opsbook.book.library import Library
from opsbook.runs import outcomes, store, supervisor
from opsbook.runs.errors import LeaseLost
from opsbook.runs.following import Following, read_file
from opsbook.runs.journal import Clearing, Execution, Hand, NoRoom, Recovery, Story, Task
from opsbook.runs.kinds import STEP_KINDS
from opsbook.runs.kinds.bash import NotSaved, read_saved
from opsbook.runs.kinds.kind import Place
from opsbook.runs.outcomes import Cleared, Ended, NotStarted, Result, Unknown
from opsbook.runs.output import Pieces, Recorder
from opsbook.runs.supervisor import Finished, Gone, Orphaned, Outcome, Running, SpawnError

UNKNOWN: Final = "the server stopped while it ran, and how it ended is not known"
LONGEST_PAUSE_S: Final = 5.0
Row = dict[str, Any]
log = structlog.get_logger("opsbook.runs")


class StillAlive(OpsbookError):
    """Processes of an interrupted step could not be ended."""


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
    spawner: supervisor.Spawner
    lease: Lease
    host: str
    secrets: Callable[[], tuple[str, ...]]
    discard: Callable[[Path], None]
    room: Room


class Drive:
    """One run on the move. `no_room` once it had to stop because too many steps run."""

    def __init__(self, tools: Tools, run_id: int) -> None:
        self.tools = tools
        self.run_id = run_id
        self.no_room = False
        self._cancelled = False
        self._phase = ""
        self._steps: list[Row] | None = None
        self._following: Following | None = None
        self._rubbish: list[Path] = []

    async def go(self) -> None:
        """Move the run on until it rests, has ended, or finds no room for its next step.

        Raises:
            LeaseLost: another server decides now.
            StillAlive: an interrupted step cannot be ended; to be tried again later.
        """
        holds_place = False
        done: tuple[str, Result] | None = None
        try:
            while True:
                holds_place = holds_place or self.tools.room.take()
                task = await self._turn(done, holds_place)
                await self._taken_down()
                match task:
                    case Execution(place):
                        done = place.step.key, await self._execute(task)
                    case Recovery(place):
                        done = place.step.key, await self._recover(task)
                    case Clearing(place):
                        done = place.step.key, await self._clear(task)
                    case NoRoom():
                        self.no_room = True
                        return
                    case None:
                        return
        finally:
            if holds_place:
                self.tools.room.give()
            if self._following is not None:
                self._following.step.close()

    async def cancel(self) -> None:
        """End the main step under way. What undoes and tidies up is not ended: it is the answer."""
        self._cancelled = True
        if self._following is not None and self._phase == "main":
            await self._following.step.terminate()

    async def _turn(self, done: tuple[str, Result] | None, holds_place: bool) -> Task | None:
        """One transaction. While the database is away it waits: what came of a step is kept."""
        pause = 0.1
        while True:
            now, lease = self.tools.clock.now(), self.tools.lease
            if not lease.held:
                raise LeaseLost(f"This server does not decide about run {self.run_id} any more.")
            hand = Hand(lease.epoch, self.tools.host, self.tools.places.steps, holds_place)

            def work(tx: Transaction, now: datetime = now, hand: Hand = hand) -> Task | None:
                if store.epoch_of_the_lease(tx) != hand.epoch:
                    raise LeaseLost(f"Run {self.run_id} is decided by another server now.")
                steps, self._steps = self._steps, None
                story = Story(tx, now, self.run_id, self.tools.library, steps)
                if story.run["state"] in store.FINISHED:
                    return None
                if done is not None:
                    outcomes.enter(story, *done)
                task = story.advance(hand)
                self._steps = story.steps if isinstance(task, Execution) else None
                return task

            try:
                return await self.tools.database.write(work)
            except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
                log.warning("the journal cannot be written", run=self.run_id, error=str(error))
                self._steps = None
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE_S, pause * 2)

    async def _taken_down(self) -> None:
        """The outcome is in the journal: its supervisor may go on, its folder is not needed."""
        if self._following is not None:
            following, self._following = self._following, None
            await following.step.acknowledge()
        for scratch in self._rubbish:
            self.tools.discard(scratch)
        self._rubbish.clear()

    async def _execute(self, task: Execution) -> Result:
        kind: Any = STEP_KINDS[task.place.row["kind"]]
        scratch = Path(task.attempt["scratch"])
        try:
            request = kind.request(task.place, self.tools.places, scratch, task.allowed)
            step = await self.tools.spawner.spawn(request)
        except SpawnError as error:
            return NotStarted(task.attempt, str(error))
        except OSError as error:
            return NotStarted(task.attempt, f"it could not be prepared: {error}")
        return await self._follow(task.place, task.attempt, step)

    async def _follow(self, place: Place, attempt: Row, step: supervisor.Step) -> Result:
        recorder = self._recorder(attempt)
        self._following = Following(self.tools.database, attempt, step, recorder)
        self._phase = place.step.phase
        if self._phase == "main" and (self._cancelled or place.run["cancelling"]):
            await step.terminate()
        followed = await self._following.to_the_end()
        if followed.outcome.outcome == "lost":
            return Unknown(attempt, followed.outcome.note, followed.pieces)
        return self._ended(place, attempt, followed.outcome, followed.pieces, followed.dropped)

    def _ended(
        self, place: Place, attempt: Row, outcome: Outcome, pieces: Pieces, dropped: int
    ) -> Ended:
        saved, fault = None, ""
        self._rubbish.append(Path(attempt["scratch"]))
        if place.step.save is not None and outcome.outcome == "succeeded":
            owner = self.tools.places.user[0] if self.tools.places.user else None
            try:
                saved = read_saved(Path(attempt["scratch"]), owner, optional=place.step.optional)
            except NotSaved as error:
                fault = error.message
        return Ended(attempt, outcome, pieces, dropped, saved, fault)

    async def _recover(self, task: Recovery) -> Result:
        """Find what has become of an attempt whose server is gone. It is not started again here."""
        attempt, here = task.attempt, self.tools.host
        if attempt["host"] != here:
            told = f"it ran on {attempt['host']}, and whether it still does is not seen from {here}"
            return Unknown(attempt, told, elsewhere=True)
        scratch = Path(attempt["scratch"])
        match await supervisor.find(scratch, attempt["raw_offset"]):
            case Running(step):
                log.info("a step that outlived its server was found", run=self.run_id)
                return await self._follow(task.place, attempt, step)
            case Finished(outcome):
                pieces, dropped = await asyncio.to_thread(
                    read_file, scratch, self._recorder(attempt)
                )
                dropped += outcome.bytes_dropped
                return self._ended(task.place, attempt, outcome, pieces, dropped)
            case Orphaned(pids):
                listed = ", ".join(str(pid) for pid in pids)
                told = f"{UNKNOWN}; of its processes these were left: {listed}"
            case Gone() | _:
                told = UNKNOWN
        pieces, _ = await asyncio.to_thread(read_file, scratch, self._recorder(attempt))
        return Unknown(attempt, told, pieces)

    def _recorder(self, attempt: Row) -> Recorder:
        return Recorder(
            self.tools.secrets(), start=attempt.get("stored", 0), raw=attempt["raw_offset"]
        )

    async def _clear(self, task: Clearing) -> Result:
        """Prove that nothing of an interrupted attempt runs any more."""
        scratch = Path(task.attempt["scratch"])
        if task.attempt["host"] == self.tools.host:
            await asyncio.to_thread(supervisor.kill_tree, scratch.name, scratch)
            left = await asyncio.to_thread(supervisor.tree, scratch.name, scratch)
            if left:
                listed = ", ".join(str(proc.pid) for proc in left)
                raise StillAlive(
                    f"Processes {listed} of step {task.place.step.key} (run {self.run_id}) are "
                    "still there after they were killed.",
                    remedy="Look what they wait for (`ps` says D); the run goes on when they end.",
                )
            self._rubbish.append(scratch)
        return Cleared(task.choice)
