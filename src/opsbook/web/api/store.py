"""Queries that only the API asks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from opsbook.access.tables import approval, vote
from opsbook.audit.tables import entry
from opsbook.base.database import Transaction
from opsbook.runs.tables import attempt, output, run, step, wait


def entries_after(tx: Transaction, after: int, limit: int) -> list[dict[str, Any]]:
    """Return audit entries newer than ``after``, oldest first."""
    query = sa.select(entry).where(entry.c.id > after).order_by(entry.c.id).limit(limit)
    return tx.rows(query)


def entries(
    tx: Transaction, *, limit: int, before: int | None, after: int | None, thread: str | None
) -> list[dict[str, Any]]:
    """Return audit entries newest first, of one thread or of all."""
    query = sa.select(entry).order_by(entry.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(entry.c.id < before)
    if after is not None:
        query = query.where(entry.c.id > after)
    if thread is not None:
        query = query.where((entry.c.thread == thread) | (entry.c.subject == thread))
    return tx.rows(query)


def run_with_key(tx: Transaction, key: str) -> dict[str, Any] | None:
    """Return the run that was started with an idempotency key."""
    return tx.row(sa.select(run).where(run.c.idempotency_key == key))


def pieces_after(
    tx: Transaction, run_id: int, after: int, limit: int | None, step_key: str | None = None
) -> list[dict[str, Any]]:
    """Return a run's output pieces in the order they were stored, with step and attempt number."""
    joined = output.join(attempt, attempt.c.id == output.c.attempt_id).join(
        step, step.c.id == attempt.c.step_id
    )
    columns = (
        output.c.id, step.c.key.label("step"), attempt.c.number.label("attempt"),
        output.c.start, output.c.text,
    )  # fmt: skip
    mine = (attempt.c.run_id == run_id) & (output.c.id > after)
    if step_key is not None:
        mine &= step.c.key == step_key
    query = sa.select(*columns).select_from(joined).where(mine)
    return tx.rows(query.order_by(output.c.id).limit(limit))


def waits_of(tx: Transaction, run_ids: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    """Return what runs wait for, by run, with the step that waits and the approval it asks for.

    One query however many runs are listed. An approval that is decided is left out: the engine
    hears of it in a moment, and nobody can answer it any more.
    """
    yes = sa.select(sa.func.count()).where(
        vote.c.approval_id == approval.c.id, vote.c.decision == "approve"
    )
    columns = (
        *wait.c, step.c.key.label("step"), step.c.title, approval.c.question,
        approval.c.role.label("approval_role"), approval.c.need, approval.c.expires_at,
        approval.c.state.label("approval_state"), yes.scalar_subquery().label("approved"),
    )  # fmt: skip
    joined = wait.join(step, step.c.id == wait.c.step_id).outerjoin(
        approval, approval.c.id == wait.c.approval_id
    )
    undecided = wait.c.approval_id.is_(None) | (approval.c.state == "open")
    mine = wait.c.run_id.in_(list(run_ids)) & undecided
    found: dict[int, list[dict[str, Any]]] = {}
    for row in tx.rows(sa.select(*columns).select_from(joined).where(mine).order_by(wait.c.id)):
        found.setdefault(row["run_id"], []).append(row)
    return found
