"""Silences: what is kept quiet, by whom, why and until when; setting one, ending one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.responses import Response

from opsbook.alerts import silences
from opsbook.alerts import store as alerts
from opsbook.alerts.pipeline import view
from opsbook.alerts.pipeline.memory import Memory
from opsbook.alerts.silences import Silence, Wanted
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid, NotFound
from opsbook.base.quantities import QuantityError, parse_duration
from opsbook.book import Book
from opsbook.book.matchers import Matcher, MatcherError, Matchers, parse_all
from opsbook.web import pages, sayings, words
from opsbook.web.i18n import N_
from opsbook.web.knowing import memory_of
from opsbook.web.numbers import Before
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
WRITE: Final = "silences:write"
SHOWN_OVER: Final = timedelta(days=7)
KINDS: Final = (
    ("active", N_("Holding now")), ("pending", N_("To come")), ("expired", N_("Over")),
)  # fmt: skip


@dataclass(frozen=True)
class Form:
    """The form of a silence, as it is filled in."""

    book: str = ""
    matchers: str = ""
    length: str = "2h"
    comment: str = ""
    schedule: str = ""
    each: str = ""


@router.get("/silences")
async def listed(visit: Visitor, alert: Before = None) -> Response:
    """Show every silence, and the form for another: filled in for an alert, if one is named."""
    form = await visit.kept.app.database.read(lambda tx: _for_alert(tx, visit, alert))
    return await _page(visit, form)


def _for_alert(tx: Transaction, visit: Visit, alert_id: int | None) -> Form:
    row = alerts.get(tx, alert_id) if alert_id else None
    if row is None or not any(row["book"] == one.id for one in visit.books("alerts:read")):
        return Form()
    given = [Matcher(name, "=", value) for name, value in sorted(row["labels"].items())]
    return Form(row["book"], "\n".join(str(one) for one in given))


async def _page(visit: Visit, form: Form, wrong: str = "") -> Response:
    readable = visit.readable("alerts")
    memory = await memory_of(visit.kept.app)

    def read(tx: Transaction) -> list[dict[str, Any]]:
        return [
            _shown(visit, memory, book, one)
            for book in readable
            for one in silences.list_of(tx, book.id, visit.now, over_since=visit.now - SHOWN_OVER)
        ]

    found = await pages.read(visit, read)
    speech = visit.speech
    active = [one for one in found if one["state"] == "active"]
    quiet = sum(one["quiet"] for one in active)
    sentence = speech.say("Nothing is silenced.")
    if active:
        holds = speech.say_n("%(n)s silence holds.", "%(n)s silences hold.", len(active))
        kept = speech.say_n(
            "%(n)s alert is quiet by them.", "%(n)s alerts are quiet by them.", quiet
        )
        sentence = f"{holds} {kept}"
    writable = [book for book in visit.books(WRITE) if book in readable]
    values = {
        "sentence": sentence,
        "any": bool(found),
        "kinds": [
            {
                "key": key, "word": speech.say(word),
                "silences": [one for one in found if one["state"] == key],
            }
            for key, word in KINDS
        ],
        "books": [
            {"id": book.id, "title": words.text(speech, book.title)} for book in writable
        ],
        "form": form,
        "wrong": wrong,
    }  # fmt: skip
    status = 422 if wrong else 200
    return pages.show(
        visit, "silences/list.html", values, topics="silences alerts books", status=status
    )


def _shown(visit: Visit, memory: Memory, book: Book, one: Silence) -> dict[str, Any]:
    begins, until = one.span(visit.now)
    quiet = 0
    if book.id in memory.books and one.holds(visit.now):
        standing = view.standings(memory, book.id, visit.now)
        quiet = sum(one.uuid in each.silenced_by for each in standing)
    length = words.length(visit.speech, one.length) if one.length else ""
    return {
        "uuid": one.uuid, "state": one.state(visit.now), "comment": one.comment,
        "matchers": [str(each) for each in one.matchers], "created_by": one.created_by,
        "schedule": one.schedule, "length": length, "ends_at": one.ends_at, "until": until,
        "begins": begins, "zone": ZoneInfo(book.timezone), "quiet": quiet,
        "may_end": one.state(visit.now) != "expired" and visit.may(WRITE, book),
    }  # fmt: skip


@router.post("/silences")
async def put(visit: Visitor) -> Response:
    """Set a silence; what is wrong is said above the form, which stays filled in."""
    fields = await visit.form()
    names = ("book", "matchers", "length", "comment", "schedule", "each")
    form = Form(**{name: fields.get(name, "").strip() for name in names})
    book = visit.book(form.book, "alerts:read")
    visit.who.require(WRITE, book)
    try:
        wanted = _wanted(visit, book, form)
        await visit.write(lambda tx: silences.put(tx, visit.now, book.id, wanted, visit.who.actor))
    except Invalid as error:
        return await _page(visit, form, sayings.told(visit.speech, str(error)))
    return pages.go(visit, "/silences", "silenced")


def _wanted(visit: Visit, book: Book, form: Form) -> Wanted:
    """Return what a form asks for; raises Invalid with everything that cannot be read."""
    faults: list[str] = []
    matchers: Matchers = ()
    try:
        lines = [line.strip().rstrip(",") for line in form.matchers.splitlines() if line.strip()]
        matchers = parse_all(",".join(lines))
    except MatcherError as error:
        faults.append(str(error))
    lengths: Mapping[str, str] = {"length": form.length, "each": form.each}
    read: dict[str, timedelta] = {}
    for name, text in lengths.items():
        try:
            read[name] = parse_duration(text) if text else timedelta(0)
        except (QuantityError, ValueError) as error:
            faults.append(str(error))
    if faults:
        raise Invalid("; ".join(faults))
    return Wanted(
        matchers, visit.now, visit.now + read["length"], visit.login, form.comment,
        schedule=form.schedule, length=read["each"] if form.schedule else timedelta(0),
        timezone=book.timezone if form.schedule else "",
    )  # fmt: skip


@router.post("/silences/{uuid}/expire")
async def expire(visit: Visitor, uuid: str) -> Response:
    """End a silence now; what it kept quiet is told."""
    await visit.form()

    def end(tx: Transaction) -> None:
        known = silences.get(tx, uuid)
        readable = {book.id: book for book in visit.books("alerts:read")}
        if known is None or known.book not in readable:
            raise NotFound("There is no such silence.")
        visit.who.require(WRITE, readable[known.book])
        silences.expire(tx, visit.now, known.book, uuid, visit.who.actor)

    await visit.write(end)
    return pages.go(visit, "/silences", "unsilenced")
