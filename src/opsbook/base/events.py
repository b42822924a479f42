"""What one package tells another: rows, with a cursor for each consumer.

An event is written in its cause's transaction and handled in one transaction together with the
consumer's cursor, so its effects on the database happen once, whatever crashes in between. A
handler that fails does not hold up the ones behind it: the event is parked with its error, tried
again with growing pauses, and shown until it succeeds.

PostgreSQL may commit two events in another order than their ids; a consumer that had passed the
higher id would never see the lower one. Publishing therefore takes a transaction-long advisory
lock there. SQLite has one writer and needs none.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from opsbook.base.database import Database, Id, Instant, Transaction, id_column, table

ORDER_LOCK = 7_330_420
TOPIC = "events"

event = table(
    "event",
    id_column(),
    sa.Column("at", Instant, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
)
cursor = table(
    "event_cursor",
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("position", Id, nullable=False),
)
parked = table(
    "event_parked",
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("event_id", Id, sa.ForeignKey("event.id"), primary_key=True, autoincrement=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("retry_at", Instant, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
)

_MINE = cursor.c.consumer == sa.bindparam("b_consumer")
_POSITION = sa.select(cursor.c.position).where(_MINE)
_MOVED = sa.update(cursor).where(_MINE).values(position=sa.bindparam("b_to"))


@dataclass(frozen=True)
class Event:
    """One thing that happened: ``kind`` as ``alert.fired``, ``subject`` as ``alert:7``."""

    id: int
    at: datetime
    kind: str
    subject: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Consumer:
    """Who handles which kinds. ``handle`` runs inside the transaction that moves the cursor."""

    name: str
    kinds: frozenset[str]
    handle: Callable[[Transaction, Event, datetime], None]


def publish(
    tx: Transaction, now: datetime, kind: str, subject: str, data: dict[str, Any] | None = None
) -> None:
    """Write an event as part of its cause's transaction."""
    if tx.connection.dialect.name == "postgresql":
        tx.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": ORDER_LOCK})
    tx.insert(event, at=now, kind=kind, subject=subject, data=data or {})
    tx.touch(TOPIC)


def retry_after(attempts: int) -> timedelta:
    """Return the pause before the next try of a failed event: 1 s doubling to 5 minutes."""
    return timedelta(seconds=min(300, 2 ** min(attempts, 9)))


def position(tx: Transaction, consumer: str) -> int:
    """Return the id of the last row this consumer has behind it; 0 at first."""
    return int(tx.execute(_POSITION, {"b_consumer": consumer}).scalar() or 0)


def move(tx: Transaction, consumer: str, to: int) -> None:
    """Move a consumer's cursor."""
    if not tx.execute(_MOVED, {"b_consumer": consumer, "b_to": to}).rowcount:
        tx.insert(cursor, consumer=consumer, position=to)


@dataclass(frozen=True)
class Waiting:
    """What there is for a consumer: the next event, and what was parked and is due again."""

    position: int
    event: Event | None
    due: list[dict[str, Any]]
    again_at: datetime | None


async def drain(database: Database, consumer: Consumer, now: datetime) -> datetime | None:
    """Handle everything that waits for ``consumer``; return when a parked event is due again.

    Every event wakes every consumer, so one that has nothing to do finds out in a single read.
    """
    look = functools.partial(_waiting, consumer=consumer, now=now)
    found = await database.read(look)
    while found.event is not None:
        await _handle(database, consumer, now, found.position, found.event)
        found = await database.read(look)
    if not found.due:
        return found.again_at
    for row in found.due:
        await _again(database, consumer, now, row)
    return (await database.read(look)).again_at


def _waiting(tx: Transaction, consumer: Consumer, now: datetime) -> Waiting:
    at = position(tx, consumer.name)
    following = event.c.id > at, event.c.kind.in_(consumer.kinds)
    row = tx.row(sa.select(event).where(*following).order_by(event.c.id).limit(1))
    if row is not None:
        return Waiting(at, Event(**row), [], None)
    mine = tx.rows(sa.select(parked).where(parked.c.consumer == consumer.name))
    due = [one for one in mine if one["retry_at"] <= now]
    return Waiting(at, None, due, min((one["retry_at"] for one in mine), default=None))


async def _handle(
    database: Database, consumer: Consumer, now: datetime, at: int, found: Event
) -> None:
    def handle(tx: Transaction) -> None:
        if position(tx, consumer.name) == at:
            consumer.handle(tx, found, now)
            move(tx, consumer.name, found.id)

    try:
        await database.write(handle)
    except Exception as error:  # noqa: BLE001 (parked with its error, tried again)
        text = f"{type(error).__name__}: {error}"

        def park(tx: Transaction) -> None:
            if position(tx, consumer.name) == at:
                due = now + retry_after(1)
                values = {"attempts": 1, "retry_at": due, "error": text}
                tx.insert(parked, consumer=consumer.name, event_id=found.id, **values)
                move(tx, consumer.name, found.id)
                tx.touch("parked")

        await database.write(park)


async def _again(
    database: Database, consumer: Consumer, now: datetime, row: dict[str, Any]
) -> None:
    key = (parked.c.consumer == consumer.name) & (parked.c.event_id == row["event_id"])

    def again(tx: Transaction) -> None:
        if tx.claim(sa.delete(parked).where(key)):
            found = tx.row(sa.select(event).where(event.c.id == row["event_id"]))
            if found is not None:
                consumer.handle(tx, Event(**found), now)
            tx.touch("parked")

    try:
        await database.write(again)
    except Exception as error:  # noqa: BLE001 (stays parked)
        attempts, text = row["attempts"] + 1, f"{type(error).__name__}: {error}"
        later = now + retry_after(attempts)
        change = sa.update(parked).where(key).values(attempts=attempts, retry_at=later, error=text)
        await database.write(functools.partial(Transaction.claim, statement=change))


def list_parked(tx: Transaction) -> list[dict[str, Any]]:
    """Return every event whose handling failed, with its consumer, error and next try."""
    joined = parked.join(event, event.c.id == parked.c.event_id)
    columns = (*parked.c, event.c.kind, event.c.subject, event.c.at)
    return tx.rows(sa.select(*columns).select_from(joined).order_by(parked.c.event_id))


def prune(tx: Transaction, before: datetime, others: Collection[str] = ()) -> int:
    """Delete events older than ``before`` that every consumer has behind it.

    ``others`` are consumers whose place is in another stream than the events.
    """
    mine = cursor.c.consumer.not_in(list(others))
    lowest = tx.scalar(sa.select(sa.func.min(cursor.c.position)).where(mine))
    if lowest is None:
        return 0
    kept = sa.select(parked.c.event_id)
    gone = sa.delete(event).where(
        event.c.at < before, event.c.id <= lowest, event.c.id.not_in(kept)
    )
    return tx.execute(gone).rowcount
