"""``/audit`` and ``/events``: the chain, whether it holds, and what happens next."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from opsbook import audit
from opsbook.base.database import Transaction
from opsbook.base.errors import Conflict
from opsbook.web.api import entries, sse, store
from opsbook.web.api.callers import Ask, Asking
from opsbook.web.api.models import Entries, Events, Fault, Verification
from opsbook.web.api.problems import ProblemRoute
from opsbook.web.kept import Kept
from opsbook.web.numbers import After, Before

routes = APIRouter(route_class=ProblemRoute, tags=["audit"])
LONGEST_WAIT = 30


def require_audit(ask: Asking) -> None:
    """Let pass who may read the audit of every running book: one chain holds them all.

    Raises:
        Refused: the permission is missing in one of them.
    """
    for book in ask.app.library.books():
        ask.who.require("audit:read", book)


@routes.get("/audit")
async def listed(
    ask: Ask,
    after: Before = None,
    before: Before = None,
    thread: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Entries:
    """Entries newest first; of one ``thread`` (``incident:12``, ``run:5``) or of all."""
    require_audit(ask)

    def read(tx: Transaction) -> Entries:
        rows = store.entries(tx, limit=limit, before=before, after=after, thread=thread)
        following = rows[-1]["id"] if len(rows) == limit else None
        return Entries(entries=entries.shaped(rows, ask.names(tx), ask.language), next=following)

    return await ask.app.database.read(read)


@routes.get("/audit/verify")
async def verified(ask: Ask, request: Request) -> Verification:
    """Whether every sealed entry is as it was when it was sealed, and which are not.

    The whole chain is read, so only one asks at a time; the page shows what was found last.
    """
    require_audit(ask)
    kept: Kept = request.app.state.kept
    if kept.verifying:
        raise Conflict("The chain is being verified already.", remedy="Ask again in a while.")
    kept.verifying = True
    try:
        folder = ask.app.places.audit
        verdict = await ask.app.database.read(lambda tx: audit.verify(tx, folder))
    finally:
        kept.verifying = False
    kept.verdict = (ask.app.clock.now(), verdict)
    return Verification(
        holds=verdict.holds,
        checked=verdict.checked,
        seals=verdict.seals,
        waiting=verdict.waiting,
        head=verdict.head,
        faults=[Fault(entry=one.entry, seq=one.seq, message=one.message) for one in verdict.faults],
    )


@routes.get("/events")
async def events(
    ask: Ask,
    after: After = 0,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT)] = 0,
) -> Events:
    """Entries after an id, oldest first; if there are none, waits up to ``wait`` seconds for some.

    Ask again with ``next``: whoever was away has missed nothing.
    """
    require_audit(ask)
    if wait:
        found = await entries.wait(ask.app, after, ask.language, wait)
    else:
        found = await ask.app.database.read(
            lambda tx: entries.since(tx, after, ask.app.library, ask.language)
        )
    return Events(entries=found, next=found[-1].id if found else after)


@routes.get("/events/stream", response_class=sse.Stream)
async def stream(
    ask: Ask, request: Request, resumed: sse.Resumed,
    after: After = 0,
) -> StreamingResponse:  # fmt: skip
    """Entries after an id as server-sent events, and then each new one as it is committed."""
    require_audit(ask)
    last = after if resumed is None else resumed

    async def look() -> sse.Seen:
        nonlocal last
        found = await ask.app.database.read(
            lambda tx: entries.since(tx, last, ask.app.library, ask.language)
        )
        last = found[-1].id if found else last
        told = [sse.event("entry", one, one.id) for one in found]
        return sse.Seen(told, more=len(found) == entries.BATCH)

    return sse.answer(request, ask.who, ask.app.hub, entries.TOPIC, look)
