"""Climbing the ladder until somebody answers, and saying so loudly when nobody does."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from opsbook import audit, people
from opsbook.base.database import Database, Transaction
from opsbook.book import Book
from opsbook.book.library import Library
from opsbook.book.sections.people import Escalation
from opsbook.incidents import store
from opsbook.incidents.tables import incident
from opsbook.incidents.words import page_text
from opsbook.notify import outbox
from opsbook.people import next_rung


class Escalator:
    """The loop that climbs. Every rung is claimed, so that no restart climbs one twice.

    Who is called is asked of the book as it runs, not of the one that ran when the incident was
    opened: whoever has left the team is not called, and whoever took over is.
    """

    def __init__(self, database: Database, library: Library) -> None:
        self.database = database
        self.library = library
        self._revisions: tuple[str, ...] | None = None

    async def tick(self, now: datetime) -> datetime | None:
        """Climb every rung that is due; return when the next one is."""
        revisions = tuple(str(book.revision) for book in self.library.books())
        if revisions != self._revisions:
            await self.database.write(lambda tx: self._renew_all(tx, now))
            self._revisions = revisions
        while await self.database.write(lambda tx: self._climb_due(tx, now)):
            pass
        return await self.database.read(store.next_due)

    def _climb_due(self, tx: Transaction, now: datetime) -> bool:
        found = store.due(tx, now)
        for row in found:
            if row["acknowledge_by"] and row["acknowledge_by"] <= now:
                miss_deadline(tx, now, row)
            if row["escalate_at"] and row["escalate_at"] <= now:
                climb(tx, now, *self._ladder(tx, row), row)
        return bool(found)

    def _renew_all(self, tx: Transaction, now: datetime) -> None:
        for row in store.unanswered(tx):
            renew(tx, now, *self._ladder(tx, row), row)

    def _ladder(self, tx: Transaction, row: dict[str, Any]) -> tuple[Book, Escalation]:
        """Return the book to ask and the policy: the running one, or what was when it began."""
        then = self.library.at(tx, row["revision"])
        running = next((one for one in self.library.books() if one.id == row["book"]), None)
        if running is None:
            return then, then.escalation[row["escalation"]]
        policy = running.escalation.get(row["escalation"])
        if policy is None and row["rule"] in running.rules:
            policy = running.escalation_of(row["rule"])
        return running, policy or then.escalation[row["escalation"]]


def renew(
    tx: Transaction, now: datetime, book: Book, policy: Escalation, row: dict[str, Any]
) -> None:
    """Let an unanswered incident follow a ladder that may have changed.

    Where nobody who was paged last is in the book any more, that rung is climbed again: their pages
    reach nobody, and the next rung may be an hour away.
    """
    if row["level"] > 0 and not _somebody_left(tx, book, row):
        _schedule(tx, row, row["level"] - 1, row["round"], now)
        return
    after = next_rung(policy, row["opened_at"], row["level"], row["round"])
    due = after.due if after else None
    if due != row["escalate_at"]:
        _schedule(tx, row, row["level"], row["round"], due)


def _somebody_left(tx: Transaction, book: Book, row: dict[str, Any]) -> bool:
    """Whether somebody of the rung climbed last is still in the book, or nobody was on it."""
    rung = _rung(row, row["round"], row["level"] - 1)
    paged = {one["person"] for one in store.pages_of(tx, row["id"]) if one["key"].startswith(rung)}
    return not paged or any(person in book.people for person in paged)


def climb(
    tx: Transaction, now: datetime, book: Book, policy: Escalation, row: dict[str, Any]
) -> None:
    """Page the rung that is due and set the time of the one after it."""
    rung = next_rung(policy, row["opened_at"], row["level"], row["round"])
    if rung is None:
        _schedule(tx, row, row["level"], row["round"], None)
        return
    after = next_rung(policy, row["opened_at"], rung.level + 1, rung.round)
    if not _schedule(tx, row, rung.level + 1, rung.round, after.due if after else None):
        return
    subject = f"incident:{row['id']}"
    persons = people.duty(tx, book, now).reached(rung.names, now)
    where = {"level": rung.level + 1, "round": rung.round + 1, "policy": policy.id}
    if not persons:
        audit.record(
            tx, now, audit.SERVER, "incident.nobody_on_duty", subject,
            data={**where, "names": list(rung.names)},
        )  # fmt: skip
        return
    audit.record(
        tx, now, audit.SERVER, "incident.paged", subject, data={**where, "persons": persons}
    )
    title, body = page_text(row, store.alerts_of(tx, row["id"]))
    for person in persons:
        outbox.page(
            tx, now, book=book, person_id=person, cause=f"{subject} level {rung.level + 1}",
            key=f"{_rung(row, rung.round, rung.level)}{person}", thread=subject,
            title=title, body=body, path=f"/incidents/{row['id']}", urgent=True,
        )  # fmt: skip


def _rung(row: dict[str, Any], round_: int, level: int) -> str:
    """What the keys of one rung's pages begin with: a worse severity pages anew."""
    return f"incident:{row['id']}/{row['severity']}/{round_}/{level}/"


def miss_deadline(tx: Transaction, now: datetime, row: dict[str, Any]) -> None:
    """Record, once, that nobody answered in the time the severity allows."""
    mine = (incident.c.id == row["id"]) & (incident.c.state == "open")
    change = sa.update(incident).where(mine, incident.c.deadline_missed_at.is_(None))
    if tx.claim(change.values(deadline_missed_at=now)):
        tx.touch("incidents")
        audit.record(tx, now, audit.SERVER, "incident.unanswered", f"incident:{row['id']}")


def _schedule(
    tx: Transaction, row: dict[str, Any], level: int, round_: int, at: datetime | None
) -> bool:
    unchanged = (
        (incident.c.id == row["id"])
        & (incident.c.state == "open")
        & (incident.c.level == row["level"])
        & (incident.c.round == row["round"])
        & (incident.c.escalate_at == row["escalate_at"])
    )
    tx.touch("incidents", f"incident:{row['id']}")
    change = sa.update(incident).where(unchanged)
    return tx.claim(change.values(level=level, round=round_, escalate_at=at))
