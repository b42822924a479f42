"""Alerts from pending through firing to resolved, what came in, what was told, what is silenced.

`alert` has one row for each time something fired, whoever noticed it. `intake` is what came in and
has not been worked into alerts yet: a batch is on disk there before it is acknowledged. `notified`
remembers what each receiver was told of a group last, which is what makes a repetition no second
message.
"""

from __future__ import annotations

import sqlalchemy as sa

from opsbook.base.database import Id, Instant, id_column, table

alert = table(
    "alert",
    id_column(),
    sa.Column("book", sa.Text, nullable=False),
    # The rule of the book that speaks of it; none for an alert from outside that no rule knows.
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("check_id", sa.Text, nullable=False),
    # Who noticed: "rules" for the book's own, else the intake it came through.
    sa.Column("source", sa.Text, nullable=False, default="rules", server_default="rules"),
    sa.Column("fingerprint", sa.Text, nullable=False),
    # pending → firing → resolved; a pending one that clears becomes "cleared".
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    # The book's revision when the alert began, and why it ended if no observation ended it.
    sa.Column("revision", sa.Text, nullable=False, default=""),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("summary", sa.JSON, nullable=False),
    sa.Column("labels", sa.JSON, nullable=False),
    sa.Column("annotations", sa.JSON, nullable=False, default=dict, server_default="{}"),
    sa.Column("link", sa.Text, nullable=False, default="", server_default=""),
    sa.Column("check_state", sa.Text, nullable=False, default=""),
    sa.Column("value", sa.Float),
    sa.Column("unit", sa.Text, nullable=False, default=""),
    sa.Column("message", sa.Text, nullable=False, default=""),
    sa.Column("pending_since", Instant, nullable=False),
    sa.Column("fired_at", Instant),
    sa.Column("clear_since", Instant),
    sa.Column("resolved_at", Instant),
    sa.Column("seen_at", Instant, nullable=False),
    # From outside: when it is over unless it is renewed, whether the sender said so, and how often
    # it was handed in.
    sa.Column("ends_at", Instant),
    sa.Column("timed_out", sa.Boolean, nullable=False, default=False, server_default=sa.false()),
    sa.Column("received", sa.Integer, nullable=False, default=0, server_default="0"),
    sa.Index("ix_alert_fired", "book", "fired_at"),
    sa.Index(
        "uq_alert_active",
        "fingerprint",
        unique=True,
        sqlite_where=sa.text("state IN ('pending', 'firing')"),
        postgresql_where=sa.text("state IN ('pending', 'firing')"),
    ),
)

intake = table(
    "alert_intake",
    id_column(),
    sa.Column("book", sa.Text, nullable=False),
    # As in `alert.source`.
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    # Alerts in the one form that every intake translates to; see `alerts.intake.posted`.
    sa.Column("body", sa.LargeBinary, nullable=False),
    # Its book was not active when it was its turn: it is worked in once the book is again.
    sa.Column("held", sa.Boolean, nullable=False, default=False, server_default=sa.false()),
)

door = table(
    "alert_door",
    sa.Column("book", sa.Text, primary_key=True),
    sa.Column("intake", sa.Text, primary_key=True),
    sa.Column("last_at", Instant),
    sa.Column("accepted", Id, nullable=False, default=0),
    sa.Column("refused", Id, nullable=False, default=0),
    sa.Column("refused_at", Instant),
    sa.Column("error", sa.Text, nullable=False, default=""),
)

notified = table(
    "alert_notified",
    # The group's key, the receiver and who of it, hashed.
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("book", sa.Text, nullable=False, index=True),
    sa.Column("group_key", sa.Text, nullable=False),
    sa.Column("receiver", sa.Text, nullable=False),
    sa.Column("listener", sa.Text, nullable=False),
    # Fingerprints, as JSON lists.
    sa.Column("firing", sa.JSON, nullable=False),
    sa.Column("resolved", sa.JSON, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False, index=True),
)

silence = table(
    "silence",
    id_column(),
    # The name by which Alertmanager's interface knows it.
    sa.Column("uuid", sa.Text, nullable=False, unique=True),
    sa.Column("book", sa.Text, nullable=False, index=True),
    # [{"name": …, "op": "=", "value": …}]; all must match.
    sa.Column("matchers", sa.JSON, nullable=False),
    sa.Column("starts_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False, index=True),
    # A recurring silence holds at these times only, between its start and its end.
    sa.Column("schedule", sa.Text, nullable=False, default=""),
    sa.Column("length_s", sa.Integer, nullable=False, default=0),
    sa.Column("timezone", sa.Text, nullable=False, default=""),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("expired_by", sa.Text, nullable=False, default=""),
)
