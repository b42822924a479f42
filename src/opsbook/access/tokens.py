"""Tokens for programs: made by a person, shown once, limited in what they may do and for how long.

``read`` reads what its account may read, ``run`` starts, answers and cancels runs and writes notes,
``approve`` acts as its person: approve, confirm, acknowledge. ``accounts`` makes accounts and their
links, disables and enables them. A token never has more than its account has at that moment, and
``accounts`` aside never an ``admin`` level: what changes who may do what is done by a person who is
signed in.

A token without an account is the local one, which the server puts into its data folder for programs
of its own user. It reads and starts, in every book, and nothing makes it approve.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from opsbook import audit
from opsbook.access.principal import LOCAL_SCOPES, SCOPES, Principal
from opsbook.access.seen import may_write, saw, stale
from opsbook.access.tables import access_token, account
from opsbook.audit.entries import SERVER
from opsbook.base import ids
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid

PREFIX: Final = "opb_"
LONGEST_NAME: Final = 100
LONGEST_LIFE: Final = timedelta(days=366)


def create(
    tx: Transaction, now: datetime, account_id: int | None, name: str, scopes: Iterable[str],
    life: timedelta | None, *, link_by: int | None = None,
) -> str:  # fmt: skip
    """Make a token and return it raw; it is not stored and cannot be shown again.

    ``link_by`` is that of the session it is made in: a token must not be the way out of it.

    Raises:
        Invalid: an unknown scope, no name, a life over a year, or a local token that may approve.
    """
    wanted = frozenset(scopes)
    name = name.strip()
    known = SCOPES if account_id is not None else LOCAL_SCOPES
    if not wanted or not wanted <= known:
        unknown = ", ".join(sorted(wanted - known)) or "nothing"
        raise Invalid(
            f"A token cannot be made for: {unknown}.",
            remedy=f"Choose from {', '.join(sorted(known))}.",
        )
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Invalid(
            f"A token's name has 1 to {LONGEST_NAME} characters, on one line.",
            remedy="Name the program that will use it.",
        )
    if account_id is not None and (life is None or not timedelta(0) < life <= LONGEST_LIFE):
        raise Invalid(
            "A personal token lives between a moment and a year.",
            remedy="Choose a number of days from 1 to 366.",
        )
    raw = ids.token(PREFIX)
    made = tx.insert(
        access_token, digest=ids.digest(raw), account_id=account_id, name=name,
        scopes=sorted(wanted), created_at=now, expires_at=None if life is None else now + life,
        link_by=link_by,
    )  # fmt: skip
    audit.record(
        tx, now, SERVER if account_id is None else f"account:{account_id}", "token.made",
        f"token:{made}", data={"account": account_id, "scopes": sorted(wanted)}, text=name,
    )  # fmt: skip
    return raw


def find(tx: Transaction, now: datetime, raw: str, *, notes: bool = True) -> dict[str, Any] | None:
    """Return a token that is good now, with its account's login and first_admin; or ``None``.

    For the local token these two are ``None`` and ``False``. As with sessions, ``used_at`` moves
    on when it is ``stale`` and the transaction may write, unless it ``notes`` nothing: many at the
    same moment would wait for each other's row.
    """
    columns = (*access_token.c, account.c.login, account.c.first_admin)
    joined = access_token.outerjoin(account, account.c.id == access_token.c.account_id)
    good = (
        (access_token.c.digest == ids.digest(raw))
        & access_token.c.revoked_at.is_(None)
        & (access_token.c.expires_at.is_(None) | (access_token.c.expires_at > now))
        & account.c.disabled_at.is_(None)
    )
    row = tx.row(sa.select(*columns).select_from(joined).where(good))
    if row is None:
        return None
    row["first_admin"] = bool(row["first_admin"])
    if notes and stale(row["used_at"], now) and may_write(tx):
        mine = access_token.c.id == row["id"]
        tx.execute(sa.update(access_token).where(mine).values(used_at=now))
        if row["account_id"] is not None:
            saw(tx, now, row["account_id"])
        row["used_at"] = now
    return row


def principal(tx: Transaction, now: datetime, raw: str) -> Principal | None:
    """Return who asks with this token; ``None`` when it is no good."""
    row = find(tx, now, raw)
    return Principal.of_token(row) if row is not None else None


def list(tx: Transaction, account_id: int) -> Sequence[dict[str, Any]]:
    """Return an account's tokens that are not revoked, newest first, without their hashes."""
    columns = [column for column in access_token.c if column.name != "digest"]
    mine = (access_token.c.account_id == account_id) & access_token.c.revoked_at.is_(None)
    return tx.rows(sa.select(*columns).where(mine).order_by(access_token.c.id.desc()))


def revoke(tx: Transaction, now: datetime, token_id: int, account_id: int) -> bool:
    """Make one of an account's tokens void at once; ``False`` when it has no such token."""
    mine = (access_token.c.id == token_id) & (access_token.c.account_id == account_id)
    return _revoke(tx, now, mine, f"account:{account_id}", f"token:{token_id}")


def withdraw(tx: Transaction, now: datetime, raw: str) -> bool:
    """Make a token void by itself: the server does so with the local one it leaves behind."""
    row = tx.row(sa.select(access_token).where(access_token.c.digest == ids.digest(raw)))
    if row is None:
        return False
    return _revoke(tx, now, access_token.c.id == row["id"], SERVER, f"token:{row['id']}")


def _revoke(
    tx: Transaction, now: datetime, which: sa.ColumnElement[bool], by: str, subject: str
) -> bool:
    good = which & access_token.c.revoked_at.is_(None)
    if not tx.claim(sa.update(access_token).where(good).values(revoked_at=now)):
        return False
    audit.record(tx, now, by, "token.revoked", subject)
    return True
