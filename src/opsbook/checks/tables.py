"""What was seen: observations for a while, what they came to in each hour for longer, the latest.

`ping` is what jobs report of themselves, for checks of the kind heartbeat.
"""

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
    # Whether it has changed its state so often lately that none of them can be believed.
    sa.Column("flapping", sa.Boolean, nullable=False, default=False, server_default=sa.false()),
    # The failed check it depends on, while that explains what this one sees.
    sa.Column("behind", sa.Text, nullable=False, default="", server_default=""),
)

rollup = table(
    "observation_rollup",
    sa.Column("book", sa.Text, primary_key=True),
    sa.Column("check_id", sa.Text, primary_key=True),
    # Seconds that a row stands for, from `start` on.
    sa.Column("span_s", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("start", Instant, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("ok", sa.Integer, nullable=False),
    sa.Column("warning", sa.Integer, nullable=False),
    sa.Column("critical", sa.Integer, nullable=False),
    sa.Column("nodata", sa.Integer, nullable=False),
    # Of the observations that had a value; none where none had.
    sa.Column("least", sa.Float),
    sa.Column("most", sa.Float),
    sa.Column("mean", sa.Float),
    sa.Column("p95", sa.Float),
    sa.Column("unit", sa.Text, nullable=False, default=""),
)

ping = table(
    "heartbeat_ping",
    id_column(),
    sa.Column("book", sa.Text, nullable=False),
    sa.Column("check_id", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    # success, start, fail, log, or exit with the job's exit status.
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("exit_status", sa.Integer),
    # Which run of the job, where it says so.
    sa.Column("run", sa.Text, nullable=False, default=""),
    sa.Column("body", sa.Text, nullable=False, default=""),
    sa.Column("sender", sa.Text, nullable=False, default=""),
    sa.Index("ix_heartbeat_ping_check", "book", "check_id", "id"),
)
