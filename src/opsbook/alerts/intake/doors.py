"""The doors: which there are, who may hand in at them, how much, and what became of it.

Nothing here knows HTTP, so that Alertmanager's interface and the senders' own addresses keep the
same rules. The order is the cheapest first: a token is compared before a body is read, a limit that
is used up refuses before anything is decoded.

From outside a door that is not there and a token that is wrong are the same. A door without a token
is open to programs on this machine alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from opsbook.alerts.intake import store
from opsbook.alerts.intake.accepting import Accepting
from opsbook.alerts.intake.keyed import spelled_out
from opsbook.alerts.intake.kind import Fetch, Handed, Kind, Later, Letter, Receive, Unproven
from opsbook.alerts.intake.kinds import KINDS
from opsbook.alerts.intake.posted import encode
from opsbook.alerts.outward import Outward, Unreached
from opsbook.base import ids, secrets
from opsbook.base.clock import Clock
from opsbook.base.database import Database, Transaction
from opsbook.base.errors import NotFound, OpsbookError
from opsbook.book import Book
from opsbook.book.library import Library
from opsbook.book.sections.intakes import Intake

KEPT_S: Final = 1.0
"""How long a secret is remembered after it was looked up, in seconds: a file for each of thousands
of requests would cost more than the requests."""
MOST_ONCE: Final = 10_000
LARGE: Final = 256 * 1024
"""Bytes from which a body is read on a thread: nobody else should wait for it."""
WRONG: Final = "a token that is missing or wrong"


class TooMany(OpsbookError):
    """More alerts come in here than the book allows."""

    status: ClassVar[int] = 429

    def __init__(self, intake: Intake, after: float) -> None:
        super().__init__(
            f"This intake takes {intake.at_most} alerts a minute.",
            remedy="Send it again later, or raise at_most: in the book.",
        )
        self.after = after


@dataclass(frozen=True, slots=True)
class Door:
    """An intake of a running book."""

    book: Book
    intake: Intake

    @property
    def kind(self) -> Kind | None:
        """How its sender's form is read; none for an Alertmanager's interface."""
        return KINDS.get(self.intake.kind)


@dataclass(frozen=True, slots=True)
class Status:
    """What a page says of a door."""

    intake: str
    kind: str
    last_at: datetime | None = None
    accepted: int = 0
    refused: int = 0
    refused_at: datetime | None = None
    error: str = ""


def status(tx: Transaction, book: Book) -> list[Status]:
    """Return how the doors of a book fare, in its order, those that nobody has used among them."""
    known = store.doors(tx, book.id)
    said = ("last_at", "accepted", "refused", "refused_at", "error")
    return [
        Status(id, one.kind, **{name: known[id][name] for name in said} if id in known else {})
        for id, one in book.intakes.items()
    ]


class Doors:
    """All doors of a server. `close` writes down what is still to be counted."""

    def __init__(
        self, database: Database, library: Library, clock: Clock, fetch: Fetch | None = None
    ) -> None:
        self.library = library
        self.clock = clock
        self.accepting = Accepting(database)
        self.outward = Outward(clock)
        self._receive: dict[str, Receive] = {
            name: kind.begin(fetch or self._fetch)
            for name, kind in KINDS.items()
            if kind.begin is not None
        }
        self._secrets: dict[str, tuple[float, str | None]] = {}
        self._allowed: dict[tuple[str, str], Allowance] = {}
        self._once: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    async def close(self) -> None:
        """Write down what was counted, and wait for no answer from outside any longer."""
        await self.accepting.close()
        await self.outward.close()

    def find(self, book_id: str, intake_id: str) -> Door | None:
        """Return a door; none of a book that does not run, or is a draft."""
        try:
            book = self.library.current(book_id)
        except NotFound:
            return None
        intake = book.intakes.get(intake_id)
        return Door(book, intake) if intake is not None and book.status == "active" else None

    # ---- who --------------------------------------------------------------------------------

    def admit(self, door: Door | None, given: Iterable[str], *, local: bool) -> Door:
        """Return the door to whoever may hand in there, as far as can be told without the body.

        `given` are the tokens that came along, `local` says whether it is a program on this
        machine. All ways to a refusal compare as much, so that time tells nothing.

        Raises:
            Unproven: there is no such door, or not for these tokens.
            Later: the secret that the book refers to is not there.
        """
        reference = door.intake.token if door is not None else None
        if door is not None and door.kind is not None and door.kind.proof == "body":
            return door
        wanted = self._secret(door, reference) if door is not None and reference else ""
        fits = False
        for one in given or ("",):
            fits |= ids.same(ids.digest(one), ids.digest(wanted)) and bool(wanted)
        if door is None:
            raise Unproven(WRONG)
        if not (fits or (reference is None and local)):
            told = WRONG if reference else "it has no token, and this came from another machine"
            self.refuse(door, told)
            raise Unproven(WRONG)
        return door

    def _secret(self, door: Door, reference: str) -> str:
        """Return what a reference leads to.

        Raises:
            Later: nothing is there. Whoever sends is not to blame, and should try again.
        """
        now = time.monotonic()
        at, found = self._secrets.get(reference, (0.0, None))
        if not at or now - at > KEPT_S:
            found = None
            with contextlib.suppress(secrets.SecretMissing):
                found = secrets.resolve(reference).strip() or None
            self._secrets[reference] = (now, found)
        if found is None:
            told = f"the secret {reference} is not there, or empty: nobody can be let in"
            self.refuse(door, told)
            raise Later("This cannot be taken now: see the server's pages.", after=60.0)
        return found

    # ---- how much ---------------------------------------------------------------------------

    def allow(self, door: Door, count: int) -> None:
        """Take `count` alerts from what the door may take.

        Raises:
            TooMany: that is used up; with how long to wait.
        """
        key = (door.book.id, door.intake.id)
        now = self.clock.now()
        allowance = self._allowed.get(key)
        if allowance is None or allowance.a_minute != door.intake.at_most:
            allowance = self._allowed[key] = Allowance(door.intake.at_most, now)
        if wait := allowance.wait(count, now):
            error = TooMany(door.intake, wait)
            self.accepting.refuse(now, *key, max(count, 1), error.message)
            raise error
        allowance.left -= count

    def refuse(self, door: Door, why: str) -> None:
        """Count one request that came to nothing."""
        self.accepting.refuse(self.clock.now(), door.book.id, door.intake.id, 1, why)

    # ---- what -------------------------------------------------------------------------------

    async def receive(self, door: Door, letter: Letter) -> Handed:
        """Return what a letter held, once all of it that could be taken is on disk.

        Raises:
            OpsbookError: nothing was taken; its status says whose turn it is.
        """
        try:
            return await self._received(door, letter)
        except OpsbookError as error:
            if 400 <= error.status < 500 and not isinstance(error, TooMany):
                self.refuse(door, error.message)
            raise

    async def _received(self, door: Door, letter: Letter) -> Handed:
        kind = door.kind
        if kind is None:
            raise NotAForm(door.intake.id)
        if kind.prove is not None:
            reference = door.intake.token
            if reference is None or not kind.prove(letter, self._secret(door, reference)):
                raise Unproven(WRONG)
        handed, body = await self._read(kind, door, letter)
        book, intake = door.book.id, door.intake.id
        once = (book, intake, handed.once)
        if handed.once and once in self._once:
            return Handed(said=handed.said)
        if handed.alerts:
            self.allow(door, len(handed.alerts))
            await self.accepting.take_encoded(letter.now, book, intake, body, len(handed.alerts))
        if handed.bad:
            self.accepting.refuse(letter.now, book, intake, len(handed.bad), "; ".join(handed.bad))
        elif handed.note:
            self.accepting.refuse(letter.now, book, intake, 0, handed.note)
        if handed.once:  # only now: what could not be written down is taken when it comes again
            self._once[once] = None
            while len(self._once) > MOST_ONCE:
                self._once.popitem(last=False)
        return handed

    async def _read(self, kind: Kind, door: Door, letter: Letter) -> tuple[Handed, bytes]:
        read = kind.read

        def kept(found: Handed) -> bytes:
            return encode(spelled_out(door.book, door.intake, found.alerts, letter.now))

        if read is None:
            handed = await self._receive[letter.intake.kind](letter)
            return handed, kept(handed)

        def work() -> tuple[Handed, bytes]:
            found = read(letter)
            return found, kept(found)

        return work() if len(letter.body) < LARGE else await asyncio.to_thread(work)

    async def _fetch(self, address: str) -> bytes:
        try:
            answered, body = await self.outward.ask(address)
        except Unreached as error:
            raise Later(error.message) from None
        if answered != 200:
            raise Later(f"It was answered with {answered}.")
        return body


class NotAForm(OpsbookError):
    """An intake of the kind alertmanager is an interface, and has no form of its own."""

    status: ClassVar[int] = 400

    def __init__(self, intake: str) -> None:
        super().__init__(
            f"The intake {intake} speaks Alertmanager's interface.",
            remedy="Give Prometheus this address as path_prefix: it adds /api/v2/alerts.",
        )


@dataclass(slots=True)
class Allowance:
    """How many alerts a door may take now: a minute's worth at most, filled up as time goes.

    A batch that is larger than a minute's worth is let in when all of it is there, and what it took
    too much has to fill up again. Kept in memory: each server counts what it takes itself.
    """

    a_minute: int
    at: datetime
    left: float = -1.0

    def __post_init__(self) -> None:
        self.left = float(self.a_minute)

    def wait(self, count: int, now: datetime) -> float:
        """Return for how many seconds `count` more are too many; 0 if they may come now."""
        rate = self.a_minute / 60
        gone = (now - self.at).total_seconds()
        self.left = min(float(self.a_minute), self.left + max(gone, 0.0) * rate)
        self.at = now  # also where the clock was set back: nobody waits for it to come round again
        wanted = min(max(count, 1), self.a_minute)
        return 0.0 if self.left >= wanted else (wanted - self.left) / rate
