"""Which windows for changes were used, and when.

A window may be used a few times a month. What uses one is a run that has waited for it; its audit
entry is what says so, since it is a fact of the book's operation and not of one run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from opsbook import audit
from opsbook.audit.entries import SERVER
from opsbook.audit.tables import entry
from opsbook.base.database import Transaction
from opsbook.book import Book

USED: Final = "window.used"


def use(tx: Transaction, now: datetime, book: Book, run: Mapping[str, Any], window: str) -> None:
    """Put on record that a run goes on in a window."""
    audit.record(
        tx, now, SERVER, USED, _subject(book, window), thread=run["thread"],
        data={"book": book.id, "window": window, "run": run["id"]},
    )  # fmt: skip


def used(tx: Transaction, book: Book, window: str, since: datetime) -> list[datetime]:
    """Return when a window was used since a time."""
    mine = (entry.c.subject == _subject(book, window)) & (entry.c.action == USED)
    return [row["at"] for row in tx.rows(sa.select(entry.c.at).where(mine, entry.c.at >= since))]


def _subject(book: Book, window: str) -> str:
    return f"window:{book.id}/{window}"
