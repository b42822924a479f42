"""Working in what came in: each alert of a batch, and the ends that nobody had to send.

What a batch does to alerts is gathered and written together. Where a piece of it cannot be worked
in at all, whatever it is, it is set aside on record (`set_aside`) and stops nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec
import structlog

from opsbook import audit
from opsbook.alerts.intake import posted as forms
from opsbook.alerts.intake import store as doors
from opsbook.alerts.intake.posted import Posted
from opsbook.alerts.pipeline import deduplicating, receiving, stages, store, telling
from opsbook.alerts.pipeline.memory import Memory
from opsbook.alerts.pipeline.model import RULES, Alert, fingerprint
from opsbook.base.database import Transaction
from opsbook.checks import pings

LONGEST_SHOWN: Final = 200
LABELS_SHOWN: Final = 10

log = structlog.get_logger("opsbook.alerts")


@dataclass(eq=False, slots=True)
class Changes:
    """What batches did to alerts, to be written together."""

    begun: dict[str, Alert] = field(default_factory=dict)
    changed: dict[str, Alert] = field(default_factory=dict)
    ended: dict[str, Alert] = field(default_factory=dict)

    def note(self, got: receiving.Received) -> None:
        """Remember what an alert that was handed in did."""
        name, alert = got.alert.fingerprint, got.alert
        if got.effect == "begins" or name in self.begun:
            self.begun[name] = alert
        elif got.effect == "changes":
            self.changed[name] = alert
        if got.effect == "ends":
            self.ended[name] = alert

    def write(self, tx: Transaction, now: datetime) -> None:
        """Write all of it; an alert that began gets its number before it may end."""
        store.begin(tx, now, list(self.begun.values()))
        store.change(tx, [one for one in self.changed.values() if one.id])
        store.end(tx, now, list(self.ended.values()))
        for one in self.ended.values():
            one.ended = True
        for some in (self.begun, self.changed, self.ended):
            some.clear()


def posted_in(row: dict[str, Any]) -> list[Posted]:
    """Return the alerts of a batch; none if it cannot be read, which is on record."""
    try:
        return forms.decode(row["body"])
    except msgspec.DecodeError as error:
        log.error("a batch of alerts cannot be read", batch=row["id"], why=str(error))
        return []


def batch(
    tx: Transaction, memory: Memory, row: dict[str, Any], now: datetime, changes: Changes
) -> int:
    """Work in a batch; return how many alerts it has. One for a book that rests is kept."""
    if row["book"] not in memory.books:
        hold(tx, row)
        return 0
    alerts = posted_in(row)
    for one in alerts:
        work_in(tx, memory, row, one, now, changes)
    return len(alerts)


def hold(tx: Transaction, row: dict[str, Any]) -> None:
    """Keep a batch whose book is not active: it was accepted, and may be sent only once."""
    log.warning("alerts are kept until their book is active", book=row["book"], batch=row["id"])
    store.hold(tx, row["id"])


def work_in(
    tx: Transaction, memory: Memory, row: dict[str, Any], one: Posted, now: datetime,
    changes: Changes,
) -> None:  # fmt: skip
    """Work in one alert that was handed in."""
    book, at = memory.books[row["book"]], row["at"]
    name = fingerprint(book.id, forms.told_apart_by(row["source"], one))
    known = memory.alerts.get(name)
    if known is not None and known.source != RULES and not known.ended and known.over(at):
        _ends(memory, known, now, changes)
    before = known.ends_at if known is not None else None
    got = receiving.worked_in(book, row["source"], one, at, known, name)
    if not got.alert.over(at):
        pings.from_alert(tx, at, book, got.alert.labels)
    if got.effect == "goes on":
        memory.goes_on(got.alert, before)
    elif got.effect != "nothing":
        if got.effect == "begins" and name in changes.ended:
            changes.write(tx, now)  # over and back within a batch: two alerts
        if got.effect == "begins" and known is not None and known.labels != got.alert.labels:
            changes.write(tx, now)
            part(tx, memory, known)
        memory.know(got.alert, now)
        changes.note(got)


def _ends(memory: Memory, known: Alert, now: datetime, changes: Changes) -> None:
    """Its end had come before this was handed in, and was not written yet."""
    changes.ended[known.fingerprint] = known
    memory.dirty.pop(known.fingerprint, None)
    memory.group(known, now)


def part(tx: Transaction, memory: Memory, known: Alert) -> None:
    """Give an alert that is over a name of its own, since its sender names something else by it.

    Under one name the end of the first would never be told, and the second would count as told.
    """
    was, name = known.fingerprint, f"{known.fingerprint}~{known.id}"
    store.rename(tx, known.id, name)
    told = {}
    for group in memory.rename(known, name):
        for entry_name, about, entry in stages.entries(memory, group):
            if was in entry.firing:
                after = deduplicating.renamed(entry, was, name)
                memory.entries[entry_name] = after
                told[entry_name] = about, after
    store.remember(tx, told)


def set_aside(
    tx: Transaction, now: datetime, row: dict[str, Any], one: Posted | None, error: Exception
) -> None:
    """Put on record that something which was accepted cannot be worked in, and why."""
    why = f"{type(error).__name__}: {error}"[:LONGEST_SHOWN]
    labels = dict(list(one.labels.items())[:LABELS_SHOWN]) if one is not None else {}
    shown = {key[:LONGEST_SHOWN]: value[:LONGEST_SHOWN] for key, value in labels.items()}
    text = ", ".join(f"{key}={value}" for key, value in shown.items()).replace("\0", "")
    log.error("an alert could not be worked in", batch=row["id"], labels=text, why=why)
    audit.record(
        tx, now, audit.SERVER, "alert.set_aside", f"book:{row['book']}",
        data={"book": row["book"], "source": row["source"], "batch": row["id"],
              "labels": text, "why": why.replace("\0", "")},
    )  # fmt: skip
    doors.count(
        tx, row["book"], row["source"], accepted=0, refused=1, last_at=None, refused_at=now,
        error=why.replace("\0", ""),
    )  # fmt: skip


def own(tx: Transaction, memory: Memory, alert_id: int, now: datetime) -> None:
    """Take over an alert of the book's own rules as its row is now."""
    row = store.row(tx, alert_id)
    if row is None or row["state"] == "pending":
        return
    alert = store.of_row(row)
    if row["book"] not in memory.books:
        if alert.over(now):
            telling.over_untold(tx, now, alert.book, [alert])
        return
    known = memory.alerts.get(alert.fingerprint)
    if alert.over(now) and known is None:
        return
    memory.know(alert, now)


def end_due(tx: Transaction, memory: Memory, now: datetime) -> None:
    """End the alerts whose senders neither ended nor repeated them in time."""
    ended = [one for one in memory.ended(now) if not one.ended]
    store.end(tx, now, [one for one in ended if one.source != RULES and one.id])
    for one in ended:
        one.ended = True
        memory.dirty.pop(one.fingerprint, None)
        memory.group(one, now)
