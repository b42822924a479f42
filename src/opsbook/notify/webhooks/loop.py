"""The loop that sends deliveries: claims what is due, and records what became of it.

As with pages, an attempt is a committed row before a byte leaves, and its outcome is accepted only
for that attempt; what a crash left in sending is sent again and says "possibly repeated".

A receiver that does not answer holds up nobody but itself. There are ``at_most`` places for what is
under way. A hook has one of them, up to ``EACH`` once it has answered; one that ails (its last
attempt failed, or one hangs) has one again, and all that ail together have half of the places. More
than one place for a hook is given while half of them are free.

Within a hook the deliveries of one run go one after the other. One that failed waits for its next
try while later ones of the same run go ahead: a receiver that chokes on one event is not cut off
from all that follow. So the order is kept where it can be and not promised;
each body carries a sequence to sort by.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import structlog

from opsbook import audit, people
from opsbook.audit.entries import SERVER
from opsbook.base.clock import Clock
from opsbook.base.database import Database, Transaction
from opsbook.base.errors import NotFound, OpsbookError
from opsbook.base.loops import Loops
from opsbook.book import Book
from opsbook.book.library import Library
from opsbook.book.sections.webhooks import Webhook
from opsbook.notify import outbox
from opsbook.notify.errors import Undelivered
from opsbook.notify.health import HANGS, Health
from opsbook.notify.webhooks import model, sending, store
from opsbook.notify.webhooks.store import TOPIC, Lane, Row

NAME: Final = "webhooks"
EACH: Final = 4
AT_MOST: Final = 256
TURN: Final = 20
LOOKED_AT: Final = 500
STUMBLE: Final = timedelta(seconds=5)
CLAIM: Final = timedelta(seconds=60)
GONE: Final = "given up: the hook is gone"
TITLE = {"ko": "웹훅 전달 포기: {hook}", "en": "Webhook given up: {hook}"}
BODY = {
    "ko": "하루 동안 받는 쪽이 응답하지 않았습니다. 마지막 오류: {error}",
    "en": "It was not taken for a day. The last failure: {error}",
}

log = structlog.get_logger("opsbook.notify")


class Deliveries:
    """Sends. ``timeout`` bounds one attempt, in seconds of the real clock; ``grace`` a stop.

    After ``hangs`` seconds an attempt counts as hanging.
    """

    def __init__(
        self, database: Database, library: Library, loops: Loops, clock: Clock, *,
        timeout: float = 10.0, grace: float = 3.0, at_most: int = AT_MOST, hangs: float = HANGS,
    ) -> None:  # fmt: skip
        self.database = database
        self.library = library
        self.loops = loops
        self.clock = clock
        self.timeout = timeout
        self.grace = grace
        self.at_most = at_most
        self._health: Health[Lane] = Health(hangs)
        self._workers: dict[asyncio.Task[None], Lane] = {}
        self._sending: set[int] = set()
        self._recovered = False
        self._stumbled = False
        self._stopping = False

    async def stop(self) -> None:
        """Let what is under way finish within ``grace``, then leave it to the next start."""
        self._stopping = True
        if self._workers:
            await asyncio.wait(self._workers, timeout=self.grace)
        for task in list(self._workers):
            task.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def tick(self, now: datetime) -> datetime | None:
        """Start workers for whatever is due; return when more will be."""
        if not self._recovered:
            await self._recover(now, everything=True)
            self._recovered = True
        if self._stumbled:
            self._stumbled = False
            return now + STUMBLE
        found = await self._waiting(now)
        if found.over:
            await self._recover(now, everything=False)
            found = await self._waiting(now)
        if not self._stopping:
            self._begin([one for one in found.due if self._find(one[0]) is not None])
        await self._abandon(now, found.lanes)
        return found.next_due

    def _begin(self, due: list[tuple[Lane, int]]) -> None:
        """Give places to hooks with something to send: one to each, then more to who is well.

        Of those that ail the one that failed longest ago goes first.
        """
        ailing = self._health.ailing(asyncio.get_running_loop().time())
        busy = Counter(self._workers.values())
        hold = sum(count for lane, count in busy.items() if lane in ailing)
        half = max(1, self.at_most // 2)
        in_turn = sorted(due, key=lambda one: self._health.failed_at(one[0]))
        for lane, _ in in_turn:
            ails = lane in ailing
            full = len(self._workers) >= self.at_most or (ails and hold >= half)
            if not busy[lane] and not full:
                self._start(lane)
                busy[lane] += 1
                hold += ails
        for lane, waiting in in_turn:
            most = min(EACH, waiting) if self._health.well(lane) and lane not in ailing else 0
            while 0 < busy[lane] < most and len(self._workers) < half:
                self._start(lane)
                busy[lane] += 1

    def _start(self, lane: Lane) -> None:
        task = asyncio.create_task(self._work(lane), name=f"webhook {lane.hook}")
        self._workers[task] = lane

    async def _waiting(self, now: datetime) -> store.Waiting:
        mine = set(self._sending)
        return await self.database.read(lambda tx: store.waiting(tx, now, mine, LOOKED_AT))

    async def _recover(self, now: datetime, *, everything: bool) -> None:
        """Queue again what others left: all of it at first, later only claims that are over."""
        mine = set(self._sending)
        found = await self.database.write(
            lambda tx: store.recover(tx, now, mine, everything=everything)
        )
        if found:
            log.warning("deliveries left in sending are queued again", deliveries=found)

    async def _abandon(self, now: datetime, lanes: list[Lane]) -> None:
        """End what waits for a hook that the running book does not have any more.

        A book that does not run at all may be back in a minute; what waits for it has its day.
        """
        running = {book.id for book in self.library.books()}
        gone = {
            lane: now if lane.book in running else now - model.GIVE_UP
            for lane in lanes
            if self._find(lane) is None
        }

        def abandon(tx: Transaction) -> None:
            for lane, until in gone.items():
                for row in store.abandon(tx, lane, until, GONE):
                    tx.touch(TOPIC)
                    record(tx, now, "webhook.failed", row, why="gone", attempts=row["attempts"])

        if gone:
            await self.database.write(abandon)

    def _find(self, lane: Lane) -> tuple[Book, Webhook] | None:
        try:
            book = self.library.current(lane.book)
        except NotFound:
            return None
        hook = book.webhooks.get(lane.hook)
        return (book, hook) if hook is not None else None

    async def _work(self, lane: Lane) -> None:
        """Send what is due for one hook, a turn's worth; then let the loop look again.

        One that found nothing to send wakes nobody: what is due may be waiting for a delivery of
        the same run to come back, and that one's worker looks again. After an attempt that failed
        the place is given back: whether there is one for a hook that ails is asked anew.
        """
        again = False
        async with self.loops.busy():
            try:
                for _ in range(TURN):
                    taken = None if self._stopping else await self._one(lane)
                    again = again or taken is not None
                    if not taken:
                        break
            except Exception:  # the edge: the rows keep their state, the hook is tried again
                self._stumbled = again = True
                log.exception("sending a delivery stumbled", book=lane.book, hook=lane.hook)
            finally:
                task = asyncio.current_task()
                if task is not None:
                    self._workers.pop(task, None)
                if again:
                    self._look_again()

    def _look_again(self) -> None:
        if NAME in self.loops.loops:
            self.loops.wake(NAME)

    async def _one(self, lane: Lane) -> bool | None:
        """Send the next for a hook; return whether it was taken, ``None`` where nothing is due."""
        now = self.clock.now()
        found = self._find(lane)
        if found is None:
            return None
        book, hook = found
        until = now + timedelta(seconds=self.timeout) + CLAIM
        row = await self.database.write(lambda tx: store.claim(tx, now, lane, until))
        if row is None:
            return None
        self._sending.add(row["id"])
        try:
            outcome = await self._noted(lane, self._attempt(hook, row, now))
            after = self.clock.now()
            await self.database.write(lambda tx: settled(tx, after, book, row, outcome))
        finally:
            self._sending.discard(row["id"])
        return _taken(outcome)

    async def _noted(
        self, lane: Lane, attempt: Coroutine[None, None, int | Undelivered]
    ) -> int | Undelivered:
        """Make an attempt, and note what it shows; a hook that answers at last may have more."""
        clock = asyncio.get_running_loop()
        number, taken = self._health.begin(lane, clock.time()), None
        try:
            outcome = await attempt
            taken = _taken(outcome)
            return outcome
        finally:
            if self._health.end(number, clock.time(), taken=taken):
                self._look_again()

    async def _attempt(self, hook: Webhook, row: Row, now: datetime) -> int | Undelivered:
        """Send once; return the status of the answer, or why there is none."""
        identity = model.identity(row["key"], row["created_at"])
        try:
            return await sending.send(hook, row, identity, now, self.timeout)
        except Undelivered as failure:
            return failure
        except OpsbookError as failure:
            return Undelivered(failure.message, remedy=failure.remedy)
        except Exception as error:  # noqa: BLE001 (the edge; its text may hold the address)
            log.error("webhook failed", hook=row["hook"], error=type(error).__name__)
            return Undelivered(f"It failed with {type(error).__name__}.", unsure=True)


def _taken(outcome: int | Undelivered) -> bool:
    return isinstance(outcome, int) and 200 <= outcome <= 299


def settled(
    tx: Transaction, now: datetime, book: Book, row: Row, outcome: int | Undelivered
) -> None:
    """Write down how an attempt ended: out, to be tried again, or given up loudly.

    A server's own error (5xx) leaves it open whether the request was acted on before it failed.
    """
    status = outcome if isinstance(outcome, int) else None
    if _taken(outcome):
        done: dict[str, Any] = {"state": "sent", "sent_at": now, "next_at": None, "error": ""}
        if store.settle(tx, row, status=status, **done):
            tx.touch(TOPIC)
            if row["attempts"] > 1:
                record(tx, now, "webhook.sent", row, attempts=row["attempts"])
        return
    told = f"It answered {sending.said(status)}." if status is not None else str(outcome)
    unsure = status >= 500 if status is not None else getattr(outcome, "unsure", False)
    due = model.next_try(row["created_at"], row["attempts"], now)
    if row["event"] == model.ALERTS and store.newer(tx, row):
        if store.settle(tx, row, status=status, state=store.REPLACED, next_at=None, error=told):
            tx.touch(TOPIC)
        return
    values = {"state": "failed" if due is None else "retry", "next_at": due, "error": told}
    repeated = row["repeated"] or unsure
    if not store.settle(tx, row, status=status, repeated=repeated, **values):
        return
    tx.touch(TOPIC)
    if due is None:
        record(tx, now, "webhook.failed", row, why="late", attempts=row["attempts"])
        tell(tx, now, book, {**row, "error": told})
    elif row["attempts"] == 1:
        record(tx, now, "webhook.delayed", row, why=told)


def record(
    tx: Transaction, now: datetime, action: str, row: Row, *, by: str = SERVER, **data: object
) -> None:
    """Put what became of a delivery into its story. One that is taken at once is no news."""
    subject = f"delivery:{row['id']}"
    where = {name: row[name] for name in ("book", "hook", "event")}
    audit.record(
        tx, now, by, action, subject, thread=row["thread"] or subject, data={**where, **data}
    )


def tell(tx: Transaction, now: datetime, book: Book, row: Row) -> None:
    """Tell whoever owns the hook, once a day for each hook: a dead receiver fails every event."""
    hook = book.webhooks[row["hook"]]
    for person in owners(people.duty(tx, book, now), hook, now):
        outbox.page(
            tx, now, book=book, person_id=person, cause=f"webhook {row['hook']}", urgent=False,
            key=f"webhook:{book.id}/{row['hook']}/{now:%Y-%m-%d}/{person}", thread=row["thread"],
            title={
                language: text.format(hook=hook.title.in_language(language))
                for language, text in TITLE.items()
            },
            body={language: text.format(error=row["error"]) for language, text in BODY.items()},
            path=f"/book/{quote(book.id)}/webhooks/{quote(row['hook'])}",
        )  # fmt: skip


def owners(duty: people.Duty, hook: Webhook, now: datetime) -> list[str]:
    """Return who looks after a hook: its owner, else the book's, else everybody who may edit it."""
    book = duty.book
    for owner in (hook.owner, book.owner):
        if owner is not None and (found := duty.reached([owner], now)):
            return found
    return [
        person.id
        for person in book.people.values()
        if any(
            one.allows("book", "write") for role in person.roles for one in book.roles.get(role, ())
        )
    ]
