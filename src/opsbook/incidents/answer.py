"""What people do with an incident: acknowledge, resolve, write a note."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from opsbook import audit
from opsbook.access import Principal
from opsbook.base import events
from opsbook.base.database import Transaction
from opsbook.base.errors import Conflict
from opsbook.book import Book
from opsbook.incidents import store
from opsbook.incidents.tables import incident


def acknowledge(
    tx: Transaction, now: datetime, incident_id: int, principal: Principal, book: Book,
    note: str = "",
) -> None:  # fmt: skip
    """Say "I am on it": the ladder stops. Who acknowledged is always a person.

    Raises:
        Refused: the principal may not, or is a program's token.
        Conflict: somebody else was first, or it is over; the message says who.
    """
    principal.require("incidents:write", book)
    principal.require_person()
    row = store.require(tx, incident_id)
    mine = (incident.c.id == incident_id) & (incident.c.state == "open")
    change = sa.update(incident).where(mine).values(
        state="acknowledged", acknowledged_at=now, acknowledged_by=principal.account_id,
        escalate_at=None,
    )  # fmt: skip
    if not tx.claim(change):
        raise Conflict(
            f"Incident {incident_id} is already {row['state']}.",
            remedy="Reload the page to see who has it.",
        )
    _tell(tx, now, incident_id, principal, "incident.acknowledged", note)
    events.publish(tx, now, "incident.acknowledged", f"incident:{incident_id}")


def resolve(
    tx: Transaction, now: datetime, incident_id: int, principal: Principal, book: Book,
    note: str = "",
) -> None:  # fmt: skip
    """Declare it over by hand, although its alerts may still fire."""
    principal.require("incidents:write", book)
    principal.require_person()
    store.require(tx, incident_id)
    if not close(tx, now, incident_id, principal.actor):
        raise Conflict(f"Incident {incident_id} is already resolved.")
    _tell(tx, now, incident_id, principal, "incident.resolved", note)


def note(
    tx: Transaction, now: datetime, incident_id: int, principal: Principal, book: Book, text: str
) -> None:
    """Add a person's words to the timeline."""
    principal.require("incidents:write", book)
    store.require(tx, incident_id)
    text = audit.note(text, required="Write what you saw or did.")
    _tell(tx, now, incident_id, principal, "incident.note", text)


def close(tx: Transaction, now: datetime, incident_id: int, by: str) -> bool:
    """Move an active incident to resolved; ``False`` when it already was."""
    mine = (incident.c.id == incident_id) & incident.c.state.in_(store.ACTIVE)
    change = sa.update(incident).where(mine).values(
        state="resolved", resolved_at=now, resolved_by=by, escalate_at=None
    )  # fmt: skip
    if not tx.claim(change):
        return False
    tx.touch("incidents", f"incident:{incident_id}")
    events.publish(tx, now, "incident.resolved", f"incident:{incident_id}")
    return True


def _tell(
    tx: Transaction, now: datetime, incident_id: int, principal: Principal, action: str, text: str
) -> None:
    tx.touch("incidents", f"incident:{incident_id}")
    audit.record(
        tx, now, principal.actor, action, f"incident:{incident_id}", text=audit.note(text) or None
    )
