"""``POST /runs/plan``: what a run would do, without starting one.

A question, though it is a POST: parameters may be secret, and an address is written down in logs.
It takes ``runs:read`` and ``book:read``, since a plan shows what the book's steps say; whether the
caller may also start the run is among what the plan tells.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from fastapi import APIRouter

from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid, NotFound
from opsbook.book import Book
from opsbook.runs import dry
from opsbook.web.api.callers import Ask, Asking
from opsbook.web.api.models import Shape, StartRun, Time
from opsbook.web.api.problems import ProblemRoute

routes = APIRouter(route_class=ProblemRoute, tags=["runs"])


class ValueOut(Shape):
    """What a variable would hold: null while nobody knows it; ``saved_by`` is the step that will
    say so. A secret value is never told.
    """

    value: str | None
    secret: bool
    saved_by: str | None


class ExcludedOut(Shape):
    """A person with the role who could not answer: ``started``, ``authored``, ``no account`` or
    ``disabled``.
    """

    person: str
    why: str


class AskOut(Shape):
    """Whom a step would ask; ``may`` are persons of the book. ``oneself``: the book lets people
    approve their own work, on record.
    """

    question: str
    roles: list[str]
    need: int
    within_s: float | None
    may: list[str]
    excluded: list[ExcludedOut]
    oneself: bool


class FaultOut(Shape):
    """What is missing or will go wrong; ``sure`` is whether it must, as things stand."""

    message: str
    step: str
    param: str
    sure: bool


class PlannedStepOut(Shape):
    """A step as it would run. ``uses`` are the variables that it names, ``finds`` all it has.
    ``run`` is the plan of a runbook that the step runs.
    """

    number: int
    key: str
    title: str
    section: str
    line: int
    phase: str
    rollback_of: str | None
    kind: str
    effect: str
    body: str
    finds: list[str]
    uses: dict[str, ValueOut]
    runs: Literal["yes", "no", "unknown"]
    condition: str
    items: list[str] | None
    notes: list[str]
    otherwise: list[str]
    ask: AskOut | None
    due: Time | None
    target: str | None
    credential: str | None
    secrets: dict[str, bool | None]
    run: PlanOut | None


class HeldOut(Shape):
    """A run that holds, or waits for, the lock that this one would need."""

    id: int
    title: str
    state: str


class PlanOut(Shape):
    """The plan of a run. ``undo`` stands in the order in which it would run if the last step
    failed. ``deadline`` is reckoned from now.
    """

    book: str
    revision: str
    runbook: str
    title: str
    risk: str
    params: dict[str, ValueOut]
    day: date
    attended: bool
    lock: str | None
    held_by: list[HeldOut]
    timeout_s: float | None
    deadline: Time | None
    changes: int
    approvals: int
    manual: int
    steps: list[PlannedStepOut]
    undo: list[PlannedStepOut]
    always: list[PlannedStepOut]
    faults: list[FaultOut]
    cut: bool


@routes.post("/runs/plan")
async def plan(ask: Ask, asked: StartRun) -> PlanOut:
    """What a run would do with these parameters; nothing is started, and nothing is written."""
    book = _book_of(ask, asked)
    runbook = book.runbooks[asked.runbook]
    now = ask.app.clock.now()

    def read(tx: Transaction) -> dict[str, Any]:
        around = dry.around(tx, now, book, runbook, ask.who)
        made = dry.plan(book, runbook, asked.params, now, around=around, day=asked.day)
        return dry.to_dict(made)

    return PlanOut.model_validate(await ask.app.database.read(read))


def _book_of(ask: Asking, asked: StartRun) -> Book:
    """Return the running book that is meant.

    Raises:
        NotFound: no readable book has such a runbook.
        Invalid: several have one, and the request does not say which is meant.
    """
    books = ask.books("runs", asked.book)
    found = [one for one in books if asked.runbook in one.runbooks]
    if len(found) > 1:
        raise Invalid(
            f"{len(found)} books have a runbook {asked.runbook!r}.",
            remedy=f"Name one as book: {', '.join(one.id for one in found)}.",
        )
    if not found:
        raise NotFound(
            f"There is no runbook {asked.runbook!r} that you may read.",
            remedy="`opsbook runs` lists what ran; the page Runbooks has all there are.",
        )
    ask.who.require("book:read", found[0])
    return found[0]
