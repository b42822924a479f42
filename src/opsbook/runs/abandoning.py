"""Ending a run that nobody can move: as it stands, from its rows alone.

What a run does next is computed from its book, its rows and what its steps gave out, and to compute
it may fail: again and again, after a restart too, for as long as the same things are in it. Such a
run would hold its lock for ever, and cancelling it would be computed as well. So it is ended here
without asking what it would have to do: nothing more of it is done, nothing undone, nothing begun.
Whatever of it still runs is killed first, as an ended run has nothing under way.

Nothing here reads the book or the situation. What is needed for that may be what fails.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from opsbook import audit
from opsbook.access import approvals
from opsbook.audit.entries import SERVER
from opsbook.base import secrets
from opsbook.base.database import Transaction
from opsbook.base.errors import OpsbookError
from opsbook.runs import rows, sealed, store
from opsbook.runs.children import cancel_child
from opsbook.runs.drive import Tools, end_all
from opsbook.runs.errors import LeaseLost
from opsbook.runs.model import OPEN
from opsbook.runs.tables import attempt, run, step, wait
from opsbook.runs.waking import announce

Row = dict[str, Any]
NOT_MOVED: Final = "the server could not move this run any more"
LONGEST_TOLD: Final = 500
AS_IT_STOOD: Final = "it was ended as it stood, and nothing more of it was done or undone"


async def abandon(tools: Tools, run_id: int, failures: int, error: Exception) -> None:
    """End a run that failed to move so often, the last time with this error.

    Raises:
        StillAlive: a process of it could not be ended; to be tried again later.
        LeaseLost: another server decides now.
    """
    epoch = tools.lease.epoch
    tried = await tools.database.read(lambda tx: left_behind(tx, run_id))
    for one in tried:
        if one["host"] == tools.host:
            await _end(tools, one)
    told = what_failed(error, tools)

    def write(tx: Transaction) -> None:
        if store.epoch_of_the_lease(tx) != epoch:
            raise LeaseLost(f"Run {run_id} is decided by another server now.")
        end(tx, tools.clock.now(), run_id, failures, told, tools.host)

    await tools.database.write(write)
    for one in tried:
        if one["host"] == tools.host:
            tools.discard(Path(one["scratch"]))


def what_failed(error: Exception, tools: Tools) -> str:
    """Say what went wrong as far as everybody may read it.

    The text of an error that is not our own may quote anything, what a step printed or an SQL
    statement with its values: of these the kind is told, and the server's log has the rest.
    """
    kind = f"{type(error).__name__}, more of which is in the server's log"
    if not isinstance(error, OpsbookError):
        return kind
    try:
        told = secrets.mask(error.message, tools.secrets())
    except Exception:  # noqa: BLE001 (that it cannot be masked may be why the run cannot move)
        return kind
    kept = told.replace("\0", "").encode("utf-8", "replace").decode()
    return kept[:LONGEST_TOLD].rstrip(".")


async def _end(tools: Tools, tried: Row) -> None:
    """Kill what is left of an attempt. Every executor is asked: whose it was is in the book."""
    whose, then = f"run {tried['run_id']}", "the run ends when they do"
    for executor in tools.executors.values():
        await end_all(executor, Path(tried["scratch"]), whose, then)


def left_behind(tx: Transaction, run_id: int) -> list[Row]:
    """Return the attempts of a run of which something may still run: without a last word."""
    unsettled = sa.select(step.c.id).where(step.c.run_id == run_id, step.c.state.in_(OPEN))
    open_ones = (attempt.c.state == "intended") | (
        (attempt.c.state == "interrupted") & attempt.c.step_id.in_(unsettled)
    )
    return tx.rows(sa.select(attempt).where(attempt.c.run_id == run_id, open_ones))


def end(
    tx: Transaction, now: datetime, run_id: int, failures: int, told: str, host: str
) -> None:  # fmt: skip
    """Close everything that is open of a run, and tell of it as of any other that has ended.

    It has failed, or is cancelled where that was asked and it had not failed before. Runs that its
    steps wait for are told to end, as always.
    """
    row = store.lock_run(tx, run_id)
    if row["state"] in store.FINISHED:
        return
    for asked in store.wait_rows(tx, run_id):
        if asked["approval_id"] is not None:
            approvals.void(tx, now, asked["approval_id"], "cancelled")
        if asked["kind"] == "run":
            cancel_child(tx, now, asked["data"]["run"], f"run {run_id} ends")
    tx.execute(sa.delete(wait).where(wait.c.run_id == run_id))
    for one in left_behind(tx, run_id):
        if one["state"] == "intended":
            why = NOT_MOVED if one["host"] == host else f"{NOT_MOVED}; it ran on {one['host']}"
            still = {"state": "intended"}
            rows.claim(
                tx, attempt, one["id"], still, state="interrupted", ended_at=now, message=why
            )
    for one in store.step_rows(tx, run_id):
        if one["state"] in OPEN:
            message = one["message"] or NOT_MOVED
            rows.update(tx, step, one["id"], state="cancelled", message=message, finished_at=now)
            audit.record(
                tx, now, SERVER, "step.cancelled", f"run:{run_id}", thread=row["thread"],
                data={"step": one["key"], "title": one["title"], "message": message},
            )  # fmt: skip
    pending = (step.c.run_id == run_id) & (step.c.state == "pending")
    tx.execute(sa.update(step).where(pending).values(state="skipped"))
    state = "cancelled" if row["cancelling"] and row["ending"] != "failed" else "failed"
    why = f"{NOT_MOVED}, {failures} times in a row ({told}): {AS_IT_STOOD}"
    reason = f"{row['reason']}; {why}" if row["reason"] else why
    values: Row = {"state": state, "ending": state, "reason": reason, "finished_at": now}
    rows.update(tx, run, run_id, **values)
    sealed.erase(tx, run_id)
    audit.record(
        tx, now, SERVER, f"run.{state}", f"run:{run_id}", thread=row["thread"],
        data={"reason": reason},
    )  # fmt: skip
    announce(tx, now, "run.finished", {**row, **values}, parent=row["parent_id"])
    tx.touch("runs", f"run:{run_id}")
