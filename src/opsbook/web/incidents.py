"""Incidents: what is open, and the room of one: what was seen, what to do, who was called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from opsbook import incidents
from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.book import Book
from opsbook.incidents import store as rows
from opsbook.runs import store as runs
from opsbook.web import forms, journal, pages, readings, sentences, store, ways, words
from opsbook.web.i18n import N_
from opsbook.web.numbers import Before, Number
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
EACH = 30
TOPICS = "incidents pages runs approvals alerts books"


@router.get("/incidents")
async def listed(visit: Visitor, before: Before = None) -> Response:
    """Show what is not over, those that need an answer first, and what is."""

    def read(tx: Transaction) -> dict[str, Any]:
        names = sentences.Names(tx, visit.speech, visit.kept.app.library)
        books = [book.id for book in visit.readable("incidents")]
        past = store.past_incidents(tx, books, limit=EACH, before=before)
        return {
            "active": active(tx, visit, names),
            "past": [shaped(visit, one, names) for one in past],
            "older": past[-1]["id"] if len(past) == EACH else None,
        }

    values = await pages.read(visit, read)
    values["sentence"] = _how_many(visit, values["active"])
    return pages.show(visit, "incidents/list.html", values, topics=TOPICS)


def active(tx: Transaction, visit: Visit, names: sentences.Names) -> list[dict[str, Any]]:
    """Return the visitor's incidents that are not over: the unanswered first, the worst first."""
    found = []
    for book in visit.books("incidents:read"):
        weight = {severity: place for place, severity in enumerate(book.severities)}
        seen = {one.id: one for one in readings.rows(tx, visit.speech, visit.now, book)}
        for row in rows.active(tx, book.id):
            rule = book.rules.get(row["rule"])
            check = seen.get(rule.check or "") if rule is not None else None
            one = shaped(visit, row, names)
            one["reading"] = _reading(check) if check is not None else ""
            one["weight"] = (row["state"] != "open", weight.get(row["severity"], 99), row["id"])
            found.append(one)
    return sorted(found, key=lambda one: one["weight"])


def _reading(check: readings.Row) -> str:
    """Say what is wrong: the value with the limit it is over, and what the check itself says."""
    told = " ".join(one for one in (check.title, check.reading) if one)
    told += f" ({check.limit})" if check.limit else ""
    return f"{told}: {ways.cut(check.message)}" if check.message else told


def shaped(visit: Visit, row: Mapping[str, Any], names: sentences.Names) -> dict[str, Any]:
    """Return an incident as its row in a list shows it."""
    book = _book(visit, row)
    by = row["acknowledged_by"]
    over = row["resolved_at"]
    return {
        **row,
        "title": words.text(visit.speech, row["title"]),
        "zone": ZoneInfo(book.timezone) if book is not None else visit.zone,
        "holder": names.of(f"account:{by}") if by is not None else "",
        "lasted": words.span(visit.speech, over - row["opened_at"]) if over else "",
        "may_answer": book is not None and visit.may("incidents:write", book),
        "tone": "",
        "reading": "",
        "about": "",
    }


@router.get("/incidents/{incident_id}")
async def room(visit: Visitor, incident_id: Number) -> Response:
    """Show one incident: everything somebody needs who opens the link of a page at night."""

    def read(tx: Transaction) -> dict[str, Any]:
        row, book = _find(tx, visit, incident_id)
        return _room(tx, visit, book, row)

    values = await pages.read(visit, read)
    run = values["one"]["run_id"]
    topics = f"incidents incident:{incident_id} pages approvals checks alerts"
    return pages.show(
        visit, "incidents/detail.html", values, topics=f"{topics} run:{run}" if run else topics
    )


def _room(tx: Transaction, visit: Visit, book: Book, row: dict[str, Any]) -> dict[str, Any]:
    names = sentences.Names(tx, visit.speech, visit.kept.app.library)
    alerts = rows.alerts_of(tx, row["id"])
    shown = readings.rows(tx, visit.speech, visit.now, book, {one["check_id"] for one in alerts})
    entries = rows.story(tx, row["id"])
    run = runs.get(tx, row["run_id"]) if row["run_id"] and visit.may("runs:read", book) else None
    one = shaped(visit, row, names)
    severity = book.severities.get(row["severity"])
    refused = [entry for entry in entries if entry["action"] == "incident.runbook_refused"]
    return {
        "one": one,
        "severity": words.text(visit.speech, severity.title) if severity is not None else "",
        "where": book.where("rules", row["rule"]),
        "sentence": _sentence(visit, book, row, one, names),
        "summary": words.text(visit.speech, alerts[-1]["summary"]) if alerts else "",
        "checks": readings.with_sparks(tx, visit.speech, visit.now, book, shown),
        "run": journal.shaped(tx, visit, book, run, names) if run is not None else None,
        "runbook_refused": refused[-1]["data"] if refused else None,
        "pages": [_page(visit, book, one, names) for one in rows.pages_of(tx, row["id"])],
        "nobody_paged": _nobody(visit, row),
        "story": sentences.story(visit.speech, entries, names, one["zone"], visit.now),
    }


@router.post("/incidents/{incident_id}/acknowledge")
async def acknowledge(visit: Visitor, incident_id: Number) -> Response:
    """Take the incident: nobody else is called."""
    fields = await visit.form()
    note = forms.text(fields, "note")

    def answer(tx: Transaction) -> None:
        _, book = _find(tx, visit, incident_id)
        incidents.acknowledge(tx, visit.now, incident_id, visit.who, book, note)

    await visit.write(answer)
    back = forms.local_path(fields.get("back"), f"/incidents/{incident_id}")
    onward = f"/incidents/{incident_id}" if back == "/" else back
    return pages.go(visit, onward, "acknowledged")


@router.post("/incidents/{incident_id}/resolve")
async def resolve(visit: Visitor, incident_id: Number) -> Response:
    """Declare the incident over."""
    note = forms.text(await visit.form(), "note")

    def answer(tx: Transaction) -> None:
        _, book = _find(tx, visit, incident_id)
        incidents.resolve(tx, visit.now, incident_id, visit.who, book, note)

    await visit.write(answer)
    return pages.go(visit, f"/incidents/{incident_id}", "resolved")


@router.post("/incidents/{incident_id}/note")
async def note(visit: Visitor, incident_id: Number) -> Response:
    """Add words to the timeline."""
    text = forms.text(await visit.form(), "text")

    def answer(tx: Transaction) -> None:
        _, book = _find(tx, visit, incident_id)
        incidents.note(tx, visit.now, incident_id, visit.who, book, text)

    await visit.write(answer)
    return pages.go(visit, f"/incidents/{incident_id}", "noted")


def _find(tx: Transaction, visit: Visit, incident_id: int) -> tuple[dict[str, Any], Book]:
    row = rows.get(tx, incident_id)
    book = _book(visit, row) if row is not None else None
    if row is None or book is None:
        raise NotFound(f"There is no incident {incident_id}.")
    return row, book


def _book(visit: Visit, row: Mapping[str, Any]) -> Book | None:
    """Return the running book of a row, if the visitor may read it."""
    return next((one for one in visit.books("incidents:read") if one.id == row["book"]), None)


def _how_many(visit: Visit, found: list[dict[str, Any]]) -> str:
    waiting = sum(one["state"] == "open" for one in found)
    if not found:
        return visit.speech.say("Nothing is wrong now.")
    if waiting:
        return visit.speech.say_n(
            "%(n)s incident has no answer yet.", "%(n)s incidents have no answer yet.", waiting
        )
    return visit.speech.say_n(
        "%(n)s incident is being handled.", "%(n)s incidents are being handled.", len(found)
    )


def _sentence(
    visit: Visit, book: Book, row: Mapping[str, Any], one: Mapping[str, Any],
    names: sentences.Names,
) -> Any:  # fmt: skip
    """Say how the incident stands, and what comes next if nobody does anything."""
    speech, zone = visit.speech, one["zone"]
    if row["state"] == "resolved":
        said = N_("Resolved after %(span)s by %(who)s.")
        if row["resolved_by"] == "opsbook":
            said = N_("Resolved after %(span)s: its alerts are over.")
        return speech.say(said, span=one["lasted"], who=names.of(row["resolved_by"] or ""))
    opened = words.moment(speech, row["opened_at"], visit.now, zone, words.FOR)
    if row["state"] == "acknowledged":
        at = words.moment(speech, row["acknowledged_at"], visit.now, zone, words.AGO)
        return visit.html(
            "%(who)s has it since %(at)s. Open for %(opened)s; "
            "it resolves by itself once the alert is over.",
            who=one["holder"], at=at, opened=opened,
        )  # fmt: skip
    if row["acknowledge_by"] is not None:
        answer = words.moment(speech, row["acknowledge_by"], visit.now, zone, words.ANSWER)
        said = visit.html("No answer for %(opened)s: %(answer)s.", opened=opened, answer=answer)
    else:
        said = visit.html("No answer for %(opened)s.", opened=opened)
    parts = [said]
    if row["escalate_at"] is not None:
        at = words.moment(speech, row["escalate_at"], visit.now, zone, words.TO_COME)
        parts.append(visit.html("The next level is paged %(at)s.", at=at))
    return Markup(" ").join(parts)


def _page(
    visit: Visit, book: Book, page: Mapping[str, Any], names: sentences.Names
) -> dict[str, Any]:
    channel = visit.speech.say("inbox") if page["channel"] == "inbox" else page["channel"]
    return {**page, "who": names.person(page["book"], page["person"]), "channel": channel}


def _nobody(visit: Visit, row: Mapping[str, Any]) -> str:
    if row["escalation"] is None:
        return visit.speech.say(
            "Nobody: the severity %(severity)s names no escalation in incidents.yaml.",
            severity=row["severity"],
        )
    return visit.speech.say("Nobody yet.")
