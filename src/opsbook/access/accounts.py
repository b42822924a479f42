"""Accounts: a name to sign in with. Which person that is, and what they may do, is the book's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from opsbook import audit
from opsbook.access import sessions
from opsbook.access.errors import LoginTaken
from opsbook.access.tables import access_token, account, session, sign_in_link
from opsbook.audit.entries import SERVER
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid, NotFound

Row = dict[str, Any]
LONGEST = 128
LANGUAGES = frozenset({"ko", "en"})
THEMES = frozenset({"light", "dark"})
LINK = ("made_by", "created_at", "expires_at", "used_at")


def create(
    tx: Transaction, now: datetime, login: str, first_admin: bool = False, *, by: str = SERVER
) -> int:
    """Make an account without a password and return its id; a sign-in link lets its owner in.

    A ``first_admin`` may do everything in every book: somebody has to be able to before any book
    says who may.

    Raises:
        Invalid: the name cannot be one.
        LoginTaken: there is one of that name.
    """
    login = checked(login)
    if by_login(tx, login) is not None:
        raise LoginTaken(
            f"There is an account {login!r} already.",
            remedy="Choose another name, or make a sign-in link for this one.",
        )
    made = tx.insert(account, login=login, first_admin=first_admin, created_at=now)
    data = {"first_admin": first_admin}  # the name is text, which can be erased one day
    audit.record(tx, now, by, "account.created", f"account:{made}", data=data, text=login)
    return made


def checked(login: str) -> str:
    """Return the name in its one form, or refuse it.

    Raises:
        Invalid: with the reason.
    """
    plain = unicodedata.normalize("NFC", login).strip()
    if not plain or len(plain) > LONGEST:
        raise Invalid(
            f"A name to sign in with has 1 to {LONGEST} characters; this has {len(plain)}.",
            remedy="Use the `account` (or else the id) of the person in the book.",
        )
    if not re.fullmatch(r"[\w.@+-]+", plain):
        raise Invalid(
            f"{plain!r} cannot be a name to sign in with.",
            remedy="Use letters, digits and . _ - @ + only, without blanks.",
        )
    return plain


def by_login(tx: Transaction, login: str) -> Row | None:
    """Return the account of that name, disabled or not."""
    plain = unicodedata.normalize("NFC", login).strip()
    return tx.row(sa.select(account).where(account.c.login == plain))


def by_id(tx: Transaction, account_id: int) -> Row | None:
    """Return an account by its number."""
    return tx.row(sa.select(account).where(account.c.id == account_id))


def all(tx: Transaction) -> Sequence[Row]:
    """Return every account, the oldest first."""
    return tx.rows(sa.select(account).order_by(account.c.id))


def overview(tx: Transaction, now: datetime) -> Sequence[Row]:
    """Return every account, by name, with its living ``sessions`` and ``tokens``, counted, and its
    newest link: who made it, until when it is good, when it was used (``link_…``).
    """
    links = {
        row["account_id"]: row
        for row in tx.rows(sa.select(sign_in_link).order_by(sign_in_link.c.created_at))
    }
    alive = (session.c.expires_at > now) & (session.c.seen_at > now - sessions.IDLE)
    usable = access_token.c.revoked_at.is_(None) & (access_token.c.expires_at > now)
    open_sessions = _counted(tx, session.c.account_id, alive)
    open_tokens = _counted(tx, access_token.c.account_id, usable)
    return [
        {
            **row,
            "sessions": open_sessions.get(row["id"], 0),
            "tokens": open_tokens.get(row["id"], 0),
            **{f"link_{name}": links.get(row["id"], {}).get(name) for name in LINK},
        }
        for row in tx.rows(sa.select(account).order_by(account.c.login))
    ]


def logins(tx: Transaction, ids: Sequence[int]) -> dict[int, str]:
    """Return the names of these accounts by id."""
    query = sa.select(account.c.id, account.c.login).where(account.c.id.in_(list(ids)))
    return {row["id"]: row["login"] for row in tx.rows(query)}


def set_password(
    tx: Transaction, now: datetime, account_id: int, password_hash: str, *,
    by: str | None = None, keep: str | None = None,
) -> None:  # fmt: skip
    """Set or change a password (its hash, from ``passwords.hash``).

    A change ends the account's other sessions and its unused links: whoever changes a password
    because somebody knew it wants that somebody out. ``keep`` is the raw token of the session that
    asks; who made the link it was opened with is forgotten (`links.one_person`). Setting the first
    password ends nothing.
    """
    row = require(tx, account_id)
    tx.execute(sa.update(account).where(_is(account_id)).values(password_hash=password_hash))
    changed = row["password_hash"] is not None
    closed = sessions.close_all(tx, account_id, keep) if changed else 0
    if changed:
        _drop_links(tx, account_id)
    if keep is not None:
        sessions.own(tx, keep)
    audit.record(
        tx, now, by or f"account:{account_id}", "account.password_set", f"account:{account_id}",
        data={"changed": changed, "sessions_closed": closed},
    )  # fmt: skip


def rehash(tx: Transaction, account_id: int, old: str, new: str) -> bool:
    """Exchange a hash for one with today's parameters, unless the password changed meanwhile."""
    same = _is(account_id) & (account.c.password_hash == old)
    return tx.claim(sa.update(account).where(same).values(password_hash=new))


def prefer(
    tx: Transaction, account_id: int, *, language: str | None = None, theme: str | None = None
) -> None:
    """Keep how somebody likes the pages; ``None`` leaves a setting as it is, "" forgets it.

    Raises:
        Invalid: a language or theme there is none of.
    """
    values: dict[str, str | None] = {}
    for name, given, known in (("language", language, LANGUAGES), ("theme", theme, THEMES)):
        if given is None:
            continue
        if given and given not in known:
            raise Invalid(f"{given!r} is no {name}.", remedy=f"Use {', '.join(sorted(known))}.")
        values[name] = given or None
    if values:
        tx.execute(sa.update(account).where(_is(account_id)).values(**values))


def disable(tx: Transaction, now: datetime, account_id: int, *, by: str) -> bool:
    """Shut an account out at once: sessions and links end, tokens and votes to come are refused.

    The row stays: the audit chain and old runs name it. ``False`` when it was disabled already.
    """
    require(tx, account_id)
    active = _is(account_id) & account.c.disabled_at.is_(None)
    if not tx.claim(sa.update(account).where(active).values(disabled_at=now)):
        return False
    closed = sessions.close_all(tx, account_id)
    _drop_links(tx, account_id)
    mine = (access_token.c.account_id == account_id) & access_token.c.revoked_at.is_(None)
    revoked = tx.execute(sa.update(access_token).where(mine).values(revoked_at=now)).rowcount
    audit.record(
        tx, now, by, "account.disabled", f"account:{account_id}",
        data={"sessions_closed": closed, "tokens_revoked": revoked},
    )  # fmt: skip
    return True


def enable(tx: Transaction, now: datetime, account_id: int, *, by: str) -> bool:
    """Let a disabled account in again; ``False`` when it was not disabled."""
    require(tx, account_id)
    shut = _is(account_id) & account.c.disabled_at.is_not(None)
    if not tx.claim(sa.update(account).where(shut).values(disabled_at=None)):
        return False
    audit.record(tx, now, by, "account.enabled", f"account:{account_id}")
    return True


def require(tx: Transaction, account_id: int) -> Row:
    """Return an account.

    Raises:
        NotFound: there is none of that number.
    """
    row = by_id(tx, account_id)
    if row is None:
        raise NotFound(f"There is no account {account_id}.")
    return row


def _is(account_id: int) -> sa.ColumnElement[bool]:
    return account.c.id == account_id


def _counted(
    tx: Transaction, column: sa.ColumnElement[Any], which: sa.ColumnElement[bool]
) -> dict[int, int]:
    query = sa.select(column.label("account"), sa.func.count().label("n")).where(which)
    return {row["account"]: row["n"] for row in tx.rows(query.group_by(column))}


def _drop_links(tx: Transaction, account_id: int) -> None:
    unused = (sign_in_link.c.account_id == account_id) & sign_in_link.c.used_at.is_(None)
    tx.execute(sa.delete(sign_in_link).where(unused))
