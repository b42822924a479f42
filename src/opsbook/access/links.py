"""One-time sign-in links: how somebody without a password gets in, once.

Looking does not use a link up: mail scanners and chat previews open every link they see, so the
page shows a button and only pressing it signs in. Using is one conditional update; of two who
press at the same moment, one gets in. A new link makes the account's earlier ones void, so that of
several that lie in mails only the newest works.

Whoever makes a link for somebody else holds the way into their account, and could approve their own
work through it. `one_person` therefore says which accounts count as one person for an approval:
the maker and the account, from the moment the link is used until an hour later, and beyond that for
as long as a session that it opened, or a token made in one, lives without a password having been
set in that session. An hour is what it takes to notice: the person was told when the link was made,
the link they were sent does not work, or their own password does not any more. It runs both ways,
since the one may start what the other approves, and along chains: who made links for two accounts
holds both. Only the passing of time ends it; nothing the maker can do alone does.

Refused: binding this to the session alone (signing out would end it, and one password later the
maker is somebody else); for good (a team of two could never approve anything); and to trust a
second administrator's word (a team of two has none).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from opsbook import audit
from opsbook.access import sessions
from opsbook.access.tables import access_token, account, session, sign_in_link
from opsbook.audit.entries import SERVER
from opsbook.base import ids
from opsbook.base.database import Transaction

INVITED: Final = timedelta(days=7)
"""How long a link lives that a person makes for another."""
ONE_PERSON: Final = timedelta(hours=1)
"""How long after a link was used its maker and its account count as one person."""


def make(
    tx: Transaction, now: datetime, account_id: int, life: timedelta, *, by: str = SERVER,
    made_by: int | None = None, kind: str | None = None,
) -> str:  # fmt: skip
    """Return the raw token of a new link for an account, good once and for ``life``.

    ``by`` is the actor, ``made_by`` the account behind it: none where the server made it, or
    somebody with its database (``kind``, for the record: ``offline``).
    """
    unused = (sign_in_link.c.account_id == account_id) & sign_in_link.c.used_at.is_(None)
    voided = tx.execute(sa.delete(sign_in_link).where(unused)).rowcount
    raw = ids.token()
    tx.insert(
        sign_in_link, digest=ids.digest(raw), account_id=account_id, created_at=now,
        expires_at=now + life, made_by=made_by,
    )  # fmt: skip
    data: dict[str, Any] = {"expires_at": (now + life).isoformat(), "voided": voided}
    if kind is not None:
        data["kind"] = kind
    audit.record(tx, now, by, "link.made", f"account:{account_id}", data=data)
    return raw


def look(tx: Transaction, now: datetime, raw: str) -> dict[str, Any] | None:
    """Return whose link it is and who made it (``made_by``), without using it.

    ``None`` when it is spent, too old or unknown.
    """
    joined = sign_in_link.join(account, account.c.id == sign_in_link.c.account_id)
    columns = sa.select(*account.c, sign_in_link.c.made_by)
    return tx.row(columns.select_from(joined).where(_good(raw, now), _enabled()))


def use(tx: Transaction, now: datetime, raw: str) -> int | None:
    """Use a link up and return whose it is; ``None`` when somebody was faster or it is no good."""
    row = look(tx, now, raw)
    if row is None or not tx.claim(
        sa.update(sign_in_link).where(_good(raw, now)).values(used_at=now)
    ):
        return None
    subject = f"account:{row['id']}"
    made_by = f"account:{row['made_by']}" if row["made_by"] is not None else SERVER
    audit.record(tx, now, subject, "link.used", subject, data={"made_by": made_by})
    return int(row["id"])


def one_person(tx: Transaction, now: datetime, *account_ids: int) -> frozenset[int]:
    """Return the accounts that count as one person with this one for approvals, itself included.

    Of several: all that are one person with any of them.
    """
    linked: dict[int, set[int]] = {}
    for one, other in _pairs(tx, now):
        linked.setdefault(one, set()).add(other)
        linked.setdefault(other, set()).add(one)
    found, ahead = set(account_ids), list(account_ids)
    while ahead:
        fresh = linked.get(ahead.pop(), set()) - found
        found |= fresh
        ahead += fresh
    return frozenset(found)


def _pairs(tx: Transaction, now: datetime) -> Iterator[tuple[int, int]]:
    """Yield (account, who made its link) of every link that still counts."""
    used, opened, token = sign_in_link.c, session.c, access_token.c
    lately = used.made_by.is_not(None) & (used.used_at > now - ONE_PERSON)
    alive = (
        opened.link_by.is_not(None) & (opened.expires_at > now)
        & (opened.seen_at > now - sessions.IDLE)
    )  # fmt: skip
    usable = (
        token.link_by.is_not(None) & token.revoked_at.is_(None)
        & (token.expires_at.is_(None) | (token.expires_at > now))
    )  # fmt: skip
    for query in (
        sa.select(used.account_id, used.made_by.label("maker")).where(lately),
        sa.select(opened.account_id, opened.link_by.label("maker")).where(alive),
        sa.select(token.account_id, token.link_by.label("maker")).where(usable),
    ):
        for row in tx.rows(query.distinct()):
            yield row["account_id"], row["maker"]


def _good(raw: str, now: datetime) -> sa.ColumnElement[bool]:
    return (
        (sign_in_link.c.digest == ids.digest(raw))
        & sign_in_link.c.used_at.is_(None)
        & (sign_in_link.c.expires_at > now)
    )


def _enabled() -> sa.ColumnElement[bool]:
    return account.c.disabled_at.is_(None)
