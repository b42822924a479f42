"""Intake: the doors for alerts from outside, when each was last used, and what it refused."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.responses import Response

from opsbook.alerts.intake import doors
from opsbook.alerts.intake.doors import Status
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.web import pages, words
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)


@router.get("/intake")
async def listed(visit: Visitor) -> Response:
    """Show every door of every book that may be read."""
    books = visit.readable("alerts")

    def read(tx: Transaction) -> list[dict[str, Any]]:
        return [_shown(visit, book, one) for book in books for one in doors.status(tx, book)]

    found = await pages.read(visit, read)
    silent = sum(one["last_at"] is None for one in found)
    speech = visit.speech
    if not found:
        sentence = speech.say("No door for alerts from outside.")
    elif silent:
        sentence = speech.say_n(
            "%(n)s door was never used.", "%(n)s doors were never used.", silent
        )
    else:
        sentence = speech.say("Every door has been used.")
    here = visit.request.url
    values = {
        "doors": found,
        "sentence": sentence,
        "local": f"{here.scheme}://{here.netloc}" if _open_here(books) else "",
    }
    return pages.show(visit, "intake/list.html", values, topics="alerts books")


def _open_here(books: list[Book]) -> bool:
    """Whether a program on this machine may use ``/api/v2`` without a token."""
    known = [one for book in books for one in book.intakes.values() if one.kind == "alertmanager"]
    said = [one for one in known if one.default] or known
    return len(said) == 1 and said[0].token is None if said else len(books) == 1


def _shown(visit: Visit, book: Book, one: Status) -> dict[str, Any]:
    intake = book.intakes[one.intake]
    speech = visit.speech
    trouble = one.refused_at is not None and (one.last_at is None or one.refused_at > one.last_at)
    return {
        "book": book.id, "id": one.intake, "kind": one.kind,
        "title": words.text(speech, intake.title),
        "state": "refuses" if trouble else "used" if one.last_at else "unused",
        "address": f"/in/{book.id}/{one.intake}",
        "default": intake.default, "where": book.where("intakes", one.intake),
        "open": speech.say("with a token")
        if intake.token is not None
        else speech.say("without a token, from this machine only"),
        "last_at": one.last_at, "accepted": one.accepted, "refused": one.refused,
        "refused_at": one.refused_at, "error": one.error if trouble else "",
        "zone": ZoneInfo(book.timezone),
    }  # fmt: skip
