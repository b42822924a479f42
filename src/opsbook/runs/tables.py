"""The journal: the record the engine goes by, and the one people look at."""

from __future__ import annotations

import sqlalchemy as sa

from opsbook.base.database import Id, Instant, id_column, table

run = table(
    "run",
    id_column(),
    sa.Column("book", sa.Text, nullable=False),
    sa.Column("revision", sa.Text, nullable=False),
    sa.Column("runbook", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("params", sa.JSON, nullable=False),
    sa.Column("saved", sa.JSON, nullable=False),
    # queued | running | waiting | succeeded | failed | cancelled
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("cancelling", sa.Boolean, nullable=False, default=False),
    # How it will end, known once its main steps are over and while rollback and finally still run.
    sa.Column("ending", sa.Text),
    # Whether what an unattended run may change was asked: "" | granted | refused.
    sa.Column("leave", sa.Text, nullable=False, default=""),
    # Runs of one book with the same lock move one after the other, in the order of their ids.
    sa.Column("lock", sa.Text, index=True),
    # Who started it: account:3, token:9, opsbook; and why: incident:12, routine:morning.
    sa.Column("started_by", sa.Text, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False, default=""),
    sa.Column("thread", sa.Text, nullable=False, index=True),
    # Started by a person, or by a clock or an alert; then only steps that read may start alone.
    sa.Column("attended", sa.Boolean, nullable=False),
    # Why it ended as it did, in one sentence (empty while it runs).
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("idempotency_key", sa.Text, unique=True),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    # Until when its main steps must be over.
    sa.Column("deadline_at", Instant),
    # Its own day, from which phases are counted: 2026-03-31, in the book's zone.
    sa.Column("day", sa.Text, nullable=False, server_default=""),
    # Whether what its main steps did is to be undone where they did not succeed.
    sa.Column("undo", sa.Boolean, nullable=False, server_default=sa.true()),
    # Who looks after it: whoever started it, until somebody takes it over.
    sa.Column("steered_by", sa.Text, nullable=False, server_default=""),
    # The run one of whose steps it is, and how many such runs it lies in.
    sa.Column("parent_id", Id, index=True),
    sa.Column("depth", sa.Integer, nullable=False, server_default="0"),
    # The run it repeats, from which step on.
    sa.Column("rerun_of", Id),
    sa.Column("rerun_from", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_run_of_runbook", "book", "runbook"),
)

step = table(
    "run_step",
    id_column(),
    sa.Column("run_id", Id, sa.ForeignKey("run.id"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    # A repeated step has a row for each item besides its own, counted from 1, with a position
    # behind all steps and a key that is the step's and the number: move[2].
    sa.Column("part_of", Id),
    sa.Column("item", sa.Integer, nullable=False, server_default="0"),
    sa.Column("value", sa.Text),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("effect", sa.Text, nullable=False),
    sa.Column("phase", sa.Text, nullable=False, default="main"),
    # pending | running | waiting | succeeded | failed | skipped | interrupted | cancelled
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("message", sa.Text, nullable=False, default=""),
    # How often it has failed since it was last begun by a person or by the run.
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.UniqueConstraint("run_id", "position"),
)

attempt = table(
    "attempt",
    id_column(),
    sa.Column("run_id", Id, sa.ForeignKey("run.id"), nullable=False, index=True),
    sa.Column("step_id", Id, sa.ForeignKey("run_step.id"), nullable=False, index=True),
    sa.Column("number", sa.Integer, nullable=False),
    # The fencing epoch of the server that intends it; an outcome is accepted only with the same.
    sa.Column("epoch", sa.BigInteger, nullable=False),
    # Where its process is found again: this folder, on this machine.
    sa.Column("scratch", sa.Text, nullable=False, default=""),
    sa.Column("host", sa.Text, nullable=False, default=""),
    # intended | succeeded | failed | timeout | killed | interrupted
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("intended_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Column("exit_code", sa.Integer),
    sa.Column("message", sa.Text, nullable=False, default=""),
    # How much of the step's own output the stored pieces cover: from here a new server goes on.
    sa.Column("raw_offset", sa.BigInteger, nullable=False, default=0),
    sa.Column("bytes_seen", sa.BigInteger, nullable=False, default=0),
    sa.Column("bytes_dropped", sa.BigInteger, nullable=False, default=0),
    sa.UniqueConstraint("step_id", "number"),
)

output = table(
    "attempt_output",
    id_column(),
    sa.Column("attempt_id", Id, sa.ForeignKey("attempt.id"), nullable=False),
    # Where this piece begins, in bytes of the attempt's masked output.
    sa.Column("start", sa.BigInteger, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.UniqueConstraint("attempt_id", "start"),
)

wait = table(
    "run_wait",
    id_column(),
    sa.Column("run_id", Id, sa.ForeignKey("run.id"), nullable=False, index=True),
    sa.Column("step_id", Id, sa.ForeignKey("run_step.id"), nullable=False),
    # approval | person (a manual step) | decision (an interrupted or failed step) | check | time |
    # run (a run of its own)
    sa.Column("kind", sa.Text, nullable=False),
    # The role that may answer, or several with commas between them; None for anybody who may.
    sa.Column("role", sa.Text),
    sa.Column("approval_id", Id, index=True),
    sa.Column("since", Instant, nullable=False),
    # Until when it may last, as people are told; and when the engine looks at it by itself.
    sa.Column("due_at", Instant),
    sa.Column("wake_at", Instant, index=True),
    # When those who can answer are told once more that it ends; None once they were.
    sa.Column("remind_at", Instant, index=True),
    # retry | skip | fail | stop: what a person chose for such a step. The first one counts.
    sa.Column("answer", sa.Text),
    sa.Column("data", sa.JSON, nullable=False),
)

secret = table(
    "run_secret",
    id_column(),
    # A secret parameter or saved value, sealed with a key that is not in the database; it goes when
    # the run ends.
    sa.Column("run_id", Id, sa.ForeignKey("run.id"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.UniqueConstraint("run_id", "name"),
)

evidence = table(
    "run_evidence",
    id_column(),
    sa.Column("run_id", Id, sa.ForeignKey("run.id"), nullable=False, index=True),
    sa.Column("step_id", Id, sa.ForeignKey("run_step.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    # SHA-256 of the content, in hexadecimal; the audit chain has it as well.
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("added_by", sa.Text, nullable=False),
    sa.Column("added_at", Instant, nullable=False),
)

person_done = table(
    "run_confirmation",
    id_column(),
    # Who has said that a manual step is done, where several people have to.
    sa.Column("step_id", Id, sa.ForeignKey("run_step.id"), nullable=False, index=True),
    sa.Column("account_id", Id, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.UniqueConstraint("step_id", "account_id"),
)
