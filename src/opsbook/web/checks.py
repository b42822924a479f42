"""Checks: every one with its state, value, limit and last hour; each with its history."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.responses import Response

from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.book import Book
from opsbook.book.sections.checks import Check
from opsbook.checks import store as checks
from opsbook.web import charts, pages, readings, store, words
from opsbook.web.i18n import N_, Speech
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)

# How far back, in steps of, with marks every; and what it is called.
SPANS: Final = {
    "hour": (timedelta(hours=1), timedelta(seconds=20), timedelta(minutes=15), N_("last hour")),
    "day": (timedelta(days=1), timedelta(minutes=6), timedelta(hours=6), N_("last day")),
    "week": (timedelta(days=7), timedelta(hours=1), timedelta(days=1), N_("last week")),
}


@router.get("/checks")
async def listed(visit: Visitor) -> Response:
    """Show every check, those that need somebody first."""

    def read(tx: Transaction) -> list[readings.Row]:
        found: list[readings.Row] = []
        for book in visit.readable("checks"):
            rows = readings.rows(tx, visit.speech, visit.now, book)
            found += readings.with_sparks(tx, visit.speech, visit.now, book, rows)
        return sorted(found, key=lambda one: readings.WEIGHT.get(one.state, 3))

    rows = await pages.read(visit, read)
    values = {"rows": rows, "sentence": sentence(visit.speech, rows)}
    return pages.show(visit, "checks/list.html", values, topics="checks books incidents pages")


def sentence(speech: Speech, rows: list[readings.Row]) -> str:
    """Say in one sentence how the checks are."""
    bad = [one for one in rows if one.state not in {"ok", "new"}]
    new = sum(one.state == "new" for one in rows)
    if not rows:
        return speech.say("Nothing is watched yet.")
    if new == len(rows):
        return speech.say("The first looks are under way.")
    if not bad and not new:
        return speech.say_n("The one check is fine.", "All %(n)s checks are fine.", len(rows))
    counted = Counter(one.state for one in bad)
    told = []
    if n := counted["critical"]:
        told.append(speech.say_n("%(n)s is critical", "%(n)s are critical", n))
    if n := counted["warning"]:
        told.append(speech.say_n("%(n)s has a warning", "%(n)s have a warning", n))
    if n := counted["nodata"]:
        told.append(speech.say_n("%(n)s has no data", "%(n)s have no data", n))
    if new:
        told.append(
            speech.say_n("%(n)s was not looked at yet", "%(n)s were not looked at yet", new)
        )
    fine = len(rows) - len(bad) - new
    rest = speech.say_n("%(n)s is fine", "%(n)s are fine", fine)
    return f"{', '.join(told)}. {rest}."


@router.get("/checks/{book_id}/{check_id}")
async def detail(visit: Visitor, book_id: str, check_id: str, span: str = "hour") -> Response:
    """Show one check: the line with its limits, its changes, its latest looks, its rules."""
    book, check = _find(visit, book_id, check_id, "checks:read")
    length, step, mark, word = SPANS.get(span, SPANS["hour"])
    since = visit.now - length

    def read(tx: Transaction) -> dict[str, Any]:
        return {
            "status": checks.status_of(tx, book.id, check.id),
            "points": store.trends(tx, book.id, [check.id], since, step).get(check.id, []),
            "changes": store.state_changes(tx, book.id, check.id, since),
            "looks": checks.latest(tx, book.id, check.id, 12),
        }

    found = await pages.read(visit, read)
    status = found["status"]
    one = readings.row(visit.speech, book, check, status)
    unit = status["unit"] if status else check.value_unit or ""
    zone = ZoneInfo(book.timezone)
    drawn = charts.chart(
        readings.worst_side(check, found["points"]), readings.lines(check), since, visit.now,
        unit, _marks(since, visit.now, mark, zone),
        visit.speech.say("%(title)s, %(span)s", title=one.title, span=visit.speech.say(word)),
    )  # fmt: skip
    values = {
        "one": {**vars(one), "where": book.where("checks", check.id), "ref": check.ref},
        "sentence": _standing(visit, one, status),
        "chart": drawn,
        "span_word": visit.speech.say(word),
        "tabs": [
            {"path": f"{one.path}?span={key}", "word": visit.speech.say(said), "here": key == span}
            for key, (_, _, _, said) in SPANS.items()
        ],
        "changes": found["changes"],
        "looks": found["looks"],
        "about": _about(visit.speech, check),
        "rules": _rules(visit.speech, book, check),
        "may_look": visit.may("checks:write", book),
    }
    return pages.show(visit, "checks/detail.html", values, topics="checks books incidents pages")


@router.post("/checks/{book_id}/{check_id}/look")
async def look(visit: Visitor, book_id: str, check_id: str) -> Response:
    """Look at a check now."""
    await visit.form()
    book, check = _find(visit, book_id, check_id, "checks:read")
    visit.who.require("checks:write", book)
    await visit.kept.app.scheduler.look(book.id, check.id)
    return pages.go(visit, readings.path(book.id, check.id), "looked")


def _find(visit: Visit, book_id: str, check_id: str, permission: str) -> tuple[Book, Check]:
    book = visit.book(book_id, permission)
    check = book.checks.get(check_id)
    if check is None:
        raise NotFound(
            f"The book {book_id} has no check {check_id!r}.",
            remedy="It may have been removed from the book; see the list of checks.",
        )
    return book, check


def _standing(visit: Visit, one: readings.Row, status: dict[str, Any] | None) -> Any:
    """Say how it stands: value, limit, since when, how old."""
    if status is None:
        return visit.speech.say("It was not looked at yet.")
    parts = [visit.speech.say(words.CHECK[one.state].word)]
    if one.reading:
        parts.append(one.reading)
    if one.limit:
        parts.append(visit.speech.say("limit %(limit)s", limit=one.limit))
    since = words.moment(visit.speech, status["since"], visit.now, one.zone, words.FOR)
    age = words.moment(visit.speech, status["at"], visit.now, one.zone, words.AGO)
    said = visit.html(
        "%(standing)s · for %(since)s · seen %(age)s",
        standing=" · ".join(parts), since=since, age=age,
    )  # fmt: skip
    return (
        visit.html("%(said)s. %(message)s", said=said, message=one.message) if one.message else said
    )


def _marks(
    since: datetime, until: datetime, step: timedelta, zone: ZoneInfo
) -> list[tuple[datetime, str]]:
    """Return the moments below a chart, on full steps of the book's own clock."""
    here = since.astimezone(zone)
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + step * ((here - midnight) // step + 1)
    found = []
    while at < until:
        said = f"{at.month}/{at.day}" if step >= timedelta(days=1) else f"{at:%H:%M}"
        found.append((at, said))
        at += step
    return found


def _about(speech: Speech, check: Check) -> list[tuple[str, str]]:
    told = [
        (speech.say("Kind"), check.kind),
        (speech.say("Every"), words.length(speech, check.every)),
        (speech.say("At most"), words.length(speech, check.timeout)),
    ]
    spec = check.spec.model_dump(mode="json", exclude_defaults=True)
    told += [(name, str(value)) for name, value in spec.items() if name != "ref"]
    for name, band in (
        (N_("Warning"), check.bands.warning),
        (N_("Critical"), check.bands.critical),
    ):
        if band is not None:
            told.append((speech.say(name), words.band(band)))
    return told


def _rules(speech: Speech, book: Book, check: Check) -> list[dict[str, Any]]:
    found = []
    for rule in book.rules.values():
        if rule.check != check.id or rule.when is None:
            continue
        says = speech.say(
            "%(severity)s when %(when)s for %(hold)s",
            severity=rule.severity, when=words.condition(speech, rule.when, rule.traffic),
            hold=words.length(speech, rule.for_),
        )  # fmt: skip
        found.append(
            {
                "title": words.text(speech, rule.title or rule.summary),
                "says": says,
                "where": book.where("rules", rule.id),
                "ref": rule.ref,
            }
        )
    return found
