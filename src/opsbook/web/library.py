"""The library: every runbook that the visitor may read, to be found by words and started.

The words are looked for by the same index as everywhere else (`handbook.index`): names first, then
what a runbook says, its steps and scripts too, in Korean and English. Without words the list is in
the order of titles, book by book: people find a shelf again by where it was.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from starlette.responses import Response

from opsbook.base.database import Transaction
from opsbook.book import Book, Runbook
from opsbook.book.runbook import Risk
from opsbook.web import journal, pages, runstore, words
from opsbook.web.handbook import index, links, special
from opsbook.web.i18n import Speech
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
EACH: Final = 40
MOST_CAUSES: Final = 3
Words = Annotated[str, Query(max_length=200)]
Found = tuple[Book, Runbook, tuple[str, str, str] | None]


@router.get("/runbooks")
async def listed(
    visit: Visitor, q: Words = "", risk: Words = "", book: Words = "", start: int = 0
) -> Response:
    """Show the runbooks that fit the words, the best first; all of them without any."""
    books = {one.id: one for one in visit.readable("book")}
    here = [books[book]] if book in books else list(books.values())
    q, risk = " ".join(q.split())[:100], risk if risk in journal.RISKS else ""
    if q:
        unread = [one for one in here if not index.ready(one)]
        await asyncio.gather(*(asyncio.to_thread(index.of, one) for one in unread))
    found = [one for one in _found(visit.speech, here, q) if risk in {"", one[1].risk}]
    start = max(0, min(start, len(found)))
    shown = found[start : start + EACH]

    def read(tx: Transaction) -> dict[str, dict[str, Any]]:
        return {
            one.id: runstore.newest_of(
                tx, one.id, [runbook.id for held, runbook, _ in shown if held.id == one.id]
            )
            for one in here
            if visit.may("runs:read", one)
        }

    last = await pages.read(visit, read)
    all_of_them = sum(len(one.runbooks) for one in here)
    values = {
        "q": q,
        "risk": risk,
        "book": book if book in books else "",
        "risks": [(key, visit.speech.say(word)) for key, word in journal.RISKS.items()],
        "books": [(one.id, words.text(visit.speech, one.title)) for one in books.values()],
        "rows": [_row(visit, *one, last) for one in shown],
        "count": len(found),
        "all": all_of_them,
        "several": len(here) > 1,
        "earlier": _path(q, risk, book, max(0, start - EACH)) if start else "",
        "later": _path(q, risk, book, start + EACH) if start + EACH < len(found) else "",
        "sentence": _sentence(visit.speech, len(found), all_of_them, bool(q or risk)),
    }
    return pages.show(visit, "runs/library.html", values, topics="runs books")


def _found(speech: Speech, books: list[Book], q: str) -> list[Found]:
    if not q:
        every: list[Found] = [
            (book, runbook, None) for book in books for runbook in book.runbooks.values()
        ]
        return sorted(every, key=lambda one: words.text(speech, one[1].title).casefold())
    hits = [
        (hit, book)
        for book in books
        for hit in index.find(book, q)
        if hit.entry.section == "runbooks" and hit.entry.id in book.runbooks
    ]
    return [
        (
            book,
            book.runbooks[hit.entry.id],
            index.snippet(hit.entry, q) if hit.rank == index.SAID else None,
        )
        for hit, book in sorted(hits, key=lambda one: one[0].rank)
    ]


def _row(
    visit: Visit, book: Book, runbook: Runbook, snippet: tuple[str, str, str] | None,
    last: dict[str, dict[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    speech = visit.speech
    path = links.path(book.id, "runbooks", runbook.id)
    newest = last.get(book.id, {}).get(runbook.id)
    return {
        "id": runbook.id,
        "book": words.text(speech, book.title),
        "title": words.text(speech, runbook.title),
        "description": words.text(speech, runbook.description),
        "path": path,
        "risk": runbook.risk,
        "risk_word": speech.say(journal.RISKS[runbook.risk]),
        "changes": sum(one.effect == "change" for one in runbook.in_phase("main")),
        "steps": len(runbook.in_phase("main")),
        "owner": special.reader(speech, book).named(special.OWNERS, runbook.owner)
        if runbook.owner
        else "",
        "causes": _causes(speech, book, runbook.id),
        "snippet": snippet if snippet and snippet[1] else None,
        "last": newest,
        "runs": f"/runs?{urlencode({'runbook': runbook.id, 'book': book.id})}" if newest else "",
        "zone": ZoneInfo(book.timezone),
        "start": f"/book/{quote(book.id)}/runbooks/{quote(runbook.id)}/start"
        if visit.may("runs:write", book) and book.status != "draft"
        else "",
    }


def _causes(speech: Speech, book: Book, runbook: str) -> list[str]:
    """Say what starts a runbook by itself: routines with their schedule, rules that alert."""
    told = [
        speech.say("%(routine)s: %(schedule)s", routine=words.text(speech, one.title),
                   schedule=one.schedule)
        for one in book.routines.values()
        if one.runbook == runbook
    ]  # fmt: skip
    told += [
        speech.say("when %(rule)s fires", rule=words.text(speech, one.title) or one.id)
        for one in book.rules.values()
        if one.runbook == runbook
    ]
    return [*told[:MOST_CAUSES], *(["…"] if len(told) > MOST_CAUSES else [])]


def _sentence(speech: Speech, found: int, every: int, narrowed: bool) -> str:
    if not narrowed:
        return speech.say_n("%(n)s runbook", "%(n)s runbooks", every)
    return speech.say_n("%(n)s of %(all)s runbooks fits.", "%(n)s of %(all)s runbooks fit.", found,
                        all=every)  # fmt: skip


def _path(q: str, risk: Risk | str, book: str, start: int) -> str:
    query = {"q": q, "risk": risk, "book": book, "start": start}
    return f"/runbooks?{urlencode({name: one for name, one in query.items() if one})}"
