import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opsbook.book import BookError
from tests.checks.making import Looking, book, certificate, closed_port, serving, silent
from tests.support import servers
from tests.support.servers import free_port, needs


@dataclass(frozen=True)
class Server:
    """A running Redis; `say` sends a command by hand and returns the answer's first line."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def say(self, *lines: str) -> str:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            answer = ""
            with connection.makefile("rwb") as stream:
                for line in lines:
                    stream.write(f"{line}\r\n".encode())
                    stream.flush()
                    answer = stream.readline().decode().strip()
            return answer

    def pid(self) -> int:
        return int((self.folder / "pid").read_text())


@contextlib.contextmanager
def running(*options: str) -> Iterator[Server]:
    server, port = needs("redis-server"), free_port()
    with servers._folder() as folder:
        told = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder),
                "--pidfile", str(folder / "pid"), *options]  # fmt: skip
        with servers._running([str(server), *told], folder, lambda: servers._connect(port)):
            yield Server(port, folder)


@pytest.fixture(scope="module")
def primary() -> Iterator[Server]:
    small = ["--maxmemory", "8mb", "--maxmemory-policy", "allkeys-lru", "--maxclients", "20"]
    with running(*small, "--repl-diskless-sync-delay", "0") as server:
        yield server


@pytest.fixture(scope="module")
def replica(primary: Server) -> Iterator[Server]:
    with running("--replicaof", f"127.0.0.1 {primary.port}") as server:
        yield server


async def until(looking: Looking, holds: Any, **asked: Any) -> Any:
    """Look until it holds: replicas take a moment."""
    deadline = time.monotonic() + 20
    while not holds(seen := await looking.look("until", kind="redis", **asked)):
        assert time.monotonic() < deadline, seen
        await asyncio.sleep(0.05)
    return seen


async def test_an_answer_takes_its_time_and_memory_and_clients_are_shares(
    looking: Looking, primary: Server
) -> None:
    ping = await looking.look("1", kind="redis", url=primary.url, metric="ping")
    assert (ping.state, ping.unit, ping.message) == ("ok", "ms", "answers PONG")
    assert ping.value is not None
    assert 0 < ping.value < ping.latency_ms
    memory = await looking.look(
        "2", kind="redis", url=primary.url, metric="memory", bands={"warning": "> 1%"}
    )
    assert (memory.state, memory.unit) == ("warning", "%")
    assert memory.message.endswith("of 8 MiB free, allkeys-lru")
    held = [socket.create_connection(("127.0.0.1", primary.port)) for _ in range(4)]
    clients = await looking.look("3", kind="redis", url=primary.url, metric="clients")
    for one in held:
        one.close()
    assert clients.value == 25.0
    assert clients.message == "5 of 20 clients, 0 of them blocked"


async def test_without_a_limit_there_is_no_share_of_memory(
    looking: Looking, redis_port: int
) -> None:
    url = f"redis://127.0.0.1:{redis_port}"
    seen = await looking.look(kind="redis", url=url, metric="memory")
    assert (seen.state, seen.value) == ("nodata", None)
    assert "maxmemory is not set" in seen.message


async def test_a_server_without_a_place_left_is_critical_and_counts_whom_it_rejected(
    looking: Looking, primary: Server
) -> None:
    asked = {"kind": "redis", "url": primary.url}
    rejected = await looking.look("rejected", **asked, metric="rejected")
    assert rejected.value == 0.0
    assert "0 connections rejected since 09:00:00 UTC, when counting began" in rejected.message
    held = [socket.create_connection(("127.0.0.1", primary.port)) for _ in range(20)]
    seen = await looking.look("full", **asked, metric="ping")
    for one in held:
        one.close()
    assert (seen.state, seen.value) == ("critical", None)
    assert "has no connection left: max number of clients reached" in seen.message
    again = await until(looking, lambda one: one.state == "ok", url=primary.url, metric="ping")
    assert again.value > 0
    assert (await looking.look("rejected")).value >= 1
    looking.clock.advance(timedelta(minutes=15))
    assert (await looking.look("rejected")).value == 0.0


async def test_evicted_keys_are_counted_within_the_window(
    looking: Looking, primary: Server
) -> None:
    asked = {"kind": "redis", "url": primary.url, "metric": "evicted", "window": "5m"}
    await looking.look(**asked)
    big = "x" * 20_000
    primary.say(*(f"SET evict:{n} {big}" for n in range(600)))
    seen = await looking.look()
    assert seen.value is not None
    assert seen.value > 10
    assert f"{seen.value:.0f} keys evicted" in seen.message
    primary.say("FLUSHALL")


async def test_keys_that_were_there_are_a_share_of_the_lately_asked_for(
    looking: Looking, redis_port: int, tmp_path: Path
) -> None:
    server = Server(redis_port, tmp_path)
    server.say("CONFIG RESETSTAT")
    asked = {"kind": "redis", "url": server.url, "metric": "hit_rate"}
    none = await looking.look(**asked)
    assert (none.value, none.message) == (100.0, "no key has been asked for yet")
    server.say("SET here 1", *["STRLEN here"] * 150, *["EXISTS not-here"] * 50)
    seen = await looking.look()
    assert seen.value == pytest.approx(75.0)
    assert seen.message == "75 % of keys asked for were there since the look before"
    server.say(*["EXISTS not-here"] * 200)
    assert (await looking.look()).value == 0.0
    few = await looking.look()
    assert few.value == pytest.approx(37.5)
    assert few.message.endswith("since the server's start")


async def test_both_ends_of_a_link_tell_how_it_is(
    looking: Looking, primary: Server, replica: Server
) -> None:
    lag = {"metric": "replication_lag"}
    up = await until(looking, lambda one: one.state == "ok", url=primary.url, **lag, role="primary")
    assert 0 <= up.value <= 2
    assert up.message.startswith(f"127.0.0.1:{replica.port}: ")
    seen = await until(
        looking, lambda one: one.state == "ok", url=replica.url, role="replica", **lag
    )
    assert (seen.unit, seen.message) == ("s", f"last heard of 127.0.0.1:{primary.port}")
    behind = {"metric": "replication_lag_bytes"}
    for server in (primary, replica):
        caught_up = await until(looking, lambda one: one.value == 0.0, url=server.url, **behind)
        assert (caught_up.state, caught_up.unit) == ("ok", "bytes")

    asked: dict[str, Any] = {"kind": "redis", **lag}
    wrong = await looking.look("1", **asked, url=primary.url, role="replica")
    assert (wrong.state, wrong.message[:19]) == ("critical", "it is no replica: i")
    other = await looking.look("2", **asked, url=replica.url, role="primary")
    told = f"it is no primary: it copies 127.0.0.1:{primary.port}"
    assert (other.state, other.message) == ("critical", told)
    few = await looking.look("3", **asked, url=primary.url, replicas=2)
    told = f"1 of 2 replicas are online: 127.0.0.1:{replica.port} (online)"
    assert (few.state, few.message) == ("critical", told)

    os.kill(replica.pid(), signal.SIGSTOP)
    try:
        primary.say(*["SET filler " + "x" * 1000] * 20)
        late = await until(
            looking, lambda one: one.value and one.value > 20_000, url=primary.url, **behind
        )
    finally:
        os.kill(replica.pid(), signal.SIGCONT)
    assert "KiB behind" in late.message

    with closed_port() as port:
        replica.say(f"REPLICAOF 127.0.0.1 {port}")
        down = await looking.look("4", **asked, url=replica.url)
        replica.say(f"REPLICAOF 127.0.0.1 {primary.port}")
    assert (down.state, down.value) == ("critical", None)
    assert f"the link to 127.0.0.1:{port} is down" in down.message


async def test_a_server_without_replicas_says_so(looking: Looking, redis_port: int) -> None:
    asked = {"kind": "redis", "url": f"redis://127.0.0.1:{redis_port}", "metric": "replication_lag"}
    alone = await looking.look("1", **asked)
    assert (alone.state, alone.message) == (
        "critical",
        "no replica is connected, and it is none itself",
    )
    assert (await looking.look("2", **asked, replicas=0)).value == 0.0


@pytest.mark.parametrize(
    ("made", "fields", "state", "value", "told"),
    [
        ("RPUSH q a b c", {}, "warning", 3.0, "q, a list"),
        ("SADD q a b", {}, "ok", 2.0, "q, a set"),
        ("ZADD q 1 a", {}, "ok", 1.0, "q, a zset"),
        ("HSET q a 1 b 2", {}, "ok", 2.0, "q, a hash"),
        ("XADD q * a 1", {}, "ok", 1.0, "q, a stream"),
        ("SET q 12345", {}, "warning", 5.0, "q, a string"),
        ("DEL q", {}, "ok", 0.0, "q is not there, which is a length of 0"),
        ("SET q 2.5e0", {"measure": "value"}, "ok", 2.5, "q"),
        ("SET q many", {"measure": "value"}, "nodata", None, "q holds 'many', which is no number"),
        ("SET q inf", {"measure": "value"}, "nodata", None, "q holds 'inf', which is no number"),
        ("DEL q", {"measure": "value"}, "nodata", None, "q is not there"),
        ("RPUSH q 1", {"measure": "value"}, "nodata", None, "q is a list, which is no number"),
    ],
)
async def test_a_key_has_a_length_or_holds_a_number(
    looking: Looking,
    redis_port: int,
    tmp_path: Path,
    made: str,
    fields: dict[str, str],
    state: str,
    value: float | None,
    told: str,
) -> None:
    server = Server(redis_port, tmp_path)
    server.say("SELECT 3", "DEL q", made)
    seen = await looking.look(
        kind="redis", url=f"{server.url}/3", key="q", bands={"warning": "> 2.9"}, **fields
    )
    assert (seen.state, seen.value) == (state, value)
    assert told in seen.message


async def test_a_password_is_a_reference_and_a_stranger_is_missing_data(
    looking: Looking, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("sesame-open-up-17\n")
    with running("--requirepass", "sesame-open-up-17") as server:
        server.say("AUTH sesame-open-up-17", "ACL SETUSER ops on >ops-word-23 +info")
        asked = {"kind": "redis", "url": server.url, "metric": "clients"}
        seen = await looking.look("1", **asked, password=f"file:{secret}")
        assert seen.state == "ok"
        without = await looking.look("2", **asked)
        assert (without.state, without.message) == (
            "nodata",
            f"127.0.0.1:{server.port} does not let us in: Authentication required.; "
            "check the user and the password",
        )
        secret.write_text("sesame-shut-18")
        wrong = await looking.look("1")
        assert wrong.state == "nodata"
        assert "does not let us in" in wrong.message
        assert "sesame" not in wrong.message
        secret.write_text("ops-word-23")
        looking.targets = {
            "cache": {
                "title": "Cache", "kind": "redis", "url": server.url,
                "read": {"user": "ops", "password": f"file:{secret}"},
            }
        }  # fmt: skip
        named = await looking.look("3", kind="redis", on="cache", metric="clients")
        assert named.state == "ok"
        may_not = await looking.look("4", kind="redis", on="cache", key="q")
        assert may_not.state == "nodata"
        assert "does not let us in" in may_not.message


async def test_tls_is_verified_against_the_authority_that_is_named(
    looking: Looking, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    file = certificate(tmp_path, "127.0.0.1", starts=now, ends=now + timedelta(days=3))
    file.chmod(0o644)
    port = free_port()
    with servers._folder() as folder:
        shown = folder / "server.pem"
        shown.write_bytes(file.read_bytes())
        shown.chmod(0o644)
        folder.chmod(0o755)
        tls = ["--tls-port", str(port), "--tls-cert-file", str(shown), "--tls-key-file", str(shown),
               "--tls-ca-cert-file", str(shown), "--tls-auth-clients", "no"]  # fmt: skip
        with running(*tls):
            asked = {"kind": "redis", "url": f"rediss://127.0.0.1:{port}", "metric": "ping"}
            seen = await looking.look("1", **asked, ca=str(file))
            assert (seen.state, seen.message) == ("ok", "answers PONG")
            stranger = await looking.look("2", **asked)
            assert stranger.state == "critical"
            assert "TLS failed: self-signed certificate" in stranger.message


async def test_a_socket_is_asked_by_its_path(looking: Looking, tmp_path: Path) -> None:
    with servers._folder() as folder:
        path = folder / "redis.sock"
        with running("--unixsocket", str(path), "--unixsocketperm", "777"):
            while not path.exists():  # it listens there last
                await asyncio.sleep(0.01)
            seen = await looking.look(kind="redis", url=f"unix://{path}?db=2", metric="ping")
            assert seen.message == "answers PONG"
        gone = await looking.look()
        assert gone.state == "critical"


@pytest.mark.parametrize(
    ("answer", "state", "told"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "critical", "still loading"),
        (b"+PONG but then\r\n", "ok", "answers PONG but then"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "critical", "does not speak as Redis does"),
        (b"\x00\xff\xfe\r\n", "critical", "does not speak as Redis does"),
        (b"$100\r\nhalf", "critical", "closed the connection"),
        (b"", "critical", "closed the connection"),
        (b"-ERR unknown command\r\n", "nodata", "unknown command"),
        (b"-MOVED 1 10.0.0.1:6379\r\n", "nodata", "10.0.0.1"),
    ],
    ids=range(8),
)
async def test_whatever_is_no_answer_of_redis_is_said_to_be_so(
    looking: Looking, answer: bytes, state: str, told: str
) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        writer.close()

    async with serving(handle) as port:
        seen = await looking.look(kind="redis", url=f"redis://127.0.0.1:{port}", metric="ping")
    assert seen.state == state
    assert told in seen.message


async def test_a_refusal_and_silence_are_critical(looking: Looking) -> None:
    with closed_port() as port:
        url = f"redis://127.0.0.1:{port}"
        seen = await looking.look("1", kind="redis", url=url, metric="ping")
    assert (seen.state, seen.message) == ("critical", f"127.0.0.1:{port} refuses connections")
    async with serving(silent) as port:
        url = f"redis://127.0.0.1:{port}"
        hung = await looking.look("2", kind="redis", url=url, metric="ping", timeout="100ms")
    assert (hung.state, hung.message) == ("critical", "no answer within 100ms")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"url": "redis://h"}, "it looks at one thing. write metric: or key:"),
        ({"url": "redis://h", "metric": "ping", "key": "q"}, "it looks at one thing"),
        ({"metric": "ping"}, "write on: or url:, exactly one"),
        ({"url": "redis://:word@h", "metric": "ping"}, "it carries a user or a password"),
        ({"url": "http://h", "metric": "ping"}, "it is no address of a Redis"),
        ({"url": "redis://h/one", "metric": "ping"}, "it says more than where it is"),
        ({"url": "redis://h", "metric": "ping", "password": "word"}, "password"),
        ({"url": "redis://h", "metric": "memory", "bands": {"warning": "> 1s"}}, "compared"),
    ],
)
def test_a_book_looks_at_one_thing_of_one_redis(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(BookError) as caught:
        book({"it": {"kind": "redis", **fields}})
    said = [str(problem) for problem in caught.value.problems]
    assert len(said) == 1, said
    assert told in said[0]


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ({"url": "redis://h:6379/0", "read": {"password": "env:WORD"}}, ""),
        ({}, "does not say where it is, which redis needs"),
        ({"url": "redis://h:port"}, "is no address of a Redis"),
        ({"url": "redis://"}, "names no host"),
        ({"url": "unix://run/redis.sock"}, "names no socket"),
        ({"url": "redis://h", "read": {"headers": {"A": "env:B"}}}, "means nothing for a target"),
    ],
)
def test_a_target_may_be_a_redis(target: dict[str, Any], told: str) -> None:
    checks = {"it": {"kind": "redis", "on": "cache", "metric": "ping"}}
    targets = {"cache": {"title": "Cache", "kind": "redis", **target}}
    if not told:
        assert book(checks, targets=targets).targets["cache"].kind == "redis"
        return
    with pytest.raises(BookError) as caught:
        book(checks, targets=targets)
    assert [told in str(one) for one in caught.value.problems] == [True]
