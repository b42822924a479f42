"""Runs: what runs and ran, starting a runbook, and one run with all that can be answered in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.responses import Response

from opsbook import runs
from opsbook.access import approvals
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid, NotFound, Refused
from opsbook.book import Book
from opsbook.runs import store as rows
from opsbook.web import forms, journal, pages, sayings, sentences, startform, store, waiting
from opsbook.web.i18n import N_
from opsbook.web.numbers import Before, Number
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
EACH = 30

Decision = Literal["retry", "skip", "fail"]
DECISIONS: Final[dict[str, Decision]] = {"retry": "retry", "skip": "skip", "fail": "fail"}
FILTERS: Final[dict[str, tuple[str, tuple[str, ...] | None]]] = {
    "": (N_("all"), None),
    "open": (N_("under way"), ("queued", "running", "waiting")),
    "failed": (N_("failed"), ("failed",)),
    "succeeded": (N_("succeeded"), ("succeeded",)),
    "cancelled": (N_("cancelled"), ("cancelled",)),
}


@router.get("/runs")
async def listed(visit: Visitor, show: str = "", before: Before = None) -> Response:
    """Show what waits for the visitor, then runs newest first."""
    show = show if show in FILTERS else ""

    def read(tx: Transaction) -> dict[str, Any]:
        names = sentences.Names(tx, visit.speech, visit.kept.app.library)
        books = {book.id: book for book in visit.readable("runs")}
        states = FILTERS[show][1]
        found = store.runs(tx, list(books), states=states, limit=EACH, before=before)
        return {
            "waits": [one for one in waiting.for_me(tx, visit) if one.run],
            "runs": [_row(visit, books[one["book"]], one, names) for one in found],
            "older": f"/runs?show={show}&before={found[-1]['id']}" if len(found) == EACH else None,
            "open": store.run_states(tx, list(books)),
        }

    values = await pages.read(visit, read)
    values |= {
        "sentence": _how_many(visit, values["open"], len(values["waits"])),
        "tabs": [
            {
                "path": f"/runs?show={key}" if key else "/runs",
                "word": visit.speech.say(word),
                "here": key == show,
            }
            for key, (word, _) in FILTERS.items()
        ],
        "may_start": bool(visit.books("runs:write")),
    }
    return pages.show(visit, "runs/list.html", values, topics="runs approvals incidents pages")


@router.get("/runs/{run_id}")
async def detail(visit: Visitor, run_id: Number) -> Response:
    """Show one run."""

    def read(tx: Transaction) -> dict[str, Any]:
        row, book = find(tx, visit, run_id)
        names = sentences.Names(tx, visit.speech, visit.kept.app.library)
        story = store.story_of_run(tx, run_id)
        return {
            "run": journal.shaped(tx, visit, book, row, names),
            "story": sentences.story(
                visit.speech, story, names, ZoneInfo(book.timezone), visit.now
            ),
        }

    values = await pages.read(visit, read)
    return pages.show(
        visit, "runs/detail.html", values, topics=f"run:{run_id} approvals incidents pages"
    )


@router.get("/book/{book_id}/runbooks/{runbook_id}/start")
async def start_form(visit: Visitor, book_id: str, runbook_id: str) -> Response:
    """Ask for the parameters of a runbook."""
    book = visit.book(book_id, "runs:write")
    return await startform.page(visit, book, startform.find(book, runbook_id))


@router.post("/book/{book_id}/runbooks/{runbook_id}/start")
async def start(visit: Visitor, book_id: str, runbook_id: str) -> Response:
    """Start a runbook; everything that is wrong with its parameters is shown at once."""
    fields = await visit.form()
    book = visit.book(book_id, "runs:write")
    runbook = startform.find(book, runbook_id)
    visit.who.require("runs:write", book)
    given = startform.given(runbook, fields)
    named = runbook.risk != "dangerous" or forms.text(fields, "named") == runbook.id
    key = f"{visit.who.actor}/{fields['once'][:80]}" if fields.get("once") else None
    try:
        if not named:
            raise Invalid(startform.NOT_NAMED, problems=[startform.NOT_NAMED])
        run_id = await visit.write(
            lambda tx: runs.start(
                tx, visit.now, book=book, runbook=runbook.id, params=given,
                started_by=visit.who.actor, attended=True, idempotency_key=key,
            )
        )  # fmt: skip
    except Invalid as error:
        return await startform.page(visit, book, runbook, fields, error)
    return pages.go(visit, f"/runs/{run_id}", "started")


@router.post("/runs/{run_id}/cancel")
async def cancel(visit: Visitor, run_id: Number) -> Response:
    """Cancel a run: nothing further starts, and what can be undone is undone."""
    fields = await visit.form()
    reason = forms.text(fields, "reason")

    def write(tx: Transaction) -> None:
        _, book = find(tx, visit, run_id)
        runs.cancel(tx, visit.now, run_id, visit.who, book, reason)

    await visit.write(write)
    return pages.go(visit, forms.local_path(fields.get("back"), f"/runs/{run_id}"), "cancelled")


@router.post("/runs/{run_id}/steps/{step_key}/approve")
async def approve(visit: Visitor, run_id: Number, step_key: str) -> Response:
    """Approve what a step waits for."""
    return await _vote(visit, run_id, step_key, "approve")


@router.post("/runs/{run_id}/steps/{step_key}/reject")
async def reject(visit: Visitor, run_id: Number, step_key: str) -> Response:
    """Reject what a step waits for."""
    return await _vote(visit, run_id, step_key, "reject")


@router.post("/runs/{run_id}/steps/{step_key}/confirm")
async def confirm(visit: Visitor, run_id: Number, step_key: str) -> Response:
    """Say that a manual step was done."""
    fields = await visit.form()
    note = forms.text(fields, "note")
    return await _answer(
        visit, run_id, fields, "confirmed",
        lambda tx, book: runs.confirm(tx, visit.now, run_id, step_key, visit.who, book, note),
    )  # fmt: skip


@router.post("/runs/{run_id}/steps/{step_key}/decide")
async def decide(visit: Visitor, run_id: Number, step_key: str) -> Response:
    """Say what becomes of an interrupted step."""
    fields = await visit.form()
    choice = DECISIONS.get(fields.get("choice", ""))
    if choice is None:
        raise Invalid("The form names no decision.", remedy="Choose one of its buttons.")
    return await _answer(
        visit, run_id, fields, "decided",
        lambda tx, book: runs.decide(
            tx, visit.now, run_id, step_key, visit.who, book, choice, forms.text(fields, "note")
        ),
    )  # fmt: skip


async def _vote(
    visit: Visit, run_id: int, step_key: str, decision: Literal["approve", "reject"]
) -> Response:
    fields = await visit.form()
    asked, note = fields.get("approval", ""), forms.text(fields, "note")
    if not asked.isdigit():
        raise Invalid("The form names no approval.", remedy="Reload the page.")

    def answer(tx: Transaction, book: Book) -> Any:
        if approvals.require(tx, int(asked))["subject"] != f"run:{run_id}":
            raise NotFound(f"Run {run_id} does not ask for approval {asked}.")
        return approvals.decide(
            tx, visit.now, int(asked), visit.who, book, decision, note,
            seen=fields.get("seen") or None,
        )  # fmt: skip

    try:
        said = "approved" if decision == "approve" else "rejected"
        return await _answer(visit, run_id, fields, said, answer)
    except Refused as error:
        refused = error
        await visit.write(
            lambda tx: approvals.record_refusal(tx, visit.now, int(asked), visit.who, refused)
        )
        raise


async def _answer(
    visit: Visit, run_id: int, fields: dict[str, str], said: str,
    answer: Callable[[Transaction, Book], Any],
) -> Response:  # fmt: skip
    def write(tx: Transaction) -> None:
        _, book = find(tx, visit, run_id)
        answer(tx, book)

    await visit.write(write)
    return pages.go(visit, forms.local_path(fields.get("back"), f"/runs/{run_id}"), said)


def find(tx: Transaction, visit: Visit, run_id: int) -> tuple[dict[str, Any], Book]:
    """Return a run the visitor may see, and the running book that says who may what in it.

    Raises:
        NotFound: there is none of that number, or none for this visitor.
    """
    row = rows.get(tx, run_id)
    book = next(
        (one for one in visit.books("runs:read") if row is not None and one.id == row["book"]), None
    )
    if row is None or book is None:
        raise NotFound(f"There is no run {run_id}.")
    return row, book


def _row(visit: Visit, book: Book, row: dict[str, Any], names: sentences.Names) -> dict[str, Any]:
    return {
        **row,
        "title": journal.title(visit.speech, book, row),
        "cause": journal.cause(visit, row, names),
        "took": journal.took(visit, row),
        "reason": sayings.told(visit.speech, row["reason"]),
        "zone": ZoneInfo(book.timezone),
    }


def _how_many(visit: Visit, open_: dict[str, int], mine: int) -> str:
    say_n = visit.speech.say_n
    under_way = open_.get("running", 0) + open_.get("queued", 0)
    parts = []
    if mine:
        parts.append(say_n("%(n)s run waits for you.", "%(n)s runs wait for you.", mine))
    if under_way:
        parts.append(say_n("%(n)s is running.", "%(n)s are running.", under_way))
    others = open_.get("waiting", 0) - mine
    if others > 0:
        parts.append(say_n("%(n)s waits for others.", "%(n)s wait for others.", others))
    return " ".join(parts) or visit.speech.say("Nothing runs now.")
