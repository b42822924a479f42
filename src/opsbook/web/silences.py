"""Silences: what is kept quiet, by whom, why and until when; setting one, ending one."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.responses import Response

from opsbook.alerts import silences
from opsbook.alerts import store as alerts
from opsbook.alerts.pipeline import view
from opsbook.alerts.pipeline.memory import Memory
from opsbook.alerts.silences import Silence, Wanted, model
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid, NotFound
from opsbook.base.quantities import QuantityError, parse_duration
from opsbook.book import Book
from opsbook.book.matchers import Matcher, MatcherError, Matchers, all_match, parse_all
from opsbook.web import pages, sayings, ways, words
from opsbook.web.i18n import N_, Speech
from opsbook.web.knowing import memory_of
from opsbook.web.numbers import Before
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
WRITE: Final = "silences:write"
SHOWN_OVER: Final = timedelta(days=7)
MOST: Final = 50
LONGEST: Final = timedelta(days=36_500)
FIELDS: Final = (
    ("it has no matcher", "matchers"),
    ("every matcher takes", "matchers"),
    ("it ends before", "length"),
    ("its end is past", "length"),
    ("it has no comment", "comment"),
)
"""How what is wrong with a silence begins, and which field of the form it is about."""
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
    """Return the form for an alert: every label that fits into a matcher, to be made wider."""
    row = alerts.get(tx, alert_id) if alert_id else None
    if row is None or not any(row["book"] == one.id for one in visit.books("alerts:read")):
        return Form()
    given = []
    for name, value in sorted(row["labels"].items()):
        with contextlib.suppress(MatcherError):  # longer than a matcher may be
            given.append(str(Matcher(name, "=", value)))
    return Form(row["book"], "\n".join(given))


async def _page(visit: Visit, form: Form, wrong: Mapping[str, list[str]] | None = None) -> Response:
    readable = visit.readable("alerts")
    memory = await memory_of(visit.kept.app)

    def read(tx: Transaction) -> list[dict[str, Any]]:
        found = []
        for book in readable:
            known = silences.list_of(tx, book.id, visit.now, over_since=visit.now - SHOWN_OVER)
            quiet = _quiet(visit, memory, book) if known else Counter()
            found += [_shown(visit, book, one, quiet[one.uuid]) for one in known]
        return found

    found = await pages.read(visit, read)
    speech = visit.speech
    writable = [book for book in visit.books(WRITE) if book in readable]
    kinds = []
    for key, word in KINDS:
        mine = [one for one in found if one["state"] == key]
        if key == "expired":
            mine.reverse()
        more = max(0, len(mine) - MOST)
        kinds.append({"key": key, "word": speech.say(word), "silences": mine[:MOST], "more": more})
    values = {
        "sentence": _sentence(speech, [one for one in found if one["state"] == "active"]),
        "any": bool(found),
        "kinds": kinds,
        "books": [
            {"id": book.id, "title": words.text(speech, book.title)} for book in writable
        ],
        "form": form,
        "wrong": wrong or {},
        "meant": _meant(visit, memory, form),
    }  # fmt: skip
    status = 422 if wrong else 200
    return pages.show(
        visit, "silences/list.html", values, topics="silences alerts books", status=status
    )


def _sentence(speech: Speech, active: Sequence[Mapping[str, Any]]) -> str:
    if not active:
        return speech.say("Nothing is silenced.")
    holds = speech.say_n("%(n)s silence holds.", "%(n)s silences hold.", len(active))
    quiet = sum(one["quiet"] for one in active)
    kept = speech.say_n("%(n)s alert is quiet by them.", "%(n)s alerts are quiet by them.", quiet)
    return f"{holds} {kept}"


def _quiet(visit: Visit, memory: Memory, book: Book) -> Counter[str]:
    """Return how many alerts each silence of a book keeps quiet."""
    standing = view.standings(memory, book.id, visit.now)
    return Counter(name for each in standing for name in each.silenced_by)


def _meant(visit: Visit, memory: Memory, form: Form) -> str:
    """Say how many of the alerts that fire now a filled-in form would keep quiet."""
    matchers, faults = _matchers(form.matchers)
    if not matchers or faults or form.book not in memory.books:
        return ""
    firing = [
        one for one in list(memory.alerts.values())
        if one.book == form.book and not one.over(visit.now)
    ]  # fmt: skip
    count = sum(all_match(matchers, one.labels) for one in firing)
    return visit.speech.say_n(
        "%(n)s of the %(all)s alerts that fire now has these labels.",
        "%(n)s of the %(all)s alerts that fire now have these labels.",
        count, all=len(firing),
    )  # fmt: skip


def _shown(visit: Visit, book: Book, one: Silence, quiet: int) -> dict[str, Any]:
    begins, until = one.span(visit.now)
    length = words.length(visit.speech, one.length) if one.length else ""
    return {
        "uuid": one.uuid, "state": one.state(visit.now), "comment": one.comment,
        "matchers": [ways.cut(str(each)) for each in one.matchers],
        "created_by": one.created_by,
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
    wanted, wrong = _wanted(visit, book, form)
    if wanted is None:
        return await _page(visit, form, wrong)
    asked = wanted
    try:
        await visit.write(lambda tx: silences.put(tx, visit.now, book.id, asked, visit.who.actor))
    except Invalid as error:
        return await _page(visit, form, {"": [sayings.told(visit.speech, str(error))]})
    return pages.go(visit, "/silences", "silenced")


def _wanted(visit: Visit, book: Book, form: Form) -> tuple[Wanted | None, dict[str, list[str]]]:
    """Return what a form asks for, or everything that is wrong with it, by field."""
    wrong: dict[str, list[str]] = {}
    matchers, told = _matchers(form.matchers)
    if told:
        wrong["matchers"] = told
    read: dict[str, timedelta] = {}
    for name, text in (("length", form.length), ("each", form.each if form.schedule else "")):
        try:
            read[name] = parse_duration(text) if text else timedelta(0)
        except (QuantityError, ValueError) as error:
            wrong[name] = [str(error)]
    length = min(read.get("length", timedelta(hours=1)), LONGEST)
    wanted = Wanted(
        matchers, visit.now, visit.now + length, visit.login, form.comment,
        schedule=form.schedule, length=read.get("each") or timedelta(hours=1),
        timezone=book.timezone if form.schedule else "",
    )  # fmt: skip
    if not form.schedule:
        wanted = replace(wanted, length=timedelta(0))
    elif "each" not in wrong and not read["each"]:
        wrong["each"] = ["it comes again without saying for how long each time"]
    for fault in model.faults(wanted, visit.now):
        name = next((field for begin, field in FIELDS if fault.startswith(begin)), "schedule")
        if not (name in wrong and name in {"matchers", "length", "each"}):
            wrong.setdefault(name, []).append(fault)
    speech = visit.speech
    return (
        None if wrong else wanted,
        {name: [sayings.told(speech, one) for one in told] for name, told in wrong.items()},
    )


def _matchers(text: str) -> tuple[Matchers, list[str]]:
    """Read a matcher or several from each line; return what is wrong with each that has none."""
    found: list[Matcher] = []
    faults: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        try:
            found += parse_all(line.strip().rstrip(","))
        except MatcherError as error:
            faults.append(str(error))
    return tuple(found), faults


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
