"""Named queries over alerts, and over what rules look back at."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from opsbook.alerts.tables import alert
from opsbook.base.database import Transaction
from opsbook.checks.rollups import HOUR
from opsbook.checks.tables import observation, rollup

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


_LOOKS = (
    sa.select(
        sa.type_coerce(observation.c.at, sa.BigInteger).label("at"),
        observation.c.value,
        observation.c.unit,
    )
    .where(
        observation.c.book == sa.bindparam("book"),
        observation.c.check_id == sa.bindparam("check_id"),
        observation.c.at >= sa.bindparam("since"),
        observation.c.id <= sa.bindparam("upto"),
    )
    .order_by(observation.c.at, observation.c.id)
)
_LOOKS_UNTIL = _LOOKS.where(observation.c.at <= sa.bindparam("until"))


def looks(
    tx: Transaction, book: str, check_id: str, since: datetime, until: datetime | None, upto: int
) -> list[tuple[int, float | None, str]]:
    """Return a check's looks in the order of their times: microseconds, value and unit.

    From `since` up to and with `until`, or to the newest; of those stored up to the id `upto` only:
    a rule that follows late does not see what came later.
    """
    values: dict[str, Any] = {"book": book, "check_id": check_id, "since": since, "upto": upto}
    if until is None:
        found = tx.execute(_LOOKS, values)
    else:
        found = tx.execute(_LOOKS_UNTIL, {**values, "until": until})
    return [(row.at, row.value, row.unit) for row in found]


_HOURS = sa.select(rollup).where(
    rollup.c.book == sa.bindparam("book"),
    rollup.c.check_id == sa.bindparam("check_id"),
    rollup.c.span_s == HOUR,
    rollup.c.start.in_(sa.bindparam("starts", expanding=True)),
)


def hours(
    tx: Transaction, book: str, check_id: str, starts: Iterable[datetime]
) -> dict[datetime, dict[str, Any]]:
    """Return what a check's looks came to in each of these hours, by the hour's start."""
    values = {"book": book, "check_id": check_id, "starts": list(starts)}
    return {row["start"]: dict(row) for row in tx.execute(_HOURS, values).mappings()}
