"""Named queries over observations and the latest state of each check."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from opsbook.base.database import Transaction
from opsbook.base.events import ORDER_LOCK
from opsbook.checks.model import Observation
from opsbook.checks.tables import observation, status

LATEST = ("state", "at", "value", "unit", "latency_ms", "message")


def keep(tx: Transaction, seen: Sequence[Observation]) -> None:
    """Store observations in their order, and with them the latest state of their checks.

    Rules follow the observations by id. On PostgreSQL two servers' ids may be committed in another
    order than they were given, so the lock that orders events orders these too: one lock, since
    two could be taken in different orders and wait for each other.
    """
    if tx.connection.dialect.name == "postgresql":
        tx.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": ORDER_LOCK})
    rows = [
        {
            "book": one.book,
            "check_id": one.check_id,
            "at": one.at,
            "state": one.state,
            "value": one.value,
            "unit": one.unit,
            "latency_ms": one.latency_ms,
            "message": one.message,
        }
        for one in seen
    ]
    tx.execute(sa.insert(observation), rows)
    tx.execute(_upsert(tx.connection.dialect.name), [{**row, "since": row["at"]} for row in rows])
    tx.touch("checks")


def _upsert(dialect: str) -> sa.Insert:
    """Insert a status, or replace it; `since` stays as long as the state does."""
    insert = postgresql.insert(status) if dialect == "postgresql" else sqlite.insert(status)
    new = insert.excluded
    same = status.c.state == new.state
    return insert.on_conflict_do_update(
        index_elements=[status.c.book, status.c.check_id],
        set_={
            **{name: new[name] for name in LATEST},
            "since": sa.case((same, status.c.since), else_=new.since),
        },
    )


def statuses(tx: Transaction, book: str) -> dict[str, dict[str, Any]]:
    """Return the latest state of each check of a book that has been looked at, by check."""
    rows = tx.rows(sa.select(status).where(status.c.book == book))
    return {row["check_id"]: row for row in rows}


def status_of(tx: Transaction, book: str, check_id: str) -> dict[str, Any] | None:
    """Return the latest state of one check, or `None` before its first look."""
    mine = (status.c.book == book) & (status.c.check_id == check_id)
    return tx.row(sa.select(status).where(mine))


def series(
    tx: Transaction, book: str, check_id: str, since: datetime, limit: int = 500
) -> list[dict[str, Any]]:
    """Return a check's observations from `since` on, oldest first; of too many, the newest."""
    mine = (observation.c.book == book) & (observation.c.check_id == check_id)
    query = sa.select(observation).where(mine, observation.c.at >= since)
    newest = query.order_by(observation.c.at.desc(), observation.c.id.desc()).limit(limit)
    return tx.rows(newest)[::-1]


def latest(tx: Transaction, book: str, check_id: str, limit: int = 20) -> list[dict[str, Any]]:
    """Return a check's newest observations, newest first."""
    mine = (observation.c.book == book) & (observation.c.check_id == check_id)
    order = (observation.c.at.desc(), observation.c.id.desc())
    return tx.rows(sa.select(observation).where(mine).order_by(*order).limit(limit))


def after(tx: Transaction, position: int, limit: int) -> list[dict[str, Any]]:
    """Return observations of every book behind `position`, in the order they were stored."""
    behind = sa.select(observation).where(observation.c.id > position)
    return tx.rows(behind.order_by(observation.c.id).limit(limit))


def books(tx: Transaction) -> list[str]:
    """Return every book that has been looked at, running or not."""
    return [row["book"] for row in tx.rows(sa.select(status.c.book).distinct())]


def keep_only(tx: Transaction, book: str, checks: Collection[str]) -> int:
    """Forget the latest state of checks that the book no longer has; observations stay."""
    gone = sa.delete(status).where(status.c.book == book, status.c.check_id.not_in(list(checks)))
    count = tx.execute(gone).rowcount
    if count:
        tx.touch("checks")
    return count


def forget_old(tx: Transaction, book: str, before: datetime, *, limit: int) -> int:
    """Delete at most `limit` observations older than `before`; return how many there were."""
    old = (observation.c.book == book) & (observation.c.at < before)
    some = sa.select(observation.c.id).where(old).order_by(observation.c.id).limit(limit)
    return tx.execute(sa.delete(observation).where(observation.c.id.in_(some))).rowcount
