"""Named queries over silences."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from opsbook.alerts.silences.model import Silence, of_row
from opsbook.alerts.tables import silence
from opsbook.base.database import Transaction

KEPT: Final = timedelta(days=120)
_VERSION: Final = sa.select(
    sa.func.max(silence.c.id),
    sa.func.max(silence.c.updated_at),
    sa.func.count(),
    sa.func.sum(sa.type_coerce(silence.c.ends_at, sa.BigInteger) % 1_000_003),
)


def current(tx: Transaction, now: datetime) -> list[Silence]:
    """Return every silence that is not over, of every book, in the order they were set."""
    query = sa.select(silence).where(silence.c.ends_at > now).order_by(silence.c.id)
    return [of_row(row) for row in tx.rows(query)]


def count(tx: Transaction, book: str, now: datetime) -> int:
    """Return how many silences of a book are not over."""
    mine = (silence.c.book == book) & (silence.c.ends_at > now)
    return int(tx.scalar(sa.select(sa.func.count()).where(mine)) or 0)


def version(tx: Transaction) -> tuple[Any, ...]:
    """Return what changes whenever a silence is set, changed or expired."""
    return tuple(tx.execute(_VERSION).one())


def get(tx: Transaction, uuid: str) -> Silence | None:
    """Return one silence by its name."""
    row = tx.row(sa.select(silence).where(silence.c.uuid == uuid))
    return of_row(row) if row is not None else None


def list_of(
    tx: Transaction, book: str, now: datetime, *, over_since: datetime | None = None
) -> list[Silence]:
    """Return a book's silences: those that are not over, and those over since a moment."""
    mine = silence.c.book == book
    until = over_since if over_since is not None else now
    query = sa.select(silence).where(mine, silence.c.ends_at > until)
    return [of_row(row) for row in tx.rows(query.order_by(silence.c.ends_at, silence.c.id))]


def forget_old(tx: Transaction, now: datetime) -> int:
    """Delete silences that have been over for long."""
    return tx.execute(sa.delete(silence).where(silence.c.ends_at < now - KEPT)).rowcount
