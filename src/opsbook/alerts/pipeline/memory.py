"""What the pipeline knows of alerts, groups and what was told: read from the rows, kept in step.

Everything here can be made again from the database, and is whenever a transaction fails or another
server has decided in between: nothing is kept here that a crash could lose.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from opsbook.alerts import silences
from opsbook.alerts.pipeline import deduplicating, grouping, routing
from opsbook.alerts.pipeline.grouping import Group, Key
from opsbook.alerts.pipeline.model import Alert
from opsbook.alerts.pipeline.muting import Inhibitor, Look
from opsbook.book import Book

GRACE: Final = timedelta(minutes=3)
"""How long an alert whose end passed while nobody listened may still be repeated by its sender."""


@dataclass(eq=False, slots=True)
class Memory:
    """Alerts by fingerprint, groups by key, what was told by name; and what is due when."""

    position: int
    epoch: int
    revisions: tuple[tuple[str, str], ...]
    books: dict[str, Book]
    routings: dict[str, routing.Routing]
    inhibitors: dict[str, Inhibitor]
    alerts: dict[str, Alert] = field(default_factory=dict)
    groups: dict[Key, Group] = field(default_factory=dict)
    entries: dict[str, deduplicating.Entry] = field(default_factory=dict)
    silences: dict[str, tuple[silences.Silence, ...]] = field(default_factory=dict)
    silences_version: tuple[Any, ...] = ()
    dirty: dict[str, Alert] = field(default_factory=dict)
    of_alert: dict[str, list[Key]] = field(default_factory=dict)
    flushes: list[tuple[datetime, int, Group]] = field(default_factory=list)
    ends: list[tuple[datetime, int, Alert]] = field(default_factory=list)
    written_at: datetime | None = None
    count: int = 0

    @classmethod
    def of(cls, position: int, epoch: int, books: Iterable[Book]) -> Memory:
        """Return an empty memory for the books that are active."""
        active = {book.id: book for book in books if book.status == "active"}
        return cls(
            position,
            epoch,
            revisions_of(active.values()),
            active,
            {id: routing.of_book(book) for id, book in active.items()},
            {id: Inhibitor.of(book, ()) for id, book in active.items()},
        )

    def know(self, alert: Alert, now: datetime) -> None:
        """Hold an alert as it is now: for its groups, for inhibitions, and for when it ends."""
        before = self.alerts.get(alert.fingerprint)
        inhibitor = self.inhibitors.get(alert.book)
        if before is not None and before is not alert and inhibitor is not None:
            inhibitor.forget(before)
        self.alerts[alert.fingerprint] = alert
        if inhibitor is not None:
            inhibitor.note(alert)
        if not alert.over(now):
            self.ends_later(alert)
        self.group(alert, now)

    def goes_on(self, alert: Alert, before: datetime | None) -> None:
        """Count a repetition; it is written later. An end that came nearer is looked at then."""
        self.dirty[alert.fingerprint] = alert
        if before is not None and alert.ends_at is not None and alert.ends_at < before:
            self.ends_later(alert)

    def ends_later(self, alert: Alert) -> None:
        """Look at an alert again when it would be over."""
        if alert.ends_at is not None:
            self.count += 1
            heapq.heappush(self.ends, (alert.ends_at, self.count, alert))

    def group(self, alert: Alert, now: datetime) -> None:
        """Put an alert into the groups of every route that takes it."""
        found = self.routings.get(alert.book)
        if found is None:
            return
        keys = self.of_alert.get(alert.fingerprint)
        if keys is None:
            keys = [grouping.key_of(node, alert) for node in found.root.taken_by(alert.labels)]
            self.of_alert[alert.fingerprint] = keys
        for key in keys:
            group = self.groups.get(key)
            if group is None:
                group = grouping.begun(self._node(found, key), alert, now)
                self.groups[key] = group
                grouping.joined(group, alert, now)
                self.look_at(group)
            elif grouping.joined(group, alert, now):
                self.look_at(group)

    def _node(self, found: routing.Routing, key: Key) -> routing.Node:
        node = found.root
        for n in key[1]:
            node = node.nodes[n]
        return node

    def look_at(self, group: Group) -> None:
        """Look at a group at its next time."""
        self.count += 1
        heapq.heappush(self.flushes, (group.next_at, self.count, group))

    def ended(self, now: datetime) -> list[Alert]:
        """Return the alerts whose end has come, each once.

        One that was repeated in the meantime is put back to its new end: once a minute for each
        alert, instead of an entry for every repetition.
        """
        found = []
        while self.ends and self.ends[0][0] <= now:
            _, _, alert = heapq.heappop(self.ends)
            if self.alerts.get(alert.fingerprint) is not alert or alert.ends_at is None:
                continue
            if alert.ends_at <= now:
                found.append(alert)
            else:
                self.ends_later(alert)
        return found

    def due(self, now: datetime) -> list[Group]:
        """Return the groups whose time has come, each once, in the order of their times."""
        found = []
        while self.flushes and self.flushes[0][0] <= now:
            at, _, group = heapq.heappop(self.flushes)
            if group.next_at == at:
                found.append(group)
        return found

    def next_due(self) -> datetime | None:
        """Return when something is due that no new alert brings about."""
        times = [queue[0][0] for queue in (self.flushes, self.ends) if queue]
        return min(times, default=None)

    def let_go(self, group: Group, alert: Alert) -> bool:
        """Take an alert that is over out of a group; ``True`` when no other group has it either."""
        if group.alerts.get(alert.fingerprint) is alert:
            del group.alerts[alert.fingerprint]
        keys = self.of_alert.get(alert.fingerprint, [])
        still = any(
            self.groups[key].alerts.get(alert.fingerprint) is alert
            for key in keys
            if key in self.groups
        )
        if still:
            return False
        if self.alerts.get(alert.fingerprint) is alert:
            del self.alerts[alert.fingerprint]
            self.of_alert.pop(alert.fingerprint, None)
            inhibitor = self.inhibitors.get(alert.book)
            if inhibitor is not None:
                inhibitor.forget(alert)
        return True

    def rename(self, alert: Alert, name: str) -> list[Group]:
        """Let an alert that is over be known by another name; return the groups it is in."""
        was = alert.fingerprint
        keys = self.of_alert.pop(was, [])
        inhibitor = self.inhibitors.get(alert.book)
        if inhibitor is not None:
            inhibitor.forget(alert)
        self.alerts.pop(was, None)
        self.dirty.pop(was, None)
        alert.fingerprint = name
        self.alerts[name], self.of_alert[name] = alert, keys
        found = [self.groups[key] for key in keys if key in self.groups]
        for group in found:
            if group.alerts.get(was) is alert:
                del group.alerts[was]
                group.alerts[name] = alert
        return found

    def forget_told(self, now: datetime) -> None:
        """Let go of what need not be remembered any longer of what was told."""
        self.entries = {name: one for name, one in self.entries.items() if one.expires_at > now}

    def drop(self, key: Key) -> None:
        """Forget a group that has been empty for long enough."""
        self.groups.pop(key, None)

    def with_book(self, book: Book, now: datetime) -> Memory:
        """Return another memory in which `book` runs instead: for asking, never for telling."""
        other = Memory.of(self.position, self.epoch, [book])
        other.entries, other.silences = self.entries, self.silences
        for alert in list(self.alerts.values()):
            if alert.book == book.id:
                other.know(alert, now)
        return other

    def look(self, book: str, now: datetime, behind: Mapping[str, str]) -> Look:
        """Return everything that may keep a book's alerts quiet at `now`."""
        return Look(
            now, self.routings[book], self.inhibitors[book], self.silences.get(book, ()), behind
        )


def revisions_of(books: Iterable[Book]) -> tuple[tuple[str, str], ...]:
    """Return which revisions of active books there are: what a memory is made for."""
    return tuple((book.id, str(book.revision)) for book in books if book.status == "active")
