"""The engine: finds the runs that can move and moves them; the others are rows.

Three loops, all of the server that decides. *runs* starts a drive for every run that is queued or
running and has none. *run-waits* looks at waits whose time has come and makes the looks that check
steps ask for. *run-approvals* hears of decided approvals and of runs that others wait for. Nothing
is kept in memory that the rows do not say: a start, a take-over and a wake-up are the same thing.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
import structlog

from opsbook.base import events
from opsbook.base.clock import Clock
from opsbook.base.database import Database, DatabaseAway, DiskFull, Transaction
from opsbook.base.errors import NotFound
from opsbook.base.hub import Hub
from opsbook.base.lease import Lease
from opsbook.base.loops import Loops
from opsbook.base.places import Places
from opsbook.base.sealing import Sealer
from opsbook.book.library import Library
from opsbook.checks import Scheduler
from opsbook.runs import abandoning, store
from opsbook.runs.drive import Drive, Room, StillAlive, Tools
from opsbook.runs.errors import LeaseLost
from opsbook.runs.executors import EXECUTORS
from opsbook.runs.feed import Piece, feed
from opsbook.runs.journal import Story
from opsbook.runs.kinds.kind import earliest
from opsbook.runs.known import Known
from opsbook.runs.rubbish import Rubbish
from opsbook.runs.supervisor import Spawner
from opsbook.runs.waking import wake

STEPS_AT_ONCE: Final = 64
DRIVES_AT_ONCE: Final = 256
SOON: Final = timedelta(seconds=1)
MOST_FAILURES: Final = 5
"""How often in a row a run may fail to move before it is ended as it stands: half a minute of
pauses, for what passes by itself. A server that starts anew begins to count anew."""
MOST_WHEN_CANCELLED: Final = 2
IN_A_ROW: Final = timedelta(minutes=5)
"""A failure that comes longer after the last pause than this is no repetition of the one before:
in between the run has moved."""
PASSING: Final = (
    DatabaseAway, DiskFull, StillAlive, MemoryError,
    sa.exc.OperationalError, sa.exc.InterfaceError,
)  # fmt: skip
"""What is no fault of the run, and is waited for however long it takes."""
SHORT_OF: Final = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT,
                   errno.EAGAIN}  # fmt: skip
log = structlog.get_logger("opsbook.runs")


@dataclass(frozen=True, slots=True)
class Rest:
    """A run that could not move: it is left alone `until` then.

    `failures` is how often in a row, from which the pause follows; `own` how often in a row for a
    reason of its own, and not for what is short or away.
    """

    until: datetime
    failures: int = 0
    own: int = 0


class Engine:
    """Runs on the move. Parts are wired by `opsbook.app`; `wire` before `start`, then the loops."""

    def __init__(
        self, database: Database, library: Library, loops: Loops, clock: Clock,
        scheduler: Scheduler, places: Places, spawner: Spawner, lease: Lease, hub: Hub, *,
        steps_at_once: int = STEPS_AT_ONCE,
        secrets: Callable[[], tuple[str, ...]] | None = None,
        sealer: Sealer | None = None,
    ) -> None:  # fmt: skip
        self.sealer = sealer or Sealer.of_file(places.seal_key)
        self.database = database
        self.library = library
        self.loops = loops
        self.clock = clock
        self.scheduler = scheduler
        self.hub = hub
        self.places = places
        self.trouble: dict[int, str] = {}
        self.approvals = events.Consumer(
            "runs", frozenset({"approval.decided", "run.finished"}), self._answered
        )
        self._room = Room(steps_at_once)
        self._rubbish = Rubbish(lambda: bool(self._drives))
        self._tools = Tools(
            database=database, library=library, clock=clock, places=places,
            executors={name: made(spawner) for name, made in EXECUTORS.items()},
            lease=lease, host=socket.gethostname(),
            secrets=secrets or Known(library, places, database.url),
            discard=self._rubbish.add, room=self._room, sealer=self.sealer,
        )  # fmt: skip
        self._drives: dict[int, tuple[Drive, asyncio.Task[None]]] = {}
        self._hungry: set[int] = set()
        self._resting: dict[int, Rest] = {}
        self._looks: dict[int, asyncio.Task[None]] = {}
        self.look: Callable[[], None] = lambda: None

    def wire(self, hub: Hub) -> None:
        """Add the loops, and say what wakes them."""
        self.look = self.loops.add("runs", self.tick)
        waits = self.loops.add("run-waits", self.tick_waits, patient="always")
        heard = self.loops.add("run-approvals", self.tick_approvals)
        for topic, call in (
            ("runs", self.look), ("runs", waits), ("checks", waits), ("events", heard),
        ):  # fmt: skip
            hub.on(topic, call)

    async def start(self, now: datetime) -> None:
        """Throw away the folders of attempts that nobody will ask for again."""
        used = await self.database.read(lambda tx: store.scratches_in_use(tx, self._tools.host))
        found = [path for path in self.places.steps.iterdir() if str(path) not in used]
        for path in found:
            self._rubbish.add(path)

    async def stop(self) -> None:
        """Let go of everything. Steps run on under their supervisors and are found again."""
        tasks = [task for _, task in self._drives.values()] + list(self._looks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._rubbish.stop()

    def feed(self, run_id: int) -> AsyncIterator[Piece]:
        """Output of a run from its beginning to its end: (attempt, first byte, text)."""
        return feed(self.database, self.hub, run_id)

    # ---- runs that can move ----

    async def tick(self, now: datetime) -> datetime | None:
        """Start a drive for every run that can move and has none; end what was cancelled."""
        resting = {run_id for run_id, rest in self._resting.items() if rest.until > now}
        without = set(self._drives) | resting
        without |= self._hungry if self._room.free == 0 else set()
        limit = DRIVES_AT_ONCE - len(self._drives)

        def look(tx: Transaction) -> tuple[list[int], list[int]]:
            runnable = store.runnable(tx, without, limit) if limit > 0 else []
            return runnable, store.cancelling(tx, list(self._drives))

        runnable, cancelled = await self.database.read(look)
        for run_id in runnable:
            self._hungry.discard(run_id)
            drive = Drive(self._tools, run_id)
            self._drives[run_id] = drive, asyncio.create_task(self._drive(drive))
        for run_id in cancelled:
            if run_id in self._drives:
                await self._drives[run_id][0].cancel()
        for drive, _ in self._drives.values():
            if drive.paused:
                drive.look()
        return min((self._resting[run_id].until for run_id in resting), default=None)

    async def _drive(self, drive: Drive) -> None:
        run_id = drive.run_id
        async with self.loops.busy():
            try:
                await drive.go()
            except LeaseLost as error:
                log.info("a run is driven by another server", run=run_id, why=error.message)
                self._resting[run_id] = Rest(self.clock.now() + SOON)
            except Exception as error:  # the edge of a run: record, delay, go on with the others
                log.exception(
                    "a run cannot move on", run=run_id, failures=self._fails(run_id, error)
                )
                await self._give_up(run_id, error)
            else:
                self._moves(run_id)
                if drive.no_room:
                    self._hungry.add(run_id)
            finally:
                del self._drives[run_id]
                self.look()

    def _moves(self, run_id: int) -> None:
        self._resting.pop(run_id, None)
        self.trouble.pop(run_id, None)

    def _fails(self, run_id: int, error: Exception) -> int:
        """Let a run rest that could not move, the longer the more often; how often it was."""
        now = self.clock.now()
        before = self._resting.get(run_id)
        if before is None or now > before.until + IN_A_ROW:
            before = Rest(now)
        failures = before.failures + 1
        pause = timedelta(seconds=min(60, 2 ** min(failures, 6)))
        self._resting[run_id] = Rest(
            now + pause, failures, 0 if _passing(error) else before.own + 1
        )
        self.trouble[run_id] = f"{type(error).__name__}: {error}"
        return failures

    async def _give_up(self, run_id: int, error: Exception) -> None:
        """End a run as it stands that has failed to move too often.

        Right behind a failure, and never instead of trying: what had failed five times may do now.
        """
        own = self._resting[run_id].own
        if own < MOST_WHEN_CANCELLED:
            return
        try:
            row = await self.database.read(lambda tx: store.get(tx, run_id))
            most = MOST_WHEN_CANCELLED if row and row["cancelling"] else MOST_FAILURES
            if own >= most:
                await abandoning.abandon(self._tools, run_id, own, error)
                self._moves(run_id)
        except Exception:  # it rests, and is tried again like any other
            log.exception("a run that cannot move on could not be ended", run=run_id)

    # ---- runs that wait ----

    async def tick_approvals(self, now: datetime) -> datetime | None:
        """Hear of approvals that were decided or have expired, and of runs that have ended."""
        return await events.drain(self.database, self.approvals, now)

    def _answered(self, tx: Transaction, event: events.Event, now: datetime) -> None:
        """Wake the run that waited for an approval, or for another run."""
        if event.kind == "run.finished":
            run_id = store.waiting_parent(tx, event.data["run"])
        else:
            run_id = store.run_of_approval(tx, event.data["approval_id"])
        if run_id is not None:
            wake(tx, now, store.lock_run(tx, run_id))

    async def tick_waits(self, now: datetime) -> datetime | None:
        """Look at waits that are due, and at checks that have seen something new."""

        def find(tx: Transaction) -> tuple[list[dict[str, Any]], set[int]]:
            seen = {
                one["run_id"]
                for one in store.check_waits(tx, now)
                if store.newest_observation(tx, one["book"], one["data"]["check"])
                > one["data"]["seen"]
            }
            return store.due_waits(tx, now, DRIVES_AT_ONCE), seen

        due, heard = await self.database.read(find)
        for one in due:
            if one["kind"] != "check":
                heard.add(one["run_id"])
            elif one["id"] not in self._looks:
                self._looks[one["id"]] = asyncio.create_task(self._look(one))
        for run_id in sorted(heard):
            if run_id in self._drives:
                self._drives[run_id][0].look()
            await self._heard(run_id)
        following = await self.database.read(lambda tx: store.next_wake(tx, now))
        return earliest(following, now + SOON if len(due) == DRIVES_AT_ONCE else None)

    def _hear(self, tx: Transaction, now: datetime, run_id: int) -> None:
        """Let a waiting run look at what it waits for, and move if there is an answer."""
        if store.lock_run(tx, run_id)["state"] != "waiting":
            return
        story = Story(tx, now, run_id, self.library, sealer=self.sealer)
        if story.hear() or story.late:
            wake(tx, now, story.run)

    async def _look(self, asked: dict[str, Any]) -> None:
        """Look at the check that a step waits for; what was seen is found by everybody's cursor."""
        async with self.loops.busy():
            try:
                await self.scheduler.look(asked["book"], asked["data"]["check"])
            except NotFound as error:
                await self.database.write(partial(_missing, asked=asked, told=error.message))
                await self._heard(asked["run_id"])
            except Exception:
                log.exception("a check step could not look", run=asked["run_id"])
                again = self.clock.now() + timedelta(seconds=5)
                await self.database.write(lambda tx: store.postpone(tx, asked["id"], again))
            else:
                await self._heard(asked["run_id"])
            finally:
                del self._looks[asked["id"]]
                self.loops.wake("run-waits")

    async def _heard(self, run_id: int) -> None:
        """Let a run hear; one that cannot is woken.

        What it fails with then is counted where runs move, and the others that wait are heard.
        """
        now = self.clock.now()
        try:
            await self.database.write(partial(self._hear, now=now, run_id=run_id))
        except Exception as error:
            if _passing(error):
                raise
            log.exception("a run could not look at what it waits for", run=run_id)
            await self.database.write(lambda tx: wake(tx, now, store.lock_run(tx, run_id)))


def _passing(error: Exception) -> bool:
    """Whether an error is about what all runs share, so that none of them is to blame for it."""
    return isinstance(error, PASSING) or (isinstance(error, OSError) and error.errno in SHORT_OF)


def _missing(tx: Transaction, asked: dict[str, Any], told: str) -> None:
    """Write down that there is no such check any more: the step fails with it when it looks."""
    store.note(tx, asked["id"], {**asked["data"], "missing": told})
