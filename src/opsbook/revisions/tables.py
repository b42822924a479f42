"""Where books come from, what was published, what waits, and what people are editing."""

from __future__ import annotations

import sqlalchemy as sa

from opsbook.base.database import Id, Instant, id_column, table

source = table(
    "book_source",
    # A folder's absolute path, or a remote's address without any password in it.
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("book", sa.Text, index=True),
    # The content hash that was judged last, good or not: a restart does not tell of it again.
    sa.Column("seen", sa.Text),
    # Of a git remote: the commit that was judged last and accepted.
    sa.Column("followed", sa.Text),
    # What is wrong (kind, message, remedy, problems) and since when; none when all is well.
    sa.Column("trouble", sa.JSON),
    sa.Column("trouble_since", Instant),
)

publication = table(
    "book_publication",
    id_column(),
    sa.Column("book", sa.Text, nullable=False, index=True),
    sa.Column("revision", sa.Text, sa.ForeignKey("book_revision.revision"), nullable=False),
    sa.Column("parent", sa.Text),
    sa.Column("author", sa.Text, nullable=False),
    # The accounts behind it, for the question who may not approve what builds on it.
    sa.Column("accounts", sa.JSON, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("changes", sa.JSON, nullable=False),
    sa.Column("approval_id", Id, sa.ForeignKey("approval.id")),
    sa.Column("at", Instant, nullable=False),
)

held = table(
    "book_held",
    id_column(),
    sa.Column("book", sa.Text, nullable=False, index=True),
    sa.Column("revision", sa.Text, sa.ForeignKey("book_revision.revision"), nullable=False),
    # What it was compared with. Once something else runs, an approval of this means nothing.
    sa.Column("parent", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("accounts", sa.JSON, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("changes", sa.JSON, nullable=False),
    # Of an edit in the web page: nothing is in the folder yet. None: it is what the source holds.
    sa.Column("draft_id", Id, sa.ForeignKey("book_draft.id")),
    sa.Column("approval_id", Id, sa.ForeignKey("approval.id"), nullable=False),
    # open → published | rejected | replaced
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("held_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),
)

draft = table(
    "book_draft",
    id_column(),
    sa.Column("book", sa.Text, nullable=False, index=True),
    # The revision it changes; a rebase moves it on.
    sa.Column("base", sa.Text, sa.ForeignKey("book_revision.revision"), nullable=False),
    sa.Column("account_id", Id, sa.ForeignKey("account.id"), nullable=False),
    # By path: {"text": the new content or null for none, "base": the digest it replaces or null}.
    sa.Column("files", sa.JSON, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    # open → waiting (for an approval) → writing → published; or discarded, or conflict.
    sa.Column("state", sa.Text, nullable=False, index=True),
    # The intent, written before the source is: what will be in it, and as which commit.
    sa.Column("target", sa.Text),
    sa.Column("commit", sa.Text),
    # Why it came back to its author, for the page.
    sa.Column("said", sa.Text, nullable=False, default=""),
    # Counts every change: a write to a draft that somebody else has just changed is refused.
    sa.Column("version", sa.Integer, nullable=False, default=1),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
)
