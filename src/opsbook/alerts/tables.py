"""One row per instance of an alert, from pending through firing to resolved."""

from __future__ import annotations

import sqlalchemy as sa

from opsbook.base.database import Instant, id_column, table

alert = table(
    "alert",
    id_column(),
    sa.Column("book", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("check_id", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    # pending → firing → resolved; a pending one that clears becomes "cleared".
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    # The book's revision when the alert began, and why it ended if no observation ended it.
    sa.Column("revision", sa.Text, nullable=False, default=""),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("summary", sa.JSON, nullable=False),
    sa.Column("labels", sa.JSON, nullable=False),
    sa.Column("check_state", sa.Text, nullable=False, default=""),
    sa.Column("value", sa.Float),
    sa.Column("unit", sa.Text, nullable=False, default=""),
    sa.Column("message", sa.Text, nullable=False, default=""),
    sa.Column("pending_since", Instant, nullable=False),
    sa.Column("fired_at", Instant),
    sa.Column("clear_since", Instant),
    sa.Column("resolved_at", Instant),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Index(
        "uq_alert_active",
        "fingerprint",
        unique=True,
        sqlite_where=sa.text("state IN ('pending', 'firing')"),
        postgresql_where=sa.text("state IN ('pending', 'firing')"),
    ),
)
