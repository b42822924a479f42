"""Accepted means on disk: a batch is a row, and its commit has reached the disk, before the answer.

Under load the requests that come while a commit is under way are gathered, and the next commit
takes all of them. What many send one by one through the same door then also becomes one row
(`MOST_IN_ROW`), which costs a fraction of a row each, here and where they are worked in; order is
kept. The database's own group commit stays beneath this, since others write as well.

What is refused is counted but promised to nobody. It waits for the next commit, or a moment
(`PAUSE_S`) for one of its own, so that whoever is refused all day cannot keep the disk busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import sqlalchemy as sa
import structlog

from opsbook.alerts.intake import store
from opsbook.alerts.intake.handing import TOPIC
from opsbook.alerts.intake.posted import Posted, encode
from opsbook.base.database import FULL, Database, DatabaseAway, DiskFull, Transaction
from opsbook.base.errors import OpsbookError

MOST_IN_ROW: Final = 1_000
LARGEST_ROW: Final = 1024 * 1024
LONGEST_ERROR: Final = 500
PAUSE_S: Final = 1.0
TOLD: Final = (DiskFull, DatabaseAway)
"""What the database says of itself: it passes, and whoever sends should try again."""

log = structlog.get_logger("opsbook.alerts")


@dataclass(slots=True)
class Counted:
    """What happened at one door since it was last written down."""

    accepted: int = 0
    refused: int = 0
    last_at: datetime | None = None
    refused_at: datetime | None = None
    error: str = ""

    def add(self, later: Counted) -> None:
        """Count what happened after this."""
        self.accepted += later.accepted
        self.refused += later.refused
        self.last_at = later.last_at or self.last_at
        self.refused_at = later.refused_at or self.refused_at
        self.error = later.error or self.error


Door = tuple[str, str]
"""A book's id and an intake's."""


def accept(
    tx: Transaction, now: datetime, book_id: str, source: str, posted: Sequence[Posted], *,
    refused: int = 0, error: str = "",
) -> None:  # fmt: skip
    """Write down a batch, and what of it was refused, within a transaction of the caller's."""
    counted = Counted(len(posted), refused, now if posted else None, now if error else None, error)
    rows = [_row(now, (book_id, source), [encode(posted)])] if posted else []
    _write(tx, rows, {(book_id, source): counted})


@dataclass(slots=True)
class _Given:
    """One request's batch, on its way to the disk."""

    door: Door
    at: datetime
    count: int
    body: bytes
    done: asyncio.Future[None]


@dataclass(slots=True)
class _Row:
    door: Door
    at: datetime
    count: int = 0
    size: int = 0
    bodies: list[bytes] = field(default_factory=list)


class Accepting:
    """Gathers what comes in and writes it down. One for a server."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._given: list[_Given] = []
        self._counted: dict[Door, Counted] = {}
        self._task: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None
        self._closed = False

    async def take(
        self, now: datetime, book_id: str, source: str, posted: Sequence[Posted]
    ) -> None:
        """Return once the alerts are on disk.

        Raises:
            DiskFull, DatabaseAway: nothing was written; it is worth another try.
        """
        await self.take_encoded(now, book_id, source, encode(posted), len(posted))

    async def take_encoded(
        self, now: datetime, book_id: str, source: str, body: bytes, count: int
    ) -> None:
        """As `take`, for alerts that are in their form on disk already."""
        if not count:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._given.append(_Given((book_id, source), now, count, body, done))
        if self._task is None:
            self._task = asyncio.create_task(self._write_all(), name="accept alerts")
        await done

    def refuse(self, now: datetime, book_id: str, source: str, count: int, error: str) -> None:
        """Count what was refused, and why; written down a moment later."""
        told = error if len(error) <= LONGEST_ERROR else f"{error[: LONGEST_ERROR - 1]}…"
        counted = self._counted.setdefault((book_id, source), Counted())
        counted.add(Counted(refused=count, refused_at=now, error=told))
        if self._later is None and self._task is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._later = loop.call_later(PAUSE_S, self._begin)

    async def close(self) -> None:
        """Write down what is left."""
        self._closed = True
        self._begin()
        if self._task is not None:
            await asyncio.shield(self._task)

    def _begin(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._task is None and (self._given or self._counted):
            self._task = asyncio.create_task(self._write_all(), name="accept alerts")

    async def _write_all(self) -> None:
        """Write until nothing is left: what comes meanwhile goes with the next commit."""
        try:
            while self._given or self._counted:
                given, self._given = self._given, []
                counted, self._counted = self._counted, {}
                await self._write(given, counted)
                if not self._given and not self._closed:
                    break
        finally:
            self._task = None
            if self._given:
                self._begin()
            elif self._counted and self._later is None and not self._closed:
                self._later = asyncio.get_running_loop().call_later(PAUSE_S, self._begin)

    async def _write(self, given: list[_Given], refused: dict[Door, Counted]) -> None:
        counted = dict(refused)
        for one in given:
            counted.setdefault(one.door, Counted()).add(Counted(one.count, last_at=one.at))
        rows = [_row(one.at, one.door, one.bodies) for one in _gathered(given)]
        try:
            await self.database.write(lambda tx: _write(tx, rows, counted))
        except Exception as error:  # noqa: BLE001  (handed to everybody who waits)
            told = passing(error) or error
            for one in given:
                if not one.done.done():
                    one.done.set_exception(told)
            if not given:
                log.warning("what doors refused was not written down", why=str(told))
            return
        for one in given:
            if not one.done.done():
                one.done.set_result(None)


def passing(error: Exception) -> OpsbookError | None:
    """Return what the database says of itself, if that is what an error means.

    An error of one statement is not translated by the database as one of a whole commit is.
    """
    if isinstance(error, TOLD):
        return error
    if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
        return DiskFull() if FULL in str(error) else DatabaseAway()
    return None


def _gathered(given: Iterable[_Given]) -> list[_Row]:
    """Put neighbours through the same door into one row, up to what is worked in at once."""
    rows: list[_Row] = []
    for one in given:
        last = rows[-1] if rows else None
        if (
            last is None
            or last.door != one.door
            or last.count + one.count > MOST_IN_ROW
            or last.size + len(one.body) > LARGEST_ROW
        ):
            last = _Row(one.door, one.at)
            rows.append(last)
        last.at = max(last.at, one.at)
        last.count += one.count
        last.size += len(one.body)
        last.bodies.append(one.body)
    return rows


def _row(at: datetime, door: Door, bodies: Sequence[bytes]) -> dict[str, object]:
    """Return a row; of several lists in JSON it makes one."""
    body = bodies[0] if len(bodies) == 1 else b"[%b]" % b",".join(one[1:-1] for one in bodies)
    return {"book": door[0], "source": door[1], "at": at, "body": body}


def _write(tx: Transaction, rows: list[dict[str, object]], counted: dict[Door, Counted]) -> None:
    if rows:
        store.put(tx, rows)
        tx.touch(TOPIC)
    for (book, source), one in sorted(counted.items()):  # in order: two servers may meet here
        store.count(
            tx, book, source, accepted=one.accepted, refused=one.refused, last_at=one.last_at,
            refused_at=one.refused_at, error=one.error,
        )  # fmt: skip
