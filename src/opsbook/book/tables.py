"""Revisions, stored whole: a run keeps the book it was started with for ever."""

from __future__ import annotations

import sqlalchemy as sa

from opsbook.base.database import Instant, table

revision = table(
    "book_revision",
    sa.Column("revision", sa.Text, primary_key=True),
    sa.Column("book", sa.Text, nullable=False, index=True),
    sa.Column("files", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    # The revision that ran when this content was first stored; none for a book's first.
    sa.Column("parent", sa.Text),
    sa.Column("loaded_at", Instant, nullable=False),
)

current = table(
    "book_current",
    sa.Column("book", sa.Text, primary_key=True),
    sa.Column("revision", sa.Text, sa.ForeignKey("book_revision.revision"), nullable=False),
    sa.Column("since", Instant, nullable=False),
)
