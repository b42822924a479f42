"""A receiver of webhooks, and the part of Opsbook that sends to it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from opsbook.audit.entries import latest
from opsbook.base.clock import WoundClock
from opsbook.base.database import Database
from opsbook.base.hub import Hub
from opsbook.base.loops import Loops
from opsbook.book import Book, Vocabulary, load
from opsbook.book.library import Library
from opsbook.notify import webhooks
from opsbook.notify.tables import delivery, page

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference" / "webhooks.md"
SECRET = "a-long-enough-signing-secret"
VOCABULARY = Vocabulary(check_kinds={})
BOOK = """
id: shop
title: Shop
timezone: Asia/Seoul
languages: [ko, en]
owner: operator
people:
  operator: {{name: Operator, language: en}}
webhooks:
{hooks}
"""


class Receiver:
    """A program that is told: answers each request by the next word of `plan`, then by the last.

    ``200``, ``500`` and so on answer; ``hang`` takes the request and says nothing; ``reset`` takes
    it and breaks the connection; ``flood`` answers without an end; ``302`` sends elsewhere.
    """

    def __init__(self, *plan: str) -> None:
        self.plan = list(plan) or ["200"]
        self.got: list[tuple[dict[str, str], str]] = []
        self.at_once = self.most_at_once = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> "Receiver":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for one in list(self._open):
            one.transport.abort()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in/T0KEN-OF-THE-PATH"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]

    @property
    def events(self) -> list[str]:
        return [one["event"] for one in self.bodies]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            head = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
            exact = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
            body = await reader.readexactly(int(head["content-length"]))
            self.got.append((exact, body.decode()))
            await self._answer(self.plan.pop(0) if len(self.plan) > 1 else self.plan[0], writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.at_once -= 1
            self._open.discard(writer)
            writer.close()

    async def _answer(self, how: str, writer: asyncio.StreamWriter) -> None:
        if how == "hang":
            await asyncio.Event().wait()
        elif how == "reset":
            writer.transport.abort()
        elif how == "slow":
            await asyncio.sleep(0.05)
            writer.write(b"HTTP/1.1 204 Nothing\r\nContent-Length: 0\r\n\r\n")
        elif how == "flood":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            while not writer.is_closing():
                writer.write(b"." * 65536)
                await writer.drain()
        else:
            where = f"Location: {self.url}/elsewhere\r\n" if how == "302" else ""
            writer.write(f"HTTP/1.1 {how} said\r\n{where}Content-Length: 0\r\n\r\n".encode())
            await writer.drain()


def hook(url: str, more: str = "", *, id: str = "ci", wants: str = "run.finished") -> str:
    """One hook of a book, in YAML."""
    given = f"{{url: {url!r}, title: {id}, events: [{wants}], loopback: true{more}}}"
    return f"  {id}: {given}\n"


def book(*hooks: str) -> Book:
    """A book with these hooks."""
    return load({"book.yaml": BOOK.format(hooks="".join(hooks) or "  {}")}, VOCABULARY)


@dataclass
class Office:
    """What sends deliveries, on a clock that is wound."""

    database: Database
    clock: WoundClock
    loops: Loops
    library: Library
    deliveries: webhooks.Deliveries
    made: int = 0
    hub: Hub = field(default_factory=Hub)

    def use(self, *hooks: str) -> None:
        """Let this be the running book."""
        self.library.remember(book(*hooks))
        self.loops.wake("webhooks")

    async def queue(
        self, key: str = "", *, thread: str = "run:1", hook: str = "ci", at: datetime | None = None
    ) -> int | None:
        """Queue a delivery as the consumer of events does."""
        self.made += 1
        key = key or f"shop/ci/run.finished/{self.made}"
        now = at or self.clock.now()
        body = webhooks.envelope(
            webhooks.identity(key, now), "run.finished", now, self.made, {"id": "shop"}, {}
        )
        return await self.database.write(
            lambda tx: webhooks.queue(
                tx, now, book="shop", hook=hook, event="run.finished", key=key, thread=thread,
                body=body,
            )
        )  # fmt: skip

    async def rows(self) -> list[dict[str, Any]]:
        query = delivery.select().order_by(delivery.c.id)
        return await self.database.read(lambda tx: tx.rows(query))

    async def row(self) -> dict[str, Any]:
        (found,) = await self.rows()
        return found

    async def told(self) -> list[str]:
        entries = await self.database.read(latest)
        return [one["action"] for one in reversed(entries)]

    async def inbox(self) -> list[dict[str, Any]]:
        query = page.select().where(page.c.channel == "inbox").order_by(page.c.id)
        return await self.database.read(lambda tx: tx.rows(query))

    async def wind(self, **by: float) -> None:
        await self.loops.wind(timedelta(**by))

    async def settle(self) -> None:
        await self.loops.settle()


def assemble(database: Database, now: datetime, **options: Any) -> Office:
    clock, hub = WoundClock(now), Hub()
    database.on_commit = hub.touch
    loops = Loops(clock)
    library = Library(database, VOCABULARY)
    made = webhooks.Deliveries(database, library, loops, clock, **{"grace": 0.1, **options})
    hub.on("webhooks", loops.add("webhooks", made.tick))
    return Office(database, clock, loops, library, made, hub=hub)


@contextlib.asynccontextmanager
async def running(office: Office) -> AsyncIterator[Office]:
    office.loops.start()
    yield office
    await office.loops.stop()
    await office.deliveries.stop()
