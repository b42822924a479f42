"""Queries that only the API asks."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from opsbook.access.tables import approval, vote
from opsbook.audit.tables import entry
from opsbook.base import events
from opsbook.base.database import Transaction
from opsbook.runs.tables import attempt, output, person_done, run, step, wait
from opsbook.runs.tables import evidence as attached
from opsbook.web.tables import answer


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
    tx: Transaction, run_id: int, after: int, limit: int, step_key: str | None = None
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
    done = sa.select(sa.func.count()).where(person_done.c.step_id == wait.c.step_id)
    columns = (
        *wait.c, step.c.key.label("step"), step.c.title, approval.c.question,
        approval.c.role.label("approval_role"), approval.c.need, approval.c.expires_at,
        approval.c.state.label("approval_state"), yes.scalar_subquery().label("approved"),
        done.scalar_subquery().label("confirmed"),
    )  # fmt: skip
    joined = wait.join(step, step.c.id == wait.c.step_id).outerjoin(
        approval, approval.c.id == wait.c.approval_id
    )
    undecided = wait.c.approval_id.is_(None) | (approval.c.state == "open")
    mine = wait.c.run_id.in_(list(run_ids)) & undecided
    found: dict[int, list[dict[str, Any]]] = {}
    for row in tx.rows(sa.select(*columns).select_from(joined).where(mine).order_by(wait.c.id)):
        far = {"need": row["need"], "given": row["approved"]}
        if row["kind"] == "person":
            far = {"need": row["data"].get("need", 1), "given": row["confirmed"]}
        elif row["approval_id"] is None:
            far = {"need": 1, "given": 0}
        found.setdefault(row["run_id"], []).append({**row, **far})
    return found


def evidence(tx: Transaction, evidence_id: int) -> dict[str, Any] | None:
    """Return which run an attached file belongs to, without its content."""
    query = sa.select(attached.c.id, attached.c.run_id).where(attached.c.id == evidence_id)
    return tx.row(query)


def take_key(tx: Transaction, key: str, request: str, now: datetime) -> bool:
    """Take an idempotency key for a request; ``False`` when somebody has it.

    On PostgreSQL this waits for whoever is taking the same key in a transaction of their own, and
    so for their answer. The lock of events comes first there: what the request does publishes some,
    and two transactions that took the two in different order would wait for each other.
    """
    postgres = tx.connection.dialect.name == "postgresql"
    if postgres:
        tx.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": events.ORDER_LOCK})
    insert: Any = postgresql.insert if postgres else sqlite.insert
    values = {"key": key, "request": request, "status": 0, "location": "", "body": "", "at": now}
    statement = insert(answer).values(**values).on_conflict_do_nothing(index_elements=["key"])
    return tx.execute(statement.returning(answer.c.id)).scalar() is not None


def answer_of(tx: Transaction, key: str) -> dict[str, Any] | None:
    """Return what a key was used for: its request, and its answer once there is one."""
    return tx.row(sa.select(answer).where(answer.c.key == key))


def settle_answer(tx: Transaction, key: str, status: int, location: str, body: str) -> None:
    """Write down what the request of a key was answered with."""
    values = {"status": status, "location": location, "body": body}
    tx.execute(sa.update(answer).where(answer.c.key == key).values(**values))


def drop_answer(tx: Transaction, key: str) -> None:
    """Give a key back whose request was refused."""
    tx.execute(sa.delete(answer).where(answer.c.key == key, answer.c.status == 0))


def forget_answers(tx: Transaction, before: datetime) -> int:
    """Forget answers that were given before a time."""
    return tx.execute(sa.delete(answer).where(answer.c.at < before)).rowcount
