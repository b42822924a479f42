"""Runs that a step of another run has started: ended with it, and heard by it when they end.

Whoever locks both locks the run that waits first. A run that ends therefore never touches the one
that waits for it: it publishes ``run.finished``, and the engine's consumer wakes the other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from opsbook import audit
from opsbook.audit.entries import SERVER
from opsbook.base.database import Transaction
from opsbook.runs import store
from opsbook.runs.tables import run
from opsbook.runs.waking import wake

DEEPEST = 8


def cancel_child(tx: Transaction, now: datetime, child_id: int, reason: str) -> None:
    """Tell a run to end because the one that waits for it does; nothing where it has ended."""
    row = store.lock_run(tx, child_id)
    if row["state"] in store.FINISHED:
        return
    values: dict[str, Any] = {"cancelling": True}
    if row["ending"] is None:
        values["reason"] = reason
    mine = (run.c.id == child_id) & ~run.c.cancelling
    if not tx.claim(sa.update(run).where(mine).values(**values)):
        return
    audit.record(
        tx, now, SERVER, "run.cancel_requested", f"run:{child_id}", thread=row["thread"],
        data={"why": reason},
    )  # fmt: skip
    wake(tx, now, row)


def lock_of_ancestors(tx: Transaction, run_id: int | None) -> set[str]:
    """Return the locks that a run and those that wait for it hold: it has them too."""
    held: set[str] = set()
    for _ in range(DEEPEST + 1):
        row = None if run_id is None else store.get(tx, run_id)
        if row is None:
            break
        held |= {row["lock"]} - {None}
        run_id = row["parent_id"]
    return held
