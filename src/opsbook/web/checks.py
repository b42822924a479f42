"""Checks: every one with its state, value, limit and last hour; each with its history."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.book import Book
from opsbook.book.sections.checks import Check
from opsbook.checks import store as checks
from opsbook.checks import windows
from opsbook.web import pages, past, readings, store, words
from opsbook.web.i18n import N_, Speech
from opsbook.web.numbers import Before
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)

CHANGES: Final = timedelta(days=1)
"""How far back changes of state and looks are known one by one; see `checks.retention`."""


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
    bad = [one for one in rows if one.state not in readings.QUIET]
    paused = sum(one.state == "paused" for one in rows)
    new = sum(one.state == "new" for one in rows)
    if not rows:
        return speech.say("Nothing is watched yet.")
    if new == len(rows):
        return speech.say("The first looks are under way.")
    if not bad and not new and not paused:
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
    if paused:
        told.append(speech.say_n("%(n)s is paused", "%(n)s are paused", paused))
    fine = len(rows) - len(bad) - new - paused
    rest = speech.say_n("%(n)s is fine", "%(n)s are fine", fine)
    return f"{', '.join(told)}. {rest}."


@router.get("/checks/{book_id}/{check_id}")
async def detail(
    visit: Visitor, book_id: str, check_id: str, span: str = "hour", since: Before = None,
    until: Before = None,
) -> Response:  # fmt: skip
    """Show one check: its past with its limits, its changes, its latest looks, its rules."""
    book, check = _find(visit, book_id, check_id, "checks:read")
    seen = past.asked(visit.now, span, since, until)

    def read(tx: Transaction) -> dict[str, Any]:
        begin = max(seen.since, visit.now - CHANGES)
        return {
            "status": checks.status_of(tx, book.id, check.id),
            "points": past.read(tx, book.id, check, seen),
            "changes": [
                one for one in store.state_changes(tx, book.id, check.id, begin)
                if one["at"] <= seen.until
            ],
            "looks": checks.latest(tx, book.id, check.id, 12),
        }  # fmt: skip

    found = await pages.read(visit, read)
    status, points, speech = found["status"], found["points"], visit.speech
    one = readings.row(speech, book, check, status, windows.paused(book, visit.now))
    unit = past.unit_of(check, status, points)
    zone = ZoneInfo(book.timezone)
    values = {
        "one": {**vars(one), "where": book.where("checks", check.id), "ref": check.ref},
        "sentence": _standing(visit, book, check, one, status),
        "chart": past.drawn(speech, check, points, seen, unit, zone, one.title),
        "numbers": past.numbers(speech, check, points, seen, unit, zone),
        "legend": [(band.tone, band.label) for band in past.areas(speech, check, unit)],
        "span_word": past.said(speech, seen, zone),
        "tabs": [
            {"path": f"{one.path}?span={key}", "word": speech.say(said), "here": key == seen.span}
            for key, (_, said) in past.SPANS.items()
        ],
        "further": [
            {"path": one.path + there.query, "word": speech.say(word)}
            for word, there in past.further(visit.now, seen)
        ],
        "changes": found["changes"],
        "looks": found["looks"],
        "behind": _behind(visit, one),
        "about": _about(speech, book, check),
        "rules": _rules(speech, book, check),
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


def _standing(
    visit: Visit, book: Book, check: Check, one: readings.Row, status: dict[str, Any] | None
) -> Any:
    """Say how it stands: value, limit, since when, how old."""
    speech = visit.speech
    if one.state == "paused":
        said = _paused(visit, book, check)
        if status is None:
            return said
        age = words.moment(speech, status["at"], visit.now, one.zone, words.AGO)
        seen = speech.say(words.CHECK[status["state"]].word)
        return visit.html(
            "%(said)s The last look was %(age)s: %(seen)s.", said=said, age=age, seen=seen
        )
    if status is None:
        return speech.say("It was not looked at yet.")
    parts = [speech.say(words.CHECK[one.state].word)]
    if one.reading:
        parts.append(one.reading)
    if one.limit:
        parts.append(one.limit)
    since = words.moment(speech, status["since"], visit.now, one.zone, words.FOR)
    age = words.moment(speech, status["at"], visit.now, one.zone, words.AGO)
    told = visit.html(
        "%(standing)s · for %(since)s · seen %(age)s",
        standing=" · ".join(parts), since=since, age=age,
    )  # fmt: skip
    return (
        visit.html("%(said)s. %(message)s", said=told, message=one.message) if one.message else told
    )


def _behind(visit: Visit, one: readings.Row) -> Any:
    if not one.behind:
        return ""
    link = Markup('<a href="{}">{}</a>').format(one.behind_path, one.behind)
    return visit.html(
        "It is behind %(check)s, which has failed: its alerts page nobody until that is over.",
        check=link,
    )


def _paused(visit: Visit, book: Book, check: Check) -> str:
    hours = windows.hours_of(book, check)
    if hours is None:
        return visit.speech.say("Paused: outside of its hours.")
    opens = windows.opens(hours, visit.now)
    at = words.clock_time(visit.speech, opens, visit.now, ZoneInfo(book.timezone))
    return visit.speech.say("Paused: outside of its hours. It is looked at again at %(at)s.", at=at)


def _about(speech: Speech, book: Book, check: Check) -> list[tuple[str, str]]:
    told = [
        (speech.say("Kind"), check.kind),
        (speech.say("Every"), words.length(speech, check.every)),
        (speech.say("At most"), words.length(speech, check.timeout)),
    ]
    if check.over is not None:
        what = f"{check.statistic} · {words.length(speech, check.over)}"
        told.append((speech.say("Judged"), what))
    if check.depends_on:
        names = (readings.title(speech, book, one) for one in check.depends_on)
        told.append((speech.say("Depends on"), ", ".join(names)))
    if check.active is not None:
        told.append((speech.say("Hours"), check.active))
    spec = check.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    told += [(name, _written(speech, value)) for name, value in spec.items() if name != "ref"]
    for name, band in (
        (N_("Warning"), check.bands.warning),
        (N_("Critical"), check.bands.critical),
    ):
        if band is not None:
            told.append((speech.say(name), words.band(speech, band)))
    return told


def _written(speech: Speech, value: Any) -> str:
    """Return a field of the check as somebody would write it down."""
    match value:
        case bool():
            return speech.say("yes") if value else speech.say("no")
        case dict():
            pairs = ((name, _written(speech, one)) for name, one in value.items())
            return ", ".join(f"{name}: {one}" for name, one in pairs)
        case list() | tuple():
            return ", ".join(_written(speech, one) for one in value)
    return str(value)


def _rules(speech: Speech, book: Book, check: Check) -> list[dict[str, Any]]:
    found = []
    for rule in book.rules.values():
        if rule.check != check.id or rule.when is None:
            continue
        said = N_("%(severity)s when %(when)s for %(hold)s")
        if not rule.for_:
            said = N_("%(severity)s as soon as %(when)s")
        says = speech.say(
            said, severity=rule.severity, when=words.condition(speech, rule.when, rule.traffic),
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
