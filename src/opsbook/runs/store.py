"""Named queries over the journal. What changes it for a reason is in `journal`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from opsbook.access.tables import access_token
from opsbook.base.database import Instant, Transaction
from opsbook.base.lease import NAME as LEASE
from opsbook.base.lease import lease
from opsbook.checks.tables import observation
from opsbook.runs.errors import NoSuchRun
from opsbook.runs.tables import attempt, run, step, wait
from opsbook.runs.tables import output as piece

Row = dict[str, Any]
OPEN = ("queued", "running", "waiting")
HOLDING = ("running", "waiting")
FINISHED = ("succeeded", "failed", "cancelled")
CHECKS_WITHIN = timedelta(minutes=1)
# What each step of each run asks is built once: see `rows`.
_RUN_LOCKED = sa.select(run).where(run.c.id == sa.bindparam("run")).with_for_update()
_STEPS = sa.select(step).where(step.c.run_id == sa.bindparam("run")).order_by(step.c.position)
_EPOCH = sa.select(lease.c.epoch).where(lease.c.name == LEASE).with_for_update(read=True)


# ---- what people look at ------------------------------------------------------------------------


def get(tx: Transaction, run_id: int) -> Row | None:
    """Return one run."""
    return tx.row(sa.select(run).where(run.c.id == run_id))


def list_runs(
    tx: Transaction,
    *,
    book: str | None = None,
    states: Collection[str] | None = None,
    limit: int = 50,
    before: int | None = None,
) -> list[Row]:
    """Return runs, the newest first; `before` pages back."""
    query = sa.select(run).order_by(run.c.id.desc()).limit(limit)
    if book is not None:
        query = query.where(run.c.book == book)
    if states is not None:
        query = query.where(run.c.state.in_(list(states)))
    return tx.rows(query if before is None else query.where(run.c.id < before))


def steps(tx: Transaction, run_id: int) -> list[Row]:
    """Return a run's steps in order, each with its ``attempts`` and its open ``wait`` or None."""
    found = step_rows(tx, run_id)
    tries: dict[int, list[Row]] = {}
    for row in tx.rows(sa.select(attempt).where(attempt.c.run_id == run_id).order_by(attempt.c.id)):
        tries.setdefault(row["step_id"], []).append(row)
    open_waits = {row["step_id"]: row for row in wait_rows(tx, run_id)}
    return [
        {**row, "attempts": tries.get(row["id"], []), "wait": open_waits.get(row["id"])}
        for row in found
    ]


def waits(tx: Transaction, run_id: int) -> list[Row]:
    """Return what a run waits for, each with the ``step`` (its key) and that step's ``title``."""
    query = _waits().where(wait.c.run_id == run_id).order_by(wait.c.id)
    return tx.rows(query)


def waiting(tx: Transaction, book: str | None = None) -> list[Row]:
    """Return every open wait, the oldest first, with its step and with its run's facts.

    Beside the wait's own: ``step``, ``title``, and of the run ``book``, ``runbook``, ``run_title``,
    ``revision``, ``thread``, ``trigger``, ``attended`` and ``started_by``.
    """
    query = _waits(
        run.c.book, run.c.runbook, run.c.title.label("run_title"), run.c.revision, run.c.thread,
        run.c.trigger, run.c.attended, run.c.started_by,
    ).order_by(wait.c.id)  # fmt: skip
    return tx.rows(query if book is None else query.where(run.c.book == book))


def _waits(*more: sa.ColumnElement[Any]) -> sa.Select[Any]:
    joined = wait.join(step, step.c.id == wait.c.step_id).join(run, run.c.id == wait.c.run_id)
    columns = (*wait.c, step.c.key.label("step"), step.c.title.label("title"), *more)
    return sa.select(*columns).select_from(joined)


def output(tx: Transaction, attempt_id: int, after: int = 0, limit: int | None = None) -> list[Row]:
    """Return an attempt's output from byte `after` of its masked text on, in pieces, in order."""
    mine = (piece.c.attempt_id == attempt_id) & (piece.c.start >= after)
    query = sa.select(piece).where(mine).order_by(piece.c.start)
    return tx.rows(query if limit is None else query.limit(limit))


def tail(tx: Transaction, attempt_id: int, most: int = 16_000) -> str:
    """Return the last characters of an attempt's output, reading no more of it than that."""
    query = sa.select(piece.c.text).where(piece.c.attempt_id == attempt_id)
    told, size = [], 0
    for text in tx.execute(query.order_by(piece.c.start.desc())).scalars():
        told.append(text)
        size += len(text)
        if size >= most:
            break
    return "".join(reversed(told))[-most:]


def stored_after(tx: Transaction, run_id: int, after: int, limit: int) -> list[Row]:
    """Return the pieces of a run's output with an id above `after`, as they were stored."""
    columns = (piece.c.id, piece.c.attempt_id, piece.c.start, piece.c.text)
    joined = piece.join(attempt, attempt.c.id == piece.c.attempt_id)
    mine = (attempt.c.run_id == run_id) & (piece.c.id > after)
    query = sa.select(*columns).select_from(joined).where(mine)
    return tx.rows(query.order_by(piece.c.id).limit(limit))


def ahead_in_line(tx: Transaction, row: Mapping[str, Any]) -> Row | None:
    """Return the run that a queued one waits for because they share a lock; None if it may go."""
    if row["lock"] is None:
        return None
    mine = sa.select(run).where(_ahead(row["book"], row["lock"], row["id"]))
    return tx.row(mine.order_by(run.c.id).limit(1))


# ---- what the engine asks -----------------------------------------------------------------------


def runnable(tx: Transaction, without: Collection[int], limit: int) -> list[int]:
    """Return runs that somebody has to drive, the oldest first; not those that wait in line."""
    other = run.alias("other")
    in_line = sa.exists().where(
        other.c.book == run.c.book,
        other.c.lock == run.c.lock,
        ((other.c.id < run.c.id) & other.c.state.in_(OPEN))
        | ((other.c.id > run.c.id) & other.c.state.in_(HOLDING)),  # one that was resumed is late
    )
    free = (run.c.state == "running") | run.c.lock.is_(None) | run.c.cancelling | ~in_line
    query = sa.select(run.c.id).where(run.c.state.in_(("queued", "running")), free)
    if without:
        query = query.where(run.c.id.not_in(list(without)))
    return list(tx.execute(query.order_by(run.c.id).limit(limit)).scalars())


def cancelling(tx: Transaction, among: Collection[int]) -> list[int]:
    """Return which of these runs somebody has asked to end."""
    if not among:
        return []
    query = sa.select(run.c.id).where(run.c.id.in_(list(among)), run.c.cancelling)
    return list(tx.execute(query).scalars())


def lock_run(tx: Transaction, run_id: int) -> Row:
    """Return a run that nobody else changes before this transaction is over.

    (SQLite has one writer, and leaves the words for it away.)

    Raises:
        NoSuchRun: there is none.
    """
    found = tx.execute(_RUN_LOCKED, {"run": run_id}).mappings().first()
    if found is None:
        raise NoSuchRun(run_id)
    return dict(found)


def step_rows(tx: Transaction, run_id: int) -> list[Row]:
    """Return a run's steps in order, the items of a repeated one behind it."""
    found = [dict(row) for row in tx.execute(_STEPS, {"run": run_id}).mappings()]
    if not any(row["item"] for row in found):
        return found
    at = {row["id"]: row["position"] for row in found}
    return sorted(found, key=lambda row: (at[row["part_of"] or row["id"]], row["item"]))


def wait_rows(tx: Transaction, run_id: int) -> list[Row]:
    """Return a run's open waits."""
    return tx.rows(sa.select(wait).where(wait.c.run_id == run_id).order_by(wait.c.id))


def open_attempt(tx: Transaction, step_id: int) -> Row | None:
    """Return a step's attempt that has an intent and no outcome."""
    mine = (attempt.c.step_id == step_id) & (attempt.c.state == "intended")
    return tx.row(sa.select(attempt).where(mine).order_by(attempt.c.id.desc()).limit(1))


def last_attempt(tx: Transaction, step_id: int) -> Row | None:
    """Return a step's newest attempt."""
    mine = sa.select(attempt).where(attempt.c.step_id == step_id)
    return tx.row(mine.order_by(attempt.c.id.desc()).limit(1))


def interruptions(tx: Transaction, step_id: int) -> int:
    """Return how often a step was interrupted."""
    mine = (attempt.c.step_id == step_id) & (attempt.c.state == "interrupted")
    return int(tx.scalar(sa.select(sa.func.count()).where(mine)) or 0)


def scratches_in_use(tx: Transaction, host: str) -> set[str]:
    """Return the scratch folders on a machine that may still be asked for."""
    asked = sa.select(wait.c.step_id).where(wait.c.kind == "decision")
    wanted = (attempt.c.state == "intended") | (
        (attempt.c.state == "interrupted") & attempt.c.step_id.in_(asked)
    )
    query = sa.select(attempt.c.scratch).where(attempt.c.host == host, wanted)
    return set(tx.execute(query).scalars())


def output_end(tx: Transaction, attempt_id: int) -> int:
    """Return where the stored output of an attempt ends, in bytes of its masked text."""
    mine = sa.select(piece.c.start, piece.c.text).where(piece.c.attempt_id == attempt_id)
    row = tx.row(mine.order_by(piece.c.start.desc()).limit(1))
    return 0 if row is None else row["start"] + len(row["text"].encode())


def store_output(
    tx: Transaction, run_id: int, attempt_id: int, pieces: Sequence[tuple[int, str]]
) -> None:
    """Store pieces of output of an attempt that the caller knows to be its own."""
    if pieces:
        rows = [{"attempt_id": attempt_id, "start": at, "text": text} for at, text in pieces]
        tx.execute(sa.insert(piece), rows)
        tx.touch(f"run:{run_id}")


def epoch_of_the_lease(tx: Transaction) -> int | None:
    """Return the epoch of whoever decides; on PostgreSQL it cannot change before the commit."""
    found: int | None = tx.execute(_EPOCH).scalar()
    return found


def due_waits(tx: Transaction, now: datetime, limit: int) -> list[Row]:
    """Return waits whose time to be looked at has come, with the run's book."""
    joined = wait.join(run, run.c.id == wait.c.run_id)
    query = sa.select(*wait.c, run.c.book).select_from(joined).where(wait.c.wake_at <= now)
    return tx.rows(query.order_by(wait.c.wake_at).limit(limit))


def next_wake(tx: Transaction, after: datetime) -> datetime | None:
    """Return when the next wait has to be looked at, of those that are not due yet."""
    soonest = sa.type_coerce(sa.func.min(wait.c.wake_at), Instant)
    found: datetime | None = tx.scalar(sa.select(soonest).where(wait.c.wake_at > after))
    return found


def postpone(tx: Transaction, wait_id: int, until: datetime) -> None:
    """Look at a wait again later."""
    tx.execute(sa.update(wait).where(wait.c.id == wait_id).values(wake_at=until))


def note(tx: Transaction, wait_id: int, data: Mapping[str, Any]) -> None:
    """Keep something with a wait."""
    tx.execute(sa.update(wait).where(wait.c.id == wait_id).values(data=dict(data)))


def check_waits(tx: Transaction, now: datetime) -> list[Row]:
    """Return the waits for checks, with the run's book.

    Each of them is looked at within CHECKS_WITHIN by itself: so that they are found by their time,
    among any number of others that wait for people. (They are put in order here: asked to, SQLite
    would rather walk through all of them.)
    """
    joined = wait.join(run, run.c.id == wait.c.run_id)
    mine = (wait.c.kind == "check") & (wait.c.wake_at <= now + CHECKS_WITHIN)
    found = tx.rows(sa.select(*wait.c, run.c.book).select_from(joined).where(mine))
    return sorted(found, key=itemgetter("id"))


def waiting_parent(tx: Transaction, run_id: int) -> int | None:
    """Return the run that waits for this one, where one does and has not ended."""
    parent = run.alias("parent")
    query = (
        sa.select(parent.c.id)
        .select_from(run.join(parent, parent.c.id == run.c.parent_id))
        .where(run.c.id == run_id, parent.c.state.in_(OPEN))
    )
    found: int | None = tx.scalar(query)
    return found


def run_of_approval(tx: Transaction, approval_id: int) -> int | None:
    """Return the run that waits for an approval."""
    query = sa.select(wait.c.run_id).where(wait.c.approval_id == approval_id)
    found: int | None = tx.scalar(query)
    return found


# ---- what is known elsewhere --------------------------------------------------------------------


def newest_observation(tx: Transaction, book: str, check: str) -> int:
    """Return the id of a check's newest observation; 0 when it was never looked at."""
    mine = (observation.c.book == book) & (observation.c.check_id == check)
    return int(tx.scalar(sa.select(sa.func.max(observation.c.id)).where(mine)) or 0)


def observations(tx: Transaction, book: str, check: str, after: int, since: datetime) -> list[Row]:
    """Return what a check saw after an observation and since a time, in the order it was stored."""
    mine = (observation.c.book == book) & (observation.c.check_id == check)
    new = (observation.c.id > after) & (observation.c.at >= since)
    return tx.rows(sa.select(observation).where(mine, new).order_by(observation.c.id))


def account_behind(tx: Transaction, actor: str) -> int | None:
    """Return the account that an actor stands for: its own, or that of a personal token."""
    kind, _, number = actor.partition(":")
    if kind == "account" and number.isdigit():
        return int(number)
    if kind == "token" and number.isdigit():
        query = sa.select(access_token.c.account_id).where(access_token.c.id == int(number))
        found: int | None = tx.scalar(query)
        return found
    return None


def _ahead(book: str, lock: str, run_id: int) -> sa.ColumnElement[bool]:
    before = (run.c.id < run_id) & run.c.state.in_(OPEN)
    holds = (run.c.id > run_id) & run.c.state.in_(HOLDING)
    return (run.c.book == book) & (run.c.lock == lock) & (before | holds)
