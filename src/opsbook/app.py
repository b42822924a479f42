"""The wiring: what an Opsbook is made of, started and stopped in one place.

``build`` makes the parts and connects who wakes whom; importing does nothing, a failed start undoes
itself, port 0 works. A test or a drill passes another clock and winds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import uvicorn

from opsbook import audit, revisions, schema
from opsbook.access import accounts, approvals, links, tokens
from opsbook.alerts import Dispatcher, Rules, rules
from opsbook.alerts.heartbeats import Heartbeats
from opsbook.alerts.intake import handing
from opsbook.alerts.intake.doors import Doors
from opsbook.alerts.pipeline import loop as pipeline
from opsbook.alerts.silences import setting as silences
from opsbook.base import events, places
from opsbook.base.clock import Clock, SystemClock
from opsbook.base.database import Database, Transaction, sqlite_url
from opsbook.base.errors import StartError
from opsbook.base.hub import Hub
from opsbook.base.lease import RENEW_EVERY, Lease
from opsbook.base.logs import close_log, open_log
from opsbook.base.loops import Loops, Patience
from opsbook.book import Book, BookError, Vocabulary, load, read_folder
from opsbook.book.library import Library
from opsbook.checks import KINDS as CHECK_KINDS
from opsbook.checks import Facts, Scheduler
from opsbook.incidents import Escalator, Response
from opsbook.notify import DutyTelling, Outbox, webhooks
from opsbook.people import agreeing
from opsbook.routines import Routines
from opsbook.runs import STEP_KINDS, Engine, Reminding, Telling
from opsbook.runs.hooks import Hooks
from opsbook.runs.known import Known
from opsbook.runs.programs import Programs
from opsbook.runs.supervisor import Spawner
from opsbook.settings import Settings
from opsbook.web import limits
from opsbook.web.api import KEEP_ANSWERS, forget_answers
from opsbook.web.site import create, with_doors

SEAL_EVERY = timedelta(seconds=1)
KEEP_EVENTS = timedelta(days=7)
OTHER_STREAMS = (rules.CONSUMER, pipeline.CONSUMER)
FIRST_LINK = timedelta(hours=24)


def vocabulary() -> Vocabulary:
    """Return the kinds of checks and steps that a book may use."""
    return Vocabulary(
        check_kinds={name: kind.model for name, kind in CHECK_KINDS.items()},
        step_kinds=frozenset(STEP_KINDS),
    )


def check_folders(settings: Settings) -> None:
    """Read and validate every folder before anything is started or written.

    A folder that is broken does not keep a server from starting where a good revision of its book
    ran before: whether one did is looked up in the database, if there is one yet.

    Raises:
        BookError: with every problem of the first book that has any and never ran.
        StartError: two folders hold a book of the same id.
    """
    kinds = vocabulary()
    seen: dict[str, Path] = {}
    for address in map(revisions.parse, settings.books):
        if not isinstance(address, revisions.FolderAddress):
            continue
        try:
            book = load(read_folder(address.path), kinds)
        except BookError:
            if _ran_before(settings, address.key):
                continue
            raise
        if book.id in seen:
            raise StartError(
                f"{address.path} and {seen[book.id]} both hold the book {book.id!r}.",
                remedy="Give one of them another id in its book.yaml.",
            )
        seen[book.id] = address.path


def _ran_before(settings: Settings, key: str) -> bool:
    """Whether the database knows a revision that ran from a source; nothing is created."""
    file = settings.data.expanduser().absolute() / "opsbook.db"
    if settings.database is None and not file.exists():
        return False
    database = Database(settings.database or sqlite_url(file))
    try:
        return schema.has_run(database, key)
    finally:
        database.engine.dispose()


class App:
    """One Opsbook server."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.places = places.prepare(settings.data, places.step_user(settings.step_user))
        self.hub = Hub()
        url = settings.database or sqlite_url(self.places.database)
        self.database = Database(url, self.hub.touch)
        self.library = Library(self.database, vocabulary())
        self.known = Known(self.library, self.places, url)
        self.server_id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.lease = Lease(self.database, self.server_id)
        self.loops = Loops(self.clock, lambda: self.lease.held)
        self.revisions = revisions.Revisions(
            self.database, self.library, self.hub, self.clock, self.loops,
            [revisions.parse(one) for one in settings.books], self.places.data / "clones",
            look_every=settings.look_every, fetch_every=settings.fetch_every,
        )  # fmt: skip
        self.sealer = audit.Sealer(self.database, self.places.audit)
        self.spawner = Spawner()
        self.sign_in_link: str | None = None
        self.started_at = self.clock.now()
        self.address: tuple[str, int] = settings.listen
        self._sealed_at: datetime | None = None
        self._stack = contextlib.AsyncExitStack()

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the pages."""
        host, port = self.address
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{port}"

    async def start(self) -> None:
        """Start everything, or nothing.

        Raises:
            StartError: with what is wrong and what to do; whatever had been started is stopped.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        stack = self._stack
        stack.enter_context(_only_one(self.places.data))
        handler = open_log(self.places.log, self.known)
        stack.callback(close_log, handler)
        listener = stack.enter_context(_listen(self.settings.listen))
        self.address = listener.getsockname()[:2]
        await asyncio.to_thread(schema.bring_up_to_date, self.database)
        self.database.start()
        stack.push_async_callback(self.database.stop)
        await self.lease.tick(self.clock.now())
        stack.push_async_callback(self._last_words)
        await self.revisions.start(self.clock.now(), leading=self.lease.held)
        await self._first_account()
        await stack.enter_async_context(self._local_access())
        self._wire()
        await self.spawner.start()
        stack.push_async_callback(self.spawner.stop)
        await self.outbox.start(self.clock.now())
        stack.push_async_callback(self.outbox.stop)
        stack.push_async_callback(self.deliveries.stop)
        await self.engine.start(self.clock.now())
        stack.push_async_callback(self.engine.stop)
        stack.push_async_callback(self.programs.stop)
        await self.scheduler.start()
        stack.push_async_callback(self.scheduler.stop)
        self.loops.start()
        stack.push_async_callback(self.loops.stop)
        stack.push_async_callback(self.doors.close)
        stack.push_async_callback(self.hearts.stop)
        await stack.enter_async_context(_serve(self, listener))

    async def stop(self) -> None:
        """Stop in the reverse order; steps that run go on under their own supervisors."""
        await self._stack.aclose()

    def _wire(self) -> None:
        """Make the parts that need the address, and say who wakes whom."""
        host, port = self.address
        facts = Facts(data=str(self.places.data), url=self.url, host=host, port=port)
        database, library, loops = self.database, self.library, self.loops
        known = self.known
        self.programs = Programs(self.spawner, self.places, known)
        self.scheduler = Scheduler(
            database, library, loops, self.clock, facts, at_most=self.settings.looks,
            programs=self.programs,
        )  # fmt: skip
        self.rules = Rules(database, library)
        self.dispatcher = Dispatcher(database, library, self.url, leads=lambda: self.lease.epoch)
        self.doors = Doors(database, library, self.clock)
        self.hearts = Heartbeats(library, loops, self.clock)
        self.outbox = Outbox(database, library, loops, self.clock, base_url=self.url, secrets=known)
        self.deliveries = webhooks.Deliveries(database, library, loops, self.clock)
        self.engine = Engine(
            database, library, loops, self.clock, self.scheduler, self.places, self.spawner,
            self.lease, self.hub, secrets=known,
        )  # fmt: skip
        # At its own pace after an outage too: a standby that came back sooner would take over.
        self.loops.add("lease", self._hold, deciding=False, slowest=RENEW_EVERY)
        self._loop("seal", self._seal, "audit")
        self._loop("rules", self.rules.tick, "checks", "books")
        self._loop(
            "alerts", self.dispatcher.tick, handing.TOPIC, silences.TOPIC, "books",
            patient="bursts",
        )  # fmt: skip
        self._loop("heartbeats", self.hearts.tick, "books")
        hooks = Hooks(library, self.url, known)
        response = Response(library).consumer
        self._loop(response.name, self._drainer(response), "events")
        for consumer in (
            Telling(library).consumer, hooks.consumer, DutyTelling(library).consumer,
        ):  # fmt: skip
            self._loop(consumer.name, self._drainer(consumer), "events", patient="always")
        self._loop("escalation", Escalator(database, library).tick, "incidents", "books")
        self._loop("pages", self.outbox.tick, "pages")
        self._loop("webhooks", self.deliveries.tick, "webhooks", "books")
        self._loop("approvals", self._expire_approvals, "approvals", patient="always")
        self._loop("swaps", self._expire_swaps, agreeing.TOPIC, patient="always")
        self._loop("reminders", Reminding(database, library).tick, "runs", patient="always")
        self._loop("routines", Routines(database, library).tick, "books")
        self._loop("tidy", self._tidy)
        self.revisions.wire()
        self.scheduler.wire(self.hub)
        self.engine.wire(self.hub)

    def _loop(
        self,
        name: str,
        tick: Callable[[datetime], object],
        *topics: str,
        patient: Patience = "never",
    ) -> None:
        wake = self.loops.add(name, tick, patient=patient)  # type: ignore[arg-type]
        for topic in topics:
            self.hub.on(topic, wake)

    def _drainer(self, consumer: events.Consumer) -> Callable[[datetime], object]:
        async def tick(now: datetime) -> datetime | None:
            return await events.drain(self.database, consumer, now)

        return tick

    async def _hold(self, now: datetime) -> datetime:
        """Keep the lease; who has just been given it decides at once, and not at the next wake."""
        before = self.lease.held
        due = await self.lease.tick(now)
        if self.lease.held and not before:
            for name in self.loops.loops:
                if name != "lease":
                    self.loops.wake(name)
        return due

    async def _seal(self, now: datetime) -> datetime | None:
        """Seal at most once a second: sealing each entry alone would double the disk's work."""
        if self._sealed_at is not None and now < self._sealed_at + SEAL_EVERY:
            return self._sealed_at + SEAL_EVERY
        self._sealed_at = now
        await self.sealer.tick(now)
        return None

    async def _expire_approvals(self, now: datetime) -> datetime | None:
        return await self.database.write(lambda tx: approvals.expire(tx, now))

    async def _expire_swaps(self, now: datetime) -> datetime | None:
        return await self.database.write(lambda tx: agreeing.expire(tx, now))

    async def _tidy(self, now: datetime) -> datetime:
        await self.database.write(lambda tx: events.prune(tx, now - KEEP_EVENTS, OTHER_STREAMS))
        await self.database.write(lambda tx: webhooks.prune(tx, now))
        await self.database.write(lambda tx: forget_answers(tx, now - KEEP_ANSWERS))
        return now + timedelta(hours=1)

    async def _last_words(self) -> None:
        """Seal what is left and hand the lease back, after every loop has stopped."""
        now = self.clock.now()
        if self.lease.held:
            await self.sealer.tick(now)
        await self.lease.release(now)

    async def _first_account(self) -> None:
        """Make the first administrator, and a sign-in link until that account has a password."""
        now = self.clock.now()

        def make(tx: Transaction) -> str | None:
            known = accounts.all(tx)
            if not known:
                login = first_login(self.library.books())
                return links.make(
                    tx, now, accounts.create(tx, now, login, first_admin=True), FIRST_LINK
                )
            first = next((one for one in known if one["first_admin"]), None)
            if first is not None and first["password_hash"] is None:
                return links.make(tx, now, first["id"], FIRST_LINK)
            return None

        raw = await self.database.write(make)
        self.sign_in_link = f"{self.url}/sign-in/link/{raw}" if raw else None

    @contextlib.asynccontextmanager
    async def _local_access(self) -> AsyncIterator[None]:
        """Let programs of this user on this machine start and read, never approve."""
        now = self.clock.now()
        left = self.places.token.read_text() if self.places.token.exists() else None

        def make(tx: Transaction) -> str:
            if left:  # by a server that was killed
                tokens.withdraw(tx, now, left)
            return tokens.create(tx, now, None, "local", ["read", "run"], None)

        raw = await self.database.write(make)
        places.write_private(self.places.token, raw)
        about = {"url": self.url, "pid": os.getpid()}
        places.write_private(self.places.address, json.dumps(about))
        try:
            yield
        finally:
            self.places.token.unlink(missing_ok=True)
            self.places.address.unlink(missing_ok=True)
            await self.database.write(lambda tx: tokens.withdraw(tx, self.clock.now(), raw))

    async def settle(self) -> None:
        """Wait until all that is due has been done (tests and drills)."""
        await self.loops.settle()

    async def wind(self, by: timedelta) -> None:
        """Wind a wound clock on, stopping wherever somebody waits."""
        await self.loops.wind(by)


def build(settings: Settings, clock: Clock | None = None) -> App:
    """Read the books and make an app that is ready to start.

    Raises:
        BookError: a book has problems; nothing has been started or written.
        StartError: the data folder cannot be used.
    """
    check_folders(settings)
    return App(settings, clock)


def first_login(books: list[Book]) -> str:
    """Return the first administrator's login: the first person in a book who may do everything."""
    for book in books:
        for person in book.people.values():
            granted = {str(one) for role in person.roles for one in book.roles.get(role, ())}
            if "*:admin" in granted:
                return person.login
    return "admin"


@contextlib.contextmanager
def _only_one(data: Path) -> Iterator[None]:
    """Hold the data folder's lock: two servers on one folder would each think they decide."""
    handle = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise StartError(
            f"Another Opsbook (process {holder}) uses the data folder {data}.",
            remedy="Stop it, or name another folder with --data.",
        ) from None
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    try:
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _listen(address: tuple[str, int]) -> Iterator[socket.socket]:
    """Bind before anything else starts, so that a taken port stops nothing halfway."""
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, since asyncio turns Nagle's delay off only where it is told that this is TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise StartError(
            f"{host}:{port} cannot be listened on: {error.strerror}.",
            remedy="Stop what uses it, or choose another with --listen HOST:PORT.",
        ) from error
    listener.setblocking(False)
    try:
        yield listener
    finally:
        listener.close()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the program that started us."""
        yield


@contextlib.asynccontextmanager
async def _serve(app: App, listener: socket.socket) -> AsyncIterator[None]:
    site = create(app)
    crowd = limits.Crowd(limits.most_connections())
    config = uvicorn.Config(
        with_doors(app, site), http=limits.protocol(crowd), ws="none", log_config=None,
        access_log=False, lifespan="off",
        server_header=False, timeout_graceful_shutdown=2, timeout_keep_alive=15,
    )  # fmt: skip
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="serve")
    while not server.started:
        if task.done():
            await task
            raise StartError("The web server did not start.", remedy="See opsbook.log.")
        await asyncio.sleep(0.005)
    try:
        yield
    finally:
        site.state.close_streams()  # a page that is left open must not hold up the stop
        server.should_exit = True
        try:
            await asyncio.wait_for(asyncio.shield(task), 4)
        except TimeoutError:
            server.force_exit = True
            logging.getLogger("opsbook").warning("connections were cut off at the stop")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(task, 2)
