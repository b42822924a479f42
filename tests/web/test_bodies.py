"""Bodies of whom nobody knows yet: what they may cost, and that they keep no alert out."""

import asyncio
import contextlib
import gzip
import json
import time
import zlib
from collections.abc import AsyncIterator

import httpx2 as httpx
import pytest

from opsbook.alerts.intake.kind import Later
from opsbook.base.database import Database
from opsbook.web import bodies
from opsbook.web.bodies import Held, Room
from tests.alerts.intake.gate import SECRETS, TOKEN, Gate, firing, notification, opened
from tests.web.test_doors import served

GOOD = json.dumps(notification(firing())).encode()
BEARER = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
EVENT = json.dumps(
    {
        "routing_key": TOKEN, "event_action": "trigger",
        "payload": {"summary": "Full", "source": "db-1", "severity": "critical"},
    }
).encode()  # fmt: skip


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def gate(sqlite_database: Database) -> AsyncIterator[Gate]:
    one = await opened(sqlite_database)
    yield one
    await one.doors.close()


# ---- what is packed -----------------------------------------------------------------------------


@pytest.mark.parametrize("door", ["pagerduty", "sentry"])
async def test_a_gzip_of_nothing_but_members_stops_nobody(gate: Gate, door: str) -> None:
    member = gzip.compress(b"")
    body = member * (bodies.LARGEST_UNPROVEN // len(member))
    began = time.monotonic()
    answer = await gate.ask("POST", f"/in/shop/{door}", body, {"Content-Encoding": "gzip"})
    assert time.monotonic() - began < 0.5
    assert answer.status == 400
    assert "more than 1,000 members" in answer.json["detail"]


def test_one_that_packs_line_by_line_is_read() -> None:
    lines = [b"%d\n" % n * 20 for n in range(bodies.MOST_MEMBERS)]
    assert bodies.unpacked(b"".join(map(gzip.compress, lines))) == b"".join(lines)


async def test_what_shows_its_key_inside_may_be_a_mib_and_no_more_unpacked(gate: Gate) -> None:
    fits = EVENT + b" " * (bodies.LARGEST_UNPROVEN - len(EVENT))
    for body, packed in ((fits, False), (fits, True)):
        sent = gzip.compress(body) if packed else body
        headers = {"Content-Encoding": "gzip"} if packed else {}
        taken = await gate.ask("POST", "/in/shop/pagerduty", sent, headers)
        assert taken.status == 202
        sent = gzip.compress(body + b" ") if packed else body + b" "
        answer = await gate.ask("POST", "/in/shop/pagerduty", sent, headers)
        assert (answer.status, answer.json["detail"]) == (413, "The body is larger than 1 MiB.")


def test_what_ends_within_a_piece_or_beyond_it_is_unpacked_whole() -> None:
    for size in (bodies.PIECE - 1, bodies.PIECE, bodies.PIECE + 1, 3 * bodies.PIECE):
        plain = bytes(n * 7919 % 251 for n in range(size))
        stored = zlib.compressobj(0, wbits=31)  # as long packed as it is
        packed = stored.compress(plain) + stored.flush()
        assert bodies.unpacked(packed + gzip.compress(plain)) == plain + plain
        with pytest.raises(bodies.Wrong, match="cut off"):
            bodies.unpacked(packed[:-1])


# ---- what is held -------------------------------------------------------------------------------


Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def begin(port: int, path: str, size: int, headers: str = "") -> Wire:
    """Send a body but for its last byte."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    line = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n{headers}\r\n"
    writer.write(line.encode() + b" " * (size - 1))
    with contextlib.suppress(ConnectionError):
        await writer.drain()
    return reader, writer


async def test_bodies_that_are_never_finished_keep_no_alert_out(gate: Gate) -> None:
    """As many as there is room for of such as have no key: they make way, for one another too."""
    gate.site.unproven.most = gate.site.proven.most = 4_000_000
    async with served(gate) as address:
        port = int(address.rpartition(":")[2])
        slow = [await begin(port, "/in/shop/pagerduty", 1_000_000) for _ in range(4)]
        while gate.site.unproven.taken < 3_500_000:
            await asyncio.sleep(0.01)
        async with httpx.AsyncClient(base_url=address, headers=BEARER) as client:
            for _ in range(3):
                known = await client.post("/in/shop/webhook", content=GOOD)
                assert known.status_code == 200
                padded = EVENT + b" " * 900_000
                honest = await client.post("/in/shop/pagerduty", content=padded)
                assert honest.status_code == 202
        async with asyncio.timeout(5):  # the first that came has held its own for the longest
            assert b" 503 " in await slow[0][0].readline()
        assert gate.site.proven.taken == 0
        for _, writer in slow:
            writer.close()


async def test_nor_do_those_of_somebody_with_a_token(gate: Gate) -> None:
    gate.site.proven.most = 4_000_000
    async with served(gate) as address:
        port = int(address.rpartition(":")[2])
        token = f"Authorization: Bearer {TOKEN}\r\n"
        slow = [await begin(port, "/in/shop/webhook", 999_000, token) for _ in range(4)]
        while gate.site.proven.taken < 3_990_000:
            await asyncio.sleep(0.01)
        async with httpx.AsyncClient(base_url=address, headers=BEARER) as client:
            answer = await client.post("/in/shop/webhook", content=GOOD + b" " * 100_000)
            assert answer.status_code == 200
        for _, writer in slow:
            writer.close()


async def test_who_has_held_the_most_for_the_longest_makes_way() -> None:
    room, held, tasks = Room(1000, 600), {}, {}
    gates = {name: asyncio.Event() for name in ("old", "small", "new")}

    async def send(name: str, size: int) -> bytes:
        messages = [{"type": "http.request", "body": b"x" * size, "more_body": True}]

        async def receive() -> dict[str, object]:
            if messages:
                return messages.pop()
            await gates[name].wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        held[name] = Held(room)
        try:
            return await held[name].body(receive)  # type: ignore[arg-type]
        finally:
            held[name].let_go()

    for name, size in (("old", 500), ("small", 10), ("new", 400)):
        tasks[name] = asyncio.create_task(send(name, size))
        await asyncio.sleep(0.02)
    assert room.taken == 910
    gates["last"] = asyncio.Event()
    gates["last"].set()
    assert await send("last", 300) == b"x" * 300
    with pytest.raises(Later):
        await tasks["old"]
    assert room.taken == 410
    for one in gates.values():
        one.set()
    assert [await tasks["small"], await tasks["new"]] == [b"x" * 10, b"x" * 400]
    assert room.taken == 0


async def test_what_is_nested_too_deeply_is_the_senders_mistake(gate: Gate) -> None:
    """Also where it can be read, and is too deep for what is done with it then."""
    for depth in (*range(900, 1000, 5), 100_000):
        about = '{"a":' * depth + "1" + "}" * depth
        event = EVENT.replace(b'"critical"', b'"critical", "custom_details": ' + about.encode())
        answer = await gate.ask("POST", "/in/shop/pagerduty", event)
        assert answer.status in {202, 400, 401}, (depth, answer)
