"""From alert to response: the consumer that opens, pages, starts the runbook and resolves.

A group of alerts has one incident at a time, whatever joins it. Everything that a group causes is
written in one transaction together with the consumer's cursor: the
incident, its first page and its run exist together or not at all, and a crash in between delays
them by a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from opsbook import audit, runs
from opsbook.alerts import store as alerts
from opsbook.alerts.pipeline import telling
from opsbook.base import events
from opsbook.base.database import Transaction
from opsbook.base.errors import OpsbookError
from opsbook.book import Book
from opsbook.book.library import Library
from opsbook.book.sections.people import Escalation
from opsbook.incidents import store
from opsbook.incidents.answer import close
from opsbook.incidents.escalate import climb
from opsbook.incidents.tables import incident
from opsbook.people import next_rung

MOST_NAMED: Final = 50


class Response:
    """The consumer ``incidents``."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.consumer = events.Consumer(
            "incidents", frozenset({telling.GROUP_FIRING, telling.GROUP_RESOLVED}), self.handle
        )

    def handle(self, tx: Transaction, event: events.Event, now: datetime) -> None:
        """Open for a group that fires; close when the last alert of an incident is gone."""
        if event.kind == telling.GROUP_FIRING:
            self._fired(tx, event, now)
        self._resolved(tx, event, now)

    def _fired(self, tx: Transaction, event: events.Event, now: datetime) -> None:
        book = self.library.at(tx, event.data["revision"])
        alert_id, firing = event.data["alert"], event.data["firing"]
        known = store.by_fingerprint(tx, event.data["group"]) or store.answering(tx, firing)
        if known is not None:
            fresh = [one for one in firing if store.attach(tx, known["id"], one)]
            if fresh:
                audit.record(
                    tx, now, audit.SERVER, "incident.fired_again", f"incident:{known['id']}",
                    data={"alert": fresh[0], "alerts": fresh[:MOST_NAMED]},
                )  # fmt: skip
            worsen(tx, now, book, known, event)
            return
        row = open_incident(tx, now, book, event)
        for one in firing:
            store.attach(tx, row["id"], one)
        if row["escalation"] is None:
            audit.record(tx, now, audit.SERVER, "incident.pages_nobody", f"incident:{row['id']}")
        elif row["escalate_at"] <= now:
            climb(tx, now, book, book.escalation[row["escalation"]], row)
        start_runbook(tx, now, book, row, alert_id)

    def _resolved(self, tx: Transaction, event: events.Event, now: datetime) -> None:
        """Close what none of its alerts keeps open; one that is only held quiet keeps it open."""
        known = store.by_fingerprint(tx, event.data["group"]) if event.data["group"] else None
        rows = {row["id"]: row for row in store.of_alerts(tx, event.data["resolved"])}
        if known is not None and event.kind == telling.GROUP_RESOLVED:
            rows[known["id"]] = known
        for id in rows:
            still = [one for one in store.alerts_of(tx, id) if one["state"] == "firing"]
            if not still and close(tx, now, id, audit.SERVER):
                audit.record(tx, now, audit.SERVER, "incident.resolved", f"incident:{id}")


def open_incident(
    tx: Transaction, now: datetime, book: Book, event: events.Event
) -> dict[str, Any]:
    """Insert the incident with its clocks. They start when the alert fired, not when we noticed."""
    alert = alerts.get(tx, event.data["alert"])
    rule = book.rules.get(event.data["rule"])
    severity = book.severities.get(event.data["severity"])
    policy = policy_of(book, event.data)
    opened = datetime.fromisoformat(event.data["at"])
    first = next_rung(policy, opened, 0, 0) if policy else None
    within = severity.acknowledge_within if severity is not None else None
    said = alert["summary"] if alert is not None else {}
    title = dict(rule.title.by_language) if rule is not None and rule.title is not None else said
    incident_id = tx.insert(
        incident,
        book=book.id,
        revision=book.revision,
        rule=rule.id if rule is not None else "",
        fingerprint=event.data["group"],
        title=title,
        severity=event.data["severity"],
        state="open",
        opened_at=opened,
        acknowledge_by=opened + within if within else None,
        escalation=policy.id if policy else None,
        escalate_at=first.due if first else None,
    )
    tx.touch("incidents")
    audit.record(
        tx, now, audit.SERVER, "incident.opened", f"incident:{incident_id}",
        data={"book": book.id, "rule": event.data["rule"], "severity": event.data["severity"],
              "alert": event.data["alert"], "alerts": event.data["firing"][:MOST_NAMED]},
    )  # fmt: skip
    return store.require(tx, incident_id)


def policy_of(book: Book, data: Mapping[str, Any]) -> Escalation | None:
    """Whom a group's worst alert pages: by its rule's own policy, or by its severity's."""
    if data["rule"] in book.rules:
        return book.escalation_of(data["rule"])
    severity = book.severities.get(data["severity"])
    policy = severity.escalation if severity is not None else None
    return book.escalation[policy] if policy is not None else None


def worsen(
    tx: Transaction, now: datetime, book: Book, row: dict[str, Any], event: events.Event
) -> None:
    """Raise an incident's severity when something worse has joined it; it pages anew by that.

    Whoever has answered already is on it; the timeline tells them.
    """
    order = list(book.severities)
    is_now, was = event.data["severity"], row["severity"]
    if is_now not in order or (was in order and order.index(is_now) >= order.index(was)):
        return
    policy = policy_of(book, event.data)
    within = book.severities[is_now].acknowledge_within
    values: dict[str, Any] = {"severity": is_now, "rule": event.data["rule"] or row["rule"]}
    if row["state"] == "open":
        values["acknowledge_by"] = now + within if within else row["acknowledge_by"]
        if policy is not None:
            first = next_rung(policy, row["opened_at"], 0, 0)
            values |= {
                "escalation": policy.id, "level": 0, "round": 0,
                "escalate_at": first.due if first is not None else None,
            }  # fmt: skip
    tx.execute(sa.update(incident).where(incident.c.id == row["id"]).values(**values))
    tx.touch("incidents", f"incident:{row['id']}")
    audit.record(
        tx, now, audit.SERVER, "incident.severity_raised", f"incident:{row['id']}",
        data={"before": was, "after": is_now, "alert": event.data["alert"]},
    )  # fmt: skip


def start_runbook(
    tx: Transaction, now: datetime, book: Book, row: dict[str, Any], alert_id: int
) -> None:
    """Start the rule's runbook unattended; a runbook that cannot start must not stop the page."""
    rule = book.rules.get(row["rule"])
    if rule is None or rule.runbook is None:
        return
    subject = f"incident:{row['id']}"
    alert = alerts.get(tx, alert_id)
    labels = alert["labels"] if alert is not None else {}
    params = rule.arguments(labels)
    for name, param in book.runbooks[rule.runbook].params.items():
        if param.label is not None and param.label in labels:
            params.setdefault(name, labels[param.label])
    try:
        run_id = runs.start(
            tx, now, book=book, runbook=rule.runbook, params=params, started_by=audit.SERVER,
            trigger=subject, thread=subject, attended=False,
        )  # fmt: skip
    except OpsbookError as error:
        audit.record(
            tx, now, audit.SERVER, "incident.runbook_refused", subject,
            data={"runbook": rule.runbook, "why": str(error)},
        )  # fmt: skip
        return
    tx.execute(sa.update(incident).where(incident.c.id == row["id"]).values(run_id=run_id))
