"""Sessions: what a browser's cookie stands for. Kept on the server, so that closing one closes it.

The cookie holds 256 random bits, the table their hash: whoever reads the database cannot become
anybody. A session ends after 12 hours without a request and after 7 days in any case. The token for
forms (``csrf``) is the session's own and never changes while it lives.

When somebody was last seen is written once a minute at most. A page therefore looks with a reader
(``find``) and hands over to the writer only when ``stale`` says so.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from opsbook import audit
from opsbook.access.principal import Principal
from opsbook.access.seen import may_write, saw, stale
from opsbook.access.tables import account, session
from opsbook.base import ids
from opsbook.base.database import Transaction

IDLE: Final = timedelta(hours=12)
LIFE: Final = timedelta(days=7)
LONGEST_AGENT: Final = 200

__all__ = [
    "IDLE", "LIFE", "close", "close_all", "close_one", "find", "of_account", "open", "own",
    "principal", "stale",
]  # fmt: skip


def open(
    tx: Transaction, now: datetime, account_id: int, agent: str, *, how: str = "password",
    link_by: int | None = None,
) -> tuple[str, str]:  # fmt: skip
    """Open a session and return its raw token (for the cookie) and its form token.

    ``agent`` is what the browser calls itself, for the list of one's sessions. ``how`` somebody
    signed in (``password``, ``link``) goes into the audit entry. ``link_by`` is the account that
    made the link, which `links.one_person` has to know for as long as this session lives.
    """
    tx.execute(
        sa.delete(session).where((session.c.expires_at <= now) | (session.c.seen_at <= now - IDLE))
    )
    raw, csrf = ids.token(), ids.token()
    shown = "".join(one for one in agent if one.isprintable())[:LONGEST_AGENT]
    tx.insert(
        session, digest=ids.digest(raw), account_id=account_id, csrf=csrf, created_at=now,
        seen_at=now, expires_at=now + LIFE, agent=shown, link_by=link_by,
    )  # fmt: skip
    saw(tx, now, account_id)
    subject = f"account:{account_id}"
    data: dict[str, Any] = {"how": how}
    if link_by is not None:
        data["link_by"] = f"account:{link_by}"
    audit.record(tx, now, subject, "account.signed_in", subject, data=data)
    return raw, csrf


def find(tx: Transaction, now: datetime, raw: str, *, notes: bool = True) -> dict[str, Any] | None:
    """Return the session with its account's login, first_admin, language and theme; or ``None``.

    A disabled account has no session. In a transaction that may write, ``seen_at`` moves on when
    it is ``stale``; a reader leaves it, and so does who ``notes`` nothing.
    """
    digest = ids.digest(raw)
    columns = (
        *session.c, account.c.login, account.c.first_admin, account.c.language, account.c.theme,
    )  # fmt: skip
    joined = session.join(account, account.c.id == session.c.account_id)
    alive = (
        (session.c.digest == digest)
        & (session.c.expires_at > now)
        & (session.c.seen_at > now - IDLE)
        & account.c.disabled_at.is_(None)
    )
    row = tx.row(sa.select(*columns).select_from(joined).where(alive))
    if row is not None and notes and stale(row["seen_at"], now) and may_write(tx):
        tx.execute(sa.update(session).where(session.c.digest == digest).values(seen_at=now))
        saw(tx, now, row["account_id"])
        row["seen_at"] = now
    return row


def principal(tx: Transaction, now: datetime, raw: str) -> Principal | None:
    """Return who asks with this session; ``None`` when it is over."""
    row = find(tx, now, raw)
    return Principal.of_session(row) if row is not None else None


def close(tx: Transaction, now: datetime, raw: str) -> bool:
    """End a session; ``False`` when there was none."""
    digest = ids.digest(raw)
    whose = tx.scalar(sa.select(session.c.account_id).where(session.c.digest == digest))
    if whose is None or not tx.claim(sa.delete(session).where(session.c.digest == digest)):
        return False
    audit.record(tx, now, f"account:{whose}", "account.signed_out", f"account:{whose}")
    return True


def close_all(tx: Transaction, account_id: int, keep: str | None = None) -> int:
    """End an account's sessions but ``keep`` (a raw token); return how many. The caller audits."""
    mine = session.c.account_id == account_id
    if keep is not None:
        mine &= session.c.digest != ids.digest(keep)
    return tx.execute(sa.delete(session).where(mine)).rowcount


def close_one(tx: Transaction, now: datetime, account_id: int, mark: str) -> bool:
    """End the one of an account's sessions that has this ``mark``; ``False`` when it is gone."""
    alive = sa.select(session.c.digest).where(session.c.account_id == account_id)
    digest = next((row["digest"] for row in tx.rows(alive) if marked(row["digest"]) == mark), None)
    if digest is None or not tx.claim(sa.delete(session).where(session.c.digest == digest)):
        return False
    audit.record(tx, now, f"account:{account_id}", "account.session_ended", f"account:{account_id}")
    return True


def own(tx: Transaction, raw: str) -> None:
    """Forget who made the link a session was opened with: a password was set in it since."""
    mine = session.c.digest == ids.digest(raw)
    tx.execute(sa.update(session).where(mine).values(link_by=None))


def marked(digest: str) -> str:
    """Return what a page calls a session by: short, and of no use to open anything."""
    return ids.digest(f"session:{digest}")[:16]


def of_account(tx: Transaction, now: datetime, account_id: int) -> list[dict[str, Any]]:
    """Return an account's living sessions, the one seen last first (with a ``mark`` for each)."""
    columns = (
        session.c.digest, session.c.created_at, session.c.seen_at, session.c.expires_at,
        session.c.agent, session.c.link_by,
    )  # fmt: skip
    alive = (session.c.expires_at > now) & (session.c.seen_at > now - IDLE)
    mine = sa.select(*columns).where(session.c.account_id == account_id, alive)
    rows = tx.rows(mine.order_by(session.c.seen_at.desc()))
    return [{**row, "mark": marked(row.pop("digest"))} for row in rows]
