"""Named queries over revisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from opsbook.base.database import Transaction
from opsbook.book.tables import current, revision


def known(tx: Transaction, digest: str) -> bool:
    """Tell whether this content is stored already."""
    return tx.scalar(sa.select(revision.c.book).where(revision.c.revision == digest)) is not None


def keep(
    tx: Transaction, now: datetime, *, digest: str, book: str, files: str, author: str, origin: str
) -> None:
    """Store a revision whole, once; the first author of a content stays its author."""
    if not known(tx, digest):
        tx.insert(
            revision, revision=digest, book=book, files=files, author=author, origin=origin,
            loaded_at=now,
        )  # fmt: skip


def make_current(tx: Transaction, now: datetime, *, book: str, digest: str) -> bool:
    """Let ``digest`` be the running revision; ``False`` when it already was."""
    before = tx.scalar(sa.select(current.c.revision).where(current.c.book == book))
    if before == digest:
        return False
    change = sa.update(current).where(current.c.book == book).values(revision=digest, since=now)
    if not tx.claim(change):
        tx.insert(current, book=book, revision=digest, since=now)
    return True


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
