"""``/accounts``: who can sign in, inviting, links, disabling.

An answer with a link holds a secret: it is told once and kept nowhere, also not to answer the same
request again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from fastapi import APIRouter

from opsbook.access import accounts, managing
from opsbook.access.managing import Made
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.book.sections.people import Person
from opsbook.web import letters
from opsbook.web.api.callers import Ask, Asking
from opsbook.web.api.idempotency import Once, OnlyOnce
from opsbook.web.api.models import (
    AccountOut,
    Accounts,
    Asked,
    Invite,
    LinkMade,
    RoleHolder,
    Uninvited,
)
from opsbook.web.api.problems import ProblemRoute
from opsbook.web.numbers import Number

routes = APIRouter(route_class=ProblemRoute, tags=["accounts"])


@routes.get("/accounts")
async def listed(ask: Ask) -> Accounts:
    """Every account the caller may see, and the persons of their books who have none."""
    books = ask.books("access")
    running = ask.app.library.books()
    now = ask.app.clock.now()

    def read(tx: Transaction) -> Accounts:
        rows = accounts.overview(tx, now)
        outside = managing.uninvited(running, [row["login"] for row in rows])
        return Accounts(
            accounts=[
                _shaped(ask, row, now) for row in rows if managing.shown(ask.who, books, row)
            ],
            without=[
                Uninvited(login=login, persons=_persons(ask, found))
                for login, found in outside.items()
                if any(book in books for book, _ in found)
            ],
        )

    return await ask.app.database.read(read)


@routes.post("/accounts", status_code=201)
async def invite(ask: Ask, once: OnlyOnce, asked: Invite) -> LinkMade:
    """Make an account and its first link. Takes ``access:admin`` and the scope ``accounts``."""
    return await _linked(once, lambda tx, now, books: managing.invite(
        tx, now, ask.who, books, asked.login
    ))  # fmt: skip


@routes.post("/accounts/{account_id}/link", status_code=201)
async def link(
    ask: Ask, once: OnlyOnce, account_id: Number, asked: Asked | None = None
) -> LinkMade:
    """Make a new link for an account, which voids its earlier ones; the person is told."""
    return await _linked(once, lambda tx, now, books: managing.link(
        tx, now, ask.who, books, account_id
    ))  # fmt: skip


@routes.post("/accounts/{account_id}/disable")
async def disable(once: OnlyOnce, account_id: Number, asked: Asked | None = None) -> AccountOut:
    """Shut an account out: sessions, links and tokens end at once."""
    return await _changed(once, account_id, managing.disable)


@routes.post("/accounts/{account_id}/enable")
async def enable(once: OnlyOnce, account_id: Number, asked: Asked | None = None) -> AccountOut:
    """Let a disabled account in again; its old sessions, links and tokens stay dead."""
    return await _changed(once, account_id, managing.enable)


async def _linked(
    once: Once, make: Callable[[Transaction, datetime, Sequence[Book]], Made]
) -> LinkMade:
    ask = once.ask
    now, books = ask.app.clock.now(), ask.app.library.books()

    def write(tx: Transaction) -> LinkMade:
        made = make(tx, now, books)
        letters.tell(tx, now, books, ask.who, made)
        return LinkMade(
            account=made.account_id,
            login=made.login,
            url=f"{ask.origin}/sign-in/link/{made.raw}",
            expires_at=made.expires_at,
        )

    return await once.secret(write)


async def _changed(once: Once, account_id: int, change: Callable[..., bool]) -> AccountOut:
    ask = once.ask
    now, books = ask.app.clock.now(), ask.app.library.books()

    def write(tx: Transaction) -> AccountOut:
        change(tx, now, ask.who, books, account_id)
        row = next(one for one in accounts.overview(tx, now) if one["id"] == account_id)
        return _shaped(ask, row, now)

    return await once.write(write)


def _shaped(ask: Asking, row: Mapping[str, Any], now: datetime) -> AccountOut:
    state = managing.state(row, now)
    return AccountOut(
        **{
            **row,
            "state": state,
            "password": row["password_hash"] is not None,
            "persons": _persons(ask, managing.named(ask.app.library.books(), row["login"])),
            "link_expires_at": row["link_expires_at"] if state == "invited" else None,
        }
    )


def _persons(ask: Asking, found: Sequence[tuple[Book, Person]]) -> list[RoleHolder]:
    return [
        RoleHolder(
            book=book.id,
            person=person.id,
            name=person.name.in_language(ask.language),
            roles=list(person.roles),
        )
        for book, person in found
    ]
