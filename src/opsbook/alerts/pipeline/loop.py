"""The loop that works in what came in and tells what is due; on the server that decides.

One turn is one transaction: batches worked in, alerts begun and ended, groups told, the place in
the stream of batches moved. Only when it is on disk does anybody hear of it, and when it cannot be
written the memory is dropped and made again from the rows. Each turn begins by looking whether the
place is where this server left it: another that has decided in between makes this one read anew.

What is only repeated is counted in memory and written now and then; its batches stay until then,
and are gone through again after a crash.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import structlog

from opsbook.alerts import silences
from opsbook.alerts.intake import posted as forms
from opsbook.alerts.pipeline import deduplicating, grouping, receiving, stages, store, telling
from opsbook.alerts.pipeline.grouping import Group
from opsbook.alerts.pipeline.memory import GRACE, Memory, revisions_of
from opsbook.alerts.pipeline.model import RULES, Alert, fingerprint
from opsbook.base import events
from opsbook.base.database import Database, Transaction
from opsbook.book.library import Library
from opsbook.checks import pings
from opsbook.checks import store as checks

CONSUMER: Final = "alerts.intake"
BATCHES: Final = 64
ALERTS: Final = 1_000
WRITE_EVERY: Final = timedelta(seconds=15)
TIDY_EVERY: Final = timedelta(hours=1)
TOLD_LATE: Final = timedelta(hours=24)
PATIENCE: Final = 100
PATIENCE_S: Final = 0.01

log = structlog.get_logger("opsbook.alerts")


class Dispatcher:
    """The loop ``alerts``. ``url`` is where its pages are found, for what it sends outside."""

    def __init__(self, database: Database, library: Library, url: str) -> None:
        self.database = database
        self.library = library
        self.url = url
        self.memory: Memory | None = None
        self._tidied: datetime | None = None

    async def tick(self, now: datetime) -> datetime | None:
        """Do all that is due; return when more will be without anything new coming in."""
        try:
            while await self.database.write(lambda tx: self._turn(tx, now)):
                pass
        except Exception:
            self.memory = None  # the rows may not be what it says: made again from them
            raise
        if self._tidied is None or now - self._tidied >= TIDY_EVERY:
            await self.database.write(lambda tx: tidy(tx, now))
            self._tidied = now
        return self._next(now)

    async def known(self, now: datetime, *, deciding: bool, wake: Callable[[], None]) -> Memory:
        """Return what is known now: everything that was accepted before this was asked.

        On the server that decides it waits a moment for what came in to be worked in; one that
        stands by reads the rows.
        """
        newest = await self.database.read(store.newest)
        if not deciding:
            return await self.database.read(lambda tx: self._from_rows(tx, now))
        for _ in range(PATIENCE):
            if self.memory is not None and self.memory.position >= newest:
                return self.memory
            wake()
            await asyncio.sleep(PATIENCE_S)
        if self.memory is None:
            return await self.database.read(lambda tx: self._from_rows(tx, now))
        return self.memory

    def _from_rows(self, tx: Transaction, now: datetime) -> Memory:
        position = events.position(tx, CONSUMER)
        memory = remembered(tx, Memory.of(position, self.library.books()), now, away=False)
        self._renew_silences(tx, memory, now)
        return memory

    def _next(self, now: datetime) -> datetime | None:
        times = [self._tidied + TIDY_EVERY] if self._tidied is not None else []
        memory = self.memory
        if memory is not None:
            due = memory.next_due()
            times += [due] if due is not None else []
            if memory.dirty and memory.written_at is not None:
                times.append(memory.written_at + WRITE_EVERY)
        return min(times, default=None)

    def _turn(self, tx: Transaction, now: datetime) -> bool:
        """One transaction's worth; ``True`` when there is more."""
        memory = self._current(tx, now)
        self._renew_silences(tx, memory, now)
        more = self._work_in(tx, memory, now)
        end_due(tx, memory, now)
        self._tell(tx, memory, now)
        if memory.written_at is None or now - memory.written_at >= WRITE_EVERY:
            write_counters(tx, memory)
            memory.written_at = now
        return more

    def _current(self, tx: Transaction, now: datetime) -> Memory:
        """Return the memory, made anew where it is not what the rows say any more."""
        books = self.library.books()
        position = events.position(tx, CONSUMER)
        memory = self.memory
        if memory is None or memory.position != position:
            memory = remembered(tx, Memory.of(position, books), now, away=self.memory is None)
        elif memory.revisions != revisions_of(books):
            write_counters(tx, memory)
            memory = remembered(tx, Memory.of(position, books), now, away=False)
        self.memory = memory
        return memory

    def _renew_silences(self, tx: Transaction, memory: Memory, now: datetime) -> None:
        version = silences.version(tx)
        if version == memory.silences_version:
            return
        memory.silences_version = version
        found: dict[str, list[silences.Silence]] = {}
        for one in silences.current(tx, now):
            found.setdefault(one.book, []).append(one)
        memory.silences = {book: tuple(some) for book, some in found.items()}
        for group in memory.groups.values():
            if group.alone and group.flushed and group.next_at > now:
                group.next_at = now
                memory.look_at(group)

    def _work_in(self, tx: Transaction, memory: Memory, now: datetime) -> bool:
        """Work in the next batches, up to so many alerts; ``True`` when there are more."""
        rows = store.came_in(tx, memory.position, BATCHES)
        changes = _Changes()
        count = done = 0
        for row in rows:
            if count >= ALERTS:
                break
            if row["source"] == RULES:
                own(tx, memory, int(row["body"]), now)
                count += 1
            else:
                count += self._batch(tx, memory, row, now, changes)
            memory.position = row["id"]
            done += 1
        if not done:
            return False
        changes.write(tx, now)
        events.move(tx, CONSUMER, memory.position)
        return done < len(rows) or len(rows) == BATCHES

    def _batch(
        self, tx: Transaction, memory: Memory, row: dict[str, Any], now: datetime,
        changes: _Changes,
    ) -> int:  # fmt: skip
        book = memory.books.get(row["book"])
        if book is None:
            log.warning("alerts for a book that is not active", book=row["book"])
            return 0
        try:
            alerts = forms.decode(row["body"])
        except msgspec.DecodeError as error:
            log.error("a batch of alerts cannot be read", batch=row["id"], why=str(error))
            return 0
        for one in alerts:
            name = fingerprint(book.id, forms.told_apart_by(row["source"], one))
            known = memory.alerts.get(name)
            before = known.ends_at if known is not None else None
            got = receiving.worked_in(book, row["source"], one, row["at"], known, name)
            if not got.alert.over(row["at"]):
                pings.from_alert(tx, row["at"], book, got.alert.labels)
            if got.effect == "goes on":
                memory.goes_on(got.alert, before)
            elif got.effect != "nothing":
                if got.effect == "begins" and name in changes.ended:
                    changes.write(tx, now)  # over and back within a batch: two alerts
                memory.know(got.alert, now)
                changes.note(got)
        return len(alerts)

    def _tell(self, tx: Transaction, memory: Memory, now: datetime) -> None:
        groups = memory.due(now)
        if not groups:
            return
        books = {one.node.book for one in groups if _own(one)}
        behind = {book: checks.behind(tx, book) for book in books}
        told: dict[str, tuple[dict[str, str], deduplicating.Entry]] = {}
        for group in groups:
            book = group.node.book
            look = memory.look(book, now, behind.get(book, {}))
            flush = stages.decided(memory, group, look)
            stages.write(tx, memory, flush, now, self.url)
            for one in flush.decisions:
                if one.told is not None and one.after is not None:
                    memory.entries[one.name] = one.after
                    about = {
                        "book": book, "group_key": group.key, "receiver": group.node.receiver,
                        "listener": one.listener.id,
                    }  # fmt: skip
                    told[one.name] = about, one.after
            group.flushed = True
            for alert in flush.alerts:
                if alert.over(now):
                    memory.let_go(group, alert)
            _again(memory, group, now, held=bool(flush.quiet))
        store.remember(tx, told)


@dataclass(eq=False, slots=True)
class _Changes:
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
        for some in (self.begun, self.changed, self.ended):
            some.clear()


def _own(group: Group) -> bool:
    return any(alert.check for alert in group.alerts.values())


def _again(memory: Memory, group: Group, now: datetime, *, held: bool) -> None:
    """Plan a group's next look, or let an empty one go."""
    if group.alerts:
        group.empty_since = None
        group.next_at = grouping.after_flush(group, now, held=held)
    else:
        group.empty_since = group.empty_since or now
        kept = grouping.KEPT_EMPTY if not group.alone else timedelta(0)
        if now - group.empty_since >= kept:
            memory.drop(grouping.identity(group.node, group.labels))
            return
        group.next_at = min(now + group.node.interval, group.empty_since + kept)
    memory.look_at(group)


def own(tx: Transaction, memory: Memory, alert_id: int, now: datetime) -> None:
    """Take over an alert of the book's own rules as its row is now."""
    row = store.row(tx, alert_id)
    if row is None or row["state"] == "pending":
        return
    alert = store.of_row(row)
    if row["book"] not in memory.books:
        if alert.over(now):
            telling.over_without_book(tx, now, alert)
        return
    known = memory.alerts.get(alert.fingerprint)
    if alert.over(now) and known is None:
        return
    memory.know(alert, now)


def end_due(tx: Transaction, memory: Memory, now: datetime) -> None:
    """End the alerts whose senders neither ended nor repeated them in time."""
    ended = memory.ended(now)
    store.end(tx, now, [one for one in ended if one.source != RULES and one.id])
    for one in ended:
        memory.dirty.pop(one.fingerprint, None)
        memory.group(one, now)


def write_counters(tx: Transaction, memory: Memory) -> None:
    """Write the ends and counters of what was repeated; then its batches are not needed."""
    store.change(tx, [one for one in memory.dirty.values() if one.id])
    memory.dirty.clear()
    store.forget_until(tx, memory.position)


def remembered(tx: Transaction, memory: Memory, now: datetime, *, away: bool) -> Memory:
    """Fill a memory from the rows: what fires, what ended lately, what was told, what came in.

    Batches that were worked in already are gone through for their repetitions alone: what they
    began and ended is in the rows. Where this server was `away`, an alert whose end passed
    meanwhile has a moment left in which its sender may repeat it, or a restart would send that it
    is over and then that it fires.
    """
    memory.entries = store.entries(tx, now)
    told = {name for one in memory.entries.values() for name in one.firing}
    rows = [*store.ended_since(tx, now - TOLD_LATE), *store.firing(tx)]
    for row in rows:
        if row["book"] not in memory.books:
            continue
        alert = store.of_row(row)
        fires = row["state"] == store.FIRING
        if not fires and alert.fingerprint not in told:
            continue  # nobody was told that it fires, so nobody need be told that it is over
        if fires and away and alert.ends_at is not None and alert.ends_at < now + GRACE:
            alert.ends_at = now + GRACE
        memory.know(alert, now)
    for row in store.worked_in(tx, memory.position):
        if row["source"] != RULES:
            _repeat(memory, row)
    for group in memory.groups.values():
        group.flushed = any(
            deduplicating.name(group.node.book, group.key, group.node.receiver, one.id)
            in memory.entries
            for one in stages.listeners(group)
        )
        if group.flushed and group.next_at > now:
            group.next_at = now
            memory.look_at(group)
    memory.written_at = now
    return memory


def _repeat(memory: Memory, row: dict[str, Any]) -> None:
    book = memory.books.get(row["book"])
    try:
        alerts = forms.decode(row["body"]) if book is not None else []
    except msgspec.DecodeError:
        return
    for one in alerts:
        if book is None:
            return
        name = fingerprint(book.id, forms.told_apart_by(row["source"], one))
        known = memory.alerts.get(name)
        if known is None or known.updated_at >= row["at"] or known.source == RULES:
            continue
        got = receiving.worked_in(book, row["source"], one, row["at"], known, name)
        if got.effect == "goes on":
            memory.dirty[known.fingerprint] = known


def tidy(tx: Transaction, now: datetime) -> None:
    """Delete what need not be remembered any longer."""
    store.forget_told(tx, now)
    silences.store.forget_old(tx, now)
