"""Named queries over what came in, and over the doors it came through."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from opsbook.alerts.tables import door, intake
from opsbook.base.database import Transaction
from opsbook.base.events import ORDER_LOCK

_BATCH = sa.insert(intake)


def put(tx: Transaction, rows: list[dict[str, Any]]) -> None:
    """Insert batches, in this order: they are worked in by their ids.

    On PostgreSQL two servers' ids may be committed in another order than they were given; whoever
    follows them had passed the higher one by then. The lock that orders events orders these too.
    """
    if tx.connection.dialect.name == "postgresql":
        tx.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": ORDER_LOCK})
    tx.many(_BATCH, rows)


def count(
    tx: Transaction, book: str, source: str, *, accepted: int, refused: int,
    last_at: datetime | None, refused_at: datetime | None, error: str,
) -> None:  # fmt: skip
    """Add to what a door has taken and refused. What is not said now stays as it was."""
    tx.many(
        _counted(tx.connection.dialect.name),
        [
            {
                "book": book, "intake": source, "accepted": accepted, "refused": refused,
                "last_at": last_at, "refused_at": refused_at, "error": error,
            }
        ],
    )  # fmt: skip


@functools.cache
def _counted(dialect: str) -> Any:
    statement: Any = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(door)
    new = statement.excluded
    again = {
        "accepted": door.c.accepted + new.accepted,
        "refused": door.c.refused + new.refused,
        "last_at": sa.func.coalesce(new.last_at, door.c.last_at),
        "refused_at": sa.func.coalesce(new.refused_at, door.c.refused_at),
        "error": sa.case((new.error != "", new.error), else_=door.c.error),
    }
    return statement.on_conflict_do_update(index_elements=["book", "intake"], set_=again)


def doors(tx: Transaction, book: str) -> dict[str, dict[str, Any]]:
    """Return the counts of a book's doors, by intake."""
    rows = tx.rows(sa.select(door).where(door.c.book == book))
    return {row["intake"]: row for row in rows}


def waiting(tx: Transaction, book: str | None = None) -> int:
    """Return how many batches have not been worked in yet."""
    query = sa.select(sa.func.count()).select_from(intake)
    if book is not None:
        query = query.where(intake.c.book == book)
    return int(tx.scalar(query) or 0)
