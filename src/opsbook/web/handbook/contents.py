"""The first page of a book: what it is, how it stands, and where everything is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from opsbook import people
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.book.model import Sections
from opsbook.checks import store as checks
from opsbook.routines import store as routines
from opsbook.web import readings, words
from opsbook.web.handbook import facts, links, names, shelf, special, store
from opsbook.web.i18n import N_, Speech
from opsbook.web.shown import Shown
from opsbook.web.visit import Visit

SHOWN: Final = 5
"""Names of elements beside a section."""
SERVICES: Final = 24
ABOUT: Final = ("timezone", "languages", "self_approval", "retention", "holidays", "version")
RUNBOOKS: Final = N_("Procedures that are run: their steps, and the way back.")


def read(tx: Transaction, visit: Visit, book: Book) -> dict[str, Any]:
    """Return everything the contents show."""
    states = _states(tx, visit, book)
    speech = visit.speech
    reader = special.reader(speech, book).of(book)
    return {
        "groups": [
            (
                speech.say(title),
                [
                    {
                        "path": links.path(book.id, one.name),
                        "title": names.section(speech, one.name),
                        "about": about(speech, one.name),
                        "count": one.count if one.single is None else 0,
                        "idle": one.idle,
                        "line": _line(tx, visit, book, one, states),
                    }
                    for one in several
                ],
            )
            for title, several in shelf.shelves(book)
        ],
        "any_idle": any(one.idle for _, several in shelf.shelves(book) for one in several),
        "missing": [
            {"path": links.path(book.id, name), "title": names.section(speech, name)}
            for name in shelf.missing(book)
        ],
        "services": _services(visit, book, states),
        "more_services": max(0, len(book.services) - SERVICES),
        "facts": facts.facts(reader, book, (), skip=_but(ABOUT)),
        "glossary": [(term, words.text(speech, text)) for term, text in book.glossary.items()],
        "links": [special.link(reader, one) for one in book.links],
        "releases": [
            {
                "version": one.version,
                "date": one.date.isoformat() if one.date else "",
                "by": one.author or "",
                "approved": one.approved_by or "",
                "changes": words.text(speech, one.changes),
            }
            for one in book.history
        ],
        "sentence": sentence(speech, book),
        "counts": _counts(states),
    }


def sentence(speech: Speech, book: Book) -> str:
    """Say in one line how much the book holds."""
    services, checks_, rules = len(book.services), len(book.checks), len(book.rules)
    runbooks = len(book.runbooks)
    told = [
        (services, speech.say_n("%(n)s service", "%(n)s services", services)),
        (checks_, speech.say_n("%(n)s check", "%(n)s checks", checks_)),
        (rules, speech.say_n("%(n)s rule", "%(n)s rules", rules)),
        (runbooks, speech.say_n("%(n)s runbook", "%(n)s runbooks", runbooks)),
    ]
    parts = [said for n, said in told if n]
    return ", ".join(parts) + "." if parts else speech.say("Nothing is written in it yet.")


def about(speech: Speech, section: str) -> str:
    """Return what a section is for, in the model's own words."""
    if section == "runbooks":
        return speech.say(RUNBOOKS)
    field = Sections.model_fields.get(section)
    return speech.say(field.description) if field is not None and field.description else ""


def _but(kept: Sequence[str]) -> frozenset[str]:
    return frozenset(Book.model_fields) - frozenset(kept)


def _states(tx: Transaction, visit: Visit, book: Book) -> Mapping[str, str]:
    if not visit.may("checks:read", book):
        return {}
    seen = checks.statuses(tx, book.id)
    return {id: seen[id]["state"] if id in seen else "new" for id in book.checks}


def _counts(states: Mapping[str, str]) -> list[tuple[str, int]]:
    counted = Counter(states.values())
    return [(state, counted[state]) for state in readings.WEIGHT if counted[state]]


def _services(visit: Visit, book: Book, states: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each service with the worst state among its checks, and how many of those are not fine."""
    mine: dict[str, list[str]] = {}
    for check in book.checks.values():
        if check.service is not None and check.id in states:
            mine.setdefault(check.service, []).append(states[check.id])
    return [
        {
            "path": links.path(book.id, "services", one.id),
            "title": words.text(visit.speech, one.title),
            "state": min(seen, key=lambda state: readings.WEIGHT.get(state, 3)) if seen else "",
            "checks": len(seen),
        }
        for one in list(book.services.values())[:SERVICES]
        for seen in [mine.get(one.id, [])]
    ]


def _line(
    tx: Transaction, visit: Visit, book: Book, section: shelf.Section, states: Mapping[str, str]
) -> Markup:
    """What is worth knowing of a section before opening it: how it stands, else what is in it."""
    speech, ui = visit.speech, Shown(visit, visit.kept.statics)
    if section.name == "checks" and states:
        told = [
            Markup("<span>{} {}</span>").format(ui.state("check", state), n)
            for state, n in _counts(states)
        ]
        return Markup(" ").join(told)
    if section.name == "rules" and visit.may("incidents:read", book):
        firing = store.firing(tx, book.id) & set(book.rules)
        if firing:
            said = speech.say_n("%(n)s fires now", "%(n)s fire now", len(firing))
            return Markup('<span class="state critical">{}</span>').format(said)
    if section.name == "severities" and visit.may("incidents:read", book):
        n = sum(store.open_by_severity(tx, book.id).values())
        if n:
            said = speech.say_n("%(n)s open incident", "%(n)s open incidents", n)
            return Markup('<span class="strong">{}</span>').format(said)
    if section.name == "teams":
        duty = people.duty(tx, book, visit.now)
        return Markup(" ").join(
            Markup("<span>{}: <b>{}</b></span>").format(
                links.called(speech, one) or one.id, links.title(speech, book, "people", first[0])
            )
            for one in list(book.teams.values())[:SHOWN]
            if (first := duty.of(one.id, visit.now))
        )
    if section.name == "routines" and visit.may("runs:read", book):
        due = next((row for row in routines.states(tx, book.id) if row["routine"] in book.routines),
                   None)  # fmt: skip
        if due is not None:
            zone = ZoneInfo(book.timezone)
            title = links.title(speech, book, "routines", due["routine"])
            ahead = ui.ahead(due["next_at"], zone)
            return Markup("<span>{} {}</span>").format(title, ahead)
    called = [links.called(speech, one) or id for id, one in list(section.held.items())[:SHOWN]]
    more = ["…"] if section.count > SHOWN else []
    listed = " · ".join([*(one.rstrip(".") for one in called), *more])
    return Markup("<span>{}</span>").format(listed) if called else Markup()
