"""Book: the loaded revision as a handbook, every element with its place in the files."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.book import Book, Runbook, Step
from opsbook.book import store as revisions
from opsbook.web import (
    handbook,
    journal,
    pages,
    prose,
    readings,
    sentences,
    startform,
    store,
    words,
)
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)


@router.get("/book")
async def first(visit: Visitor) -> Response:
    """Show the one book, or let the visitor choose among several."""
    books = visit.readable("book")
    if len(books) == 1:
        return await shown(visit, books[0].id)
    await pages.read(visit, lambda tx: None)
    values = {
        "books": [
            {
                "path": f"/book/{quote(one.id)}",
                "title": words.text(visit.speech, one.title),
                "id": one.id,
            }
            for one in books
        ]
    }
    return pages.show(visit, "book/several.html", values, topics="books")


@router.get("/book/{book_id}")
async def shown(visit: Visitor, book_id: str) -> Response:
    """Show the whole book."""
    book = visit.book(book_id, "book:read")

    def read(tx: Transaction) -> dict[str, Any]:
        about = revisions.about(tx, book.revision) or {}
        names = sentences.Names(tx, visit.speech, visit.kept.app.library)
        return {
            "about": about,
            "author": names.of(about.get("author", "opsbook")),
            "states": {one.id: one for one in readings.rows(tx, visit.speech, visit.now, book)},
            "last": store.last_runs(tx, book.id),
        }

    values = await pages.read(visit, read)
    values |= handbook.shaped(visit, book, values["states"], values["last"])
    return pages.show(
        visit, "book/handbook.html", values, topics="books checks runs incidents pages"
    )


@router.get("/book/{book_id}/runbooks/{runbook_id}")
async def runbook(visit: Visitor, book_id: str, runbook_id: str) -> Response:
    """Show a runbook as it reads, each step as what it will do."""
    book = visit.book(book_id, "book:read")
    found = startform.find(book, runbook_id)

    def read(tx: Transaction) -> list[dict[str, Any]]:
        names = sentences.Names(tx, visit.speech, visit.kept.app.library)
        rows = store.runs_of(tx, book.id, found.id, 5) if visit.may("runs:read", book) else []
        return [
            {**row, "cause": journal.cause(visit, row, names), "took": journal.took(visit, row)}
            for row in rows
        ]

    latest = await pages.read(visit, read)
    values = {
        "book": book,
        "book_title": words.text(visit.speech, book.title),
        "zone": ZoneInfo(book.timezone),
        "runbook": found,
        "title": words.text(visit.speech, found.title),
        "description": words.text(visit.speech, found.description),
        "risk_word": visit.speech.say(journal.RISKS[found.risk]),
        "where": f"{found.file}:1",
        "html": prose.html(found, lambda step, body: _step(visit, book, found, step, body)),
        "params": handbook.params(visit.speech, found),
        "used_by": handbook.used_by(visit.speech, book, found.id),
        "runs": latest,
        "may_start": visit.may("runs:write", book),
    }
    return pages.show(visit, "book/runbook.html", values, topics="books runs incidents pages")


@router.get("/book/{book_id}/files/{path:path}")
async def file(visit: Visitor, book_id: str, path: str, revision: str = "") -> Response:
    """Show a file of the book with its lines numbered; of an older revision if one is named."""
    book = visit.book(book_id, "book:read")

    def read(tx: Transaction) -> Book:
        if not revision or revision == book.revision:
            return book
        found = visit.kept.app.library.at(tx, revision)
        if found.id != book.id:
            raise NotFound(f"The book {book.id} has no revision {revision[:12]!r}.")
        return found

    of = await pages.read(visit, read)
    text = of.files.get(path)
    if text is None:
        raise NotFound(f"The book {book.id} has no file {path!r}.")
    values = {
        "book": book,
        "book_title": words.text(visit.speech, book.title),
        "path": path,
        "revision": of.revision,
        "current": of.revision == book.revision,
        "lines": text.encode("utf-8", "replace").decode().splitlines() or [""],
    }
    return pages.show(visit, "book/file.html", values)


def _step(visit: Visit, book: Book, runbook: Runbook, step: Step, body: Markup) -> Markup:
    """Return a step as a block: what kind, what it may do, how long, and where it is written."""
    say = visit.speech.say
    told: list[Any] = [Markup('<b class="mono">{}</b>').format(step.key)]
    if step.kind in {"approval", "manual"}:
        who = step.by or say("anybody who may run things here")
        told.append(say("waits for %(who)s", who=who))
        if step.within is not None:
            told.append(say("within %(span)s", span=words.length(visit.speech, step.within)))
    elif step.kind == "check":
        hold = (
            say("must hold for %(span)s", span=words.length(visit.speech, step.for_))
            if step.for_
            else say("must hold")
        )
        told.append(hold)
    else:
        told.append(step.kind)
        changes = step.effect == "change"
        word = say("changes something") if changes else say("only reads")
        tag = Markup('<span class="tag {}">{}</span>')
        told.append(tag.format("change" if changes else "", word))
        told.append(say("at most %(span)s", span=words.length(visit.speech, step.timeout)))
    if step.save:
        told.append(say("saves %(name)s", name=step.save))
    where = f"{runbook.file}:{step.line}"
    source = f"/book/{quote(book.id)}/files/{quote(runbook.file)}#L{step.line}"
    bar = Markup(" ").join(Markup("<span>{}</span>").format(one) for one in told)
    link = Markup('<a class="source" href="{}">{}</a>').format(source, where)
    if step.kind == "manual":
        return Markup('<span class="tag">{}</span> ').format(
            say("by %(who)s", who=step.by) if step.by else say("by a person")
        )
    if step.kind == "approval":
        body = Markup('<p class="body">{}</p>').format(step.body.strip())
    return Markup('<div class="block" id="step-{}"><div class="bar">{} {}</div>{}</div>').format(
        step.key, bar, link, body
    )
