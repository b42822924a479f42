"""The loop that sends: claims what is due, one lane per destination, and records what became of it.

An attempt is a committed row before a byte leaves (queued → sending), and its outcome is accepted
only for that attempt. A crash in between leaves a row in sending; whoever decides next queues it
again and says "possibly repeated", since nobody can know.

Pages to one destination go one after the other; different destinations do not wait for each other.
At most ``at_most`` lanes send at once. Half of them are kept for destinations that do not ail (the
last attempt there failed, or one hangs) and pages that were not tried yet: a hundred servers that
hang cannot hold up the one page that would have got through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from opsbook.base import events
from opsbook.base.clock import Clock
from opsbook.base.database import Database, Transaction
from opsbook.base.errors import OpsbookError
from opsbook.base.loops import Loops
from opsbook.book import Book
from opsbook.book.library import Library
from opsbook.book.sections.people import Channel as ChannelOfBook
from opsbook.book.sections.people import Person
from opsbook.notify import hiding, model, outbox, store
from opsbook.notify.channel import Sender
from opsbook.notify.channels import CHANNELS
from opsbook.notify.errors import Undelivered
from opsbook.notify.health import HANGS, Health
from opsbook.notify.store import Lane

NAME: Final = "pages"
TURN: Final = 20
STUMBLE: Final = timedelta(seconds=5)
CLAIM: Final = timedelta(seconds=60)
LOOKED_AT: Final = 500

log = structlog.get_logger("opsbook.notify")


class Outbox:
    """Sends. ``timeout`` bounds one attempt, in seconds of the real clock; ``grace`` a stop.

    After ``hangs`` seconds an attempt counts as hanging.
    ``secrets`` is all that the server knows to be secret: no channel is told any of it.
    """

    def __init__(
        self, database: Database, library: Library, loops: Loops, clock: Clock, *,
        base_url: str, at_most: int = 128, timeout: float = 30.0, grace: float = 3.0,
        hangs: float = HANGS, secrets: Callable[[], Iterable[str]] = tuple,
    ) -> None:  # fmt: skip
        self.database = database
        self.library = library
        self.loops = loops
        self.clock = clock
        self.base_url = base_url.rstrip("/")
        self.at_most = at_most
        self.timeout = timeout
        self.grace = grace
        self.secrets = secrets
        self._senders: dict[str, Sender] = {}
        self._lanes: dict[Lane, asyncio.Task[None]] = {}
        self._retrying: set[Lane] = set()
        self._health: Health[Lane] = Health(hangs)
        self._sending: set[int] = set()
        self._recovered = False
        self._stumbled = False
        self._stopping = False

    async def start(self, now: datetime) -> None:
        """Open the channels, and queue again what a crash left in sending.

        Where another server decides at the moment, it may be sending those: then this waits until
        this server's turn.
        """
        self._senders = {
            name: kind() for name, kind in CHANNELS.items() if issubclass(kind, Sender)
        }
        self._stopping = False
        self._recovered = False
        if self.loops.may_decide():
            await self._recover(now)

    async def stop(self) -> None:
        """Let what is under way finish within ``grace``, then leave it to the next start."""
        self._stopping = True
        if self._lanes:
            await asyncio.wait(self._lanes.values(), timeout=self.grace)
        for task in list(self._lanes.values()):
            task.cancel()
        await asyncio.gather(*self._lanes.values(), return_exceptions=True)
        for sender in self._senders.values():
            sender.close()

    async def tick(self, now: datetime) -> datetime | None:
        """Start a lane for every destination that has something due; return when more will be."""
        await self._recover(now)
        if self._stumbled:
            self._stumbled = False
            return now + STUMBLE
        lanes = await self.database.read(lambda tx: store.due_lanes(tx, now, LOOKED_AT))
        ailing = self._health.ailing(asyncio.get_running_loop().time())
        self._retrying |= ailing & self._lanes.keys()
        for lane, tried in lanes:
            if self._stopping or len(self._lanes) >= self.at_most:
                break
            ails = tried or lane in ailing
            full = ails and len(self._retrying) >= max(1, self.at_most // 2)
            if lane in self._lanes or full:
                continue
            if ails:
                self._retrying.add(lane)
            self._lanes[lane] = asyncio.create_task(self._lane(lane), name=f"page {lane.person}")
        mine = set(self._sending)
        return await self.database.read(lambda tx: store.next_due(tx, now, mine))

    async def _recover(self, now: datetime) -> None:
        """Queue again what others left: all of it at first, later only claims that are over."""
        mine, everything = set(self._sending), not self._recovered

        def recover(tx: Transaction) -> int:
            found = store.recover(tx, now, mine, everything=everything)
            if found:
                tx.touch(NAME)
            return found

        if everything or await self.database.read(lambda tx: store.over(tx, now, mine)):
            found = await self.database.write(recover)
            if found:
                log.warning("pages left in sending are queued again", pages=found)
        self._recovered = True

    async def _lane(self, lane: Lane) -> None:
        """Send what is due in one lane, a turn's worth; then let the loop look again.

        After an attempt that failed it looks again at once, since whoever ails may have to wait.
        """
        async with self.loops.busy():
            try:
                for _ in range(TURN):
                    if self._stopping or not await self._one(lane):
                        break
            except Exception:  # the edge: the rows keep their state, the lane is tried again
                self._stumbled = True
                log.exception("sending stumbled", person=lane.person, channel=lane.channel)
            finally:
                del self._lanes[lane]
                self._retrying.discard(lane)
                self._look_again()

    def _look_again(self) -> None:
        if NAME in self.loops.loops:
            self.loops.wake(NAME)

    async def _one(self, lane: Lane) -> bool:
        """Send the next in a lane; ``False`` when nothing is due, or the attempt failed."""
        now = self.clock.now()
        until = now + timedelta(seconds=self.timeout) + CLAIM
        row = await self.database.write(lambda tx: store.claim(tx, now, lane, until))
        if row is None:
            return False
        self._sending.add(row["id"])
        number = self._health.begin(lane, asyncio.get_running_loop().time())
        taken = None
        try:
            failure = await self._attempt(row)
            taken = failure is None
            after = self.clock.now()
            if failure is None:
                await self.database.write(lambda tx: _sent(tx, after, row))
            else:
                await self.database.write(lambda tx: _failed(tx, after, row, failure))
        finally:
            self._sending.discard(row["id"])
            self._health.end(number, asyncio.get_running_loop().time(), taken=taken)
        return taken

    async def _attempt(self, row: store.Row) -> Undelivered | None:
        """Send one page; return why it is not out, or ``None``."""
        try:
            book = self.library.current(row["book"])
            to = _addressee(book, row)
            message = self._message(row, book, to)
            async with asyncio.timeout(self.timeout):
                await self._senders[row["channel"]].send(message, to, row["destination"])
        except Undelivered as failure:
            return failure
        except OpsbookError as failure:
            return Undelivered(failure.message, remedy=failure.remedy)
        except TimeoutError:
            return Undelivered(
                f"No end within {self.timeout:g} s.",
                remedy="Look at that server; the page is tried again.",
                unsure=True,
            )
        except Exception as error:  # noqa: BLE001 (the edge of a channel; its text may be secret)
            log.error("channel failed", channel=row["channel"], error=type(error).__name__)
            return Undelivered(
                f"The channel {row['channel']} failed with {type(error).__name__}.", unsure=True
            )
        return None

    def _message(self, row: store.Row, book: Book, to: Person | ChannelOfBook) -> model.Message:
        """What is sent. A channel may be read by anybody, so that what is secret is hidden."""
        to_many = isinstance(to, ChannelOfBook)
        texts = [row["title"], row["body"]]
        title, body = hiding.hidden(texts, book, self.secrets()) if to_many else texts
        return model.message(
            key=row["key"], title=title, body=body, whole=to_many,
            link=self.base_url + row["path"] if row["path"] else "",
            urgent=row["urgent"], language=row["language"], repeated=row["repeated"],
        )  # fmt: skip


def _addressee(book: Book, row: store.Row) -> Person | ChannelOfBook:
    """Whom a row is to reach, as the book has them now."""
    if row["destination"].startswith(outbox.OF_BOOK):
        channel = book.channels.get(row["person"])
        if channel is None:
            raise Undelivered(
                f"{row['person']} is no channel of the book {row['book']} any more.",
                remedy="What was to be said there is in the page's row; say it elsewhere.",
            )
        return channel
    person = book.people.get(row["person"])
    if person is None:
        raise Undelivered(
            f"{row['person']} is nobody in the book {row['book']} any more.",
            remedy="Whoever took over is reached by the escalation.",
        )
    return person


def _sent(tx: Transaction, now: datetime, row: store.Row) -> None:
    done: dict[str, Any] = {"state": "sent", "sent_at": now, "next_at": None, "error": ""}
    if store.settle(tx, row, **done):
        outbox.sent(tx, now, row)


def _failed(tx: Transaction, now: datetime, row: store.Row, failure: Undelivered) -> None:
    """Plan the next try, or give up loudly."""
    due = model.next_try(row["created_at"], row["attempts"], now)
    state = "failed" if due is None else "retry"
    values = {"state": state, "next_at": due, "error": str(failure)}
    if not store.settle(tx, row, **values, repeated=row["repeated"] or failure.unsure):
        return
    if due is not None:
        tx.touch(NAME)
        if row["attempts"] == 1:
            outbox.record(tx, now, "page.delayed", row)
        return
    outbox.record(tx, now, "page.failed", row, attempts=row["attempts"])
    data = {name: row[name] for name in ("book", "person", "channel", "destination", "thread")}
    events.publish(tx, now, "page.failed", f"page:{row['id']}", {"page": row["id"], **data})
    log.error("page given up", page=row["id"], person=row["person"], attempts=row["attempts"])
