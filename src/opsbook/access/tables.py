"""Accounts, sessions, tokens, one-time links and approvals."""

from __future__ import annotations

import sqlalchemy as sa

from opsbook.base.database import Id, Instant, id_column, table

account = table(
    "account",
    id_column(),
    sa.Column("login", sa.Text, nullable=False, unique=True),
    sa.Column("password_hash", sa.Text),
    sa.Column("first_admin", sa.Boolean, nullable=False, default=False),
    sa.Column("language", sa.Text),
    sa.Column("theme", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("disabled_at", Instant),
    # When a session or a token of this account was last used; to the minute. None: never yet.
    sa.Column("seen_at", Instant),
)

session = table(
    "session",
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("account_id", Id, sa.ForeignKey("account.id"), nullable=False, index=True),
    sa.Column("csrf", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("agent", sa.Text, nullable=False, default=""),
    # The account that made the link this was opened with, until a password is set in it: whoever
    # made the link could be the one who sits here (`links.one_person`).
    sa.Column("link_by", Id),
)

access_token = table(
    "access_token",
    id_column(),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    # A token without an account is the local one: it starts and reads, and never approves.
    sa.Column("account_id", Id, sa.ForeignKey("account.id"), index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("used_at", Instant),
    sa.Column("revoked_at", Instant),
    # As `session.link_by`, of the session it was made in.
    sa.Column("link_by", Id),
)

sign_in_link = table(
    "sign_in_link",
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("account_id", Id, sa.ForeignKey("account.id"), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("used_at", Instant),
    # The account that made it, and could have used it; none where the server did.
    sa.Column("made_by", Id),
)

approval = table(
    "approval",
    id_column(),
    sa.Column("book", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False, index=True),
    sa.Column("thread", sa.Text),
    sa.Column("question", sa.Text, nullable=False),
    # Who may give it: a role, or whoever has a permission (neither: runs:write).
    sa.Column("role", sa.Text),
    sa.Column("permission", sa.Text),
    sa.Column("need", sa.Integer, nullable=False, default=1),
    # What is approved: a hash over revision, runbook, step and parameters. Any change voids it.
    sa.Column("bound_to", sa.Text, nullable=False),
    # Accounts that take part in what is asked (a list of ids), and why each does, by id as text.
    sa.Column("excluded", sa.JSON, nullable=False),
    sa.Column("excluded_because", sa.JSON, nullable=False, default=dict),
    sa.Column("self_approval", sa.Text, nullable=False),
    # open | approved | rejected | expired | void
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("decided_at", Instant),
    # What expires next is found among any number that wait.
    sa.Index("ix_approval_state_expires_at", "state", "expires_at"),
)

vote = table(
    "approval_vote",
    id_column(),
    sa.Column("approval_id", Id, sa.ForeignKey("approval.id"), nullable=False, index=True),
    sa.Column("account_id", Id, sa.ForeignKey("account.id"), nullable=False),
    # approve | reject
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("by_oneself", sa.Boolean, nullable=False, default=False),
    sa.Column("note", sa.Text, nullable=False, default=""),
    sa.Column("at", Instant, nullable=False),
    sa.UniqueConstraint("approval_id", "account_id"),
)
