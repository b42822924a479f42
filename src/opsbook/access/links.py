"""One-time sign-in links: how somebody without a password gets in, once.

Looking does not use a link up: mail scanners and chat previews open every link they see, so the
page shows a button and only pressing it signs in. Using is one conditional update; of two who
press at the same moment, one gets in. A new link makes the account's earlier ones void, so that of
several that lie in mails only the newest works.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from opsbook import audit
from opsbook.access.tables import account, sign_in_link
from opsbook.audit.entries import SERVER
from opsbook.base import ids
from opsbook.base.database import Transaction


def make(
    tx: Transaction, now: datetime, account_id: int, life: timedelta, *, by: str = SERVER
) -> str:
    """Return the raw token of a new link for an account, good once and for ``life``."""
    unused = (sign_in_link.c.account_id == account_id) & sign_in_link.c.used_at.is_(None)
    voided = tx.execute(sa.delete(sign_in_link).where(unused)).rowcount
    raw = ids.token()
    tx.insert(
        sign_in_link, digest=ids.digest(raw), account_id=account_id, created_at=now,
        expires_at=now + life,
    )  # fmt: skip
    data = {"expires_at": (now + life).isoformat(), "voided": voided}
    audit.record(tx, now, by, "link.made", f"account:{account_id}", data=data)
    return raw


def look(tx: Transaction, now: datetime, raw: str) -> dict[str, Any] | None:
    """Return whose link it is, without using it; ``None`` when it is spent, too old or unknown."""
    joined = sign_in_link.join(account, account.c.id == sign_in_link.c.account_id)
    return tx.row(sa.select(account).select_from(joined).where(_good(raw, now), _enabled()))


def use(tx: Transaction, now: datetime, raw: str) -> int | None:
    """Use a link up and return whose it is; ``None`` when somebody was faster or it is no good."""
    row = look(tx, now, raw)
    if row is None or not tx.claim(
        sa.update(sign_in_link).where(_good(raw, now)).values(used_at=now)
    ):
        return None
    subject = f"account:{row['id']}"
    audit.record(tx, now, subject, "link.used", subject)
    return int(row["id"])


def _good(raw: str, now: datetime) -> sa.ColumnElement[bool]:
    return (
        (sign_in_link.c.digest == ids.digest(raw))
        & sign_in_link.c.used_at.is_(None)
        & (sign_in_link.c.expires_at > now)
    )


def _enabled() -> sa.ColumnElement[bool]:
    return account.c.disabled_at.is_(None)
