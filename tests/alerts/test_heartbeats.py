"""A sign of life: told while all is well, silent when it is not, and never a danger to anybody."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opsbook.alerts.heartbeats import AGAIN, NAME, STUCK, Beat, Heartbeats
from opsbook.alerts.outward import LARGEST, Outward, Unreached
from opsbook.app import vocabulary
from opsbook.base.clock import WoundClock
from opsbook.base.database import Database, sqlite_url
from opsbook.base.loops import Loops
from opsbook.book import load
from opsbook.book.library import Library
from tests.support.answering import Answering
from tests.support.runs import START

M = timedelta(minutes=1)
BOOK = """
id: shop
title: Shop
timezone: Asia/Seoul
languages: [en]
heartbeats:
"""


class Alive:
    """A server's loops and its signs of life; nothing else of it."""

    def __init__(self, folder: Path) -> None:
        self.clock = WoundClock(START)
        self.deciding = True
        self.loops = Loops(self.clock, lambda: self.deciding)
        self.library = Library(Database(sqlite_url(folder / "none.db")), vocabulary())
        self.hearts = Heartbeats(self.library, self.loops, self.clock, timeout=0.5)
        self.wake = self.loops.add(NAME, self.hearts.tick)
        self.broken = False
        self.hung: asyncio.Event | None = None
        self.work = self.loops.add("rules", self.tick)

    async def tick(self, now: datetime) -> datetime:
        if self.hung is not None:
            await self.hung.wait()
        if self.broken:
            raise RuntimeError("the password is 1234")
        return now + M

    def use(self, *hearts: str, status: str = "active") -> None:
        text = BOOK.replace("title:", f"status: {status}\ntitle:", 1) + "\n".join(hearts)
        self.library.remember(load({"book.yaml": text}, vocabulary()))

    async def wind(self, by: timedelta) -> None:
        await self.loops.wind(by)

    def last(self, name: str = "out") -> Beat:
        found = self.hearts.last("shop", name)
        assert found is not None
        return found


def heart(url: str, name: str = "out", every: str = "1m", more: str = ", loopback: true") -> str:
    return f'  {name}: {{title: Out, url: "{url}", every: {every}{more}}}'


@pytest.fixture
async def alive(tmp_path: Path) -> AsyncIterator[Alive]:
    one = Alive(tmp_path)
    yield one
    await one.loops.stop()
    await one.hearts.stop()


async def test_an_address_is_told_as_often_as_the_book_says(
    alive: Alive, answering: Answering
) -> None:
    alive.use(heart(f"{answering.url}/ping/abc"), heart(f"{answering.url}/slow", "slow", "5m"))
    alive.loops.start()
    await alive.wind(timedelta(0))
    await alive.wind(10 * M)
    told = [one.target for one in answering.asked]
    assert told.count("/ping/abc") == 11
    assert told.count("/slow") == 3
    assert {one.method for one in answering.asked} == {"GET"}
    assert answering.last.headers["User-Agent"].startswith("Opsbook/")
    assert alive.last() == Beat(START + 10 * M, START + 10 * M)


async def test_a_loop_that_fails_makes_it_silent_until_it_is_well_again(
    alive: Alive, answering: Answering
) -> None:
    alive.use(heart(answering.url))
    alive.loops.start()
    await alive.wind(M)
    before = len(answering.asked)
    alive.broken = True
    alive.work()
    await alive.wind(10 * M)
    assert len(answering.asked) == before
    assert alive.last().error.startswith("Not told: the loop rules has failed ")
    assert "1234" not in alive.last().error
    assert alive.last().told_at == START + M
    alive.broken = False
    await alive.wind(2 * M)
    assert len(answering.asked) > before
    assert alive.last().error == ""


async def test_a_loop_that_hangs_makes_it_silent(alive: Alive, answering: Answering) -> None:
    alive.use(heart(answering.url))
    alive.loops.start()
    await alive.wind(M)
    alive.hung = asyncio.Event()
    alive.work()
    for _ in range(11 + STUCK // M):
        await asyncio.sleep(0)
        now = alive.clock.now()
        alive.clock.set(now + M)
        await alive.hearts.tick(alive.clock.now())
        await asyncio.gather(*alive.hearts._under_way.values())
    assert "the loop rules has been at the same thing since" in alive.last().error
    assert alive.last().told_at is not None
    assert alive.last().told_at < alive.clock.now() - 5 * M  # type: ignore[operator]
    alive.hung.set()


async def test_a_server_that_does_not_decide_says_nothing(
    alive: Alive, answering: Answering
) -> None:
    alive.deciding = False
    alive.use(heart(answering.url))
    alive.loops.start()
    await alive.wind(5 * M)
    assert answering.asked == []


async def test_a_draft_says_nothing_and_one_that_was_taken_out_is_forgotten(
    alive: Alive, answering: Answering
) -> None:
    alive.use(heart(answering.url), status="draft")
    alive.loops.start()
    await alive.wind(5 * M)
    assert answering.asked == []
    alive.use(heart(answering.url))
    alive.wake()
    await alive.wind(timedelta(0))
    assert len(answering.asked) == 1
    alive.use(heart(answering.url, "other"))
    alive.wake()
    await alive.wind(5 * M)
    assert alive.hearts.last("shop", "out") is None
    assert alive.last("other").error == ""


async def test_what_is_not_taken_is_told_again_soon(alive: Alive, answering: Answering) -> None:
    answering.reply = lambda asked: (503, {}, b"later")
    alive.use(heart(answering.url, every="1h"))
    alive.loops.start()
    await alive.wind(timedelta(0))
    assert alive.last() == Beat(START, None, "It answered 503.")
    answering.reply = lambda asked: (200, {}, b"OK")
    await alive.wind(AGAIN)
    assert len(answering.asked) == 2
    assert alive.last() == Beat(START + AGAIN, START + AGAIN)


async def test_a_redirect_is_not_followed(alive: Alive, answering: Answering) -> None:
    answering.reply = lambda asked: (302, {"Location": f"{answering.url}/elsewhere"}, b"")
    alive.use(heart(answering.url))
    alive.loops.start()
    await alive.wind(timedelta(0))
    assert [one.target for one in answering.asked] == ["/"]
    assert alive.last().error == "It answered 302."


async def test_an_address_that_hangs_holds_up_no_other(alive: Alive, answering: Answering) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        alive.use(heart(f"http://127.0.0.1:{port}/", "deaf"), heart(answering.url))
        alive.loops.start()
        await alive.wind(timedelta(0))
        assert alive.last().error == ""
        assert alive.last("deaf").error == "No answer within 0.5 s."


async def test_an_address_may_be_a_secret_and_is_never_told(
    alive: Alive, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEART", f"{answering.url}/secret-word")
    alive.use('  out: {title: Out, url: {secret: "env:HEART"}, loopback: true}')
    alive.loops.start()
    await alive.wind(timedelta(0))
    assert answering.last.target == "/secret-word"
    monkeypatch.delenv("HEART")
    await alive.wind(2 * M)
    assert "The secret env:HEART is not set." in alive.last().error
    monkeypatch.setenv("HEART", "gopher://secret-word/")
    await alive.wind(2 * M)
    assert alive.last().error == "This is no address of the web."


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://169.254.169.254/latest", "It leads to 169.254.169.254"),
        ("https://[::ffff:169.254.169.254]/", "stands for no machine"),
        ("https://127.0.0.1/", "the machine that Opsbook runs on"),
        ("https://localhost/", "the machine that Opsbook runs on"),
        ("http://93.184.215.14/", "Plain http:// is for this machine alone"),
        ("https://0.0.0.0/", "stands for no machine"),
        ("ftp://example.org/", "no address of the web"),
        ("https://", "no address of the web"), ("http://[", "no address of the web"),
    ],
)  # fmt: skip
async def test_nobody_is_asked_where_nobody_may_be(url: str, told: str) -> None:
    outward = Outward(WoundClock(START))
    with pytest.raises(Unreached, match=told.replace("(", r"\(").replace("[", r"\[")):
        await outward.ask(url)
    await outward.close()


async def test_a_name_that_stands_for_this_machine_is_not_followed(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def lies(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host == "heart.example.org" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lies)
    outward = Outward(WoundClock(START))
    with pytest.raises(Unreached, match="the machine that Opsbook runs on"):
        await outward.ask(f"https://heart.example.org:{answering.port}/")
    assert answering.asked == []
    await outward.close()


async def test_a_resolver_that_hangs_is_waited_for_only_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release, real = threading.Event(), socket.getaddrinfo

    def hangs(host: Any, *rest: Any, **more: Any) -> Any:
        if host == "never.example.org" and not more.get("flags"):
            release.wait(20)
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    outward = Outward(WoundClock(START))
    try:
        for _ in range(3):
            with pytest.raises(Unreached, match=r"No answer within 0\.05 s"):
                await outward.ask("https://never.example.org/", timeout=0.05)
        assert len(outward.names._asked) == 1  # the same question is not asked again meanwhile
    finally:
        release.set()
        await outward.close()


async def test_an_answer_is_read_only_so_far(answering: Answering) -> None:
    outward = Outward(WoundClock(START))
    answering.reply = lambda asked: (200, {}, b"x" * LARGEST)
    assert await outward.ask(answering.url, loopback=True) == (200, b"x" * LARGEST)
    answering.reply = lambda asked: (200, {}, b"x" * (LARGEST + 1))
    with pytest.raises(Unreached, match="larger than 64 KiB"):
        await outward.ask(answering.url, loopback=True)
    answering.reply = lambda asked: (200, {"Content-Encoding": "gzip"}, b"no gzip at all")
    with pytest.raises(Unreached):
        await outward.ask(answering.url, loopback=True)
    await outward.close()
