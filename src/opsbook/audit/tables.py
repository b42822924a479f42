"""The rows of the audit chain."""

from __future__ import annotations

import sqlalchemy as sa

from opsbook.base.database import Id, Instant, id_column, table

entry = table(
    "audit_entry",
    id_column(),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False, index=True),
    sa.Column("thread", sa.Text, index=True),
    sa.Column("data", sa.JSON, nullable=False),
    sa.Column("text", sa.Text),
    sa.Column("text_salt", sa.Text),
    sa.Column("text_hash", sa.Text),
    sa.Column("seq", Id, unique=True),
    sa.Column("hash", sa.Text),
)

seal = table(
    "audit_seal",
    id_column(),
    sa.Column("at", Instant, nullable=False),
    sa.Column("first_seq", Id, nullable=False),
    sa.Column("last_seq", Id, nullable=False),
    sa.Column("head", sa.Text, nullable=False),
    sa.Column("signature", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
)
