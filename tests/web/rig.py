"""The pages on a real server and a real database, without the loops that would change them.

What the site is handed are the shipped classes (database, library, hub, clock, scheduler); only
nothing ticks, so that a page shows exactly what was seeded. The whole application is walked in
tests/story.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import httpx2 as httpx
import uvicorn

from opsbook import audit
from opsbook.access import sessions
from opsbook.alerts import Dispatcher
from opsbook.alerts.heartbeats import Heartbeats
from opsbook.alerts.intake.doors import Doors
from opsbook.audit.entries import SERVER
from opsbook.base import places
from opsbook.base.clock import Clock, SystemClock
from opsbook.base.database import Database, Transaction, metadata, sqlite_url
from opsbook.base.hub import Hub
from opsbook.base.lease import Lease
from opsbook.base.loops import Loops
from opsbook.book import Book, Vocabulary, load
from opsbook.book.library import Library
from opsbook.checks import KINDS, Facts, Scheduler
from opsbook.revisions import Revisions
from opsbook.runs import STEP_KINDS
from opsbook.web.site import create, with_doors
from tests.web import cast, seed

Fill = Callable[[Transaction, Book, datetime, dict[str, int]], object]


def vocabulary() -> Vocabulary:
    """The kinds of checks and steps there are."""
    return Vocabulary({name: kind.model for name, kind in KINDS.items()}, frozenset(STEP_KINDS))


class Rig:
    """A site that stands still, as the pages see the application."""

    def __init__(self, data: Path, clock: Clock, database: str | None = None) -> None:
        self.clock = clock
        self.places = places.prepare(data, None)
        self.hub = Hub()
        self.database = Database(database or sqlite_url(self.places.database), self.hub.touch)
        self.library = Library(self.database, vocabulary())
        self.lease = Lease(self.database, "rig")
        self.loops = Loops(clock)
        facts = Facts(data=str(data), url="http://127.0.0.1:0", host="127.0.0.1", port=0)
        self.revisions = Revisions(
            self.database,
            self.library,
            self.hub,
            clock,
            self.loops,
            [],
            self.places.data / "clones",
        )
        self.scheduler = Scheduler(self.database, self.library, self.loops, clock, facts)
        self.loops.loops.clear()
        self.dispatcher = Dispatcher(self.database, self.library, "http://127.0.0.1:0")
        self.doors = Doors(self.database, self.library, clock)
        self.hearts = Heartbeats(self.library, self.loops, clock, timeout=0.5)
        self.started_at = clock.now()
        self.engine = SimpleNamespace(trouble={})
        self.sealer = audit.Sealer(self.database, self.places.audit)
        self.ids: dict[str, int] = {}
        self.made: object = None
        self.url = ""

    async def fill(self, fill: Fill) -> None:
        """Publish the book, make the cast and seed."""
        now = self.clock.now()
        book = load(cast.FILES, vocabulary())
        await self.lease.tick(now)

        def publish(tx: Transaction) -> None:
            self.library.publish(tx, now, book, SERVER, "folder:shop")
            data = {"revision": book.revision, "origin": "folder:shop"}
            audit.record(tx, now, "opsbook", "book.loaded", f"book:{book.id}", data=data)
            self.ids = seed.people(tx, now)

        await self.database.write(publish)
        self.library.remember(book)
        self.made = await self.database.write(lambda tx: fill(tx, book, now, self.ids))
        await self.sealer.tick(now)

    async def session(self, login: str) -> str:
        """Open a session for one of the cast and return what its cookie holds."""
        now, account = self.clock.now(), self.ids[login]
        opened = await self.database.write(lambda tx: sessions.open(tx, now, account, "a test"))
        return opened[0]


@contextlib.asynccontextmanager
async def serving(data: Path, fill: Fill, database: str | None = None) -> AsyncIterator[Rig]:
    """Serve a seeded site on a free port."""
    rig = Rig(data, SystemClock(), database)
    metadata.create_all(rig.database.engine)
    rig.database.start()
    await rig.fill(fill)
    site = create(rig)
    # The protocol is named, or asyncio leaves Nagle's algorithm on and each answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.setblocking(False)
    rig.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        with_doors(rig, site),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield rig
    finally:
        site.state.close_streams()
        server.should_exit = True
        await task
        await rig.scheduler.stop()
        await rig.doors.close()
        await rig.hearts.stop()
        await rig.database.stop()


def empty(tx: Transaction, book: Book, now: datetime, ids: dict[str, int]) -> None:
    """Nothing happened yet."""


def calm(tx: Transaction, book: Book, now: datetime, ids: dict[str, int]) -> None:
    """A quiet morning."""
    seed.calm(tx, book, now)


trouble: Fill = seed.trouble


def client(rig: Rig, language: str = "en") -> httpx.AsyncClient:
    """A browser without JavaScript."""
    return httpx.AsyncClient(
        base_url=rig.url, follow_redirects=True, timeout=30,
        headers={"Accept-Language": language, "Accept": "text/html"},
    )  # fmt: skip
