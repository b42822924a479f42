"""What people do with a run under way: confirm a manual step, decide an interrupted one, cancel.

Approving is not here: that is `access.approvals`, and the engine hears of it. Each of these is one
conditional update, so that of two answers one counts and the other is told so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa

from opsbook import audit
from opsbook.access import Principal
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid, Refused
from opsbook.book import Book
from opsbook.runs import store
from opsbook.runs.errors import NotWaiting, Over
from opsbook.runs.journal import wake
from opsbook.runs.tables import run, step, wait

Choice = Literal["retry", "skip", "fail"]
LONGEST_NOTE = 10_000


def confirm(
    tx: Transaction, now: datetime, run_id: int, step_key: str, principal: Principal, book: Book,
    note: str = "",
) -> None:  # fmt: skip
    """Say that a manual step is done. `book` is the running revision: roles are today's.

    Raises:
        Refused: not a person, or without the step's role (or runs:write where it names none).
        NotWaiting: nobody is asked for this step, or somebody has just confirmed it.
    """
    row, asked = _asked(tx, run_id, step_key, "person")
    principal.require_person()
    role = asked["role"]
    if role is None:
        principal.require("runs:write", book)
    elif not principal.holds(role, book):
        raise Refused(
            f"{principal.login} does not have the role {role!r}, which this step asks for.",
            remedy=f"Ask somebody who has it, or for the role {role!r} in the book's people.",
            role=role,
        )
    if not tx.claim(sa.delete(wait).where(wait.c.id == asked["id"])):
        raise _too_late(run_id, step_key)
    done = {"state": "succeeded", "message": f"done by {principal.login}", "finished_at": now}
    tx.execute(sa.update(step).where(step.c.id == asked["step_id"]).values(**done))
    _record(tx, now, principal, "step.confirmed", row, note, step=step_key, title=asked["title"])
    wake(tx, now, row)


def decide(
    tx: Transaction, now: datetime, run_id: int, step_key: str, principal: Principal, book: Book,
    choice: Choice, note: str = "",
) -> None:  # fmt: skip
    """Choose for an interrupted step: start it again, take it as done, or fail it.

    What is left of the old attempt is ended before any of these happens.

    Raises:
        Refused: not a person, or without runs:write.
        NotWaiting: the step is not interrupted, or somebody has just decided.
    """
    if choice not in get_args(Choice):
        raise Invalid(f"{choice!r} cannot be chosen.", remedy="Choose retry, skip or fail.")
    row, asked = _asked(tx, run_id, step_key, "decision")
    principal.require_person()
    principal.require("runs:write", book)
    mine = (wait.c.id == asked["id"]) & wait.c.answer.is_(None)
    told = {**asked["data"], "by": principal.login}
    if not tx.claim(sa.update(wait).where(mine).values(answer=choice, data=told)):
        raise _too_late(run_id, step_key)
    _record(tx, now, principal, "step.decided", row, note, step=step_key,
            title=asked["title"], choice=choice)  # fmt: skip
    wake(tx, now, row)


def cancel(
    tx: Transaction, now: datetime, run_id: int, principal: Principal, book: Book, reason: str = ""
) -> None:
    """End a run: the step under way is stopped, then what undoes its steps runs.

    A run that is already undoing goes on with that, but waits for nobody any more.

    Raises:
        Refused: without runs:write.
        Over: it has ended, or is being cancelled already.
    """
    principal.require("runs:write", book)
    row = store.lock_run(tx, run_id)
    if row["state"] in store.FINISHED:
        raise Over(f"Run {run_id} is over: it {row['state']}.")
    values: dict[str, Any] = {"cancelling": True}
    if row["ending"] is None:
        values["reason"] = f"cancelled by {principal.login}"
    mine = (run.c.id == run_id) & ~run.c.cancelling
    if not tx.claim(sa.update(run).where(mine).values(**values)):
        raise Over(f"Run {run_id} is being cancelled already.")
    _record(tx, now, principal, "run.cancel_requested", row, reason)
    wake(tx, now, row)


def _asked(
    tx: Transaction, run_id: int, step_key: str, kind: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    row = store.lock_run(tx, run_id)
    for one in store.waits(tx, run_id):
        if one["step"] == step_key and one["kind"] == kind:
            return row, one
    raise _too_late(run_id, step_key)


def _too_late(run_id: int, step_key: str) -> NotWaiting:
    return NotWaiting(
        f"Step {step_key!r} of run {run_id} does not wait for this, or not any more.",
        remedy="Reload the page to see how it stands.",
    )


def _record(
    tx: Transaction, now: datetime, principal: Principal, action: str, row: dict[str, Any],
    words: str, **data: Any,
) -> None:  # fmt: skip
    if len(words) > LONGEST_NOTE:
        raise Invalid(
            f"The note has {len(words)} characters; {LONGEST_NOTE} fit.",
            remedy="Shorten it, or link to the long text.",
        )
    audit.record(
        tx, now, principal.actor, action, f"run:{row['id']}", thread=row["thread"], data=data,
        text=words.strip() or None,
    )  # fmt: skip
