"""Following the observations in order, and writing down what they do to each rule's alert.

The consumer ``alerts.rules`` keeps its place in the event cursors, over the ids of observations: a
batch of them, what they change and the new place are one transaction. A crash at any moment
therefore repeats or loses nothing, and since a hold is a row (`pending_since`), it goes on where it
was. An alert is on disk, with its event and its audit entry, before anything else can know of it.

What a rule looks back at (`windows`) is what was stored up to the observation it judges, whenever
that is done: a window held in memory is a copy of those rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from opsbook import audit
from opsbook.alerts import store
from opsbook.alerts.intake.handing import hand_in
from opsbook.alerts.measuring import Explained, Seen, explain
from opsbook.alerts.model import INACTIVE, Standing, Transition, fingerprint, moved
from opsbook.alerts.pipeline.model import RULES
from opsbook.alerts.windows import Windows, needs
from opsbook.audit.entries import SERVER
from opsbook.base import events
from opsbook.base.database import Database, Transaction
from opsbook.book import Book
from opsbook.book.library import Library
from opsbook.book.sections.alerts import Rule
from opsbook.checks import store as observations

CONSUMER = "alerts.rules"
BATCH = 500
KEEP_CLEARED = timedelta(days=1)
TIDY_EVERY = timedelta(hours=1)

Watching = Mapping[tuple[str, str], list[tuple[Book, Rule]]]
Revisions = tuple[tuple[str, str], ...]


class Rules:
    """The loop over every active book's rules."""

    def __init__(self, database: Database, library: Library, batch: int = BATCH) -> None:
        self.database = database
        self.library = library
        self.batch = batch
        self._watching: Watching = {}
        self._revisions: Revisions | None = None
        self._windows = Windows()
        self._windows_for: Watching | None = None
        self._tidied: datetime | None = None

    async def tick(self, now: datetime) -> datetime:
        """Retire what the books no longer have, then follow every new observation."""
        running = self.library.books()
        books = [book for book in running if book.status == "active"]
        revisions = tuple((book.id, str(book.revision)) for book in books)
        if revisions != self._revisions:
            watching = watched(books)
            drafts = {book.id for book in running if book.status != "active"}
            await self.database.write(lambda tx: retire(tx, now, watching, drafts))
            self._watching, self._revisions = watching, revisions
        while await self.database.read(self._anything_new):
            await self.database.write(lambda tx: self.follow(tx, now, self._watching))
        if self._tidied is None or now - self._tidied >= TIDY_EVERY:
            await self.database.write(lambda tx: store.forget_cleared(tx, now - KEEP_CLEARED))
            self._tidied = now
        return self._tidied + TIDY_EVERY

    def _anything_new(self, tx: Transaction) -> bool:
        return bool(observations.after(tx, events.position(tx, CONSUMER), 1))

    def follow(self, tx: Transaction, now: datetime, watching: Watching) -> int:
        """Apply the next batch of observations and move on; return how many there were."""
        position = events.position(tx, CONSUMER)
        rows = observations.after(tx, position, self.batch)
        if not rows:
            return 0
        if watching is not self._windows_for:
            self._windows = Windows(needs(one for rules in watching.values() for one in rules))
            self._windows_for = watching
        self._windows.at(position)
        wanted = {
            fingerprint(book.id, rule.id, row["check_id"])
            for row in rows
            for book, rule in watching.get((row["book"], row["check_id"]), ())
        }
        standing = store.active_of(tx, wanted) if wanted else {}
        for row in rows:
            self._windows.see(row)
            for book, rule in watching.get((row["book"], row["check_id"]), ()):
                name = fingerprint(book.id, rule.id, row["check_id"])
                after = apply(tx, now, book, rule, standing.get(name), row, self._windows)
                if after is None:
                    standing.pop(name, None)
                else:
                    standing[name] = after
        events.move(tx, CONSUMER, rows[-1]["id"])
        self._windows.left(rows[-1]["id"])
        return len(rows)


def watched(books: Iterable[Book]) -> Watching:
    """Return the rules over each check."""
    found: dict[tuple[str, str], list[tuple[Book, Rule]]] = {}
    for book in books:
        for rule in book.rules.values():
            if rule.check is not None:
                found.setdefault((book.id, rule.check), []).append((book, rule))
    return found


def apply(
    tx: Transaction,
    now: datetime,
    book: Book,
    rule: Rule,
    alert: dict[str, Any] | None,
    row: dict[str, Any],
    windows: Windows,
) -> dict[str, Any] | None:
    """Let one observation act on one rule; return its active alert afterwards, if there is one."""
    found = _explained(tx, book, rule, row, windows)
    transition = moved(rule, standing_of(alert), row["at"], found.meets)
    latest = {
        "check_state": row["state"],
        **_shown(rule, row, found),
        "seen_at": row["at"],
        "clear_since": transition.standing.clear_since,
    }
    if alert is None:
        return _begin(tx, now, book, rule, row["check_id"], transition, latest)
    match transition.step:
        case "fire":
            latest |= {"state": "firing", "fired_at": row["at"]}
        case "clear":
            latest |= {"state": "cleared", "resolved_at": row["at"]}
        case "resolve":
            latest |= {"state": "resolved", "resolved_at": row["at"], "clear_since": None}
    store.change(tx, alert["id"], alert["state"], **latest)
    after = {**alert, **latest}
    if transition.step == "fire":
        _tell(tx, now, "alert.fired", after, str(book.revision))
    elif transition.step == "resolve":
        _tell(tx, now, "alert.resolved", after, str(book.revision))
    return after if after["state"] in store.ACTIVE else None


def _explained(
    tx: Transaction, book: Book, rule: Rule, row: Mapping[str, Any], windows: Windows
) -> Explained:
    past = windows.past(tx, book, rule, row)
    return explain(rule, Seen(row["at"], row["state"], row["value"], row["unit"], past))


def _shown(rule: Rule, row: Mapping[str, Any], found: Explained) -> dict[str, Any]:
    """What an alert shows: what the rule measured, or the look itself where that was measured.

    What cannot be told is said too, so that whoever looks at an alert that neither fires nor ends
    sees why.
    """
    told = found.meets is not None or rule.traffic is None
    if rule.when is not None and rule.when.measure in {"state", "last"}:
        message = row["message"] if told else str(found)
        return {"value": row["value"], "unit": row["unit"], "message": message}
    return {"value": found.value, "unit": found.unit, "message": str(found)}


def explained(tx: Transaction, book: Book, rule: Rule) -> tuple[datetime, Explained] | None:
    """Return what a rule makes of its check's latest look and when that was; `None` without one."""
    if rule.check is None:
        return None
    rows = observations.latest(tx, book.id, rule.check, 1)
    return (rows[0]["at"], _explained(tx, book, rule, rows[0], Windows())) if rows else None


def standing_of(alert: dict[str, Any] | None) -> Standing:
    """Return how a rule stands from its active alert's row."""
    if alert is None:
        return INACTIVE
    return Standing(alert["state"], alert["pending_since"], alert["clear_since"])


def _begin(
    tx: Transaction,
    now: datetime,
    book: Book,
    rule: Rule,
    check_id: str,
    transition: Transition,
    latest: dict[str, Any],
) -> dict[str, Any] | None:
    if transition.step not in {"begin", "fire"}:
        return None
    firing = transition.step == "fire"
    values: dict[str, Any] = {
        **latest,
        "book": book.id,
        "revision": str(book.revision),
        "rule": rule.id,
        "check_id": check_id,
        "fingerprint": fingerprint(book.id, rule.id, check_id),
        "state": "firing" if firing else "pending",
        "severity": rule.severity,
        "summary": dict(rule.summary.by_language),
        "labels": rule.labels_of(book.id, book.checks[check_id]),
        "pending_since": latest["seen_at"],
        "fired_at": latest["seen_at"] if firing else None,
    }
    after = {**values, "id": store.open_new(tx, **values), "resolved_at": None, "reason": ""}
    if firing:
        _tell(tx, now, "alert.fired", after, str(book.revision))
    return after


def retire(tx: Transaction, now: datetime, watching: Watching, drafts: Collection[str] = ()) -> int:
    """End the alerts of rules that no active book has any more; return how many there were.

    Nothing would ever resolve them: their observations no longer come, or are no longer judged.
    ``drafts`` are the books that do nothing now although they may still have the rule.
    """
    known = {
        fingerprint(book.id, rule.id, check_id)
        for (_, check_id), rules in watching.items()
        for book, rule in rules
    }
    gone = [
        row
        for row in store.active(tx)
        if row["source"] == RULES and row["fingerprint"] not in known
    ]
    for row in gone:
        fired = row["state"] == "firing"
        reason = (
            f"the book {row['book']} is a draft now and watches nothing"
            if row["book"] in drafts
            else f"the book {row['book']} no longer has the rule {row['rule']} over this check"
        )
        change = {
            "state": "resolved" if fired else "cleared",
            "resolved_at": now,
            "clear_since": None,
            "reason": reason,
        }
        if store.change(tx, row["id"], row["state"], **change) and fired:
            _tell(tx, now, "alert.resolved", {**row, **change}, row["revision"])
    return len(gone)


def _tell(
    tx: Transaction, now: datetime, kind: str, alert: Mapping[str, Any], revision: str
) -> None:
    """Write the event and the audit entry of an alert that fired or was resolved.

    The event is dated when it happened and the entry when it was written: an incident's clocks run
    from the first, and what a server that was away did late can be seen from the second.
    """
    subject = f"alert:{alert['id']}"
    happened = alert["fired_at"] if kind == "alert.fired" else alert["resolved_at"]
    data = {
        "alert": alert["id"],
        "rule": alert["rule"],
        "book": alert["book"],
        "revision": revision,
        "fingerprint": alert["fingerprint"],
        "severity": alert["severity"],
    }
    if alert["reason"]:
        data["reason"] = alert["reason"]
    events.publish(tx, happened, kind, subject, data)
    hand_in(tx, now, alert["book"], RULES, str(alert["id"]).encode())
    seen = {name: alert[name] for name in ("check_id", "check_state", "value", "unit", "message")}
    audit.record(
        tx, now, SERVER, kind, subject,
        data={**data, **seen, "at": happened.isoformat(),
              "pending_since": alert["pending_since"].isoformat()},
    )  # fmt: skip
