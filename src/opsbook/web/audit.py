"""Audit: every transition as a sentence, whether it is sealed, and whether the chain holds."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from opsbook import audit
from opsbook.audit.entries import unsealed
from opsbook.base.database import Transaction
from opsbook.base.errors import Conflict, Refused
from opsbook.web import pages, sentences, store, words
from opsbook.web.i18n import N_
from opsbook.web.numbers import Before
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
EACH = 60
MOST_FAULTS = 20


@router.get("/audit")
async def listed(visit: Visitor, before: Before = None, about: str = "") -> Response:
    """Show entries newest first, of all or of one story."""
    _require(visit)
    about = about.strip()[:200]

    def read(tx: Transaction) -> dict[str, Any]:
        names = sentences.Names(tx, visit.speech, visit.kept.app.library)
        found = store.entries(tx, limit=EACH, before=before, about=about)
        return {
            "entries": sentences.lines(visit.speech, found, names, visit.zone, visit.now),
            "older": found[-1]["id"] if len(found) == EACH else None,
            "sealed": store.sealed(tx),
            "unsealed": unsealed(tx),
        }

    values = await pages.read(visit, read)
    values |= {
        "about": about,
        "verdict": _verdict(visit),
        "may_verify": True,
        "still": True,
        "sentence": _sentence(visit),
    }
    return pages.show(visit, "audit/list.html", values, topics="incidents pages approvals")


@router.post("/audit/verify")
async def verify(visit: Visitor) -> Response:
    """Read the whole chain and compare it with its hashes, signatures and anchored heads."""
    await visit.form()
    _require(visit)
    kept = visit.kept
    if kept.verifying:
        raise Conflict(
            "The chain is being verified already.",
            remedy="Wait for it to end; the result is shown here.",
        )
    kept.verifying = True
    try:
        folder = kept.app.places.audit
        verdict = await kept.app.database.read(lambda tx: audit.verify(tx, folder))
    finally:
        kept.verifying = False
    kept.verdict = (visit.now, verdict)
    return pages.go(visit, "/audit", "verified" if verdict.holds else "")


def _require(visit: Visit) -> None:
    """Let pass who may read the audit of every running book: one chain holds them all."""
    for book in visit.kept.app.library.books():
        visit.who.require("audit:read", book)
    if not visit.kept.app.library.books() and not visit.who.first_admin:
        raise Refused


def _sentence(visit: Visit) -> str:
    say = visit.speech.say
    if visit.kept.verdict is None:
        return say("What happened, in the order it was written down.")
    _, verdict = visit.kept.verdict
    if verdict.holds:
        return say("The chain holds: no sealed entry was changed.")
    return visit.speech.say_n(
        "The chain is broken in %(n)s place.", "The chain is broken in %(n)s places.",
        len(verdict.faults),
    )  # fmt: skip


def _verdict(visit: Visit) -> dict[str, Any] | None:
    if visit.kept.verdict is None:
        return None
    at, verdict = visit.kept.verdict
    age = words.moment(visit.speech, at, visit.now, visit.zone)
    said = N_("does not hold: verified %(age)s")
    if verdict.holds:
        said = N_("holds: %(n)s entries and %(seals)s seals verified %(age)s")
    return {
        "says": visit.html(said, n=verdict.checked, seals=verdict.seals, age=age),
        "faults": [
            visit.speech.say("#%(seq)s: %(message)s", seq=one.seq, message=one.message)
            for one in verdict.faults[:MOST_FAULTS]
        ],
        "more": max(0, len(verdict.faults) - MOST_FAULTS),
    }
