"""Who calls: a bearer token, or for reading the session of the page; and the record of refusals.

A cookie never does anything here but read. Browsers send cookies along with what other sites ask
them to send, and an interface for programs has no form whose token could tell the difference.

What somebody may not read is left out of lists and is "not there" by its id; what somebody may not
do is refused with 403, and the refusal is an audit entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Query, Request

from opsbook import audit
from opsbook.access import Principal, sessions, tokens
from opsbook.access.seen import stale
from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound, OpsbookError
from opsbook.book import Book
from opsbook.web import i18n
from opsbook.web.api.wired import App, Wired, wired
from opsbook.web.i18n import Speech
from opsbook.web.sentences import Names
from opsbook.web.visit import SESSION

PREFIX = "/api/v1"
KEY = "opsbook.caller"
READING = frozenset({"GET", "HEAD"})
LONGEST = 200
GONE: Final = "The token is unknown, expired or revoked."

Result = TypeVar("Result")


class Unauthorized(OpsbookError):
    """This needs a token."""

    status = 401
    remedy = "Send `Authorization: Bearer opb_…`; make a token on your profile page."


async def caller(request: Request, app: App) -> Principal:
    """Return who calls.

    Raises:
        Unauthorized: no token, one that is not valid any more, or a cookie where none is taken.
    """
    scheme, _, raw = request.headers.get("authorization", "").partition(" ")
    if scheme:
        principal = await _by_token(app, scheme, raw.strip())
    else:
        principal = await _by_session(app, request)
    request.scope[KEY] = principal
    return principal


async def _by_token(app: Wired, scheme: str, raw: str) -> Principal:
    if scheme.lower() != "bearer" or not 0 < len(raw) <= LONGEST:
        raise Unauthorized("The Authorization header holds no bearer token.")
    now = app.clock.now()
    row = await app.database.read(lambda tx: tokens.find(tx, now, raw))
    if row is not None and stale(row["used_at"], now):
        row = await app.database.write(lambda tx: tokens.find(tx, now, raw))
    if row is None:
        raise Unauthorized(GONE)
    return Principal.of_token(row)


async def _by_session(app: Wired, request: Request) -> Principal:
    raw = request.cookies.get(SESSION, "")
    if not 0 < len(raw) <= LONGEST:
        raise Unauthorized
    if request.method not in READING:
        raise Unauthorized("A page's session can only read here.")
    now = app.clock.now()
    row = await app.database.read(lambda tx: sessions.find(tx, now, raw))
    if row is not None and stale(row["seen_at"], now):
        row = await app.database.write(lambda tx: sessions.find(tx, now, raw))
    if row is None:
        raise Unauthorized("The session is over.", remedy="Sign in again, or send a token.")
    return Principal.of_session(row)


def still(tx: Transaction, now: datetime, request: Request) -> bool:
    """Tell whether what somebody came in with is good: a stream is open longer than that may be."""
    scheme, _, raw = request.headers.get("authorization", "").partition(" ")
    if scheme:
        return tokens.find(tx, now, raw.strip(), notes=False) is not None
    return sessions.find(tx, now, request.cookies.get(SESSION, ""), notes=False) is not None


@dataclass(frozen=True)
class Asking:
    """A request: who asks whom, in which language, and by which address they reached us."""

    app: Wired
    who: Principal
    language: str
    origin: str
    let_in: Callable[[Transaction], bool]

    async def write(self, work: Callable[[Transaction], Result]) -> Result:
        """Do work in one transaction, for a caller who is still let in when it begins.

        Raises:
            Unauthorized: the token was revoked, or its account disabled, while the body came in.
        """

        def asked(tx: Transaction) -> Result:
            if not self.let_in(tx):
                raise Unauthorized(GONE)
            return work(tx)

        return await self.app.database.write(asked)

    def names(self, tx: Transaction) -> Names:
        """Return what people call those who act."""
        return Names(tx, Speech(self.language), self.app.library)

    def books(self, area: str, book: str | None = None) -> list[Book]:
        """Return the running books in which the caller may read ``area``; of one name, or all.

        Raises:
            NotFound: the book that was asked for is not running, or not for this caller.
            Refused: no book at all may be read.
        """
        running = self.app.library.books()
        found = [one for one in running if self.who.may(f"{area}:read", one)]
        if running and not found:
            self.who.require(f"{area}:read", running[0])
        if book is None:
            return found
        named = [one for one in found if one.id == book]
        if not named:
            raise NotFound(
                f"There is no book {book!r} here that you may read.",
                remedy=f"Those there are: {', '.join(one.id for one in found)}.",
            )
        return named

    def visible(
        self, tx: Transaction, area: str, row: dict[str, Any] | None, what: str
    ) -> tuple[Book, dict[str, Any]]:
        """Return a row that the caller may read, and the book that says so.

        Raises:
            NotFound: there is no such row, or none for this caller: both read the same.
        """
        if row is not None:
            book = self.book_of(tx, row)
            if self.who.may(f"{area}:read", book):
                return book, row
        raise NotFound(f"There is no {what} that you may read.")

    def book_of(self, tx: Transaction, row: dict[str, Any]) -> Book:
        """Return the book whose roles decide about a row: the running one, else the row's own.

        The running one goes first: who lost a role today may not answer yesterday's run.
        """
        try:
            return self.app.library.current(row["book"])
        except NotFound:
            return self.app.library.at(tx, row["revision"])


def asking(request: Request, app: App, who: Annotated[Principal, Depends(caller)]) -> Asking:
    """Return what every route is handed."""
    language = i18n.accepted(request.headers.get("accept-language", ""))
    origin = str(request.base_url).rstrip("/")
    return Asking(app, who, language, origin, lambda tx: still(tx, app.clock.now(), request))


Ask = Annotated[Asking, Depends(asking)]
Limit = Annotated[int, Query(ge=1, le=500)]


async def record_refusal(request: Request) -> None:
    """Write an audit entry for what a known caller was refused.

    The entry names the route and the ids in it, and nothing else of the request: a caller's words
    belong in no sealed field.
    """
    who = request.scope.get(KEY)
    if not isinstance(who, Principal):
        return
    app = wired(request)
    route = request.scope.get("route")
    asked = f"{request.method} {PREFIX}{getattr(route, 'path_format', '')}"
    nouns = ("run", "incident", "account")
    numbered = ((name, request.path_params.get(f"{name}_id")) for name in nouns)
    subject = next(
        (f"{name}:{number}" for name, number in numbered if str(number).isdigit()), "api"
    )
    now = app.clock.now()
    await app.database.write(
        lambda tx: audit.record(
            tx, now, who.actor, "access.refused", subject, data={"request": asked, "via": "api"}
        )
    )
