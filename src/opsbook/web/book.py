"""Book: the loaded revision as a handbook, from its contents down to each element and file."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.responses import Response
from starlette.routing import NoMatchFound

from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.book import Book, Text
from opsbook.book import store as revisions
from opsbook.web import checks, journal, pages, prose, readings, sentences, startform, store, words
from opsbook.web.handbook import (
    contents,
    idle,
    leaves,
    links,
    live,
    names,
    past,
    shelf,
    special,
)
from opsbook.web.handbook import runbook as procedure
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)

EDIT: Final = "edit_book"
"""The name of the route ``/book/{book_id}/edit``, where an element is edited."""
TOPICS: Final = "books checks runs incidents pages alerts"


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
                "path": links.path(one.id),
                "title": words.text(visit.speech, one.title),
                "about": words.text(visit.speech, one.description),
                "holds": contents.sentence(visit.speech, one),
                "draft": one.status == "draft",
                "trouble": visit.kept.app.library.trouble(one.id) is not None,
                "id": one.id,
            }
            for one in books
        ]
    }
    return pages.show(visit, "book/several.html", values, topics="books")


@router.get("/book/{book_id}")
async def shown(visit: Visitor, book_id: str) -> Response:
    """Show what the book is, how it stands, and where everything is."""
    book = visit.book(book_id, "book:read")
    library = visit.kept.app.library

    def read(tx: Transaction) -> dict[str, Any]:
        about = revisions.about(tx, book.revision) or {}
        author = sentences.Names(tx, visit.speech, library).of(about.get("author", "opsbook"))
        rows = readings.rows(tx, visit.speech, visit.now, book) if _sees_checks(visit, book) else []
        bad = [one for one in rows if one.state not in {"ok", "new"}][:6]
        return contents.read(tx, visit, book) | {
            "about": about,
            "author": author,
            "checks": checks.sentence(visit.speech, rows) if rows else "",
            "bad": readings.with_sparks(tx, visit.speech, visit.now, book, bad),
        }

    values = await pages.read(visit, read)
    values |= _around(visit, book) | {
        "description": words.text(visit.speech, book.description),
        "owner": special.reader(visit.speech, book).named(special.OWNERS, book.owner)
        if book.owner
        else "",
        "trouble": library.trouble(book.id),
        "held": library.held(book.id),
        "may_start": visit.may("runs:write", book),
    }
    return pages.show(visit, "book/contents.html", values, topics=TOPICS)


@router.get("/book/{book_id}/runbooks/{runbook_id}")
async def runbook(visit: Visitor, book_id: str, runbook_id: str) -> Response:
    """Show a runbook as it reads, each step as what it will do."""
    book = visit.book(book_id, "book:read")
    found = startform.find(book, runbook_id)
    speech = visit.speech

    def read(tx: Transaction) -> dict[str, Any]:
        names_ = sentences.Names(tx, speech, visit.kept.app.library)
        rows = store.runs_of(tx, book.id, found.id, 5) if visit.may("runs:read", book) else []
        runs = [
            {**row, "cause": journal.cause(visit, row, names_), "took": journal.took(visit, row)}
            for row in rows
        ]
        return {"runs": runs, "past": _past(names_, past.of_file(tx, book, found.file))}

    values = await pages.read(visit, read)
    values |= _around(visit, book) | {
        "runbook": found,
        "title": words.text(speech, found.title),
        "description": words.text(speech, found.description),
        "risk_word": speech.say(journal.RISKS[found.risk]),
        "where": f"{found.file}:1",
        "edit": edit_path(visit, book, f"{found.file}:1"),
        "html": prose.html(
            found,
            lambda step, body: procedure.step(speech, book, found, step, body),
            lambda section: procedure.section(speech, section),
        ),
        "params": procedure.params(speech, found),
        "about": procedure.about(speech, book, found),
        "used": leaves.used_by(speech, book, "runbooks", found.id),
        "may_start": visit.may("runs:write", book),
    }
    return pages.show(visit, "book/runbook.html", values, topics=TOPICS)


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
    current = of.revision == book.revision
    values = _around(visit, book) | {
        "path": path,
        "revision": of.revision,
        "current": current,
        "edit": edit_path(visit, book, f"{path}:1") if current else "",
        "lines": text.encode("utf-8", "replace").decode().splitlines() or [""],
    }
    return pages.show(visit, "book/file.html", values)


@router.get("/book/{book_id}/files")
async def files(visit: Visitor, book_id: str) -> Response:
    """Show which files the book is made of."""
    book = visit.book(book_id, "book:read")
    await pages.read(visit, lambda tx: None)
    listed = [
        {"name": name, "path": f"{links.path(book.id, 'files')}/{quote(name)}",
         "lines": book.files[name].count("\n") + 1}
        for name in sorted(book.files)
    ]  # fmt: skip
    return pages.show(visit, "book/files.html", _around(visit, book) | {"files": listed})


@router.get("/book/{book_id}/{section}")
async def section(visit: Visitor, book_id: str, section: str, start: int = 0) -> Response:
    """Show one section as a list; of one the book does not have, what could be in it."""
    book = visit.book(book_id, "book:read")
    if section not in shelf.ALL:
        raise NotFound(f"The book {book.id} has no section {section!r}.")
    speech, held = visit.speech, shelf.section(book, section)
    start = max(0, min(start, len(held.held)))

    def read(tx: Transaction) -> dict[str, Any]:
        rows: list[readings.Row] = []
        if section == "checks" and held.count and _sees_checks(visit, book):
            rows = readings.rows(tx, speech, visit.now, book)
            shown = rows[start : start + leaves.EACH]
            return {
                "sentence": checks.sentence(speech, rows),
                "rows": readings.with_sparks(tx, speech, visit.now, book, shown),
            }
        last = store.last_runs(tx, book.id) if section == "runbooks" else {}
        return {"sentence": "", "rows": rows, "last": last}

    values = await pages.read(visit, read)
    single = [] if held.single is None else leaves.fields(speech, book, section, "", held.single)
    values |= _around(visit, book) | {
        "section": section,
        "title": names.section(speech, section),
        "about": contents.about(speech, section),
        "count": held.count,
        "idle": held.idle,
        "consequence": idle.consequence(speech, section),
        "entries": [] if values["rows"] else leaves.entries(speech, book, held, start),
        "single": single,
        "where": book.where(section) if held.single is not None else "",
        "edit": edit_path(visit, book, book.where(section)) if held.single is not None else "",
        "keys": leaves.keys(speech, section),
        "earlier": max(0, start - leaves.EACH) if start else None,
        "later": start + leaves.EACH if start + leaves.EACH < len(held.held) else None,
        "start": start,
        "each": leaves.EACH,
        "runbooks": book.runbooks if section == "runbooks" else {},
        "risks": {key: speech.say(word) for key, word in journal.RISKS.items()},
        "may_start": visit.may("runs:write", book),
    }
    return pages.show(visit, "book/section.html", values, topics=TOPICS)


@router.get("/book/{book_id}/{section}/{element_id}")
async def element(visit: Visitor, book_id: str, section: str, element_id: str) -> Response:
    """Show one element: what it says, how it stands, who uses it and what became of it."""
    book = visit.book(book_id, "book:read")
    held = shelf.section(book, section)
    found = held.held.get(element_id)
    if found is None:
        raise NotFound(
            f"The book {book.id} has no {section} {element_id!r}.",
            remedy="It may have been renamed or removed; search for it, or see the contents.",
        )
    speech = visit.speech

    def read(tx: Transaction) -> dict[str, Any]:
        who = sentences.Names(tx, speech, visit.kept.app.library)
        return {
            "live": live.of(tx, visit, book, section, element_id),
            "past": _past(who, past.of_element(tx, book, section, element_id)),
        }

    values = await pages.read(visit, read)
    where = book.where(section, element_id)
    values |= _around(visit, book) | {
        "section": section,
        "section_title": names.section(speech, section),
        "id": element_id,
        "title": links.title(speech, book, section, element_id),
        "description": _text(visit, found, "description"),
        "summary": _text(visit, found, "summary") if getattr(found, "title", None) else "",
        "idle": held.idle,
        "consequence": idle.consequence(speech, section),
        "where": where,
        "edit": edit_path(visit, book, where),
        "ref": getattr(found, "ref", None) or "",
        "fields": leaves.fields(speech, book, section, element_id, found),
        "links": leaves.outside(speech, book, found),
        "used": leaves.used_by(speech, book, section, element_id),
    }
    return pages.show(visit, "book/element.html", values, topics=TOPICS)


def _around(visit: Visit, book: Book) -> dict[str, Any]:
    """What every page of a book shows around its own."""
    return {
        "book": book,
        "book_title": words.text(visit.speech, book.title),
        "book_path": links.path(book.id),
        "zone": ZoneInfo(book.timezone),
    }


def edit_path(visit: Visit, book: Book, where: str) -> str:
    """Return where an element is edited; empty for who may not, or while nothing can be."""
    file, _, line = where.rpartition(":")
    if not file or not visit.may("book:write", book):
        return ""
    try:
        path = visit.request.app.url_path_for(EDIT, book_id=book.id)
    except NoMatchFound:
        return ""
    return f"{path}?{urlencode({'path': file, 'line': line})}"


def _past(who: sentences.Names, story: past.Past) -> dict[str, Any]:
    changes = [{"change": one, "who": who.of(one.row["author"])} for one in story.changes]
    return {"changes": changes, "whole": story.whole, "most": past.MOST}


def _text(visit: Visit, found: Any, name: str) -> str:
    value = getattr(found, name, None)
    return words.text(visit.speech, value) if isinstance(value, Text) else ""


def _sees_checks(visit: Visit, book: Book) -> bool:
    return visit.may("checks:read", book)
