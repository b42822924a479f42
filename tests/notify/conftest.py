"""`post` is an outbox with everything around it that it has in the application."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from opsbook.audit.entries import timeline
from opsbook.base import events
from opsbook.base.clock import WoundClock
from opsbook.base.database import Database
from opsbook.base.hub import Hub
from opsbook.base.loops import Loops
from opsbook.book import Book, Vocabulary, load
from opsbook.book.library import Library
from opsbook.notify import Outbox, outbox
from opsbook.notify.tables import page
from tests.notify import receiving

VOCABULARY = Vocabulary(check_kinds={})
BOOK = """
id: shop
title: Shop
timezone: Asia/Seoul
languages: [ko, en]
people:
  operator: {{name: Operator, language: en, contacts: [{operator}]}}
  standby: {{name: Standby, contacts: [{standby}]}}
  plain: {{name: Plain, language: en}}
"""


def book(operator: str = "", standby: str = "") -> Book:
    """A book in which these contacts (YAML, separated by commas) are the persons'."""
    text = BOOK.format(operator=operator, standby=standby)
    return load({"book.yaml": text}, VOCABULARY)


@dataclass
class Post:
    """The outbox of a server, on a clock that is wound."""

    database: Database
    clock: WoundClock
    loops: Loops
    library: Library
    outbox: Outbox

    def use(self, operator: str = "", standby: str = "") -> Book:
        """Let this be the running book."""
        found = book(operator, standby)
        self.library.remember(found)
        return found

    async def page(self, to: str = "operator", key: str = "incident:1/0/0", **changed: Any) -> int:
        """Page somebody about the shop."""
        what: dict[str, Any] = {
            "book": self.library.current("shop"), "person_id": to, "cause": "incident:1 level 1",
            "key": f"{key}/{to}", "thread": "incident:1", "path": "/incidents/1",
            "title": {"ko": "P1 가게가 응답하지 않음", "en": "P1 The shop does not answer"},
            "body": {"ko": "연결 거부됨", "en": "connection refused"},
        }  # fmt: skip
        now = self.clock.now()
        return await self.database.write(lambda tx: outbox.page(tx, now, **{**what, **changed}))

    async def rows(self, channel: str = "apprise") -> list[dict[str, Any]]:
        mine = page.select().where(page.c.channel == channel).order_by(page.c.id)
        return await self.database.read(lambda tx: tx.rows(mine))

    async def row(self) -> dict[str, Any]:
        (found,) = await self.rows()
        return found

    async def told(self, thread: str = "incident:1") -> list[str]:
        """What the story says, without the inbox."""
        entries = await self.database.read(lambda tx: timeline(tx, thread))
        return [one["action"] for one in entries if one["data"].get("channel") != "inbox"]

    async def published(self, kind: str) -> list[dict[str, Any]]:
        mine = events.event.select().where(events.event.c.kind == kind)
        return [row["data"] for row in await self.database.read(lambda tx: tx.rows(mine))]

    async def wind(self, **by: float) -> None:
        await self.loops.wind(timedelta(**by))

    async def settle(self) -> None:
        await self.loops.settle()


def assemble(database: Database, now: datetime, **options: Any) -> Post:
    """Put an outbox together; `start` and `stop` are the caller's."""
    clock = WoundClock(now)
    hub = Hub()
    database.on_commit = hub.touch
    loops = Loops(clock)
    library = Library(database, VOCABULARY)
    library.remember(book())
    made = Outbox(
        database, library, loops, clock,
        **{"base_url": "http://127.0.0.1:8420", "grace": 0.1, **options},
    )  # fmt: skip
    hub.on("pages", loops.add("pages", made.tick))
    return Post(database, clock, loops, library, made)


@contextlib.asynccontextmanager
async def running(post: Post) -> AsyncIterator[Post]:
    """Start an outbox and its loop, and stop both."""
    await post.outbox.start(post.clock.now())
    post.loops.start()
    yield post
    await post.loops.stop()
    await post.outbox.stop()


@pytest.fixture
async def post(sqlite_database: Database, now: datetime) -> AsyncIterator[Post]:
    """A running outbox."""
    async with running(assemble(sqlite_database, now)) as made:
        yield made


@pytest.fixture
async def office(sqlite_database: Database, now: datetime) -> AsyncIterator[receiving.Office]:
    """What sends webhooks, on a database of its own."""
    async with receiving.running(receiving.assemble(sqlite_database, now)) as made:
        yield made


@pytest.fixture
def signing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret that the hooks of these tests sign with is set."""
    monkeypatch.setenv("HOOK_SECRET", receiving.SECRET)
