"""When something was last used, written once a minute at most.

A row that changed with every request would make the disk wait for a number nobody reads to the
second, so looking and writing are apart: look with a reader, write when ``stale``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from opsbook.access.tables import account
from opsbook.base.database import Transaction

STEP: Final = timedelta(minutes=1)


def stale(seen: datetime | None, now: datetime) -> bool:
    """Tell whether it is time to write down again when something was used."""
    return seen is None or now - seen >= STEP


def saw(tx: Transaction, now: datetime, account_id: int) -> None:
    """Write down that an account was used now: it outlives its sessions and tokens."""
    tx.execute(sa.update(account).where(account.c.id == account_id).values(seen_at=now))


def may_write(tx: Transaction) -> bool:
    """Tell whether this transaction may write. An SQLite reader refuses to; elsewhere one just
    writes, and what a reader wrote is gone with it.
    """
    if tx.connection.dialect.name != "sqlite":
        return True
    return not tx.scalar(sa.text("PRAGMA query_only"))
