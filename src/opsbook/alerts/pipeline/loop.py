"""The loop that works in what came in and tells what is due; on the server that decides.

One turn is one transaction: batches worked in, alerts begun and ended, groups told, the place in
the stream of batches moved. Only when it is on disk does anybody hear of it, and when it cannot be
written the memory is dropped and made again from the rows. Each turn begins by looking whether the
place and the leadership are as this server left them: another that has decided in between makes
this one read anew, and one that decides now makes it stand back.

A turn that fails for a reason that will not pass (something that came in, or what a group would
tell, cannot be written) is done again piece by piece: what fails is set aside on record, and all
the rest goes its way.

What is only repeated is counted in memory and written now and then; its batches stay until then,
and are gone through again after a crash.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
import structlog

from opsbook.alerts import silences
from opsbook.alerts.pipeline import deduplicating, grouping, stages, store, telling, working
from opsbook.alerts.pipeline.grouping import Group
from opsbook.alerts.pipeline.memory import Memory, revisions_of
from opsbook.alerts.pipeline.model import RULES, Alert
from opsbook.alerts.pipeline.remembering import remembered, write_counters
from opsbook.base import events, lease
from opsbook.base.database import Database, DatabaseAway, DiskFull, Transaction
from opsbook.book.library import Library
from opsbook.checks import store as checks

CONSUMER: Final = "alerts.intake"
BATCHES: Final = 64
ALERTS: Final = 1_000
WRITE_EVERY: Final = timedelta(seconds=15)
TIDY_EVERY: Final = timedelta(hours=1)
HELD_FOR: Final = timedelta(days=7)
LATER: Final = timedelta(minutes=1)
AGAIN: Final = timedelta(seconds=5)
PATIENCE: Final = 100
PATIENCE_S: Final = 0.01

log = structlog.get_logger("opsbook.alerts")


class Dispatcher:
    """The loop ``alerts``. ``url`` is where its pages are found, for what it sends outside.

    ``leads`` is the leadership that this server holds (`base.lease`); without it any will do.
    """

    def __init__(
        self, database: Database, library: Library, url: str,
        leads: Callable[[], int] | None = None,
    ) -> None:  # fmt: skip
        self.database = database
        self.library = library
        self.url = url
        self.leads = leads
        self.memory: Memory | None = None
        self._tidied: datetime | None = None
        self._known = False
        self._begun = False
        self._postponed: dict[grouping.Key, datetime] = {}

    async def tick(self, now: datetime) -> datetime | None:
        """Do all that is due; return when more will be without anything new coming in."""
        try:
            while await self._write(lambda tx: self._turn(tx, now)):
                pass
        except Exception as error:
            self.memory = None  # the rows may not be what it says: made again from them
            if _passes(error):
                raise
            log.exception("a turn of the alerts failed; it is done again piece by piece")
            while await self._write(lambda tx: self._turn_in_pieces(tx, now)):
                pass
            self.memory = None
        if self._tidied is None or now - self._tidied >= TIDY_EVERY:
            await self.database.write(lambda tx: self._tidy(tx, now))
            self._tidied = now
        return self._next(now)

    async def _write(self, turn: Callable[[Transaction], bool]) -> bool:
        self._begun = False
        try:
            return await self.database.write(turn)
        finally:
            self._begun = False

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
        position, epoch = _place(tx)
        memory = remembered(tx, Memory.of(position, epoch, self.library.books()), now, away=False)
        self._renew_silences(tx, memory, now)
        return memory

    def _next(self, now: datetime) -> datetime | None:
        times = [self._tidied + TIDY_EVERY] if self._tidied is not None else []
        memory = self.memory
        if memory is None:
            times.append(now + AGAIN)  # whatever is due is in the rows, and has to be read again
        else:
            due = memory.next_due()
            times += [due] if due is not None else []
            if memory.dirty and memory.written_at is not None:
                times.append(memory.written_at + WRITE_EVERY)
        return min(times, default=None)

    def _turn(self, tx: Transaction, now: datetime) -> bool:
        """One transaction's worth; ``True`` when there is more."""
        memory = self._current(tx, now)
        if memory is None:
            return False
        self._renew_silences(tx, memory, now)
        more = self._work_in(tx, memory, now)
        working.end_due(tx, memory, now)
        self._tell(tx, memory, now)
        if memory.written_at is None or now - memory.written_at >= WRITE_EVERY:
            write_counters(tx, memory)
            memory.written_at = now
        return more

    def _turn_in_pieces(self, tx: Transaction, now: datetime) -> bool:
        """A turn in which whatever fails takes nothing else with it; ``True`` when there is more.

        What fails leaves the memory in doubt, which is then made again.
        """
        memory = self._current(tx, now)
        if memory is None:
            return False
        self._renew_silences(tx, memory, now)
        rows = store.came_in(tx, memory.position, 1)
        for row in rows:
            memory = self._batch_in_pieces(tx, memory, row, now)
        working.end_due(tx, memory, now)
        for group in memory.due(now):
            try:
                with tx.piece():
                    self._tell_of(tx, memory, [group], now)
            except Exception as error:
                if _passes(error):
                    raise
                why = f"{type(error).__name__}: {error}"
                log.error("a group could not be told; it is tried again", group=group.key, why=why)
                self._postponed[grouping.identity(group.node, group.labels)] = now + LATER
        return bool(rows)

    def _batch_in_pieces(
        self, tx: Transaction, memory: Memory, row: dict[str, Any], now: datetime
    ) -> Memory:
        if row["source"] == RULES:
            pieces: list[Any] = [None]
        elif row["book"] in memory.books:
            pieces = list(working.posted_in(row))
        else:
            pieces = []
            working.hold(tx, row)
        for one in pieces:
            try:
                with tx.piece():
                    if one is None:
                        working.own(tx, memory, int(row["body"]), now)
                    else:
                        changes = working.Changes()
                        working.work_in(tx, memory, row, one, now, changes)
                        changes.write(tx, now)
            except Exception as error:
                if _passes(error):
                    raise
                working.set_aside(tx, now, row, one, error)
                memory = self._anew(tx, now, away=False)
        memory.position = row["id"]
        events.move(tx, CONSUMER, memory.position)
        return memory

    def _current(self, tx: Transaction, now: datetime) -> Memory | None:
        """Return the memory, made anew where it is not what the rows say any more.

        ``None`` where another server decides by now. A turn that the database let begin a second
        time finds its memory as the first left it, which was not written.
        """
        position, epoch = _place(tx)
        if self.leads is not None and epoch != self.leads():
            self.memory = None
            return None
        if self._begun:
            self.memory = None
        self._begun = True
        books, memory = self.library.books(), self.memory
        if memory is None or (memory.position, memory.epoch) != (position, epoch):
            away = not self._known
            self._known = True
            return self._anew(tx, now, away=away)
        if memory.revisions != revisions_of(books):
            write_counters(tx, memory)
            return self._anew(tx, now, away=False)
        return memory

    def _anew(self, tx: Transaction, now: datetime, *, away: bool) -> Memory:
        position, epoch = _place(tx)
        books = self.library.books()
        store.hand_in_held(tx, [book.id for book in books if book.status == "active"])
        memory = remembered(tx, Memory.of(position, epoch, books), now, away=away)
        self._postponed = {key: until for key, until in self._postponed.items() if until > now}
        for key, until in self._postponed.items():
            if (group := memory.groups.get(key)) is not None:
                group.next_at = until
                memory.look_at(group)
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
        changes = working.Changes()
        count = done = 0
        for row in rows:
            if count >= ALERTS:
                break
            if row["source"] == RULES:
                working.own(tx, memory, int(row["body"]), now)
                count += 1
            else:
                count += working.batch(tx, memory, row, now, changes)
            memory.position = row["id"]
            done += 1
        if not done:
            return False
        changes.write(tx, now)
        events.move(tx, CONSUMER, memory.position)
        return done < len(rows) or len(rows) == BATCHES

    def _tell(self, tx: Transaction, memory: Memory, now: datetime) -> None:
        groups = memory.due(now)
        if groups:
            self._tell_of(tx, memory, groups, now)

    def _tell_of(self, tx: Transaction, memory: Memory, groups: list[Group], now: datetime) -> None:
        books = {one.node.book for one in groups if _own(one)}
        behind = {book: checks.behind(tx, book) for book in books}
        told: dict[str, tuple[dict[str, str], deduplicating.Entry]] = {}
        untold: dict[str, list[Alert]] = {}
        for group in groups:
            book = group.node.book
            look = memory.look(book, now, behind.get(book, {}))
            flush = stages.decided(memory, group, look)
            stages.write(tx, memory, flush, now, self.url)
            for one in flush.decisions:
                if one.told is not None and one.after is not None:
                    memory.entries[one.name] = one.after
                    told[one.name] = stages.about(group, one.listener), one.after
            group.flushed = True
            gone = [
                alert for alert in flush.alerts if alert.over(now) and memory.let_go(group, alert)
            ]
            if unsaid := stages.unsaid(flush, gone):
                untold.setdefault(book, []).extend(unsaid)
                told.update(stages.forgotten(memory, group, unsaid))
            _again(memory, group, now, held=bool(flush.quiet))
        store.remember(tx, told)
        for book, alerts in untold.items():
            telling.over_untold(tx, now, book, alerts)

    def _tidy(self, tx: Transaction, now: datetime) -> None:
        tidy(tx, now)
        if self.memory is not None:
            self.memory.forget_told(now)


def _place(tx: Transaction) -> tuple[int, int]:
    """Return how far batches have been worked in, and which leadership this is."""
    return events.position(tx, CONSUMER), lease.epoch(tx)


def _passes(error: Exception) -> bool:
    """Whether an error is the database's own trouble and not that of something in a turn."""
    return isinstance(
        error, DiskFull | DatabaseAway | sa.exc.OperationalError | sa.exc.InterfaceError
    )


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


def tidy(tx: Transaction, now: datetime) -> None:
    """Delete what need not be remembered any longer."""
    store.forget_told(tx, now)
    silences.store.forget_old(tx, now)
    if lost := store.forget_held(tx, now - HELD_FOR):
        log.error("alerts of a book that never came back are gone", batches=lost)
