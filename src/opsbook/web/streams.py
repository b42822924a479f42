"""The two streams of pages: ``/live`` says what changed, ``/runs/N/output`` what steps write.

Output comes as HTML, rendered as on the page itself (see `ansi`): what a piece gives takes the
place of the open line that the page has at its end. A stream that begins in the middle has read,
for each attempt, what the page showed last, so that styles and half a line go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from opsbook.access import sessions
from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.runs import store as runs
from opsbook.web import live, store
from opsbook.web.ansi import Rendering
from opsbook.web.live import BEAT, HEARTBEAT, LIFE, Ended, Topics
from opsbook.web.numbers import After, Number
from opsbook.web.visit import SESSION, Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
PIECES = 200
OVER = frozenset({"succeeded", "failed", "cancelled"})


@router.get("/live")
async def changed(visit: Visitor, topics: str = "", since: str = "") -> Response:
    """Say which of a page's topics changed, from the moment it was rendered on."""
    kept = visit.kept
    wanted = Topics(topics)
    told = live.changes(
        kept.streams, kept.app.hub, wanted, lambda: kept.changes.behind(since, wanted)
    )
    return kept.streams.answer(_whose(visit), told)


@router.get("/runs/{run_id}/output")
async def output(visit: Visitor, run_id: Number, after: After = 0) -> Response:
    """Stream pieces of output after a piece's number, until the run is over."""
    await visit.kept.app.database.read(lambda tx: _run(tx, visit, run_id))
    last = visit.request.headers.get("last-event-id", "")
    after = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else after
    return visit.kept.streams.answer(_whose(visit), _pieces(visit, run_id, after))


def _run(tx: Transaction, visit: Visit, run_id: int) -> dict[str, Any]:
    row = runs.get(tx, run_id)
    if row is None or row["book"] not in {book.id for book in visit.books("runs:read")}:
        raise NotFound(f"There is no run {run_id}.")
    return row


async def _pieces(visit: Visit, run_id: int, after: int) -> AsyncIterator[str]:
    app, streams = visit.kept.app, visit.kept.streams
    cookie = visit.request.cookies.get(SESSION, "")
    loop = asyncio.get_running_loop()
    ends = loop.time() + LIFE
    listener = app.hub.subscribe(f"run:{run_id}".__eq__)

    renderings: dict[int, Rendering] = {}

    def read(tx: Transaction) -> tuple[bool, list[dict[str, Any]]]:
        if sessions.find(tx, app.clock.now(), cookie) is None:
            return True, []
        over = _run(tx, visit, run_id)["state"] in OVER
        found = runs.stored_after(tx, run_id, after, PIECES)
        for attempt_id in {one["attempt_id"] for one in found} - renderings.keys():
            rendering = renderings[attempt_id] = Rendering()
            rendering.feed(store.output_until(tx, attempt_id, after))
        return over, found

    try:
        while loop.time() < ends:
            over, found = await app.database.read(read)
            for one in found:
                after = one["id"]
                # In a thread: a long piece may take longer than others should wait.
                html = await asyncio.to_thread(renderings[one["attempt_id"]].feed, one["text"])
                piece = {"attempt": one["attempt_id"], "end": one["id"], "html": html}
                yield f"id: {after}\n{live.event('output', piece)}"
            if len(found) == PIECES:
                continue
            if over:
                yield live.event("end", {})
                return
            if not await streams.first(listener.changed(), HEARTBEAT):
                yield BEAT
    except (Ended, NotFound):  # the server stops; or they may not read it any more
        return
    finally:
        listener.close()


def _whose(visit: Visit) -> str:
    return str(visit.session["digest"]) if visit.session is not None else "nobody"
