"""``/webhooks``: the hooks of the books, what became of their deliveries, and trying one.

Nothing here shows where a hook leads beyond what kind of address it is, nor what was sent: the one
may be a secret, and the other is what the receiver was told and not the caller.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter

from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.book import Book
from opsbook.book.sections.webhooks import Webhook
from opsbook.notify import webhooks
from opsbook.notify.webhooks import store
from opsbook.web.api.callers import Ask, Asking, Limit
from opsbook.web.api.idempotency import OnlyOnce
from opsbook.web.api.models import Shape, Time
from opsbook.web.api.problems import ProblemRoute
from opsbook.web.numbers import Before

routes = APIRouter(route_class=ProblemRoute, tags=["webhooks"])
TRY = "book:write"
State = Literal["queued", "sending", "retry", "sent", "failed", "replaced"]


class DeliveryOut(Shape):
    """One event on its way to one hook. ``delivery`` is the id that the receiver gets.

    ``status`` is what the last attempt was answered with, if it was; ``error`` why it is not out.
    """

    id: int
    delivery: str
    event: str
    thread: str
    state: State
    attempts: int
    repeated: bool
    created_at: Time
    next_at: Time | None
    sent_at: Time | None
    status: int | None
    error: str


class HookOut(Shape):
    """A webhook. ``address`` is what kind of address it has; ``waiting`` how many are not out."""

    book: str
    id: str
    title: str
    address: Literal["https", "http", "secret"]
    signed: bool
    loopback: bool
    events: list[str]
    runbooks: list[str]
    where: str
    waiting: int
    last: DeliveryOut | None


class Hooks(Shape):
    """The webhooks of the books one may read."""

    webhooks: list[HookOut]


class Deliveries(Shape):
    """Deliveries newest first. ``next`` goes into ``before`` for the page after this one."""

    deliveries: list[DeliveryOut]
    next: int | None


@routes.get("/webhooks")
async def listed(ask: Ask, book: str | None = None) -> Hooks:
    """The webhooks of the running books, each with its last delivery."""
    books = ask.books("runs", book)

    def read(tx: Transaction) -> Hooks:
        found: list[HookOut] = []
        for one in books:
            last, waiting = store.latest(tx, one.id), store.waiting_for(tx, one.id)
            found += [
                _hook(ask, one, hook, waiting.get(hook.id, 0), last.get(hook.id))
                for hook in one.webhooks.values()
            ]
        return Hooks(webhooks=found)

    return await ask.app.database.read(read)


@routes.get("/webhooks/{book}/{hook}/deliveries")
async def deliveries(
    ask: Ask, book: str, hook: str, state: State | None = None, limit: Limit = 50,
    before: Before = None,
) -> Deliveries:  # fmt: skip
    """What one webhook was sent, newest first; also of one that was taken out of the book."""
    current = ask.books("runs", book)[0]

    def read(tx: Transaction) -> Deliveries:
        rows = store.listed(tx, current.id, hook, state=state, limit=limit, before=before)
        if not rows and hook not in current.webhooks and not store.listed(tx, book, hook, limit=1):
            raise _missing(current, hook)
        following = rows[-1]["id"] if len(rows) == limit else None
        return Deliveries(deliveries=[_delivery(row) for row in rows], next=following)

    return await ask.app.database.read(read)


@routes.post("/webhooks/{book}/{hook}/test", status_code=202)
async def tried(ask: Ask, once: OnlyOnce, book: str, hook: str) -> DeliveryOut:
    """Queue a `webhook.test` for one webhook; its deliveries show what became of it.

    Takes `book:write`: the server sends a request to where the book says.
    """
    current = ask.books("runs", book)[0]
    ask.who.require(TRY, current)
    found = current.webhooks.get(hook)
    if found is None:
        raise _missing(current, hook)
    now = ask.app.clock.now()
    return await once.write(lambda tx: _try(tx, now, ask, current, found))


def _try(tx: Transaction, now: datetime, ask: Asking, book: Book, hook: Webhook) -> DeliveryOut:
    key = f"{book.id}/{hook.id}/{webhooks.TEST}/{secrets.token_hex(16)}"
    about = {"id": book.id, "revision": str(book.revision)}
    body = webhooks.envelope(webhooks.identity(key, now), webhooks.TEST, now, 0, about, {})
    made = webhooks.queue(
        tx, now, book=book.id, hook=hook.id, event=webhooks.TEST, key=key, thread=None, body=body
    )
    row = store.get(tx, made or 0) or {}
    webhooks.record(tx, now, "webhook.tested", row, by=ask.who.actor)
    return _delivery(row)


def _missing(book: Book, hook: str) -> NotFound:
    known = ", ".join(list(book.webhooks)[:12]) or "none"
    return NotFound(f"The book {book.id!r} has no webhook {hook!r}.", remedy=f"It has: {known}.")


def _hook(
    ask: Asking, book: Book, hook: Webhook, waiting: int, last: dict[str, Any] | None
) -> HookOut:
    scheme = (hook.url.url or "").partition("://")[0].lower()
    return HookOut(
        book=book.id,
        id=hook.id,
        title=hook.title.in_language(ask.language),
        address="secret" if hook.url.url is None else "https" if scheme == "https" else "http",
        signed=hook.secret is not None,
        loopback=hook.loopback,
        events=list(hook.events),
        runbooks=list(hook.runbooks),
        where=book.where("webhooks", hook.id),
        waiting=waiting,
        last=_delivery(last) if last is not None else None,
    )


def _delivery(row: dict[str, Any]) -> DeliveryOut:
    identity = webhooks.identity(row["key"], row["created_at"])
    return DeliveryOut(**{**row, "delivery": identity, "thread": row["thread"] or ""})
