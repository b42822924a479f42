"""From alert to response: the consumer that opens, pages, starts the runbook and resolves.

Everything an alert causes is written in one transaction together with the consumer's cursor: the
incident, its first page and its run exist together or not at all, and a crash in between delays
them by a restart.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from opsbook import audit, runs
from opsbook.base import events
from opsbook.base.database import Transaction
from opsbook.base.errors import OpsbookError
from opsbook.book import Book
from opsbook.book.library import Library
from opsbook.incidents import store
from opsbook.incidents.answer import close
from opsbook.incidents.escalate import climb
from opsbook.incidents.tables import incident
from opsbook.people import next_rung


class Response:
    """The consumer ``incidents``."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.consumer = events.Consumer(
            "incidents", frozenset({"alert.fired", "alert.resolved"}), self.handle
        )

    def handle(self, tx: Transaction, event: events.Event, now: datetime) -> None:
        """Open for an alert that fired; close when the last alert of an incident is gone."""
        if event.kind == "alert.fired":
            self._fired(tx, event, now)
        else:
            self._resolved(tx, event, now)

    def _fired(self, tx: Transaction, event: events.Event, now: datetime) -> None:
        book = self.library.at(tx, event.data["revision"])
        alert_id, fingerprint = event.data["alert"], event.data["fingerprint"]
        known = store.by_fingerprint(tx, fingerprint)
        if known is not None:
            store.attach(tx, known["id"], alert_id)
            audit.record(
                tx, now, audit.SERVER, "incident.fired_again", f"incident:{known['id']}",
                data={"alert": alert_id},
            )  # fmt: skip
            return
        row = open_incident(tx, now, book, event)
        store.attach(tx, row["id"], alert_id)
        if row["escalation"] is None:
            audit.record(tx, now, audit.SERVER, "incident.pages_nobody", f"incident:{row['id']}")
        elif row["escalate_at"] <= now:
            climb(tx, now, book, book.escalation[row["escalation"]], row)
        start_runbook(tx, now, book, row, alert_id)

    def _resolved(self, tx: Transaction, event: events.Event, now: datetime) -> None:
        for row in store.of_alert(tx, event.data["alert"]):
            still = [one for one in store.alerts_of(tx, row["id"]) if one["state"] == "firing"]
            if not still and close(tx, now, row["id"], audit.SERVER):
                audit.record(tx, now, audit.SERVER, "incident.resolved", f"incident:{row['id']}")


def open_incident(
    tx: Transaction, now: datetime, book: Book, event: events.Event
) -> dict[str, Any]:
    """Insert the incident with its clocks. They start when the alert fired, not when we noticed."""
    rule = book.rules[event.data["rule"]]
    severity = book.severities[event.data["severity"]]
    policy = book.escalation_of(rule.id)
    opened = event.at
    first = next_rung(policy, opened, 0, 0) if policy else None
    within = severity.acknowledge_within
    title = rule.title or rule.summary
    incident_id = tx.insert(
        incident,
        book=book.id,
        revision=book.revision,
        rule=rule.id,
        fingerprint=event.data["fingerprint"],
        title=dict(title.by_language),
        severity=severity.id,
        state="open",
        opened_at=opened,
        acknowledge_by=opened + within if within else None,
        escalation=policy.id if policy else None,
        escalate_at=first.due if first else None,
    )
    tx.touch("incidents")
    audit.record(
        tx, now, audit.SERVER, "incident.opened", f"incident:{incident_id}",
        data={"book": book.id, "rule": rule.id, "severity": severity.id,
              "alert": event.data["alert"]},
    )  # fmt: skip
    return store.require(tx, incident_id)


def start_runbook(
    tx: Transaction, now: datetime, book: Book, row: dict[str, Any], alert_id: int
) -> None:
    """Start the rule's runbook unattended; a runbook that cannot start must not stop the page."""
    rule = book.rules[row["rule"]]
    if rule.runbook is None:
        return
    subject = f"incident:{row['id']}"
    alerts = {one["id"]: one for one in store.alerts_of(tx, row["id"])}
    labels = alerts[alert_id]["labels"]
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
