"""Search: checks, runbooks, services, people and rules of the books; incidents and runs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from opsbook.base.database import Transaction
from opsbook.book import Book, Text
from opsbook.incidents import store as incidents
from opsbook.runs import store as runs
from opsbook.web import journal, pages, readings, store, words
from opsbook.web.i18n import N_
from opsbook.web.shown import Shown
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
MOST = 12


@router.get("/search")
async def found(visit: Visitor, q: str = "") -> Response:
    """Show what fits the words."""
    wanted = " ".join(q.split())[:100]
    groups = await pages.read(visit, lambda tx: _find(tx, visit, wanted) if wanted else [])
    values = {"q": wanted, "found": [one for one in groups if one["hits"]]}
    return pages.show(visit, "search/page.html", values)


def _find(tx: Transaction, visit: Visit, wanted: str) -> list[dict[str, Any]]:
    ui = Shown(visit, visit.kept.statics)
    say = visit.speech.say
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 else None
    in_checks: list[dict[str, Any]] = []
    for book in visit.books("checks:read"):
        shown = [one.id for one in book.checks.values() if _fits(wanted, one.id, one.title)]
        in_checks += [
            {
                "path": one.path,
                "title": one.title,
                "about": one.reading,
                "glyph": ui.glyph("check", one.state),
            }
            for one in readings.rows(tx, visit.speech, visit.now, book, shown)
        ]
    in_books = [_in_book(visit, book, wanted) for book in visit.books("book:read")]
    return [
        {"word": say(N_("Checks")), "hits": in_checks[:MOST]},
        {
            "word": say(N_("Runbooks")),
            "hits": [hit for one in in_books for hit in one["runbooks"]][:MOST],
        },
        {"word": say(N_("Incidents")), "hits": _incidents(tx, visit, ui, wanted, number)},
        {"word": say(N_("Runs")), "hits": _runs(tx, visit, ui, wanted, number)},
        {
            "word": say(N_("In the book")),
            "hits": [hit for one in in_books for hit in one["others"]][:MOST],
        },
    ]


def _in_book(visit: Visit, book: Book, wanted: str) -> dict[str, list[dict[str, Any]]]:

    def text(value: Text) -> str:
        return words.text(visit.speech, value)

    base = f"/book/{quote(book.id)}"
    runbooks = [
        {
            "path": f"{base}/runbooks/{quote(one.id)}",
            "title": text(one.title),
            "about": one.id,
            "glyph": "",
        }
        for one in book.runbooks.values()
        if _fits(wanted, one.id, one.title, one.description)
    ]
    services = [
        {
            "path": f"{base}#services",
            "title": text(one.title),
            "about": visit.speech.say("service"),
            "glyph": "",
        }
        for one in book.services.values()
        if _fits(wanted, one.id, one.title, one.description)
    ]
    people = [
        {
            "path": f"{base}#people",
            "title": text(one.name),
            "about": ", ".join(one.roles),
            "glyph": "",
        }
        for one in book.people.values()
        if _fits(wanted, one.id, one.name, one.login)
    ]
    rules = [
        {
            "path": f"{base}#rules",
            "title": text(one.title or one.summary),
            "about": visit.speech.say("rule"),
            "glyph": "",
        }
        for one in book.rules.values()
        if _fits(wanted, one.id, one.title, one.summary)
    ]
    return {"runbooks": runbooks, "others": services + people + rules}


def _incidents(
    tx: Transaction, visit: Visit, ui: Shown, wanted: str, number: int | None
) -> list[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for book in visit.books("incidents:read"):
        one = incidents.get(tx, number) if number is not None else None
        if one is not None and one["book"] == book.id:
            found[one["id"]] = one
        rules = [
            rule.id
            for rule in book.rules.values()
            if _fits(wanted, rule.id, rule.title, rule.summary, book.checks[rule.check].title)
        ]
        found |= {row["id"]: row for row in store.incidents_of(tx, book.id, rules, MOST)}
    return [
        {
            "path": f"/incidents/{row['id']}",
            "title": f"{row['severity']} {words.text(visit.speech, row['title'])}",
            "about": visit.speech.say("incident %(id)s", id=row["id"]),
            "glyph": ui.glyph("incident", row["state"]),
        }
        for row in sorted(found.values(), key=lambda row: -row["id"])[:MOST]
    ]


def _runs(
    tx: Transaction, visit: Visit, ui: Shown, wanted: str, number: int | None
) -> list[dict[str, Any]]:
    books = {book.id: book for book in visit.books("runs:read")}
    found = {row["id"]: row for row in store.runs_named(tx, books, wanted, MOST)}
    one = runs.get(tx, number) if number is not None else None
    if one is not None and one["book"] in books:
        found = {one["id"]: one} | found
    return [
        {
            "path": f"/runs/{row['id']}",
            "title": journal.title(visit.speech, books[row["book"]], row),
            "about": visit.speech.say("run %(id)s", id=row["id"]),
            "glyph": ui.glyph("run", row["state"]),
        }
        for row in list(found.values())[:MOST]
    ]


def _fits(wanted: str, *texts: Any) -> bool:
    """Tell whether every word is somewhere in the texts, in whichever language they have."""
    held: list[str] = []
    for one in texts:
        held += one.by_language.values() if isinstance(one, Text) else [str(one or "")]
    whole = " ".join(held).casefold()
    return all(word in whole for word in wanted.casefold().split())
