"""Inbox: what I was told; opening one marks it read and goes where it points."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.responses import Response

from opsbook import notify
from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.notify import store as outbox
from opsbook.web import forms, pages, store, words
from opsbook.web.numbers import Before, Number
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
EACH = 40


@router.get("/inbox")
async def listed(visit: Visitor, before: Before = None) -> Response:
    """Show pages to the visitor, newest first."""

    def read(tx: Transaction) -> dict[str, Any]:
        found = notify.inbox(tx, visit.persons, limit=EACH, before=before)
        others = store.other_ways(tx, [one["key"].removesuffix("/inbox") for one in found])
        now = store.states_now(tx, [one["thread"] for one in found if one["thread"]])
        return {
            "pages": [_shaped(visit, one, others, now) for one in found],
            "older": found[-1]["id"] if len(found) == EACH else None,
        }

    values = await pages.read(visit, read)
    unread = visit.counts.get("inbox", 0)
    values |= {"unread": unread, "no_person": not visit.persons}
    say_n = visit.speech.say_n
    values["sentence"] = (
        say_n("%(n)s page is not read.", "%(n)s pages are not read.", unread)
        if unread
        else visit.speech.say("Nothing unread.")
    )
    return pages.show(visit, "inbox/list.html", values, topics="pages incidents")


@router.post("/inbox/{page_id}/open")
async def opened(visit: Visitor, page_id: Number) -> Response:
    """Mark one page read and go to what it is about."""
    await visit.form()

    def write(tx: Transaction) -> dict[str, Any] | None:
        row = outbox.get(tx, page_id)
        if row is None or (row["book"], row["person"]) not in visit.persons:
            return None
        notify.mark_read(tx, visit.now, page_id, visit.persons)
        return row

    row = await visit.write(write)
    if row is None:
        raise NotFound(f"There is no page {page_id}.")
    return pages.go(visit, forms.local_path(row["path"], "/inbox"))


@router.post("/inbox/read")
async def read_all(visit: Visitor) -> Response:
    """Mark everything read."""
    await visit.form()
    await visit.write(lambda tx: notify.mark_all_read(tx, visit.now, visit.persons))
    return pages.go(visit, "/inbox", "read")


def _shaped(
    visit: Visit, row: dict[str, Any], others: dict[str, list[dict[str, Any]]], now: dict[str, str]
) -> dict[str, Any]:
    book = next((one for one in visit.kept.app.library.books() if one.id == row["book"]), None)
    sent = [
        visit.speech.say(
            "%(channel)s: %(state)s",
            channel=one["channel"],
            state=visit.speech.say(words.state("page", one["state"]).word),
        )
        for one in others.get(row["key"].removesuffix("/inbox"), [])
    ]
    state = now.get(row["thread"] or "")
    return {
        **row,
        "zone": ZoneInfo(book.timezone) if book is not None else visit.zone,
        "also": ", ".join(sent),
        "now": visit.speech.say(
            "now: %(state)s", state=visit.speech.say(words.state("incident", state).word)
        )
        if state
        else "",
    }
