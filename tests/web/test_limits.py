"""What connections may cost: real sockets, a real server, and everything it must go on doing."""

import asyncio
import contextlib
import resource
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn

from opsbook.web import limits
from opsbook.web.limits import Crowd

GET = b"GET /fast HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
HALF = b"POST /fast HTTP/1.1\r\nHost: x\r\n"


@dataclass
class Site:
    """An application that answers at once, follows, or reads, by its path."""

    crowd: Crowd
    port: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await getattr(self, scope["path"].strip("/"))(receive, send)

    async def fast(self, receive: Any, send: Any, body: bytes = b"ok") -> None:
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def reads(self, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.ended.set()
                return
            body, more = body + message["body"], message["more_body"]
        self.bodies.append(body)
        await self.fast(receive, send)

    async def follows(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for n in range(100):
            await send({"type": "http.response.body", "body": b"%d;" % n, "more_body": True})
            await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b"end"})

    async def large(self, receive: Any, send: Any) -> None:
        await self.fast(receive, send, b"x" * 50_000_000)

    async def connect(self, address: str = "127.0.0.1") -> "Wire":
        return Wire(*await asyncio.open_connection("127.0.0.1", self.port, local_addr=(address, 0)))

    async def until(self, true: Callable[[], bool]) -> None:
        for _ in range(500):
            if true():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{len(self.crowd.all)} connections, {self.crowd.of}")


@dataclass
class Wire:
    """A connection as its sender has it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def get(self, size: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(size), 5)

    async def rest(self, within: float = 5) -> bytes:
        """What still comes before the other side hangs up."""
        found = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(within):
                while piece := await self.reader.read(65536):
                    found += piece
        return found

    async def asks(self) -> bytes:
        await self.send(GET)
        return await self.get(len(ANSWER))


Serve = Callable[[int], Awaitable[Site]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with contextlib.AsyncExitStack() as stack:

        async def serve(most: int) -> Site:
            return await stack.enter_async_context(serving(most))

        yield serve


@contextlib.asynccontextmanager
async def serving(most: int) -> AsyncIterator[Site]:
    site = Site(Crowd(most))
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    site.port = listener.getsockname()[1]
    config = uvicorn.Config(
        site, http=limits.protocol(site.crowd), ws="none", log_config=None, access_log=False,
        lifespan="off", timeout_keep_alive=15, timeout_graceful_shutdown=1,
        server_header=False, date_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield site
    finally:
        server.should_exit = True
        await task


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience of a moment, so that a test need not have more."""
    monkeypatch.setattr(limits, "HEAD_S", 0.2)
    monkeypatch.setattr(limits, "SWEEP_S", 0.05)
    monkeypatch.setattr(limits, "READ_S", 0.3)
    monkeypatch.setattr(limits, "GRACE_S", 0.1)


# ---- the size of a head -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        b"GET /fast HTTP/1.1\r\nHost: x\r\n" + b"X-%d: " % 1 + b"a" * 70_000 + b"\r\n\r\n",
        b"GET /fast?" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /fast HTTP/1.1\r\n" + b"".join(b"X-%d: aaaaaaaa\r\n" % n for n in range(9000)),
        b"GET /fast HTTP/1.1\r\nHost: x\r\nX-1: " + b"a" * 70_000,
        b"GET /fast?" + b"a" * 70_000,
    ],
    ids=["header", "line", "many", "header-unended", "line-unended"],
)
async def test_a_head_that_is_too_large_is_refused(serve: Serve, head: bytes) -> None:
    site = await serve(100)
    wire = await site.connect()
    await wire.send(head)
    assert (await wire.rest()).startswith(b"HTTP/1.1 431 ")
    assert await (await site.connect()).asks() == ANSWER


async def test_headers_without_end_take_no_memory(serve: Serve) -> None:
    site = await serve(100)
    wire = await site.connect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await wire.send(b"GET /fast HTTP/1.1\r\nHost: x\r\n")
    with contextlib.suppress(ConnectionError):
        for n in range(100):
            await wire.send(b"X-%d: " % n + b"a" * 1_000_000 + b"\r\n")
    await site.until(lambda: not site.crowd.all)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


@pytest.mark.parametrize(
    "more",
    [
        b"2;" + b"a" * 400_000, b"2\r\nok\r\n0\r\nX: " + b"a" * 400_000,
        b"0\r\n" + b"".join(b"X-%d: aaaaaaaa\r\n" % n for n in range(9000)),
    ],
    ids=["extension", "trailer", "trailers"],
)  # fmt: skip
async def test_nor_is_anything_else_without_end_that_is_no_body(serve: Serve, more: bytes) -> None:
    site = await serve(100)
    wire = await site.connect()
    await wire.send(b"POST /reads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        await wire.send(more)
    assert await wire.rest() == b""
    await asyncio.wait_for(site.ended.wait(), 5)


async def test_a_head_of_60_kib_and_a_large_body_are_taken(serve: Serve) -> None:
    site = await serve(100)
    wire = await site.connect()
    body = b"b" * 3_000_000
    head = b"POST /reads HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 60_000 + b"\r\n"
    await wire.send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert await wire.get(len(ANSWER)) == ANSWER
    assert site.bodies == [body]
    assert await wire.asks() == ANSWER


# ---- its time -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("first", [b"", b"GET", HALF])
async def test_half_a_request_is_not_waited_for(serve: Serve, first: bytes) -> None:
    site = await serve(100)
    wire = await site.connect()
    await wire.send(first)
    answer = await wire.rest(2)
    assert answer.startswith(b"HTTP/1.1 408 ") if first else answer == b""
    assert not site.crowd.all


@pytest.mark.usefixtures("soon")
async def test_a_head_byte_by_byte_has_no_more_time(serve: Serve) -> None:
    site = await serve(100)
    wire = await site.connect()
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        for byte in HALF + b"X: y\r\n" * 100:
            await wire.send(bytes([byte]))
            await asyncio.sleep(0.02)
            if wire.reader.at_eof():
                break
    assert time.monotonic() - began < 2
    assert not site.crowd.all


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    "first",
    [b"POST /fast HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n", GET],
    ids=["the rest of a body", "empty lines"],
)
async def test_nor_is_who_sends_a_little_after_the_answer(serve: Serve, first: bytes) -> None:
    site = await serve(100)
    wire = await site.connect()
    await wire.send(first)
    assert await wire.get(len(ANSWER)) == ANSWER
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while not wire.reader.at_eof() and time.monotonic() - began < 3:
            await wire.send(b"\r\n")
            await asyncio.sleep(0.02)
    assert time.monotonic() - began < 2
    assert await wire.rest() == b""


@pytest.mark.usefixtures("soon")
async def test_an_answer_that_nobody_reads_is_cut_off(serve: Serve) -> None:
    site = await serve(100)
    with socket.create_connection(("127.0.0.1", site.port)) as wire:
        wire.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await site.until(lambda: len(site.crowd.all) == 1)
        await site.until(lambda: not site.crowd.all)


@pytest.mark.usefixtures("soon")
async def test_between_two_requests_and_in_a_stream_there_is_time(serve: Serve) -> None:
    site = await serve(100)
    stream, wire = await site.connect(), await site.connect()
    await stream.send(b"GET /follows HTTP/1.1\r\nHost: x\r\n\r\n")
    for _ in range(3):
        assert await wire.asks() == ANSWER
        await asyncio.sleep(0.3)
    body = b"POST /reads HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
    await wire.send(body + b"a")
    await asyncio.sleep(0.4)
    await wire.send(b"bc")
    assert await wire.get(len(ANSWER)) == ANSWER
    assert site.bodies == [b"abc"]
    assert b"20;" in await stream.get(400)
    await wire.send(GET * 3)
    assert await wire.get(3 * len(ANSWER)) == 3 * ANSWER


# ---- how many -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("soon")
async def test_half_requests_make_way_for_whole_ones(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as there is room for, and then some, from the same address: alerts get in."""
    monkeypatch.setattr(limits, "HEAD_S", 60.0)
    site = await serve(40)
    halves = [await site.connect() for _ in range(30)]
    for one in halves:
        await one.send(HALF)
    await site.until(lambda: len(site.crowd.all) == 30 == site.crowd.share("127.0.0.1"))
    await asyncio.sleep(0.15)
    for _ in range(5):
        assert await (await site.connect()).asks() == ANSWER
    assert len(site.crowd.all) <= 30


@pytest.mark.usefixtures("soon")
async def test_so_do_unfinished_bodies_and_connections_that_rest(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HEAD_S", 60.0)
    site = await serve(4)
    body, rest, stream = [await site.connect() for _ in range(3)]
    await stream.send(b"GET /follows HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await rest.asks() == ANSWER
    await body.send(b"POST /reads HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
    await asyncio.sleep(0.15)
    first = await site.connect()
    await first.send(b"GET /follows HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await body.rest() == b""
    await asyncio.wait_for(site.ended.wait(), 5)
    second = await site.connect()
    await second.send(b"GET /follows HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await rest.rest() == b""
    assert b"200 OK" in await first.get(100)
    assert b"200 OK" in await second.get(100)
    full = await site.connect()
    assert (await full.rest()).startswith(b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5")
    assert b"20;" in await stream.get(400)


@pytest.mark.usefixtures("soon")
async def test_one_address_does_not_take_anothers_room(serve: Serve) -> None:
    """Streams are never cut off, so what one address may have is bounded for them as well."""
    site = await serve(8)
    mine = [await site.connect("127.0.0.2") for _ in range(7)]
    for one in mine:
        await one.send(b"GET /follows HTTP/1.1\r\nHost: x\r\n\r\n")
    await site.until(lambda: site.crowd.of == {"127.0.0.2": 6})
    assert await (await site.connect("127.0.0.3")).asks() == ANSWER


async def test_whoever_leaves_is_forgotten(serve: Serve) -> None:
    site = await serve(100)
    wires = [await site.connect() for _ in range(20)]
    await site.until(lambda: site.crowd.of == {"127.0.0.1": 20})
    for one in wires:
        one.writer.close()
    await site.until(lambda: site.crowd.of == {})
    assert site.crowd.all == set()


def test_an_ipv6_network_is_one_sender() -> None:
    assert limits.address_of("2001:db8:1:2::1") == limits.address_of("2001:db8:1:2:ffff::9")
    assert limits.address_of("2001:db8:1:2::1") != limits.address_of("2001:db8:1:3::1")
    assert limits.address_of("::ffff:10.0.0.1") == "10.0.0.1" == limits.address_of("10.0.0.1")
    crowd = Crowd(100)
    shares = {one: crowd.share(limits.address_of(one)) for one in ("127.0.0.1", "::1", "10.0.0.1")}
    assert shares == {"127.0.0.1": 75, "::1": 75, "10.0.0.1": 25}


@pytest.mark.parametrize(
    ("files", "connections"),
    [(64, 1), (1024, 683), (4096, 2731), (20_000, 15_904), (65_536, 16_384)],
)
def test_files_are_left_for_everything_else(files: int, connections: int) -> None:
    assert limits.room_for(files) == connections


def test_as_many_files_are_asked_for_as_may_be() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    try:
        assert limits.most_connections() == limits.room_for(min(hard, limits.FILES))
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(hard, limits.FILES), hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
