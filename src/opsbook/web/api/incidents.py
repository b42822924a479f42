"""``/incidents``: what is open, the whole story of one, and a person's answer to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter

from opsbook import incidents
from opsbook.access import Principal
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.incidents import store
from opsbook.incidents.words import spoken
from opsbook.runs import store as run_store
from opsbook.web.api import entries, runs
from opsbook.web.api.callers import Ask, Asking, Limit
from opsbook.web.api.idempotency import Once, OnlyOnce
from opsbook.web.api.models import AlertOut, IncidentDetail, IncidentOut, Incidents, Note, PageOut
from opsbook.web.api.problems import ProblemRoute
from opsbook.web.numbers import Before, Number
from opsbook.web.sentences import Names

routes = APIRouter(route_class=ProblemRoute, tags=["incidents"])


@routes.get("/incidents")
async def listed(
    ask: Ask,
    book: str | None = None,
    state: Literal["active"] | None = None,
    limit: Limit = 50,
    before: Before = None,
) -> Incidents:
    """Incidents newest first, or with ``state=active`` those not resolved, the worst first."""
    books = ask.books("incidents", book)
    active = state == "active"

    def read(tx: Transaction) -> Incidents:
        rows: list[dict[str, Any]] = []
        for one in books:
            if active:
                rows += store.active(tx, one.id)
            else:
                rows += store.recent(tx, limit=limit, before=before, book=one.id)
        if active:
            rows.sort(key=lambda row: (row["severity"], row["opened_at"]))
        else:
            rows = sorted(rows, key=lambda row: -row["id"])[:limit]
        names = ask.names(tx)
        return Incidents(
            incidents=[IncidentOut(**_shaped(ask, names, row)) for row in rows],
            next=rows[-1]["id"] if len(rows) == limit and not active else None,
        )

    return await ask.app.database.read(read)


@routes.get("/incidents/{incident_id}")
async def one(ask: Ask, incident_id: Number) -> IncidentDetail:
    """One incident with its alerts, pages, timeline and first-response run."""
    return await ask.app.database.read(lambda tx: detail(ask, tx, incident_id))


@routes.post("/incidents/{incident_id}/acknowledge")
async def acknowledge(once: OnlyOnce, incident_id: Number, asked: Note) -> IncidentDetail:
    """Say "I am on it": paging stops. A person's token is needed."""
    return await _answer(once, incident_id, incidents.acknowledge, asked.note)


@routes.post("/incidents/{incident_id}/resolve")
async def resolve(once: OnlyOnce, incident_id: Number, asked: Note) -> IncidentDetail:
    """Declare it over by hand, although its alerts may still fire."""
    return await _answer(once, incident_id, incidents.resolve, asked.note)


@routes.post("/incidents/{incident_id}/note")
async def note(once: OnlyOnce, incident_id: Number, asked: Note) -> IncidentDetail:
    """Add words to the timeline."""
    return await _answer(once, incident_id, incidents.note, asked.note)


Answer = Callable[[Transaction, datetime, int, Principal, Book, str], None]


async def _answer(once: Once, incident_id: int, answer: Answer, words: str) -> IncidentDetail:
    """Give an answer and return the incident as it is right after it, in one transaction."""
    ask = once.ask
    now = ask.app.clock.now()

    def write(tx: Transaction) -> IncidentDetail:
        book, _ = _find(ask, tx, incident_id)
        answer(tx, now, incident_id, ask.who, book, words)
        return detail(ask, tx, incident_id)

    return await once.write(write)


def _find(ask: Asking, tx: Transaction, incident_id: int) -> tuple[Book, dict[str, Any]]:
    return ask.visible(tx, "incidents", store.get(tx, incident_id), f"incident {incident_id}")


def detail(ask: Asking, tx: Transaction, incident_id: int) -> IncidentDetail:
    """Return the whole story of an incident; its run only to those who may read runs."""
    book, row = _find(ask, tx, incident_id)
    may_see = row["run_id"] is not None and ask.who.may("runs:read", book)
    run = run_store.get(tx, row["run_id"]) if may_see else None
    names = ask.names(tx)
    entered = store.story(tx, incident_id)
    return IncidentDetail(
        **_shaped(ask, names, row),
        alerts=[_alert(ask, one) for one in store.alerts_of(tx, incident_id)],
        pages=[PageOut(**one) for one in store.pages_of(tx, incident_id)],
        timeline=entries.shaped(entered, names, ask.language),
        run=runs.shaped(ask, tx, [run])[0] if run is not None else None,
    )


def _shaped(ask: Asking, names: Names, row: dict[str, Any]) -> dict[str, Any]:
    by = row["acknowledged_by"]
    return {
        **row,
        "title": spoken(row["title"], ask.language),
        "acknowledged_by": names.of(f"account:{by}") if by is not None else None,
        "resolved_by": names.of(row["resolved_by"]) if row["resolved_by"] else None,
        "url": f"{ask.origin}/incidents/{row['id']}",
    }


def _alert(ask: Asking, row: dict[str, Any]) -> AlertOut:
    summary = spoken(row["summary"], ask.language)
    return AlertOut(**{**row, "check": row["check_id"], "summary": summary})
