"""Named queries over incidents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from opsbook.alerts.tables import alert
from opsbook.audit import entries
from opsbook.base.database import Transaction
from opsbook.base.errors import NotFound
from opsbook.incidents.tables import incident, incident_alert
from opsbook.notify.tables import page

ACTIVE = ("open", "acknowledged")
SLICE = 500


def get(tx: Transaction, incident_id: int) -> dict[str, Any] | None:
    """Return one incident."""
    return tx.row(sa.select(incident).where(incident.c.id == incident_id))


def require(tx: Transaction, incident_id: int) -> dict[str, Any]:
    """Return one incident.

    Raises:
        NotFound: there is none of that number.
    """
    row = get(tx, incident_id)
    if row is None:
        raise NotFound(
            f"There is no incident {incident_id}.",
            remedy="The list of incidents has their numbers.",
        )
    return row


def active(tx: Transaction, book: str | None = None) -> list[dict[str, Any]]:
    """Return incidents that are not over: the worst severity first, then the oldest."""
    query = sa.select(incident).where(incident.c.state.in_(ACTIVE))
    if book is not None:
        query = query.where(incident.c.book == book)
    return tx.rows(query.order_by(incident.c.severity, incident.c.opened_at))


def recent(
    tx: Transaction, *, limit: int = 50, before: int | None = None, book: str | None = None
) -> list[dict[str, Any]]:
    """Return incidents newest first, open or not; ``before`` pages back by id."""
    query = sa.select(incident).order_by(incident.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(incident.c.id < before)
    if book is not None:
        query = query.where(incident.c.book == book)
    return tx.rows(query)


def by_fingerprint(tx: Transaction, fingerprint: str) -> dict[str, Any] | None:
    """Return the active incident that answers this group of alerts, if there is one."""
    matching = (incident.c.fingerprint == fingerprint) & incident.c.state.in_(ACTIVE)
    return tx.row(sa.select(incident).where(matching))


def of_alerts(tx: Transaction, alerts: Sequence[int]) -> list[dict[str, Any]]:
    """Return the active incidents that any of these alerts belongs to."""
    joined = incident.join(incident_alert, incident_alert.c.incident_id == incident.c.id)
    found: dict[int, dict[str, Any]] = {}
    for n in range(0, len(alerts), SLICE):
        some = incident_alert.c.alert_id.in_(alerts[n : n + SLICE])
        mine = sa.select(incident).select_from(joined).where(some, incident.c.state.in_(ACTIVE))
        found.update({row["id"]: row for row in tx.rows(mine)})
    return [found[id] for id in sorted(found)]


def answering(tx: Transaction, alerts: Sequence[int]) -> dict[str, Any] | None:
    """Return the oldest active incident that answers one of these alerts already."""
    return next(iter(of_alerts(tx, alerts)), None)


def attach(tx: Transaction, incident_id: int, alert_id: int) -> bool:
    """Let an incident answer an alert; ``False`` when it does already."""
    key = (incident_alert.c.incident_id == incident_id) & (incident_alert.c.alert_id == alert_id)
    if tx.row(sa.select(incident_alert).where(key)) is not None:
        return False
    tx.insert(incident_alert, incident_id=incident_id, alert_id=alert_id)
    return True


def alerts_of(tx: Transaction, incident_id: int) -> list[dict[str, Any]]:
    """Return the alerts an incident answers, oldest first."""
    joined = alert.join(incident_alert, incident_alert.c.alert_id == alert.c.id)
    mine = incident_alert.c.incident_id == incident_id
    return tx.rows(sa.select(alert).select_from(joined).where(mine).order_by(alert.c.id))


def story(tx: Transaction, incident_id: int) -> list[dict[str, Any]]:
    """Return the timeline: the incident's entries and those of the alerts it answers."""
    alerts = [f"alert:{one['id']}" for one in alerts_of(tx, incident_id)]
    return entries.timeline(tx, f"incident:{incident_id}", alerts)


def pages_of(tx: Transaction, incident_id: int) -> list[dict[str, Any]]:
    """Return who was paged for an incident, how, and with what result."""
    mine = page.c.thread == f"incident:{incident_id}"
    return tx.rows(sa.select(page).where(mine).order_by(page.c.id))


def due(tx: Transaction, now: datetime) -> list[dict[str, Any]]:
    """Return unanswered incidents with a rung to climb or a deadline just missed."""
    climbs = incident.c.escalate_at <= now
    missed = (incident.c.acknowledge_by <= now) & incident.c.deadline_missed_at.is_(None)
    query = sa.select(incident).where(incident.c.state == "open", climbs | missed)
    return tx.rows(query.order_by(incident.c.id))


def unanswered(tx: Transaction) -> list[dict[str, Any]]:
    """Return open incidents that page somebody, oldest first."""
    query = sa.select(incident).where(
        incident.c.state == "open", incident.c.escalation.is_not(None)
    )
    return tx.rows(query.order_by(incident.c.id))


def next_due(tx: Transaction) -> datetime | None:
    """Return when the next rung or deadline of an unanswered incident comes."""
    unanswered = incident.c.state == "open"
    climb = sa.select(
        sa.type_coerce(sa.func.min(incident.c.escalate_at), incident.c.escalate_at.type)
    )
    deadline = sa.select(
        sa.type_coerce(sa.func.min(incident.c.acknowledge_by), incident.c.acknowledge_by.type)
    ).where(incident.c.deadline_missed_at.is_(None))
    times = [tx.scalar(query.where(unanswered)) for query in (climb, deadline)]
    return min((time for time in times if time is not None), default=None)
