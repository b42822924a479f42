"""Named queries over revisions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from opsbook.base.database import Transaction
from opsbook.book.tables import current, revision


def known(tx: Transaction, digest: str) -> bool:
    """Tell whether this content is stored already."""
    return tx.scalar(sa.select(revision.c.book).where(revision.c.revision == digest)) is not None


def keep(
    tx: Transaction, now: datetime, *, digest: str, book: str, files: str, author: str, origin: str,
    parent: str | None = None,
) -> None:  # fmt: skip
    """Store a revision whole, once; the first author of a content stays its author."""
    if not known(tx, digest):
        tx.insert(
            revision, revision=digest, book=book, files=files, author=author, origin=origin,
            parent=parent, loaded_at=now,
        )  # fmt: skip


def running(tx: Transaction, book: str) -> str | None:
    """Return the hash of a book's running revision; ``None`` when it never ran."""
    found: str | None = tx.scalar(sa.select(current.c.revision).where(current.c.book == book))
    return found


def all_running(tx: Transaction, books: Collection[str]) -> dict[str, str]:
    """Return the hash of the running revision of each of these books that has one."""
    mine = sa.select(current.c.book, current.c.revision).where(current.c.book.in_(list(books)))
    return {row["book"]: row["revision"] for row in tx.rows(mine)}


def make_current(
    tx: Transaction, now: datetime, *, book: str, digest: str, over: str | None
) -> bool:
    """Let ``digest`` run in the place of ``over``; ``False`` when something else runs by now.

    ``over`` is what the new one was compared with (``None``: nothing ran). Without that condition
    two servers, or an edit and a reload, would each undo what the other has just published.
    """
    if over is None:
        insert = postgresql if tx.connection.dialect.name == "postgresql" else sqlite
        first = insert.insert(current).values(book=book, revision=digest, since=now)
        made = first.on_conflict_do_nothing().returning(current.c.book)
        return tx.row(made) is not None
    still = (current.c.book == book) & (current.c.revision == over)
    return tx.claim(sa.update(current).where(still).values(revision=digest, since=now))


def files_of(tx: Transaction, digest: str) -> str | None:
    """Return a revision's files as they were stored."""
    found: str | None = tx.scalar(sa.select(revision.c.files).where(revision.c.revision == digest))
    return found


def about(tx: Transaction, digest: str) -> dict[str, Any] | None:
    """Return who stored a revision, when and from where, without its files."""
    columns = [column for column in revision.c if column.name != "files"]
    return tx.row(sa.select(*columns).where(revision.c.revision == digest))


def history(tx: Transaction, book: str) -> list[dict[str, Any]]:
    """Return a book's revisions, newest first, without their files."""
    columns = [column for column in revision.c if column.name != "files"]
    newest = revision.c.loaded_at.desc()
    return tx.rows(sa.select(*columns).where(revision.c.book == book).order_by(newest))
