"""Where an edit begins: open drafts, the usual forms, and any file as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.responses import Response

from opsbook.base.database import Transaction
from opsbook.base.errors import Conflict, Invalid, NotFound, OpsbookError
from opsbook.book.editing import CannotEdit
from opsbook.revisions import drafts
from opsbook.revisions.errors import DraftConflict
from opsbook.web import forms, lines, pages, revisions, sayings, sentences, words
from opsbook.web.edit import desk, guided
from opsbook.web.edit.desk import Change, Desk
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter()
MOST_ROWS = 60


@router.get("/book/{book_id}/edit")
async def edit_book(
    visit: Visitor, book_id: str, path: str = "", line: str = "", draft: str = "", new: str = "",
    way: str = "",
) -> Response:  # fmt: skip
    """Show where to begin, or a file: as its form if the line is that of a usual edit."""
    here = await desk.opened(visit, book_id, draft)
    if new:
        return await text_page(visit, here, "", new=True)
    if not path:
        return await _start(visit, here)
    if path not in here.files and path not in here.book.files:
        raise NotFound(f"The book {here.book.id} has no file {path!r}.")
    form = guided.at(here.book, path, line) if way != "text" else None
    if form is not None:
        return await guided_page(visit, here, *form)
    return await text_page(visit, here, path, line=line)


@router.get("/book/{book_id}/edit/{section}/{element_id}")
async def element(
    visit: Visitor, book_id: str, section: str, element_id: str, draft: str = ""
) -> Response:
    """Show the form of a check, a rotation or a team."""
    return await guided_page(visit, await desk.opened(visit, book_id, draft), section, element_id)


@router.post("/book/{book_id}/edit/text")
async def save_text(visit: Visitor, book_id: str) -> Response:
    """Keep a file as somebody wrote it, in their draft."""
    fields = await visit.form()
    here = await desk.opened(visit, book_id, fields.get("draft", ""))
    path, sent = forms.text(fields, "path"), fields.get("text", "")
    before = here.files.get(path)
    text = None if "remove" in fields else lines.as_sent(before, sent)
    try:
        if before is not None and fields.get("seen") and (why := lines.why_not(before)):
            raise Invalid(f"{path} cannot be edited here. {why}")
        kept = await desk.save(visit, here, [Change(path, text, fields.get("seen") or None)])
    except DraftConflict as error:
        again = await desk.opened(visit, book_id, fields.get("draft", ""))
        return await text_page(visit, again, path, sent=sent, error=error)
    except (Invalid, Conflict) as error:
        new = "new" in fields
        return await text_page(visit, here, path, sent=sent, error=error, new=new)
    return pages.go(visit, f"{here.path}/drafts/{kept}?path={quote(path)}", "saved")


@router.post("/book/{book_id}/edit/{section}/{element_id}")
async def save_element(visit: Visitor, book_id: str, section: str, element_id: str) -> Response:
    """Change just the values of a form, in the visitor's draft."""
    fields = await visit.form()
    here = await desk.opened(visit, book_id, fields.get("draft", ""))
    made = guided.form(visit.speech, here, section, element_id)
    try:
        texts = guided.applied(made, here, fields)
        changes = [
            Change(file, text, fields.get(f"seen:{file}") or None)
            for file, text in texts.items()
            if text != here.files[file] or fields.get(f"seen:{file}") != here.digest(file)
        ]
        kept = await desk.save(visit, here, changes)
    except (Invalid, Conflict) as error:
        return await guided_page(visit, here, section, element_id, fields=fields, error=error)
    return pages.go(visit, f"{here.path}/drafts/{kept}", "saved")


async def _start(visit: Visit, here: Desk) -> Response:
    book = here.book

    def read(tx: Transaction) -> list[dict[str, Any]]:
        names = sentences.Names(tx, visit.speech, visit.kept.app.library)
        return [
            {
                **row,
                "who": names.of(f"account:{row['account_id']}"),
                "mine": row["account_id"] == visit.who.account_id,
                "paths": ", ".join(sorted(row["files"])),
                "zone": ZoneInfo(book.timezone),
            }
            for row in drafts.of_book(tx, book.id)
        ]

    found = await pages.read(visit, read)
    values = around(visit, here) | {
        "drafts": found,
        "forms": [
            {
                "title": title,
                "many": max(0, len(held) - MOST_ROWS),
                "rows": [
                    (f"{here.path}/edit/{section}/{quote(one)}{_query(here)}",
                     words.text(visit.speech, getattr(element, "title", None)) or one)
                    for one, element in list(held.items())[:MOST_ROWS]
                ],
            }
            for section, title, held in (
                ("checks", visit.speech.say("A threshold"), book.checks),
                ("rotations", visit.speech.say("A rotation"), book.rotations),
                ("teams", visit.speech.say("Who is called first"),
                 {one.id: one for one in book.teams.values() if one.rotation is None}),
            )
            if held
        ],
        "runbooks": [
            (here.edit(path=one.file), words.text(visit.speech, one.title))
            for one in list(book.runbooks.values())[:MOST_ROWS]
            if one.file in here.files
        ],
        "files": [(name, here.edit(path=name)) for name in sorted(here.files)],
        "new": here.edit(new=1),
        "source": visit.kept.app.revisions.source_of(book.id) is not None,
    }  # fmt: skip
    return pages.show(visit, "edit/start.html", values, topics="books")


async def text_page(
    visit: Visit, here: Desk, path: str, *, line: str = "", sent: str | None = None,
    error: OpsbookError | None = None, new: bool = False,
) -> Response:  # fmt: skip
    """Show a file as text; after a refusal with what was typed, and what is there by now."""
    await pages.read(visit, lambda tx: None)
    now = here.files.get(path)
    form = guided.at(here.book, path, line)
    clash = isinstance(error, DraftConflict)
    values = around(visit, here) | {
        "path": path,
        "new": new,
        "line": line if line.isdigit() else "",
        "text": sent if sent is not None else now or "",
        "seen": "" if new else here.digest(path),
        "why_not": visit.speech.say(why) if now and (why := lines.why_not(now)) else "",
        "form": f"{here.path}/edit/{form[0]}/{quote(form[1])}{_query(here)}" if form else "",
        "theirs": lines.difference(now, lines.as_sent(now, sent or "")) if clash else [],
        "clash": clash,
        "error": sayings.error(visit.speech, error) if error else "",
    }
    status = error.status if error else 200
    return pages.show(visit, "edit/text.html", values, status=status)


async def guided_page(
    visit: Visit, here: Desk, section: str, element_id: str, *,
    fields: Mapping[str, str] | None = None, error: OpsbookError | None = None,
) -> Response:  # fmt: skip
    """Show the form of an element; where it cannot be made, say why and lead to the text."""
    await pages.read(visit, lambda tx: None)
    try:
        made = guided.form(visit.speech, here, section, element_id)
    except CannotEdit as refused:
        file, _, line = here.book.where(section, element_id).rpartition(":")
        return await text_page(visit, here, file, line=line, error=refused)
    given = fields or {}
    values = around(visit, here) | {
        "form": made,
        "given": given,
        "override": guided.OVERRIDE,
        "seen": [(file, here.digest(file)) for file in made.files],
        "as_text": here.edit(path=made.file, line=made.line, way="text"),
        "clash": isinstance(error, DraftConflict),
        "error": sayings.error(visit.speech, error) if error else "",
    }
    status = error.status if error else 200
    return pages.show(visit, "edit/guided.html", values, status=status)


def around(visit: Visit, here: Desk) -> dict[str, Any]:
    """What every page of an edit shows around its own."""
    book = here.book
    return revisions.around(visit, book) | {
        "desk": here,
        "still": True,  # nothing is put in the place of what somebody types
        "trouble": revisions.trouble(visit, book),
    }


def _query(here: Desk) -> str:
    return f"?draft={here.number}" if here.draft else ""
