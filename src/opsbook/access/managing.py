"""Who lets whom in: inviting, new links, disabling, and who is a first administrator.

Whoever can make a link for an account can be that account, so the rule for all of these is one:
**nobody gets a way into an account that may administer what they may not.**

- A first administrator may manage every account, except take away the last one of their kind or
  change themself.
- Somebody with ``access:admin`` may manage the accounts of persons in the books that give it to
  them, where every running book that knows the person does, and the person has no ``admin``
  permission there that they lack. Never a first administrator, and nobody whom no book names:
  an account made ahead of its person would be a key to whatever another book gives that name.

Permissions below ``admin`` may be reached this way by whoever has ``access:admin``. That is seen
(an audit entry, a page to the person by every contact the book has) and does not help to approve
one's own work (`links.one_person`).

Each of these is one transaction and looks at the asking account as it is then: of two first
administrators who dismiss each other at the same moment, one stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from opsbook import audit
from opsbook.access import accounts, links, sessions
from opsbook.access.principal import Principal
from opsbook.access.tables import account
from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound, Refused
from opsbook.book import Book
from opsbook.book.sections.people import Person

Row = Mapping[str, Any]
PERMISSION = "access:admin"
WAY_BACK = timedelta(hours=1)


@dataclass(frozen=True)
class Made:
    """A link that was just made; ``raw`` is shown once. ``fresh``: nobody was ever in with it."""

    account_id: int
    login: str
    raw: str
    expires_at: datetime
    fresh: bool


def named(books: Iterable[Book], login: str) -> list[tuple[Book, Person]]:
    """Return which person of which running book an account is."""
    found = [(book, book.person_of(login)) for book in books]
    return [(book, book.people[person]) for book, person in found if person is not None]


def uninvited(books: Iterable[Book], logins: Iterable[str]) -> dict[str, list[tuple[Book, Person]]]:
    """Return the persons who have no account, by the login that would be theirs."""
    known, found = set(logins), dict[str, list[tuple[Book, Person]]]()
    for book in books:
        for person in book.people.values():
            if person.login not in known:
                found.setdefault(person.login, []).append((book, person))
    return found


def shown(who: Principal, readable: Iterable[Book], row: Row) -> bool:
    """Tell whether somebody may see an account: their own, one of their books, or any."""
    if who.first_admin or row["id"] == who.account_id:
        return True
    return bool(named(readable, row["login"]))


def state(row: Row, now: datetime) -> str:
    """Return how far somebody of ``accounts.overview`` has come in.

    ``disabled``, ``in``, ``invited`` (has a link that works), or ``late`` (has none that does).
    """
    if row["disabled_at"] is not None:
        return "disabled"
    if row["seen_at"] is not None or row["password_hash"] is not None:
        return "in"
    good = row["link_expires_at"] is not None and row["link_used_at"] is None
    return "invited" if good and row["link_expires_at"] > now else "late"


def may(who: Principal, books: Sequence[Book], login: str, *, first_admin: bool = False) -> bool:
    """Tell whether somebody may manage an account, for a page that shows only what one may do."""
    try:
        require(who, books, login, first_admin=first_admin)
    except Refused:
        return False
    return True


def require(
    who: Principal, books: Sequence[Book], login: str, *, first_admin: bool = False
) -> None:
    """Do nothing where ``who`` may manage the account of that login.

    Raises:
        Refused: with the rule and who can.
    """
    if not who.scoped(PERMISSION):
        raise Refused(
            "This token may not change accounts.",
            remedy="Use the page Accounts, or a personal token with the scope accounts "
            "(OPSBOOK_TOKEN).",
            permission=PERMISSION,
        )
    if who.first_admin:
        return
    if first_admin:
        raise Refused(
            f"{login} is a first administrator; only another one may change that account.",
            remedy="Ask a first administrator.",
        )
    known = named(books, login)
    if not known:
        raise Refused(
            f"No running book knows {login}; only a first administrator may change such accounts.",
            remedy="Add the person to the book's people first, or ask a first administrator.",
        )
    for book, person in known:
        who.require(PERMISSION, book)
        given = {one for role in person.roles for one in book.roles.get(role, ())}
        more = sorted(
            str(one) for one in given if one.level == "admin" and not who.entitled(str(one), book)
        )
        if more:
            raise Refused(
                f"{login} has {', '.join(more)} in the book {book.id}, which {who.login} has not.",
                remedy="Ask somebody who has it: a link would let its maker in as that person.",
                permission=more[0],
                book=book.id,
            )


def invite(
    tx: Transaction, now: datetime, who: Principal, books: Sequence[Book], login: str
) -> Made:
    """Make an account and its first link.

    Raises:
        Refused: ``who`` may not.
        Invalid: the login cannot be one.
        LoginTaken: there is one of that name.
    """
    login = accounts.checked(login)
    who = _today(tx, who)
    require(who, books, login)
    made = accounts.create(tx, now, login, by=who.actor)
    return _linked(tx, now, who, accounts.require(tx, made))


def link(
    tx: Transaction, now: datetime, who: Principal, books: Sequence[Book], account_id: int
) -> Made:
    """Make a new link for an account; its earlier ones are void.

    Raises:
        Refused: ``who`` may not, the account is theirs, or it is disabled.
    """
    row, who = _other(tx, who, books, account_id, "A link for yourself would lead where you are.")
    if row["disabled_at"] is not None:
        raise Refused(
            f"The account {row['login']} is disabled.", remedy="Enable it, then make a link."
        )
    return _linked(tx, now, who, row)


def disable(
    tx: Transaction, now: datetime, who: Principal, books: Sequence[Book], account_id: int
) -> bool:
    """Shut somebody out; ``False`` when they were already.

    Raises:
        Refused: ``who`` may not, or it is themself.
    """
    row, who = _other(tx, who, books, account_id, "Nobody disables their own account.")
    return accounts.disable(tx, now, row["id"], by=who.actor)


def enable(
    tx: Transaction, now: datetime, who: Principal, books: Sequence[Book], account_id: int
) -> bool:
    """Let somebody in again; ``False`` when they were not shut out.

    Raises:
        Refused: ``who`` may not.
    """
    row, who = _other(tx, who, books, account_id, "This account is yours.")
    return accounts.enable(tx, now, row["id"], by=who.actor)


def end_sessions(
    tx: Transaction, now: datetime, who: Principal, books: Sequence[Book], account_id: int
) -> int:
    """Sign somebody out everywhere; return of how many sessions.

    Raises:
        Refused: ``who`` may not.
    """
    row, who = _other(tx, who, books, account_id, "Your own sessions are on your profile.")
    closed = sessions.close_all(tx, row["id"])
    audit.record(
        tx, now, who.actor, "account.signed_out_by", f"account:{row['id']}",
        data={"sessions": closed},
    )  # fmt: skip
    return closed


def appoint(
    tx: Transaction, now: datetime, who: Principal, books: Sequence[Book], account_id: int, *,
    first_admin: bool,
) -> bool:  # fmt: skip
    """Make a first administrator, or one no more; ``False`` when it was so already.

    Never by a program, so never with a token. The last one cannot go: only a first administrator
    may do this, to somebody else.

    Raises:
        Refused: ``who`` may not, or it is themself.
    """
    own = "Nobody makes themself a first administrator, or one no more."
    row, who = _other(tx, who, books, account_id, own)
    if who.kind != "session" or not who.first_admin:
        raise Refused(
            "Only a first administrator who is signed in says who else is one.",
            remedy="Ask a first administrator.",
        )
    if first_admin and row["disabled_at"] is not None:
        raise Refused(f"The account {row['login']} is disabled.", remedy="Enable it first.")
    other = (account.c.id == row["id"]) & (account.c.first_admin == (not first_admin))
    if not tx.claim(sa.update(account).where(other).values(first_admin=first_admin)):
        return False
    action = "account.appointed" if first_admin else "account.dismissed"
    audit.record(tx, now, who.actor, action, f"account:{row['id']}")
    return True


def way_back(tx: Transaction, now: datetime, login: str) -> str:
    """Make a first administrator's link without anybody signed in, and return it raw.

    For whoever has the database itself, which is more than any account: on record as made there.

    Raises:
        NotFound: there is no such account.
        Refused: it is no first administrator's, whose link another person can make.
    """
    row = accounts.by_login(tx, login)
    if row is None:
        raise NotFound(f"There is no account {login!r}.")
    if not row["first_admin"] or row["disabled_at"] is not None:
        chiefs = [
            one["login"] for one in accounts.all(tx)
            if one["first_admin"] and one["disabled_at"] is None
        ]  # fmt: skip
        raise Refused(
            f"{login} is no first administrator who can sign in, and only such get in this way.",
            remedy=f"Name one of them: {', '.join(chiefs) or 'there is none'}; "
            "they make links for everybody else.",
        )
    return links.make(tx, now, row["id"], WAY_BACK, kind="offline")


def _linked(tx: Transaction, now: datetime, who: Principal, row: Row) -> Made:
    raw = links.make(tx, now, row["id"], links.INVITED, by=who.actor, made_by=who.account_id)
    fresh = row["password_hash"] is None and row["seen_at"] is None
    return Made(row["id"], row["login"], raw, now + links.INVITED, fresh)


def _other(
    tx: Transaction, who: Principal, books: Sequence[Book], account_id: int, own: str
) -> tuple[Row, Principal]:
    """Return the account and who asks, as both are now.

    Raises:
        NotFound: there is no such account.
        Refused: ``who`` may not manage it, or it is their own.
    """
    who = _today(tx, who)
    row = accounts.require(tx, account_id)
    require(who, books, row["login"], first_admin=row["first_admin"])
    if row["id"] == who.account_id:
        raise Refused(own, remedy="Ask somebody else who may change accounts.")
    return row, who


def _today(tx: Transaction, who: Principal) -> Principal:
    """Return who asks as their account is in this transaction, and let no other change it.

    Raises:
        Refused: it was disabled a moment ago.
    """
    if who.account_id is None:
        return who  # the local token, which `require` refuses
    if tx.connection.dialect.name == "postgresql":
        chiefs = sa.select(account.c.id).where(account.c.first_admin).order_by(account.c.id)
        tx.execute(chiefs.with_for_update())
    row = accounts.require(tx, who.account_id)
    if row["disabled_at"] is not None:
        raise Refused(f"The account {who.login} is disabled.", remedy="Ask an administrator.")
    return replace(who, first_admin=row["first_admin"])
