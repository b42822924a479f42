"""Intake: the doors for alerts from outside, how to use them, how they fare; and signs of life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.responses import Response

from opsbook.alerts.intake import doors
from opsbook.alerts.intake.doors import Status
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.web import pages, sayings, senders, ways, words
from opsbook.web.i18n import Speech
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)


@router.get("/intake")
async def listed(visit: Visitor) -> Response:
    """Show every door of every book that may be read, and the signs of life that go out."""
    books = visit.readable("alerts")

    def read(tx: Transaction) -> list[dict[str, Any]]:
        return [_shown(visit, book, one) for book in books for one in doors.status(tx, book)]

    found = await pages.read(visit, read)
    hearts = [_heart(visit, book, id) for book in books for id in book.heartbeats]
    values = {
        "doors": found,
        "hearts": hearts,
        "sentence": _sentence(visit.speech, found, hearts),
        "local": _here(visit) if _open_here(books) else "",
    }
    return pages.show(visit, "intake/list.html", values, topics="alerts books")


def _sentence(
    speech: Speech, found: Sequence[Mapping[str, Any]], hearts: Sequence[Mapping[str, Any]]
) -> str:
    """Say first what does not work, then what was never tried."""
    told = []
    refused = sum(one["state"] == "refuses" for one in found)
    silent = sum(one["last_at"] is None and one["state"] == "unused" for one in found)
    if refused:
        told.append(
            speech.say_n(
                "%(n)s intake refused what came last.",
                "%(n)s intakes refused what came last.",
                refused,
            )
        )
    if silent:
        told.append(
            speech.say_n(
                "%(n)s intake has received nothing yet.",
                "%(n)s intakes have received nothing yet.",
                silent,
            )
        )
    if mute := sum(one["state"] == "failed" for one in hearts):
        told.append(
            speech.say_n(
                "%(n)s sign of life is not taken.", "%(n)s signs of life are not taken.", mute
            )
        )
    if not found:
        told.insert(0, speech.say("No intake for alerts from outside."))
    return " ".join(told) or speech.say("Every intake has received alerts.")


def _here(visit: Visit) -> str:
    url = visit.request.url
    return f"{url.scheme}://{url.netloc}"


def _heart(visit: Visit, book: Book, id: str) -> dict[str, Any]:
    """Return a heartbeat that goes out, and what came of it last on this server."""
    one = book.heartbeats[id]
    last = visit.kept.app.hearts.last(book.id, id)
    return {
        "book": book.id, "id": id, "title": words.text(visit.speech, one.title),
        "state": "waits" if last is None else "failed" if last.error else "told",
        "every": words.length(visit.speech, one.every), "error": last.error if last else "",
        "at": last.at if last else None, "told_at": last.told_at if last else None,
        "where": book.where("heartbeats", id), "zone": ZoneInfo(book.timezone),
    }  # fmt: skip


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
        "refused_at": one.refused_at,
        "error": ways.cut(sayings.told(speech, one.error), 400) if trouble or one.refused else "",
        "zone": ZoneInfo(book.timezone),
        "how": senders.how(speech, _here(visit), book.id, intake),
        "token": (intake.token or "") if visit.may("book:read", book) else "",
    }  # fmt: skip
