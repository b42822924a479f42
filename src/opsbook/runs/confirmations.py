"""Who has said that a manual step is done: rows, for as long as that try of the step counts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from opsbook.base.database import Transaction
from opsbook.runs.tables import person_done

Row = dict[str, Any]


def of_step(tx: Transaction, step_id: int) -> list[Row]:
    """Return who has confirmed a step, in order."""
    mine = sa.select(person_done).where(person_done.c.step_id == step_id)
    return tx.rows(mine.order_by(person_done.c.id))


def of_steps(tx: Transaction, step_ids: Collection[int]) -> dict[int, list[Row]]:
    """Return who has confirmed each of these steps, in order; one query for all of them."""
    found: dict[int, list[Row]] = {}
    if not step_ids:
        return found
    mine = sa.select(person_done).where(person_done.c.step_id.in_(list(step_ids)))
    for row in tx.rows(mine.order_by(person_done.c.id)):
        found.setdefault(row["step_id"], []).append(row)
    return found


def keep(tx: Transaction, now: datetime, step_id: int, account_id: int, note: str) -> None:
    """Add somebody's word; the caller holds the run and knows that it is their first."""
    tx.insert(person_done, step_id=step_id, account_id=account_id, note=note, at=now)


def forget(tx: Transaction, step_id: int) -> None:
    """Let what was said of a step count no longer: it is to be done again. The audit keeps it."""
    tx.execute(sa.delete(person_done).where(person_done.c.step_id == step_id))
