"""``POST /runs/{id}/…``: a person's answer to a run that waits, and cancelling it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter

from opsbook import runs
from opsbook.access import approvals
from opsbook.access.errors import NotApproved
from opsbook.base.database import Transaction
from opsbook.base.errors import Conflict, Invalid
from opsbook.book import Book
from opsbook.runs import store as run_store
from opsbook.web.api.callers import Ask
from opsbook.web.api.idempotency import Once, OnlyOnce
from opsbook.web.api.models import AnswerStep, CancelRun, DecideStep, RunDetail
from opsbook.web.api.problems import ProblemRoute
from opsbook.web.api.runs import detail
from opsbook.web.numbers import Number

routes = APIRouter(route_class=ProblemRoute, tags=["runs"])

WAITS = {
    "approval": "an approval",
    "person": "a manual step",
    "decision": "a decision about an interrupted step",
}
Kind = Literal["approval", "person", "decision"]
Answer = Callable[[Transaction, datetime, Book], object]


@routes.post("/runs/{run_id}/approve")
async def approve(ask: Ask, once: OnlyOnce, run_id: Number, asked: AnswerStep) -> RunDetail:
    """Approve the step the run waits with. Never with the local token."""
    return await _vote(once, run_id, asked, "approve")


@routes.post("/runs/{run_id}/reject")
async def reject(ask: Ask, once: OnlyOnce, run_id: Number, asked: AnswerStep) -> RunDetail:
    """Reject the step the run waits with; what undoes its steps runs, and the run ends."""
    return await _vote(once, run_id, asked, "reject")


@routes.post("/runs/{run_id}/withdraw")
async def withdraw(ask: Ask, once: OnlyOnce, run_id: Number, asked: AnswerStep) -> RunDetail:
    """Take your yes to the step the run waits with back, while others are still waited for."""

    def answer(tx: Transaction, now: datetime, book: Book) -> None:
        approval = waiting(tx, run_id, "approval", asked.step)["approval_id"]
        approvals.withdraw(tx, now, approval, ask.who, book, note=asked.note)

    return await answered(once, run_id, answer)


@routes.post("/runs/{run_id}/confirm")
async def confirm(ask: Ask, once: OnlyOnce, run_id: Number, asked: AnswerStep) -> RunDetail:
    """Say that the manual step is done."""

    def answer(tx: Transaction, now: datetime, book: Book) -> None:
        wait = waiting(tx, run_id, "person", asked.step)
        runs.confirm(tx, now, run_id, wait["step"], ask.who, book, note=asked.note)

    return await answered(once, run_id, answer)


@routes.post("/runs/{run_id}/decide")
async def decide(ask: Ask, once: OnlyOnce, run_id: Number, asked: DecideStep) -> RunDetail:
    """Decide about an interrupted step: start it again, take it as done, or fail the run."""

    def answer(tx: Transaction, now: datetime, book: Book) -> None:
        wait = waiting(tx, run_id, "decision", asked.step)
        runs.decide(tx, now, run_id, wait["step"], ask.who, book, asked.choice, note=asked.note)

    return await answered(once, run_id, answer)


@routes.post("/runs/{run_id}/cancel")
async def cancel(ask: Ask, once: OnlyOnce, run_id: Number, asked: CancelRun) -> RunDetail:
    """Cancel the run: the step under way is stopped, then what undoes its steps runs."""
    return await answered(
        once, run_id,
        lambda tx, now, book: runs.cancel(tx, now, run_id, ask.who, book, reason=asked.reason),
    )  # fmt: skip


async def _vote(
    once: Once, run_id: int, asked: AnswerStep, decision: Literal["approve", "reject"]
) -> RunDetail:
    ask = once.ask
    now = ask.app.clock.now()
    approval = 0

    def answer(tx: Transaction, now: datetime, book: Book) -> None:
        nonlocal approval
        approval = waiting(tx, run_id, "approval", asked.step)["approval_id"]
        runs.vote(tx, now, approval, ask.who, book, decision, note=asked.note)

    try:
        return await answered(once, run_id, answer)
    except NotApproved as error:  # on record as a refused vote, in the story it belongs to
        refused, error.details["recorded"] = error, True
        await ask.app.database.write(
            lambda tx: approvals.record_refusal(tx, now, approval, ask.who, refused)
        )
        raise


async def answered(once: Once, run_id: int, answer: Answer) -> RunDetail:
    """Give an answer and return the run as it is right after it, in one transaction."""
    ask = once.ask
    now = ask.app.clock.now()

    def seen(tx: Transaction) -> Book:
        return ask.visible(tx, "runs", run_store.get(tx, run_id), f"run {run_id}")[0]

    def write(tx: Transaction) -> RunDetail:
        answer(tx, now, seen(tx))
        return detail(ask, tx, run_store.lock_run(tx, run_id))

    return await once.write(write, sees=seen)


def waiting(tx: Transaction, run_id: int, kind: Kind, step: str | None) -> dict[str, Any]:
    """Return the wait that is answered: the one of that step, or the only one of its kind.

    Raises:
        Conflict: the run waits for nothing of this kind (any more).
        Invalid: several steps wait, and the request does not say which is meant.
    """
    found = [one for one in run_store.waits(tx, run_id) if one["kind"] == kind]
    named = [one for one in found if step in (None, one["step"])]
    if len(named) == 1:
        return named[0]
    if not named:
        at = f" at step {step!r}" if step and found else ""
        raise Conflict(
            f"Run {run_id} does not wait for {WAITS[kind]}{at}.",
            remedy="Look at the run: it says what it waits for.",
        )
    raise Invalid(
        f"{len(named)} steps of run {run_id} wait for {WAITS[kind]}.",
        remedy=f"Name one as step: {', '.join(one['step'] for one in named)}.",
    )
