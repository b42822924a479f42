"""What was seen: observations for as long as the book keeps them, and each check's latest."""

from __future__ import annotations

import sqlalchemy as sa

from opsbook.base.database import Instant, id_column, table

observation = table(
    "observation",
    id_column(),
    sa.Column("book", sa.Text, nullable=False),
    sa.Column("check_id", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("value", sa.Float),
    sa.Column("unit", sa.Text, nullable=False, default=""),
    sa.Column("latency_ms", sa.Float, nullable=False, default=0.0),
    sa.Column("message", sa.Text, nullable=False, default=""),
    sa.Index("ix_observation_series", "book", "check_id", "at"),
)

status = table(
    "check_status",
    sa.Column("book", sa.Text, primary_key=True),
    sa.Column("check_id", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("value", sa.Float),
    sa.Column("unit", sa.Text, nullable=False, default=""),
    sa.Column("latency_ms", sa.Float, nullable=False, default=0.0),
    sa.Column("message", sa.Text, nullable=False, default=""),
)
