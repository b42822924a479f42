"""Search: everything the readable books say, by words; incidents and runs by name or number."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.incidents import store as incidents
from opsbook.runs import store as runs
from opsbook.web import journal, pages, readings, store, words
from opsbook.web.handbook import index, links, names, shelf
from opsbook.web.i18n import N_
from opsbook.web.shown import Shown
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
MOST: Final = 8
MOST_RULES: Final = 200
"""Rules whose incidents are looked for; words that fit more rules mean none of them."""
FIRST: Final = ("checks", "runbooks", "services", "people", "rules")
"""Sections that somebody on duty is most likely to mean, where hits are equally good."""
FILES: Final = N_("Files")


@router.get("/search")
async def found(visit: Visitor, q: str = "") -> Response:
    """Show what fits the words."""
    wanted = " ".join(q.split())[:100]
    if wanted:
        await asyncio.gather(
            *(
                asyncio.to_thread(index.of, book)
                for book in _searched(visit)
                if not index.ready(book)
            )
        )
    groups = await pages.read(visit, lambda tx: _find(tx, visit, wanted) if wanted else [])
    values = {"q": wanted, "found": [one for one in groups if one["hits"]]}
    return pages.show(visit, "search/page.html", values)


def _find(tx: Transaction, visit: Visit, wanted: str) -> list[dict[str, Any]]:
    """Return the groups of what fits: of the books in the order of how well, then what happened."""
    ui = Shown(visit, visit.kept.statics)
    say = visit.speech.say
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 else None
    held = {book.id: index.find(book, wanted) for book in _searched(visit)}
    in_books = _in_books(tx, visit, ui, wanted, held)
    happened: list[dict[str, Any]] = [
        {"word": say(N_("Incidents")), "hits": _incidents(tx, visit, ui, held, number)},
        {"word": say(N_("Runs")), "hits": _runs(tx, visit, ui, wanted, number)},
    ]
    happened = [{**one, "more": 0} for one in happened]
    return happened + in_books if number is not None else in_books + happened


def _searched(visit: Visit) -> list[Book]:
    """The books whose texts are looked through, to show them or to find incidents by a rule."""
    both = {book.id: book for one in ("book", "incidents") for book in visit.books(f"{one}:read")}
    return list(both.values())


def _in_books(
    tx: Transaction, visit: Visit, ui: Shown, wanted: str, held: Mapping[str, list[index.Hit]]
) -> list[dict[str, Any]]:
    """What the books say, by section; the section with the best hit first."""
    by_section: dict[str, list[tuple[index.Hit, Book]]] = {}
    several = len(visit.books("book:read")) > 1
    for book in visit.books("book:read"):
        for hit in held[book.id]:
            by_section.setdefault(hit.entry.section, []).append((hit, book))
    order = {name: place for place, name in enumerate((*FIRST, *shelf.ALL))}
    groups = []
    for section, hits in by_section.items():
        hits.sort(key=lambda one: one[0].rank)
        best = hits[0][0].rank
        shown = [_hit(visit, book, hit, wanted, several=several) for hit, book in hits[:MOST]]
        if section == "checks":
            shown = _with_states(tx, visit, ui, hits[:MOST], shown)
        word = FILES if section == "files" else names.SECTIONS.get(section, section)
        more = len(hits) - len(shown)
        place = (best, order.get(section, len(order)))
        groups.append((place, {"word": visit.speech.say(word), "hits": shown, "more": more}))
    return [group for _, group in sorted(groups, key=lambda one: one[0])]


def _hit(visit: Visit, book: Book, hit: index.Hit, wanted: str, *, several: bool) -> dict[str, Any]:
    entry = hit.entry
    before, here, after = index.snippet(entry, wanted) if hit.rank == index.SAID else ("", "", "")
    if entry.section == "files":
        path, title = f"{links.path(book.id, 'files')}/{quote(entry.id)}", entry.id
    elif entry.section == "glossary":
        path, title = f"{links.path(book.id)}#word-{quote(entry.id)}", entry.id
    else:
        path = links.path(book.id, entry.section, entry.id)
        title = links.title(visit.speech, book, entry.section, entry.id)
    return {
        "path": path,
        "title": title or visit.speech.say(names.SECTIONS.get(entry.section, entry.section)),
        "about": entry.id if entry.id != title else "",
        "book": words.text(visit.speech, book.title) if several else "",
        "snippet": (before, here, after) if here else None,
        "glyph": "",
    }


def _with_states(
    tx: Transaction, visit: Visit, ui: Shown, hits: Sequence[tuple[index.Hit, Book]],
    shown: list[dict[str, Any]],
) -> list[dict[str, Any]]:  # fmt: skip
    """Checks as they stand, leading to where they are watched, for who may read that."""
    found: dict[tuple[str, str], readings.Row] = {}
    for book in {book.id: book for _, book in hits}.values():
        if visit.may("checks:read", book):
            ids = {hit.entry.id for hit, one in hits if one.id == book.id}
            rows = readings.rows(tx, visit.speech, visit.now, book, ids)
            found |= {(book.id, row.id): row for row in rows}
    return [
        one
        if (row := found.get((book.id, hit.entry.id))) is None
        else {**one, "path": row.path, "about": row.reading, "glyph": ui.glyph("check", row.state)}
        for (hit, book), one in zip(hits, shown, strict=True)
    ]


def _incidents(
    tx: Transaction, visit: Visit, ui: Shown, held: Mapping[str, list[index.Hit]],
    number: int | None,
) -> list[dict[str, Any]]:  # fmt: skip
    found: dict[int, dict[str, Any]] = {}
    for book in visit.books("incidents:read"):
        one = incidents.get(tx, number) if number is not None else None
        if one is not None and one["book"] == book.id:
            found[one["id"]] = one
        hits = {(hit.entry.section, hit.entry.id) for hit in held[book.id]}
        rules = [
            rule.id
            for rule in book.rules.values()
            if ("rules", rule.id) in hits or ("checks", rule.check or "") in hits
        ]
        found |= {
            row["id"]: row for row in store.incidents_of(tx, book.id, rules[:MOST_RULES], MOST)
        }
    return [
        {
            "path": f"/incidents/{row['id']}",
            "title": f"{row['severity']} {words.text(visit.speech, row['title'])}",
            "about": visit.speech.say("incident %(id)s", id=row["id"]),
            "book": "",
            "snippet": None,
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
            "book": "",
            "snippet": None,
            "glyph": ui.glyph("run", row["state"]),
        }
        for row in list(found.values())[:MOST]
    ]
