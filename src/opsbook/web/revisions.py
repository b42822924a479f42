"""Revisions of a book that wait for an approval, and what keeps its source from running.

What is held, who may approve it and who is excluded is decided where the approval is asked for
(`opsbook.revisions.asking`) and taken (`opsbook.access.approvals`); here it is shown, and a vote is
handed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.responses import Response

from opsbook.access import Principal, accounts, approvals, approvers
from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound, Refused
from opsbook.book import Book
from opsbook.book.library import Library, Trouble
from opsbook.revisions import asking, plan, store
from opsbook.revisions.model import Candidate
from opsbook.revisions.plan import store as under_way
from opsbook.web import forms, lines, pages, sayings, sentences, words
from opsbook.web.i18n import N_, Speech
from opsbook.web.numbers import Number
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
MOST_CHANGES: Final = 200
MOST_PROBLEMS: Final = 10
AUTHORED: Final = N_("wrote something since the last approved revision")


@router.get("/book/{book_id}/held")
async def held_revisions(visit: Visitor, book_id: str) -> Response:
    """Show what waits: what it changes, who wrote it, who may approve, and who may not."""
    book = visit.book(book_id, "book:read")

    def read(tx: Transaction) -> dict[str, Any]:
        names = sentences.Names(tx, visit.speech, visit.kept.app.library)
        found = store.open_held(tx, book.id)
        return {"held": [shaped(tx, visit, book, row, names) for row in found]}

    values = around(visit, book) | await pages.read(visit, read)
    values["trouble"] = trouble(visit, book)
    return pages.show(visit, "revisions/held.html", values, topics="books approvals")


@router.post("/book/{book_id}/held/{held_id}/approve")
async def approve(visit: Visitor, book_id: str, held_id: Number) -> Response:
    """Let a held revision run."""
    return await _vote(visit, book_id, held_id, "approve")


@router.post("/book/{book_id}/held/{held_id}/reject")
async def reject(visit: Visitor, book_id: str, held_id: Number) -> Response:
    """Keep a held revision from running; the same content is not asked for again."""
    return await _vote(visit, book_id, held_id, "reject")


async def _vote(
    visit: Visit, book_id: str, held_id: int, decision: Literal["approve", "reject"]
) -> Response:
    fields = await visit.form()
    book = visit.book(book_id, "book:read")

    def find(tx: Transaction) -> int:
        row = store.held_by_id(tx, held_id)
        if row is None or row["book"] != book.id:
            raise NotFound(f"The book {book.id} has no held revision {held_id}.")
        return int(row["approval_id"])

    asked = await visit.kept.app.database.read(find)
    note, seen = forms.text(fields, "note"), fields.get("seen") or None
    try:
        await visit.write(
            lambda tx: approvals.decide(
                tx, visit.now, asked, visit.who, book, decision, note, seen=seen
            )
        )
    except Refused as error:
        refused = error
        await visit.write(
            lambda tx: approvals.record_refusal(tx, visit.now, asked, visit.who, refused)
        )
        raise
    said = "approved" if decision == "approve" else "rejected"
    return pages.go(visit, f"/book/{quote(book.id)}/held", said)


# ---- shown on several pages -------------------------------------------------------------------


def around(visit: Visit, book: Book) -> dict[str, Any]:
    """What the pages about a book's revisions show around their own."""
    return {
        "book": book,
        "book_title": words.text(visit.speech, book.title),
        "book_path": f"/book/{quote(book.id)}",
        "zone": ZoneInfo(book.timezone),
        "may_edit": visit.may("book:write", book),
    }


def shaped(
    tx: Transaction, visit: Visit, book: Book, row: Mapping[str, Any], names: sentences.Names
) -> dict[str, Any]:
    """Return a held revision with who is asked, as pages show it."""
    asked = approvals.require(tx, row["approval_id"])
    given = approvals.votes(tx, row["approval_id"])
    refused = approvers.why_not(tx, visit.now, asked, given, visit.who, book)
    logins = accounts.logins(tx, asked["excluded"])
    new, old = store.files_of(tx, row["revision"]), store.files_of(tx, row["parent"])
    changed = sorted(path for path in {*new, *old} if new.get(path) != old.get(path))
    voter = approvers.voter(tx, visit.now, visit.who, asked, book)
    return {
        **row,
        "who": names.of(row["author"]),
        "from": origin(visit.speech, row["origin"]),
        "bound_to": asked["bound_to"],
        "whom": [
            names.person(book.id, one) for one in approvers.could_approve(book, asked, logins)
        ],
        "excluded": []
        if approvers.asked(asked, book).record
        else [names.of(f"account:{one}") for one in asked["excluded"]],
        "because": visit.speech.say(AUTHORED),
        "mine": refused is None,
        "rejects": voter.entitled and voter.enabled and asked["state"] == "open",
        "oneself": visit.who.account_id in asked["excluded"],
        "why_not": sayings.error(visit.speech, refused) if refused else "",
        "decided": asked["state"] != "open",
        "plan": told(visit, new, map(plan.change_of, row["changes"]),
                     lambda path, line: f"/book/{quote(book.id)}/files/{quote(path)}"
                                        f"?revision={row['revision']}#L{line}"),
        "diff": [{"path": path, "lines": lines.difference(old.get(path), new.get(path))}
                 for path in changed],
        "zone": ZoneInfo(book.timezone),
    }  # fmt: skip


def would_ask(
    tx: Transaction, visit: Visit, book: Book, author: int, names: sentences.Names
) -> dict[str, Any]:
    """Return whom a draft of somebody's would wait for, before it is published."""
    candidate = Candidate(book=book, source="", origin="", author="", accounts=(author,))
    shut = asking.excluded(tx, candidate)
    asked = {"role": None, "permission": asking.PERMISSION, "excluded": shut,
             "self_approval": book.self_approval}  # fmt: skip
    people = approvers.could_approve(book, asked, accounts.logins(tx, shut))
    return {
        "whom": [names.person(book.id, one) for one in people],
        "excluded": []
        if book.self_approval == "record"
        else [names.of(f"account:{one}") for one in shut],
        "because": visit.speech.say(AUTHORED),
    }


def told(
    visit: Visit, files: Mapping[str, str], changes: Iterable[plan.Change],
    link: Callable[..., str],
) -> dict[str, Any]:  # fmt: skip
    """Return a plan's changes in the visitor's language, with links to their lines."""
    every = list(changes)
    shown = []
    for one in every[:MOST_CHANGES]:
        file, _, line = one.where.rpartition(":")
        shown.append(
            {
                "said": one.told(visit.speech.say),
                "loosens": one.loosens,
                "soon": one.soon,
                "where": one.where,
                "link": link(path=file, line=line) if file in files else "",
            }
        )
    return {"changes": shown, "more": max(0, len(every) - MOST_CHANGES)}


def goes_on(tx: Transaction, who: Principal, library: Library, book: Book) -> plan.Running:
    """Return what goes on in a book, as far as somebody may read it."""
    runs, incidents = who.may("runs:read", book), who.may("incidents:read", book)
    return plan.Running(
        under_way.runs_in_flight(tx, library, book.id) if runs else (),
        under_way.open_incidents(tx, book) if incidents else (),
        under_way.firing(tx, book.id) if incidents else {},
        under_way.undelivered(tx, book.id) if incidents else {},
    )


def origin(speech: Speech, told_as: str) -> str:
    """Return where a revision comes from: an edit by its draft, else the source's own name."""
    kind, _, rest = told_as.partition(":")
    return speech.say("draft %(id)s", id=rest) if kind == "edit" else told_as


def trouble(visit: Visit, book: Book) -> dict[str, Any] | None:
    """Return what keeps a book's source from running, as a band shows it."""
    found = visit.kept.app.library.trouble(book.id)
    if found is None:
        return None
    return {
        "title": trouble_title(visit.speech, book, found),
        "message": sayings.told(visit.speech, found.message),
        "remedy": sayings.told(visit.speech, found.remedy),
        "problems": [str(one) for one in found.problems[:MOST_PROBLEMS]],
        "more": max(0, len(found.problems) - MOST_PROBLEMS),
        "source": found.source,
        "since": found.since,
    }


def trouble_title(speech: Speech, book: Book, found: Trouble) -> str:
    """Return a source's trouble in one sentence."""
    values = {"book": words.text(speech, book.title), "revision": book.revision[:12]}
    if found.problems and found.kind == "broken":
        return speech.say_n(
            "The source of %(book)s does not load: %(n)s problem; revision %(revision)s runs on.",
            "The source of %(book)s does not load: %(n)s problems; revision %(revision)s runs on.",
            len(found.problems), **values,
        )  # fmt: skip
    if found.kind in {"gone", "access", "empty"}:
        return speech.say(
            "The source of %(book)s cannot be read; revision %(revision)s runs on.", **values
        )
    return speech.say(
        "The source of %(book)s is not what runs; revision %(revision)s runs on.", **values
    )
