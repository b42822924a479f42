"""Named queries over routines."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from opsbook.base.database import Transaction
from opsbook.routines.tables import routine_state


def state(tx: Transaction, book: str, routine: str) -> dict[str, Any] | None:
    """Return when a routine is due next and what its last run was."""
    mine = (routine_state.c.book == book) & (routine_state.c.routine == routine)
    return tx.row(sa.select(routine_state).where(mine))


def states(tx: Transaction, book: str) -> list[dict[str, Any]]:
    """Return every routine of a book, the next one due first."""
    mine = sa.select(routine_state).where(routine_state.c.book == book)
    return tx.rows(mine.order_by(routine_state.c.next_at, routine_state.c.routine))


def plan(tx: Transaction, book: str, routine: str, schedule: str, next_at: datetime) -> None:
    """Set a routine's next time, for a schedule that is new or was changed."""
    mine = (routine_state.c.book == book) & (routine_state.c.routine == routine)
    change = sa.update(routine_state).where(mine).values(schedule=schedule, next_at=next_at)
    if not tx.claim(change):
        tx.insert(routine_state, book=book, routine=routine, schedule=schedule, next_at=next_at)


def claim(tx: Transaction, book: str, routine: str, due: datetime, next_at: datetime) -> bool:
    """Take the run that was due at ``due``; ``False`` when another server has it."""
    mine = (routine_state.c.book == book) & (routine_state.c.routine == routine)
    change = sa.update(routine_state).where(mine, routine_state.c.next_at == due)
    return tx.claim(change.values(next_at=next_at, last_due_at=due))


def started(tx: Transaction, book: str, routine: str, run_id: int) -> None:
    """Note the run that the last due time started."""
    mine = (routine_state.c.book == book) & (routine_state.c.routine == routine)
    tx.execute(sa.update(routine_state).where(mine).values(last_run_id=run_id))


def forget(tx: Transaction, book: str, routines: list[str]) -> None:
    """Drop routines that the book no longer has."""
    gone = (routine_state.c.book == book) & routine_state.c.routine.not_in(routines)
    tx.execute(sa.delete(routine_state).where(gone))


def rest(tx: Transaction, book: str) -> None:
    """Let nothing of a book be due: what a draft missed is not made up for when it is active."""
    due = (routine_state.c.book == book) & routine_state.c.next_at.is_not(None)
    tx.execute(sa.update(routine_state).where(due).values(next_at=None))
