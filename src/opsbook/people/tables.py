"""What people agree among themselves about duty, besides what the book says.

The book has the turns and the exceptions planned with it. Somebody who falls ill at nine does not
edit a book: an exception made on the page is a row, stands above the book's, and is never deleted.
"""

from __future__ import annotations

import sqlalchemy as sa

from opsbook.base.database import Id, Instant, id_column, table

override = table(
    "duty_override",
    id_column(),
    sa.Column("book", sa.Text, nullable=False),
    sa.Column("rotation", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("starts_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    # The swap that it comes from, if it does.
    sa.Column("swap_id", Id),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("withdrawn_by", sa.Text, nullable=False, default="", server_default=""),
    sa.Column("withdrawn_at", Instant),
    sa.Index("ix_duty_override_ends", "book", "ends_at"),
)

swap = table(
    "duty_swap",
    id_column(),
    sa.Column("book", sa.Text, nullable=False),
    sa.Column("rotation", sa.Text, nullable=False),
    # Who gives the time away, and who is asked to take it.
    sa.Column("giver", sa.Text, nullable=False),
    sa.Column("taker", sa.Text, nullable=False),
    sa.Column("starts_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
    # What the giver takes of the taker's in return, if anything.
    sa.Column("back_starts_at", Instant),
    sa.Column("back_ends_at", Instant),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    # asked → accepted, declined, withdrawn or expired
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("asked_at", Instant, nullable=False),
    sa.Column("answered_by", sa.Text, nullable=False, default="", server_default=""),
    sa.Column("answered_at", Instant),
    sa.Index("ix_duty_swap_book", "book", "id"),
)
