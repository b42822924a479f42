"""One run, with all that can be answered in it."""

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
from opsbook.web import forms, journal, pages, sentences, store
from opsbook.web.numbers import Number
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)

Decision = Literal["retry", "skip", "fail", "stop"]
DECISIONS: Final[dict[str, Decision]] = {
    "retry": "retry", "skip": "skip", "fail": "fail", "stop": "stop",
}  # fmt: skip
STORY: Final = 400
"""Entries of its story that a run's page shows, the newest ones."""


@router.get("/runs/{run_id}")
async def detail(visit: Visitor, run_id: Number) -> Response:
    """Show one run."""

    def read(tx: Transaction) -> dict[str, Any]:
        row, book = find(tx, visit, run_id)
        names = sentences.Names(tx, visit.speech, visit.kept.app.library)
        story = store.story_of_run(tx, run_id, STORY)
        shown = journal.shaped(tx, visit, book, row, names)
        return {
            "run": shown,
            "cut": len(story) >= STORY,
            "story": sentences.story(
                visit.speech, story, names, ZoneInfo(book.timezone), visit.now, _keyed(shown)
            ),
        }

    values = await pages.read(visit, read)
    return pages.show(
        visit, "runs/detail.html", values, topics=f"run:{run_id} approvals incidents pages"
    )


def _keyed(shown: dict[str, Any]) -> list[str]:
    """The steps that share their title with another one of the run."""
    return [one["key"] for part in shown["parts"] for one in part["steps"] if one["of_several"]]


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


@router.post("/runs/{run_id}/steps/{step_key}/withdraw")
async def withdraw(visit: Visitor, run_id: Number, step_key: str) -> Response:
    """Take one's own yes back, while others are still waited for."""
    fields = await visit.form()
    asked = _asked(fields)

    def answer(tx: Transaction, book: Book) -> None:
        _belongs(tx, run_id, asked)
        approvals.withdraw(tx, visit.now, asked, visit.who, book, forms.text(fields, "note"))

    return await _answer(visit, run_id, fields, "withdrawn", answer)


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
    """Say what becomes of a step that was interrupted, or has failed and asks."""
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


@router.post("/runs/{run_id}/comment")
async def comment(visit: Visitor, run_id: Number) -> Response:
    """Write something about a run into its story, also after it has ended."""
    fields = await visit.form()
    return await _answer(
        visit, run_id, fields, "written",
        lambda tx, book: runs.comment(
            tx, visit.now, run_id, visit.who, book, forms.text(fields, "text")
        ),
    )  # fmt: skip


@router.post("/runs/{run_id}/take-over")
async def take_over(visit: Visitor, run_id: Number) -> Response:
    """Look after a run from now on."""
    fields = await visit.form()
    return await _answer(
        visit, run_id, fields, "taken",
        lambda tx, book: runs.take_over(
            tx, visit.now, run_id, visit.who, book, forms.text(fields, "reason")
        ),
    )  # fmt: skip


@router.post("/runs/{run_id}/resume")
async def resume(visit: Visitor, run_id: Number) -> Response:
    """Go on with a failed run at the step that failed, of the revision that it has."""
    fields = await visit.form()

    def answer(tx: Transaction, book: Book) -> None:
        then = visit.kept.app.library.at(tx, rows.lock_run(tx, run_id)["revision"])
        runs.resume(tx, visit.now, run_id, visit.who, book, then, forms.text(fields, "reason"))

    return await _answer(visit, run_id, fields, "resumed", answer)


async def _vote(
    visit: Visit, run_id: int, step_key: str, decision: Literal["approve", "reject"]
) -> Response:
    fields = await visit.form()
    asked, note = _asked(fields), forms.text(fields, "note")

    def answer(tx: Transaction, book: Book) -> Any:
        _belongs(tx, run_id, asked)
        return runs.vote(
            tx, visit.now, asked, visit.who, book, decision, note,
            seen=fields.get("seen") or None,
        )  # fmt: skip

    try:
        said = "approved" if decision == "approve" else "rejected"
        return await _answer(visit, run_id, fields, said, answer)
    except Refused as error:
        refused = error
        await visit.write(
            lambda tx: approvals.record_refusal(tx, visit.now, asked, visit.who, refused)
        )
        raise


def _asked(fields: dict[str, str]) -> int:
    asked = fields.get("approval", "")
    if not asked.isdigit():
        raise Invalid("The form names no approval.", remedy="Reload the page.")
    return int(asked)


def _belongs(tx: Transaction, run_id: int, approval_id: int) -> None:
    if approvals.require(tx, approval_id)["subject"] != f"run:{run_id}":
        raise NotFound(f"Run {run_id} does not ask for approval {approval_id}.")


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
