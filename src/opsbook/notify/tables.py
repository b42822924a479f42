"""The outbox: a page is a row before it is a message."""

from __future__ import annotations

import sqlalchemy as sa

from opsbook.base.database import Instant, id_column, table

page = table(
    "page",
    id_column(),
    # Stable: the same cause, person and channel never make two rows, however often it is handled.
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("book", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False, index=True),
    sa.Column("channel", sa.Text, nullable=False),
    # For a channel outside: which of the person's contacts ("contact:0"), never the contact itself.
    sa.Column("destination", sa.Text, nullable=False, default=""),
    sa.Column("urgent", sa.Boolean, nullable=False, default=True),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("thread", sa.Text, index=True),
    # The language that title and body are written in: the person's when the page was made.
    sa.Column("language", sa.Text, nullable=False, default="en"),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False, default=""),
    # queued → sending → sent; sending → retry → sending …; at last failed
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("repeated", sa.Boolean, nullable=False, default=False),
    # When it is tried next; while it is being sent, when that claim is over.
    sa.Column("next_at", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("sent_at", Instant),
    sa.Column("read_at", Instant),
    sa.Column("error", sa.Text, nullable=False, default=""),
)

delivery = table(
    "webhook_delivery",
    id_column(),
    # Stable: one event makes one delivery to one hook, however often it is handled; receivers get
    # it as the delivery's id and can recognise a repetition by it.
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("book", sa.Text, nullable=False),
    # The hook's name in the book; where it goes and its secret are looked up when it is sent.
    sa.Column("hook", sa.Text, nullable=False, index=True),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("thread", sa.Text, index=True),
    sa.Column("body", sa.Text, nullable=False),
    # queued → sending → sent; sending → retry → sending …; at last failed
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("repeated", sa.Boolean, nullable=False, default=False),
    sa.Column("next_at", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("sent_at", Instant),
    # What the last attempt was answered with.
    sa.Column("status", sa.Integer),
    sa.Column("error", sa.Text, nullable=False, default=""),
)
