"""Incidents and the alerts they answer."""

from __future__ import annotations

import sqlalchemy as sa

from opsbook.base.database import Id, Instant, id_column, table

incident = table(
    "incident",
    id_column(),
    sa.Column("book", sa.Text, nullable=False),
    sa.Column("revision", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    # Of the group of alerts that it answers: a group has one incident at a time.
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("title", sa.JSON, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    # open → acknowledged → resolved (open → resolved when it passes before anybody answers).
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("acknowledge_by", Instant),
    sa.Column("deadline_missed_at", Instant),
    sa.Column("acknowledged_at", Instant),
    sa.Column("acknowledged_by", Id),
    sa.Column("resolved_at", Instant),
    sa.Column("resolved_by", sa.Text),
    sa.Column("escalation", sa.Text),
    sa.Column("level", sa.Integer, nullable=False, default=0),
    sa.Column("round", sa.Integer, nullable=False, default=0),
    sa.Column("escalate_at", Instant, index=True),
    sa.Column("run_id", Id),
    sa.Index(
        "uq_incident_active",
        "fingerprint",
        unique=True,
        sqlite_where=sa.text("state IN ('open', 'acknowledged')"),
        postgresql_where=sa.text("state IN ('open', 'acknowledged')"),
    ),
)

incident_alert = table(
    "incident_alert",
    sa.Column("incident_id", Id, sa.ForeignKey("incident.id"), primary_key=True),
    sa.Column("alert_id", Id, sa.ForeignKey("alert.id"), primary_key=True),
)
