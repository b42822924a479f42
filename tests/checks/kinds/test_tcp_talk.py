"""Saying something to a port, and hearing what it should say."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opsbook.book import BookError
from tests.checks.making import (
    Handler,
    Looking,
    certificate,
    closed_port,
    server_side,
    serving,
    silent,
)  # fmt: skip


def greeting(*parts: bytes, hear: bytes = b"") -> Handler:
    """Wait for what should be heard, then say each part, a moment apart, and stay."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if hear:
                await reader.readuntil(hear)
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.005)
            while await reader.read(4096):
                pass
        writer.close()

    return handle


def asked(port: int, **fields: Any) -> dict[str, Any]:
    return {"kind": "tcp", "host": "127.0.0.1", "port": port, "timeout": "2s", **fields}


async def test_a_banner_is_waited_for_and_told(looking: Looking) -> None:
    async with serving(greeting(b"220 ", b"mail.example", b" ESMTP\r\nmore")) as port:
        seen = await looking.look(**asked(port, expects="^220 .*ESMTP"))
    assert (seen.state, seen.unit) == ("ok", "ms")
    assert seen.value is not None
    assert 10 <= seen.value <= seen.latency_ms
    assert seen.message == f"127.0.0.1:{port} says '220 mail.example ESMTP'"


async def test_what_is_sent_is_answered(looking: Looking) -> None:
    async with serving(greeting(b"+PONG\r\n", hear=b"PING\r\n")) as port:
        seen = await looking.look(**asked(port, send="PING\r\n", expects=r"^\+PONG"))
        assert seen.state == "ok"
        seen = await looking.look("b", **asked(port, send="PING\r\n"))
        assert (seen.state, seen.message) == ("ok", f"127.0.0.1:{port} takes connections")


async def test_a_real_redis_answers_ping(looking: Looking, redis_port: int) -> None:
    seen = await looking.look(**asked(redis_port, send="PING\r\n", expects=r"^\+PONG"))
    assert (seen.state, seen.message) == ("ok", f"127.0.0.1:{redis_port} says '+PONG'")


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (greeting(b"SSH-2.0-x\r\n"), "then fell silent; expected '^220 ', heard 'SSH-2.0-x'"),
        (silent, "said nothing in time; expected '^220 '"),
        (greeting(b"x" * 99_999), "said more than 64 KiB; expected '^220 ', heard 'xxx"),
    ],
)
async def test_another_banner_is_critical_and_told(
    looking: Looking, handler: Handler, told: str
) -> None:
    async with serving(handler) as port:
        seen = await looking.look(**asked(port, expects="^220 ", timeout="300ms"))
    assert (seen.state, seen.value) == ("critical", None)
    assert told in seen.message
    assert seen.latency_ms < 300


async def test_a_connection_that_is_closed_is_critical(looking: Looking) -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"421 busy\r\n")
        writer.close()

    async with serving(close) as port:
        seen = await looking.look(**asked(port, expects="^220 "))
    assert seen.state == "critical"
    assert seen.message == (
        f"127.0.0.1:{port} closed the connection; expected '^220 ', heard '421 busy'"
    )


async def test_a_flood_is_not_read_without_end(looking: Looking) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"a" * 65_536)
                await writer.drain()

    async with serving(flood) as port:
        seen = await looking.look(**asked(port, expects="(a+)+b"))
    assert (seen.state, "said more than 64 KiB" in seen.message) == ("critical", True)


async def test_a_secured_port_is_spoken_to_over_tls(looking: Looking, tmp_path: Path) -> None:
    today = datetime.now(UTC)
    both = certificate(tmp_path, "127.0.0.1", starts=today, ends=today + timedelta(days=1))
    async with serving(greeting(b"220 secure\r\n"), server_side(both)) as port:
        fields = asked(port, tls=True, expects="^220")
        assert (await looking.look("a", **fields, ca=str(both))).state == "ok"
        assert (await looking.look("b", **fields, verify=False)).state == "ok"
        seen = await looking.look("c", **fields)
        assert (seen.state, seen.message) == (
            "critical",
            f"127.0.0.1:{port}: TLS failed: self-signed certificate",
        )
        seen = await looking.look("d", **asked(port, tls=True, ca=str(both)))
        assert seen.state == "ok"
    async with serving(greeting(b"220 plain\r\n")) as port:
        seen = await looking.look("e", **asked(port, tls=True))
        assert "TLS failed" in seen.message
    with closed_port() as port:
        seen = await looking.look("f", **asked(port, expects="x"))
        assert seen.message.endswith("refuses connections")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"expects": "(?<=x)"}, "no regular expression of RE2"),
        ({"ca": "/a"}, "nobody asks the authorities"),
        ({"send": ""}, "send"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_the_book(
    looking: Looking, fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(BookError, match=told):
        await looking.look(**asked(1, **fields))
