"""Queries that only the handbook asks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from opsbook.alerts.tables import alert
from opsbook.base.database import Transaction
from opsbook.book.tables import revision
from opsbook.incidents.tables import incident


def last_alert(tx: Transaction, book: str, rule: str) -> dict[str, Any] | None:
    """Return the newest alert of a rule that fired, over or not."""
    mine = (alert.c.book == book) & (alert.c.rule == rule) & alert.c.fired_at.is_not(None)
    return tx.row(sa.select(alert).where(mine).order_by(alert.c.id.desc()).limit(1))


def firing(tx: Transaction, book: str) -> set[str]:
    """Return the rules of a book that have a firing alert."""
    mine = (alert.c.book == book) & (alert.c.state == "firing")
    return {row["rule"] for row in tx.rows(sa.select(alert.c.rule).where(mine).distinct())}


def open_incidents(
    tx: Transaction, book: str, *, rules: Collection[str] | None = None, severity: str | None = None
) -> list[dict[str, Any]]:
    """Return incidents that are not over, of some rules or of one severity; oldest first."""
    mine = (incident.c.book == book) & incident.c.state.in_(("open", "acknowledged"))
    if rules is not None:
        mine &= incident.c.rule.in_(list(rules))
    if severity is not None:
        mine &= incident.c.severity == severity
    return tx.rows(sa.select(incident).where(mine).order_by(incident.c.id).limit(20))


def open_by_severity(tx: Transaction, book: str) -> dict[str, int]:
    """Return how many incidents of each severity are not over."""
    mine = (incident.c.book == book) & incident.c.state.in_(("open", "acknowledged"))
    query = sa.select(incident.c.severity, sa.func.count().label("n")).where(mine)
    return {row["severity"]: row["n"] for row in tx.rows(query.group_by(incident.c.severity))}


def revisions(tx: Transaction, book: str, limit: int) -> list[dict[str, Any]]:
    """Return a book's newest revisions and how large each is, without their files."""
    columns = [column for column in revision.c if column.name != "files"]
    size = sa.func.length(revision.c.files).label("size")
    mine = sa.select(*columns, size).where(revision.c.book == book)
    return tx.rows(mine.order_by(revision.c.loaded_at.desc()).limit(limit))
