"""Accounts: who can sign in, who cannot yet, and letting them in.

A link is shown in the answer that made it, this once and on a page of its own: it is kept as a hash
alone, and reloading must not make another.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from opsbook.access import accounts, links, managing
from opsbook.access.errors import LoginTaken
from opsbook.access.managing import Made
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid, NotFound
from opsbook.book import Book
from opsbook.book.sections.people import Person
from opsbook.web import forms, letters, pages, sayings, words
from opsbook.web.i18n import N_
from opsbook.web.numbers import Number
from opsbook.web.visit import Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)
Row = dict[str, Any]

WISHES: Final[Mapping[str, Callable[..., object]]] = {
    "disable": managing.disable,
    "enable": managing.enable,
    "end-sessions": managing.end_sessions,
    "appoint": partial(managing.appoint, first_admin=True),
    "dismiss": partial(managing.appoint, first_admin=False),
}
"""What a button of an account's page does; each says so in `sayings.DONE` under ``account-…``."""
TYPED: Final = frozenset({"disable", "appoint", "dismiss", "link"})
"""What asks for the account's name to be typed."""


@router.get("/accounts")
async def listed(visit: Visitor) -> Response:
    """Show every account, and who of the books has none."""
    return await _list(visit)


@router.post("/accounts")
async def invite(visit: Visitor) -> Response:
    """Make an account and show its link, this once."""
    fields = await visit.form()
    books = visit.kept.app.library.books()
    login = forms.text(fields, "login")

    def write(tx: Transaction) -> Made:
        made = managing.invite(tx, visit.now, visit.who, books, login)
        letters.tell(tx, visit.now, books, visit.who, made)
        return made

    try:
        made = await visit.write(write)
    except (Invalid, LoginTaken) as error:
        return await _list(visit, login=login, wrong=sayings.error(visit.speech, error))
    return await _handed_over(visit, made)


@router.get("/accounts/{account_id}")
async def one(visit: Visitor, account_id: Number) -> Response:
    """Show an account: what it may do where, how it was let in, and what may be done about it."""
    return await _one(visit, account_id)


@router.get("/accounts/{account_id}/{wish}")
async def back(visit: Visitor, account_id: Number, wish: str) -> Response:
    """Go back to the account, for who reloads what a form answered with."""
    return pages.go(visit, f"/accounts/{account_id}")


@router.post("/accounts/{account_id}/link")
async def link(visit: Visitor, account_id: Number) -> Response:
    """Make a new link and show it, this once; the name is typed where somebody was in before."""
    fields = await visit.form()
    books = visit.kept.app.library.books()

    def write(tx: Transaction) -> Made:
        made = managing.link(tx, visit.now, visit.who, books, account_id)
        if not made.fresh:
            _typed(fields, made.login)
        letters.tell(tx, visit.now, books, visit.who, made)
        return made

    try:
        made = await visit.write(write)
    except Invalid as error:
        return await _one(visit, account_id, "link", sayings.error(visit.speech, error))
    return await _handed_over(visit, made)


@router.post("/accounts/{account_id}/{wish}")
async def change(visit: Visitor, account_id: Number, wish: str) -> Response:
    """Disable, enable, sign out, appoint or dismiss."""
    fields = await visit.form()
    if wish not in WISHES:
        raise NotFound
    books = visit.kept.app.library.books()

    def write(tx: Transaction) -> None:
        row = accounts.require(tx, account_id)
        managing.require(visit.who, books, row["login"], first_admin=row["first_admin"])
        if wish in TYPED:
            _typed(fields, row["login"])
        WISHES[wish](tx, visit.now, visit.who, books, account_id)

    try:
        await visit.write(write)
    except Invalid as error:
        return await _one(visit, account_id, wish, sayings.error(visit.speech, error))
    return pages.go(visit, f"/accounts/{account_id}", f"account-{wish}")


def _typed(fields: Mapping[str, str], login: str) -> None:
    if forms.text(fields, "typed") != login:
        raise Invalid(
            N_("What was typed is not the account's name."), remedy=N_("Nothing was changed.")
        )


# ---- shown -------------------------------------------------------------------------------------


async def _list(visit: Visit, *, login: str = "", wrong: str = "") -> Response:
    visit.readable("access")
    books = visit.books("access:read")
    running = visit.kept.app.library.books()

    def read(tx: Transaction) -> dict[str, Any]:
        rows = accounts.overview(tx, visit.now)
        logins = {row["id"]: row["login"] for row in rows}
        outside = managing.uninvited(running, logins.values())
        return {
            "accounts": [_account(visit, row, logins) for row in rows if _seen_by(visit, row)],
            "outside": [
                _person(visit, name, found)
                for name, found in outside.items()
                if any(book in books for book, _ in found)
            ],
        }

    values = await pages.read(visit, read)
    n = len(values["outside"])
    values |= {
        "sentence": visit.speech.say_n(
            "%(n)s person of the book cannot sign in yet.",
            "%(n)s people of the book cannot sign in yet.",
            n,
        )
        if n
        else visit.speech.say("Everybody in the book can sign in."),
        "login": login,
        "wrong": wrong,
        "anybody": visit.who.first_admin,
    }
    return pages.show(visit, "accounts/list.html", values, status=422 if wrong else 200)


async def _one(visit: Visit, account_id: int, wish: str = "", wrong: str = "") -> Response:
    visit.readable("access")
    running = visit.kept.app.library.books()

    def read(tx: Transaction) -> dict[str, Any]:
        rows = accounts.overview(tx, visit.now)
        logins = {row["id"]: row["login"] for row in rows}
        row = next((one for one in rows if one["id"] == account_id), None)
        if row is None or not _seen_by(visit, row):
            raise NotFound(f"There is no account {account_id} that you may see.")
        same = links.one_person(tx, visit.now, account_id) - {account_id}
        return {
            "one": _account(visit, row, logins),
            "same": [_name(visit, logins[other]) for other in sorted(same) if other in logins],
        }

    values = await pages.read(visit, read)
    row = values["one"]
    chief = visit.who.first_admin and not row["mine"]
    values |= {
        "wish": wish,
        "wrong": wrong,
        "manages": not row["mine"]
        and managing.may(visit.who, running, row["login"], first_admin=row["first_admin"]),
        "appoints": chief and not row["first_admin"] and row["disabled_at"] is None,
        "dismisses": chief and row["first_admin"],
    }
    return pages.show(visit, "accounts/detail.html", values, status=422 if wrong else 200)


async def _handed_over(visit: Visit, made: Made) -> Response:
    running = visit.kept.app.library.books()
    known = managing.named(running, made.login)
    await pages.read(visit, lambda tx: None)
    origin = str(visit.request.base_url).rstrip("/")
    values = {
        "made": made,
        "name": _name(visit, made.login),
        "url": f"{origin}/sign-in/link/{made.raw}",
        "known": bool(known),
        "here": _only_here(visit.request.url.hostname or ""),
        "reached": any(person.contacts for _, person in known),
    }
    return pages.show(visit, "accounts/link.html", values)


def _only_here(host: str) -> bool:
    """Tell whether an address leads nowhere but to the machine it is opened on."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _seen_by(visit: Visit, row: Mapping[str, Any]) -> bool:
    return managing.shown(visit.who, visit.books("access:read"), row)


def _account(visit: Visit, row: Row, logins: Mapping[int, str]) -> Row:
    known = managing.named(visit.kept.app.library.books(), row["login"])
    maker = row["link_made_by"]
    return {
        **row,
        "name": _name(visit, row["login"]),
        "roles": _roles(visit, known),
        "known": bool(known),
        "mine": row["id"] == visit.who.account_id,
        "state": managing.state(row, visit.now),
        "maker": _name(visit, logins.get(maker, "?")) if maker is not None else "",
    }


def _person(visit: Visit, login: str, found: Sequence[tuple[Book, Person]]) -> Row:
    person = found[0][1]
    return {
        "login": login,
        "name": words.text(visit.speech, person.name),
        "title": words.text(visit.speech, person.title) if person.title else "",
        "roles": _roles(visit, found),
        "invites": managing.may(visit.who, visit.kept.app.library.books(), login),
    }


def _roles(visit: Visit, known: Sequence[tuple[Book, Person]]) -> list[str]:
    """Return what somebody is in each book, in words."""
    several = len(visit.kept.app.library.books()) > 1
    found = []
    for book, person in known:
        roles = ", ".join(person.roles) or visit.speech.say("no role")
        title = words.text(visit.speech, book.title)
        found.append(
            visit.speech.say("%(book)s: %(roles)s", book=title, roles=roles) if several else roles
        )
    return found


def _name(visit: Visit, login: str) -> str:
    known = managing.named(visit.kept.app.library.books(), login)
    return words.text(visit.speech, known[0][1].name) if known else login
