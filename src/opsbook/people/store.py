"""Named queries over what people agreed about duty."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.people.duty import Agreed, Duty
from opsbook.people.tables import override, swap

PAST: Final = timedelta(days=62)
"""How far back exceptions are read: as far as a page about duty looks."""

_STANDING: Final = (
    sa.select(override)
    .where(
        override.c.book == sa.bindparam("b_book"),
        override.c.ends_at > sa.bindparam("b_since"),
        override.c.withdrawn_at.is_(None),
    )
    .order_by(override.c.id)
)


def duty(tx: Transaction, book: Book, now: datetime) -> Duty:
    """Return a book's duty as it stands: the book's turns, and what people agreed since.

    Good for every moment from `PAST` before `now` on.
    """
    rows = tx.execute(_STANDING, {"b_book": book.id, "b_since": now - PAST}).mappings()
    return Duty(
        book,
        tuple(
            Agreed(row["rotation"], row["person"], row["starts_at"], row["ends_at"], row["id"])
            for row in rows
            if row["person"] in book.people
        ),
    )


def exceptions(tx: Transaction, book: str, rotation: str, since: datetime) -> list[dict[str, Any]]:
    """Return what was agreed about a rotation and holds or will, in the order it was made."""
    mine = (override.c.book == book) & (override.c.rotation == rotation)
    holds = (override.c.ends_at > since) & override.c.withdrawn_at.is_(None)
    return tx.rows(sa.select(override).where(mine, holds).order_by(override.c.id))


def exception(tx: Transaction, number: int) -> dict[str, Any] | None:
    """Return one exception."""
    return tx.row(sa.select(override).where(override.c.id == number))


def open_swaps(tx: Transaction, book: str, rotation: str) -> list[dict[str, Any]]:
    """Return the swaps of a rotation that wait for an answer."""
    mine = (swap.c.book == book) & (swap.c.rotation == rotation) & (swap.c.state == "asked")
    return tx.rows(sa.select(swap).where(mine).order_by(swap.c.id))


def swapping(tx: Transaction, number: int) -> dict[str, Any] | None:
    """Return one swap, answered or not."""
    return tx.row(sa.select(swap).where(swap.c.id == number))
