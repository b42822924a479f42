"""What jobs report of themselves, and named queries over it.

A ping is a row: when, what (success, start, fail, log, or exit with the job's exit status), of
which run, and the beginning of what the job had to say. The newest `KEPT` of a check are kept, and
beyond them the newest success, failure and start, which say how the job stands however much it
logs. A row of the kind ``watched`` is ours: since when the check has been in the book, so that a
job that never reports is missed after its time and not at once.

An alert from outside can be a ping too (a Watchdog that always fires): see `from_alert`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import sqlalchemy as sa

from opsbook.base import secrets
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid
from opsbook.book import Book
from opsbook.checks.tables import ping

KIND: Final = "heartbeat"
KEPT: Final = 100
MOST_BODY: Final = 10_000
"""Bytes of what a job says; Healthchecks keeps as much."""
TOPIC: Final = "ping:"
ALERTS_APART: Final = timedelta(seconds=1)
"""An alert may come in ten times a second, from each of several Prometheus; once is enough."""

SHORTEST: Final = 16
"""Characters of a token; what can be guessed is none."""

Word = Literal["success", "start", "fail", "log", "exit"]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job stands by its pings: times of the newest of each sort.

    `open_since` is when the oldest run that has started and not ended began.
    """

    watched: datetime | None = None
    succeeded: datetime | None = None
    failed: datetime | None = None
    exit_status: int | None = None
    open_since: datetime | None = None

    @property
    def reported(self) -> bool:
        """Whether it has ever ended, well or not."""
        return self.succeeded is not None or self.failed is not None


def standing(rows: Sequence[Mapping[str, Any]]) -> Standing:
    """Return how a job stands by its pings, given oldest first.

    A run that says which one it is (``rid``) is ended by what says the same; an end that names no
    run ends them all, and one that does also those that were started without a name. `failed` is
    set while the newest end is a failure.
    """
    watched = succeeded = failed = None
    exit_status: int | None = None
    begun: dict[str, datetime] = {}
    for row in rows:
        kind, at, run = row["kind"], row["at"], row["run"]
        if kind == "watched":
            watched = at
        elif kind == "start":
            begun[run] = at
        elif kind in {"success", "fail", "exit"}:
            if run:
                begun.pop(run, None)
                begun.pop("", None)
            else:
                begun.clear()
            if kind == "success" or (kind == "exit" and not row["exit_status"]):
                succeeded, failed, exit_status = at, None, None
            else:
                failed, exit_status = at, row["exit_status"]
    oldest = min(begun.values(), default=None)
    return Standing(watched, succeeded, failed, exit_status, oldest)


class NoToken(Invalid):
    """No report can be taken."""


def token(reference: str) -> str:
    """Return what a job's address has to end with; may block.

    Raises:
        NoToken: the secret is not there, could be guessed, or cannot stand in an address.
    """
    try:
        found = secrets.resolve(reference)
    except secrets.SecretMissing as error:
        raise NoToken(error.message, remedy=error.remedy) from None
    if len(found) < SHORTEST or "/" in found or any(one.isspace() for one in found):
        raise NoToken(
            f"The secret {reference} is no token: it has fewer than {SHORTEST} characters, or "
            "a / or a blank.",
            remedy="Use a UUID.",
        )
    return found


def record(
    tx: Transaction, now: datetime, book: str, check_id: str, kind: Word, *,
    exit_status: int | None = None, run: str = "", body: str = "", sender: str = "",
) -> int:  # fmt: skip
    """Keep a ping, forget what is too old, and have the check looked at."""
    made = tx.insert(
        ping, book=book, check_id=check_id, at=now, kind=kind, exit_status=exit_status, run=run,
        body=body, sender=sender,
    )  # fmt: skip
    _forget_old(tx, book, check_id)
    tx.touch(f"{TOPIC}{book}/{check_id}")
    return made


def standing_rows(tx: Transaction, book: str, check_id: str) -> list[Row]:
    """Return a check's pings without what the jobs said, oldest first."""
    columns = (ping.c.kind, ping.c.at, ping.c.run, ping.c.exit_status)
    return tx.rows(sa.select(*columns).where(_mine(book, check_id)).order_by(ping.c.id))


def latest(tx: Transaction, book: str, check_id: str, limit: int = 20) -> list[Row]:
    """Return a check's newest pings with what the jobs said, newest first."""
    theirs = sa.select(ping).where(_mine(book, check_id), ping.c.kind != "watched")
    return tx.rows(theirs.order_by(ping.c.id.desc()).limit(limit))


def watch(tx: Transaction, now: datetime, book: str, check_id: str) -> None:
    """Note that a check is watched from now on."""
    tx.insert(ping, book=book, check_id=check_id, at=now, kind="watched")


def forget_removed(tx: Transaction, book: str, checks: Sequence[str]) -> int:
    """Forget the pings of checks that the book no longer has; one that comes back begins anew."""
    gone = sa.delete(ping).where(ping.c.book == book, ping.c.check_id.not_in(list(checks)))
    return tx.execute(gone).rowcount


def from_alert(tx: Transaction, now: datetime, book: Book, labels: Mapping[str, str]) -> int:
    """Take a firing alert from outside as a sign of life; return how many checks waited for it.

    Only for alerts that fire: one that is resolved says that its sender has stopped. Costs next to
    nothing for a book without such a check: whether it has any is worked out once a revision.
    """
    count = 0
    for check_id, wanted in _awaited(_Revision(book.id, str(book.revision), book)):
        if any(labels.get(name) != value for name, value in wanted.items()):
            continue
        newest = sa.select(sa.func.max(ping.c.at)).where(
            _mine(book.id, check_id), ping.c.kind == "success"
        )
        before = tx.scalar(newest)
        if before is None or now - before >= ALERTS_APART:
            record(tx, now, book.id, check_id, "success", sender="alert")
        count += 1
    return count


@dataclass(frozen=True, slots=True)
class _Revision:
    """A book as the cache knows it."""

    id: str
    revision: str
    book: Book = field(compare=False)


@functools.lru_cache(maxsize=32)
def _awaited(of: _Revision) -> tuple[tuple[str, Mapping[str, str]], ...]:
    """The checks of a book that wait for an alert, and the labels they wait for."""
    return tuple(
        (check.id, wanted)
        for check in of.book.checks.values()
        if check.kind == KIND and (wanted := getattr(check.spec, "alert", None))
    )


def _mine(book: str, check_id: str) -> sa.ColumnElement[bool]:
    return (ping.c.book == book) & (ping.c.check_id == check_id)


def _forget_old(tx: Transaction, book: str, check_id: str) -> None:
    mine = _mine(book, check_id)
    last = sa.select(ping.c.id).where(mine).order_by(ping.c.id.desc()).offset(KEPT - 1).limit(1)
    oldest = tx.scalar(last)
    if oldest is None:
        return
    well = (ping.c.kind == "success") | ((ping.c.kind == "exit") & (ping.c.exit_status == 0))
    badly = (ping.c.kind == "fail") | ((ping.c.kind == "exit") & (ping.c.exit_status != 0))
    needed = [
        tx.scalar(sa.select(sa.func.max(ping.c.id)).where(mine, sort))
        for sort in (well, badly, ping.c.kind == "start", ping.c.kind == "watched")
    ]
    kept = [one for one in needed if one is not None]
    tx.execute(sa.delete(ping).where(mine, ping.c.id < oldest, ping.c.id.not_in(kept)))
