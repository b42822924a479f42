"""Named queries over what people agreed about duty."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.people.duty import Agreed, Duty
from opsbook.people.tables import override

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
