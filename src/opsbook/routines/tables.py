"""When each routine is due next; the row is claimed, so that two servers start one run."""

from __future__ import annotations

import sqlalchemy as sa

from opsbook.base.database import Id, Instant, table

routine_state = table(
    "routine_state",
    sa.Column("book", sa.Text, primary_key=True),
    sa.Column("routine", sa.Text, primary_key=True),
    sa.Column("schedule", sa.Text, nullable=False),
    sa.Column("next_at", Instant, index=True),
    sa.Column("last_due_at", Instant),
    sa.Column("last_run_id", Id),
)
