"""Runs: what waits for the visitor, what runs, and what ran, filtered by all that one remembers.

Somebody who looks for a run remembers a word of the runbook's name, a day, a colleague. Words are
looked for in the names of runbooks (of today's book, in all its languages), not in the rows: that
stays fast whatever has piled up, and finds the runs of a runbook that was renamed since as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from starlette.responses import Response

from opsbook.access import accounts
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.runs import sealed
from opsbook.web import journal, pages, runstore, sayings, sentences, store, waiting, words
from opsbook.web.handbook import index
from opsbook.web.i18n import N_
from opsbook.web.numbers import Before
from opsbook.web.runstore import Wanted
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
EACH: Final = 30
MOST_PEOPLE: Final = 300
SHORT: Final = 40
"""Characters of a parameter in a list."""
SHOW: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "": (N_("all"), ()),
    "open": (N_("under way"), ("queued", "running", "waiting")),
    "failed": (N_("failed"), ("failed",)),
    "succeeded": (N_("succeeded"), ("succeeded",)),
    "cancelled": (N_("cancelled"), ("cancelled",)),
}
TRIGGERS: Final = {
    "": N_("anything"),
    "person": N_("a person or a program"),
    "incident": N_("an incident"),
    "routine": N_("a routine"),
    "run": N_("another run"),
}
WAITS: Final = {
    "decision": N_("waits for a decision"),
    "time": N_("waits for its time"),
    "run": N_("waits for another run"),
}
WAITING: Final = N_("It waits.")
Text = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True)
class Asked:
    """The filters as they stand in the address."""

    show: str = ""
    q: str = ""
    book: str = ""
    runbook: str = ""
    who: str = ""
    trigger: str = ""
    since: date | None = None
    until: date | None = None

    @property
    def narrowed(self) -> bool:
        """Whether anything but the state is asked for."""
        return self != Asked(show=self.show)

    def path(self, **more: Any) -> str:
        """Return the address of the list with these filters and some others."""
        mine = {
            "show": self.show, "q": self.q, "book": self.book, "runbook": self.runbook,
            "who": self.who, "trigger": self.trigger, "since": self.since, "until": self.until,
        } | more  # fmt: skip
        query = urlencode({name: str(one) for name, one in mine.items() if one})
        return f"/runs?{query}" if query else "/runs"


@router.get("/runs")
async def listed(
    visit: Visitor, show: Text = "", q: Text = "", book: Text = "", runbook: Text = "",
    who: Text = "", trigger: Text = "", since: Text = "", until: Text = "", before: Before = None,
) -> Response:  # fmt: skip
    """Show what waits for the visitor, then runs newest first."""
    books = {one.id: one for one in visit.readable("runs")}
    asked = Asked(
        show if show in SHOW else "", " ".join(q.split()), book if book in books else "",
        runbook, who, trigger if trigger in TRIGGERS else "", _day(since), _day(until),
    )  # fmt: skip

    def read(tx: Transaction) -> dict[str, Any]:
        names = sentences.Names(tx, visit.speech, visit.kept.app.library)
        wanted = _wanted(tx, visit, asked, books)
        found = runstore.history(tx, wanted, EACH, before)
        waits = runstore.waits_of(tx, [one["id"] for one in found.rows if _waits(one)])
        narrow = asked.narrowed or asked.show or before is not None
        return {
            "waits": [] if narrow else [one for one in waiting.for_me(tx, visit) if one.run],
            "runs": [
                _row(visit, books[one["book"]], one, names, waits.get(one["id"]))
                for one in found.rows
            ],
            "older": asked.path(before=found.older) if found.older else None,
            "looked_to": found.looked_to,
            "open": store.run_states(tx, list(books)),
            "people": _people(tx, visit, list(books.values())),
            "mine": len([one for one in waiting.for_me(tx, visit) if one.run]),
        }

    values = await pages.read(visit, read)
    values |= _around(visit, asked, books)
    values["sentence"] = _how_many(visit, values["open"], values["mine"])
    return pages.show(visit, "runs/list.html", values, topics="runs approvals incidents pages")


def _around(visit: Visit, asked: Asked, books: dict[str, Book]) -> dict[str, Any]:
    say = visit.speech.say
    return {
        "asked": asked,
        "tabs": [
            {"path": asked.path(show=key), "word": say(word), "here": key == asked.show}
            for key, (word, _) in SHOW.items()
        ],
        "books": [(one.id, words.text(visit.speech, one.title)) for one in books.values()],
        "triggers": [(key, say(word)) for key, word in TRIGGERS.items()],
        "runbook_title": _title(visit, asked, books),
        "without_runbook": asked.path(runbook=""),
        "may_start": bool(visit.books("runs:write")),
        "sees_library": bool(visit.books("book:read")),
    }


def _wanted(tx: Transaction, visit: Visit, asked: Asked, books: dict[str, Book]) -> Wanted:
    here = [asked.book] if asked.book else list(books)
    zone = visit.zone if not asked.book else ZoneInfo(books[asked.book].timezone)
    return Wanted(
        books=tuple(here),
        states=SHOW[asked.show][1],
        runbooks=_runbooks(tx, asked, [books[one] for one in here]),
        actors=_actors(tx, asked.who),
        trigger=asked.trigger,
        since=_start(asked.since, zone),
        until=_start(asked.until + timedelta(days=1), zone) if asked.until else None,
    )


def _runbooks(
    tx: Transaction, asked: Asked, books: list[Book]
) -> tuple[tuple[str, str], ...] | None:
    """The runbooks meant by one's id or by words; those that are gone from the book as well."""
    if asked.runbook:
        return tuple((one.id, asked.runbook) for one in books)
    sought = asked.q.casefold().split()
    if not sought:
        return None
    found: dict[tuple[str, str], None] = {}
    for book in books:
        for hit in index.find(book, asked.q):
            if hit.entry.section == "runbooks" and hit.rank < index.SAID:
                found[book.id, hit.entry.id] = None
    for one in runstore.known_runbooks(tx, [book.id for book in books]):
        if all(word in one[1].casefold() for word in sought):
            found[one] = None
    return tuple(found)


def _actors(tx: Transaction, who: str) -> tuple[str, ...] | None:
    """Everything that acts for somebody: an account and its tokens."""
    if not who:
        return None
    if not who.isdigit() or len(who) > 15:
        return (who,)
    tokens = runstore.tokens_of(tx, int(who))
    return (f"account:{who}", *(f"token:{one}" for one in tokens))


def _people(tx: Transaction, visit: Visit, books: list[Book]) -> list[tuple[str, str]]:
    """Who may have started something: the people of these books who have an account."""
    found = []
    for row in accounts.all(tx):
        person = next((b.people[p] for b in books if (p := b.person_of(row["login"]))), None)
        if person is not None or row["first_admin"]:
            name = words.text(visit.speech, person.name) if person else row["login"]
            found.append((str(row["id"]), name))
    return [("opsbook", "Opsbook"), *sorted(found, key=lambda one: one[1])[:MOST_PEOPLE]]


def _title(visit: Visit, asked: Asked, books: dict[str, Book]) -> str:
    for book in books.values():
        if asked.runbook in book.runbooks and asked.book in {"", book.id}:
            return words.text(visit.speech, book.runbooks[asked.runbook].title)
    return asked.runbook


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if 1970 < found.year < 9000 else None


def _start(day: date | None, zone: ZoneInfo) -> datetime | None:
    return datetime.combine(day, time(), zone) if day is not None else None


def _waits(row: dict[str, Any]) -> bool:
    return bool(row["state"] == "waiting")


def _row(
    visit: Visit, book: Book, row: dict[str, Any], names: sentences.Names,
    wait: dict[str, Any] | None,
) -> dict[str, Any]:  # fmt: skip
    return {
        **row,
        "title": journal.title(visit.speech, book, row),
        "cause": journal.cause(visit, row, names),
        "took": journal.took(visit, row),
        "reason": sayings.told(visit.speech, row["reason"]),
        "zone": ZoneInfo(book.timezone),
        "given": given(book, row),
        "wait": _wait(visit, book, wait) if wait is not None else None,
    }


def given(book: Book, row: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a run's parameters as a list shows them: short, and no secret.

    The row has digests in place of secret values; those are left out as well. What today's book
    calls a secret is left out of runs of the time before it did.
    """
    runbook = book.runbooks.get(row["runbook"])
    params = runbook.params if runbook is not None else {}
    return [
        (name, value[:SHORT] + ("…" if len(value) > SHORT else ""))
        for name, value in sealed.given(row["params"] or {}).items()
        if value and not (name in params and params[name].secret)
    ]


def _wait(visit: Visit, book: Book, wait: dict[str, Any]) -> dict[str, Any]:
    """Say which step waits, for whom or what, and until when."""
    say, kind = visit.speech.say, wait["kind"]
    roles = str(wait["approval_role"] or wait["role"] or "").split(",")
    roles = [one.strip() for one in roles if one.strip()]
    if kind in {"approval", "person"} and roles:
        holding = [
            words.text(visit.speech, one.name)
            for one in book.people.values()
            if set(one.roles) & set(roles)
        ]
        people = ", ".join(holding[:3]) + (" …" if len(holding) > 3 else "")
        role = ", ".join(roles)
        whom = (
            say("waits for %(role)s (%(people)s)", role=role, people=people)
            if people
            else say("waits for %(role)s; nobody in the book has that role", role=role)
        )
    elif kind in {"approval", "person"}:
        whom = say("waits for anybody who may run things here")
    elif kind == "check":
        check = book.checks.get(str(wait["data"].get("check", "")))
        title = words.text(visit.speech, check.title) if check else wait["step_title"]
        whom = str(visit.html("watches %(check)s until it holds", check=title))
    else:
        whom = say(WAITS.get(kind, WAITING))
    return {
        "step": wait["step_title"],
        "whom": whom,
        "due": wait["due_at"] or (wait["wake_at"] if kind == "time" else None),
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
