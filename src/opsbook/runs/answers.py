"""What people answer a run that waits: a vote, a manual step is done, a decision, to cancel it.

Each of these locks the run first, so that of two answers one counts and the other is told so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa

from opsbook import audit
from opsbook.access import Principal, accounts, approvals, links, model
from opsbook.base.database import Transaction
from opsbook.base.errors import Conflict, Invalid, Refused
from opsbook.book import Book
from opsbook.runs import confirmations, store
from opsbook.runs.errors import NotWaiting, Over
from opsbook.runs.tables import run, step, wait
from opsbook.runs.waking import wake

Choice = Literal["retry", "skip", "fail", "stop"]


def vote(
    tx: Transaction, now: datetime, approval_id: int, principal: Principal, book: Book,
    decision: Literal["approve", "reject"], note: str = "", *, seen: str | None = None,
) -> str:  # fmt: skip
    """Vote as `access.approvals.decide` does, and let a run that has its answer move at once.

    The engine would hear of it by the event as well, some tens of milliseconds later.
    """
    run_id = store.run_of_approval(tx, approval_id)
    row = store.lock_run(tx, run_id) if run_id is not None else None
    state = approvals.decide(tx, now, approval_id, principal, book, decision, note, seen=seen)
    if state != "open" and row is not None:
        wake(tx, now, row)
    return state


def confirm(
    tx: Transaction, now: datetime, run_id: int, step_key: str, principal: Principal, book: Book,
    note: str = "",
) -> None:  # fmt: skip
    """Say that a manual step is done. `book` is the running revision: roles are today's.

    Where several people have to, the last of them ends the step, and none of them counts twice.

    Raises:
        Refused: not a person, or without the step's roles (or runs:write where it names none).
        NotWaiting: nobody is asked for this step, its time is over, or it has just been confirmed.
        Conflict: they have confirmed it already, and others are waited for.
        Invalid: the note is too long, or no text.
    """
    row, asked = _asked(tx, run_id, step_key, "person")
    account = may_do(principal, asked["role"], book)
    said = audit.note(note)
    if asked["due_at"] is not None and asked["due_at"] <= now:
        raise _too_late(run_id, step_key)
    need = int(asked["data"].get("need", 1))
    given = confirmations.of_step(tx, asked["step_id"])
    _speaks_first(tx, now, principal, [one["account_id"] for one in given], need)
    confirmations.keep(tx, now, asked["step_id"], account, said)
    so_far = len(given) + 1
    about = {"step": step_key, "title": asked["title"], "confirmed": so_far, "need": need}
    if so_far < need:
        _record(tx, now, principal, "step.confirmed_partly", row, said, **about)
        tx.touch("runs")
        return
    if not tx.claim(sa.delete(wait).where(wait.c.id == asked["id"])):
        raise _too_late(run_id, step_key)
    people = [*(one["account_id"] for one in given), account]
    logins = accounts.logins(tx, people)
    by = ", ".join(logins.get(one, f"account:{one}") for one in people)
    done = {"state": "succeeded", "message": f"done by {by}", "finished_at": now}
    tx.execute(sa.update(step).where(step.c.id == asked["step_id"]).values(**done))
    _record(tx, now, principal, "step.confirmed", row, said, **about)
    wake(tx, now, row)


def _speaks_first(
    tx: Transaction, now: datetime, principal: Principal, given: list[int], need: int
) -> None:
    """Refuse a second word of one person, under whichever account."""
    account = principal.account_id or 0
    so_far = f"{len(given)} of {need} did."
    if account in given:
        told = f"{principal.login} has confirmed this already; {so_far}"
    elif not links.one_person(tx, now, account).isdisjoint(given):
        told = (
            f"{principal.login} counts as one person, by a sign-in link, with somebody who has "
            f"confirmed this already; {so_far}"
        )
    else:
        return
    raise Conflict(told, remedy="It waits for somebody else.")


def may_do(principal: Principal, role: str | None, book: Book) -> int:
    """Return the account of somebody who may do a manual step that asks for these roles.

    Raises:
        Refused: not a person, or without any of the roles (or runs:write where it names none).
    """
    principal.require_person()
    roles = model.roles_of(role)
    if not roles:
        principal.require("runs:write", book)
    elif not any(principal.holds(one, book) for one in roles):
        wanted = " or ".join(repr(one) for one in roles)
        raise Refused(
            f"{principal.login} does not have the role {wanted}, which this step asks for.",
            remedy=f"Ask somebody who has it, or for the role {wanted} in the book's people.",
            role=roles[0],
            roles=list(roles),
        )
    return principal.account_id or 0


def decide(
    tx: Transaction, now: datetime, run_id: int, step_key: str, principal: Principal, book: Book,
    choice: Choice, note: str = "",
) -> None:  # fmt: skip
    """Choose for a step that was interrupted or has failed: try again, take it as done, fail it.

    For a main step that has failed also ``stop``: the run ends there and nothing is undone. What is
    left of an interrupted attempt is ended before any of these happens.

    Raises:
        Refused: not a person, or without runs:write.
        NotWaiting: nothing is to be decided about the step, or somebody has just decided.
        Invalid: it cannot be chosen for this step, or the note is too long or no text.
    """
    if choice not in get_args(Choice):
        raise Invalid(f"{choice!r} cannot be chosen.", remedy="Choose retry, skip, fail or stop.")
    row, asked = _asked(tx, run_id, step_key, "decision")
    principal.require_person()
    principal.require("runs:write", book)
    _fits(tx, asked, choice)
    said = audit.note(note)
    mine = (wait.c.id == asked["id"]) & wait.c.answer.is_(None)
    told = {**asked["data"], "by": principal.login}
    if not tx.claim(sa.update(wait).where(mine).values(answer=choice, data=told)):
        raise _too_late(run_id, step_key)
    _record(tx, now, principal, "step.decided", row, said, step=step_key,
            title=asked["title"], choice=choice)  # fmt: skip
    wake(tx, now, row)


def _fits(tx: Transaction, asked: dict[str, Any], choice: Choice) -> None:
    """Refuse to stop anywhere but after a main step that has failed: elsewhere nothing is left
    to be undone, or nobody knows what was done.
    """
    if choice != "stop":
        return
    phase = tx.scalar(sa.select(step.c.phase).where(step.c.id == asked["step_id"]))
    if not asked["data"].get("failed") or phase != "main":
        raise Invalid(
            "'stop' leaves things as they are after a main step has failed, and this step "
            + ("was interrupted." if phase == "main" else f"belongs to {phase}."),
            remedy="Choose retry, skip or fail.",
        )


def cancel(
    tx: Transaction, now: datetime, run_id: int, principal: Principal, book: Book, reason: str = ""
) -> None:
    """End a run: the step under way is stopped, then what undoes its steps runs.

    A run that is already undoing goes on with that, but waits for nobody any more. What it asks is
    taken back at once, so that nobody approves what will not happen.

    Raises:
        Refused: without runs:write.
        Over: it has ended, or is being cancelled already.
        Invalid: the reason is too long, or no text.
    """
    principal.require("runs:write", book)
    said = audit.note(reason, "reason")
    row = store.lock_run(tx, run_id)
    if row["state"] in store.FINISHED:
        raise Over(f"Run {run_id} is over: it {row['state']}.")
    values: dict[str, Any] = {"cancelling": True}
    if row["ending"] is None:
        values["reason"] = f"cancelled by {principal.login}"
    mine = (run.c.id == run_id) & ~run.c.cancelling
    if not tx.claim(sa.update(run).where(mine).values(**values)):
        raise Over(f"Run {run_id} is being cancelled already.")
    _record(tx, now, principal, "run.cancel_requested", row, said)
    for asked in store.wait_rows(tx, run_id):
        if asked["approval_id"] is not None:
            approvals.void(tx, now, asked["approval_id"], "cancelled")
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
    audit.record(
        tx, now, principal.actor, action, f"run:{row['id']}", thread=row["thread"], data=data,
        text=words or None,
    )  # fmt: skip
