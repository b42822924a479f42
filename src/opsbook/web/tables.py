"""What the front doors keep for themselves."""

from __future__ import annotations

import sqlalchemy as sa

from opsbook.base.database import Instant, id_column, table

answer = table(
    "idempotent_answer",
    id_column(),
    # Who sent the key, and the key: hashed, so that nobody can guess a stranger's.
    sa.Column("key", sa.Text, nullable=False, unique=True),
    # What was asked, hashed: the same key for something else is a conflict.
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("location", sa.Text, nullable=False, server_default=""),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False, index=True),
)
