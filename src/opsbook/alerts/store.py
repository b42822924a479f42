"""Named queries over alerts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from opsbook.alerts.tables import alert
from opsbook.base.database import Transaction

ACTIVE = ("pending", "firing")


def get(tx: Transaction, alert_id: int) -> dict[str, Any] | None:
    """Return one alert."""
    return tx.row(sa.select(alert).where(alert.c.id == alert_id))


def active(tx: Transaction, book: str | None = None) -> list[dict[str, Any]]:
    """Return alerts that are pending or firing, oldest first."""
    query = sa.select(alert).where(alert.c.state.in_(ACTIVE))
    if book is not None:
        query = query.where(alert.c.book == book)
    return tx.rows(query.order_by(alert.c.id))


def active_of(tx: Transaction, fingerprints: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the active alerts among `fingerprints`, by fingerprint."""
    mine = alert.c.state.in_(ACTIVE) & alert.c.fingerprint.in_(list(fingerprints))
    return {row["fingerprint"]: row for row in tx.rows(sa.select(alert).where(mine))}


def recent(
    tx: Transaction, *, limit: int = 50, before: int | None = None, book: str | None = None
) -> list[dict[str, Any]]:
    """Return alerts that fired, newest first, over or not; ``before`` pages back by id."""
    query = sa.select(alert).where(alert.c.fired_at.is_not(None))
    if before is not None:
        query = query.where(alert.c.id < before)
    if book is not None:
        query = query.where(alert.c.book == book)
    return tx.rows(query.order_by(alert.c.id.desc()).limit(limit))


def open_new(tx: Transaction, **values: Any) -> int:
    """Insert an alert that begins, pending or firing at once."""
    tx.touch("alerts")
    return tx.insert(alert, **values)


def change(tx: Transaction, alert_id: int, expected: str, **values: Any) -> bool:
    """Change an alert that is still in the state `expected`; `False` when it no longer is."""
    tx.touch("alerts", f"alert:{alert_id}")
    mine = (alert.c.id == alert_id) & (alert.c.state == expected)
    return tx.claim(sa.update(alert).where(mine).values(**values))


def forget_cleared(tx: Transaction, before: datetime) -> int:
    """Delete alerts that cleared before they fired; nobody ever heard of them."""
    old = (alert.c.state == "cleared") & (alert.c.resolved_at < before)
    return tx.execute(sa.delete(alert).where(old)).rowcount
