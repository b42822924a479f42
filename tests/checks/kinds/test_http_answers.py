"""What an http check makes of an answer, and of what broken servers send instead of one."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvloop

from opsbook.checks.jsonpath import at, decoded, meets, parsed
from tests.checks.making import FINE, Handler, Looking, answering, serving, silent

PAGE = "주문 서버: 정상, 대기 12건, version 1.2.3"
WHOLE = (
    '{"status": "up", "items": [{"ok": true, "n": 3}, {"ok": false}], "load": "0.7", '
    '"a.b": {"c d": null}, "deep": {"x": 1e3}}'
)


def page(body: str | bytes, *headers: str, status: str = "200 OK") -> bytes:
    raw = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(raw)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + raw


async def told(looking: Looking, raw: bytes, **fields: Any) -> tuple[str, str]:
    async with serving(answering(raw)) as port:
        seen = await looking.look(
            f"c{port}", kind="http", url=f"http://127.0.0.1:{port}/", **fields
        )
    return seen.state, seen.message


async def test_a_body_has_what_it_must_and_lacks_what_it_must_not(looking: Looking) -> None:
    assert await told(looking, page(PAGE), contains=["정상", "version"], lacks="장애") == (
        "ok",
        "200 OK",
    )
    assert await told(looking, page(PAGE), contains=["장애", "정상"], lacks=["대기", "x"]) == (
        "critical",
        "200 OK; the body does not contain '장애'; the body contains '대기'",
    )


async def test_a_pattern_is_looked_for_in_the_body_and_cannot_hang(looking: Looking) -> None:
    assert (await told(looking, page(PAGE), matches=r"대기 \d+건"))[0] == "ok"
    assert await told(looking, page(PAGE), matches=r"version 2\.") == (
        "critical",
        r"200 OK; the body does not match 'version 2\\.'",
    )
    began = time.process_time()
    state, _ = await told(looking, page("a" * 1_000_000 + "!"), matches="(a+)+$")
    assert (state, time.process_time() - began < 3) == ("critical", True)


@pytest.mark.parametrize(
    ("expected", "wrong"),
    [
        ({"status": "up", "items[0].ok": True, "items[0].n": 3, "deep.x": 1000}, ""),
        ({'["a.b"]["c d"]': None, "$.status": "up", "$": 3}, "$ is an object; expected 3"),
        ({"items[0].n": "> 2", "load": "0.5..0.9", "items[-1].ok": False}, ""),
        ({"status": "down"}, 'status is "up"; expected "down"'),
        ({"items[0].n": "> 3"}, "items[0].n is 3; expected > 3"),
        ({"items[0].ok": 1}, "items[0].ok is true; expected 1"),
        ({"items[0].ok": "> 0"}, "items[0].ok is true; expected > 0"),
        ({"items[5].ok": True}, "the body has no items[5].ok"),
        ({"status.x": True}, "the body has no status.x"),
        ({"items.ok": True}, "the body has no items.ok"),
    ],
)
async def test_json_is_compared_place_by_place(
    looking: Looking, expected: dict[str, Any], wrong: str
) -> None:
    state, message = await told(looking, page(WHOLE), json=expected)
    assert (state, message) == (("critical", f"200 OK; {wrong}") if wrong else ("ok", "200 OK"))


@pytest.mark.parametrize(
    "raw", ["", "<html>", "{", b"\xff\xfe", "[" * 100_000, '{"a": ' * 50_000, "nan", "9" * 5000]
)
async def test_what_is_no_json_is_said_to_be_none(looking: Looking, raw: str | bytes) -> None:
    state, message = await told(looking, page(raw), json={"a": 1})
    assert state == "critical"
    assert "the body is no JSON" in message or "the body has no a" in message


async def test_a_number_of_the_answer_is_the_value_and_meets_the_bands(looking: Looking) -> None:
    bands = {"warning": "> 2", "critical": "> 5"}
    async with serving(answering(page(WHOLE), page('{"items": []}'), page("down"))) as port:
        url = f"http://127.0.0.1:{port}/"
        seen = await looking.look(kind="http", url=url, value="json:items[0].n", bands=bands)
        assert (seen.state, seen.value, seen.unit, seen.message) == ("warning", 3.0, "", "200 OK")
        seen = await looking.look()
        assert (seen.state, seen.value) == ("critical", None)
        assert seen.message == "200 OK; the body has no items[0].n"
        seen = await looking.look()
        assert (seen.state, seen.value) == ("critical", None)
    async with serving(answering(page(WHOLE, status="500 Oops"))) as port:
        url = f"http://127.0.0.1:{port}/"
        seen = await looking.look("b", kind="http", url=url, value="json:load", unit="%")
        assert (seen.state, seen.value) == ("critical", None)
        seen = await looking.look("c", kind="http", url=url, value="json:load", status=500)
        assert (seen.state, seen.value) == ("ok", 0.7)
        seen = await looking.look("d", kind="http", url=url, value="json:status", status=500)
        assert seen.message.endswith('status is "up", which is no number')


async def test_headers_of_the_answer_match_as_a_whole(looking: Looking) -> None:
    raw = page("x", "Content-Type: text/html; charset=utf-8", "X-A: 1", "x-a: 2")
    good = {"content-type": "text/html.*", "X-A": "2"}
    assert (await told(looking, raw, response_headers=good))[0] == "ok"
    assert await told(looking, raw, response_headers={"X-A": "12?3", "X-B": ".*"}) == (
        "critical",
        "200 OK; the header X-A is '1', not '12?3'; there is no header X-B",
    )


async def test_behind_a_wrong_status_nothing_else_is_told(looking: Looking) -> None:
    raw = page("no", status="503 Down")
    assert await told(looking, raw, contains="yes", json={"a": 1}, status=[200, 204]) == (
        "critical",
        "503 Down; expected 200, 204",
    )


@pytest.mark.parametrize(
    "charset", ["punycode", "idna", "unicode_escape", "rot13", "zlib", "?", ""]
)
async def test_a_charset_nobody_means_is_not_followed(looking: Looking, charset: str) -> None:
    raw = page("정상" + "x" * 200_000, f"Content-Type: text/plain; charset={charset}")
    began = time.process_time()
    assert (await told(looking, raw, contains="정상"))[0] == "ok"
    assert time.process_time() - began < 3


async def test_half_characters_are_not_stumbled_over(looking: Looking) -> None:
    raw = page(b"+2AA- x", "Content-Type: text/plain; charset=utf-7")
    assert (await told(looking, raw, matches=r" x$"))[0] == "ok"
    raw = page(b'{"a": "\\ud800"}')
    state, message = await told(looking, raw, json={"a": "b"})
    assert (state, message.startswith("200 OK; ")) == ("critical", True)
    message.encode()


# ---- servers in trouble -------------------------------------------------------------------------


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say that 10 GB come, and send them for as long as somebody takes them."""
    with contextlib.suppress(ConnectionError):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 262_144)
            await writer.drain()


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a byte now and then, so that the connection is never silent."""
    with contextlib.suppress(ConnectionError):
        for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.005)


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hang up before the request was read, with a reset."""
    writer.transport.abort()


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Refuse a long request without reading it."""
    writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()


async def slow_to_begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.02)
    writer.write(FINE[:20])
    await writer.drain()
    await asyncio.sleep(0.02)
    writer.write(FINE[20:])
    writer.close()


TROUBLE: dict[str, tuple[Handler, str, str]] = {
    "10 GB": (endless, "ok", "200 OK"),
    "drips": (dripping, "critical", "no answer within 300ms"),
    "resets": (closing, "critical", "closed the connection"),
    "slow": (slow_to_begin, "ok", "200 OK"),
}


@pytest.mark.parametrize("name", TROUBLE)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_server_in_trouble_is_an_outcome_and_nothing_more(
    looking: Looking, name: str, method: str
) -> None:
    handler, state, said = TROUBLE[name]
    async with serving(handler) as port:
        seen = await looking.look(
            kind="http", url=f"http://127.0.0.1:{port}/", method=method, timeout="300ms"
        )
    assert (seen.state, said in seen.message) == (state, True), seen.message


async def test_what_is_said_to_a_request_that_is_too_long_counts(looking: Looking) -> None:
    async with serving(deaf) as port:
        url = f"http://127.0.0.1:{port}/"
        seen = await looking.look(kind="http", url=url, method="POST", body="x" * 60_000)
    assert (seen.state, seen.message) == ("critical", "413 Too Large; expected 200 to 299")


async def test_a_look_leaves_no_connection_behind(looking: Looking) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async with serving(dripping) as slow, serving(answering(FINE)) as fine:
        await looking.look("warm", kind="http", url=f"http://127.0.0.1:{fine}/")
        before = open_files()
        for n in range(5):
            fields = {"kind": "http", "timeout": "30ms"}
            await looking.look(f"a{n}", url=f"http://127.0.0.1:{slow}/", **fields)
            await looking.look(f"b{n}", url=f"http://127.0.0.1:{fine}/", **fields)
        for _ in range(400):  # the servers' own ends are closed a little later
            if open_files() <= before + 5:
                break
            await asyncio.sleep(0.005)
    assert open_files() <= before + 5  # nothing but what the slow server itself still holds


def test_it_is_the_same_on_the_event_loop_that_serves() -> None:
    async def both() -> list[tuple[str, str]]:
        looking = Looking(datetime.now(UTC))
        found = []
        for handler in (answering(FINE), answering(b"SSH-2.0\r\n\r\n"), answering(b""), silent):
            async with serving(handler) as port:
                seen = await looking.look(
                    f"n{port}", kind="http", url=f"http://127.0.0.1:{port}/", timeout="200ms"
                )
            found.append((seen.state, seen.message.replace(str(port), "PORT")))
        await looking.looker.close()
        return found

    assert asyncio.run(both()) == uvloop.run(both())


# ---- paths --------------------------------------------------------------------------------------


def test_a_path_names_one_place() -> None:
    assert parsed("a.b[0].c") == ("a", "b", 0, "c")
    assert parsed('$["a.b"][-1]') == ("a.b", -1)
    assert parsed("$") == ()
    assert parsed("items[0]ok") == ("items", 0, "ok")
    assert at(decoded(WHOLE.encode()), "items[1].ok") is False
    assert at(decoded(b"[[1, 2]]"), "$[0][1]") == 2


@pytest.mark.parametrize("path", ["a[", "a[x]", "a..b", ".a", "a.", "[*]", "a[?(@.b)]", "['a']"])
def test_what_is_no_path_is_none(path: str) -> None:
    with pytest.raises(ValueError, match="no path into JSON"):
        parsed(path)


def test_truth_is_no_number_and_a_text_that_is_one_is() -> None:
    assert meets("7", "> 3")
    assert not meets(True, "> 0")
    assert not meets(1, True)
    assert meets(1.0, 1)
    assert meets(None, None)
    assert not meets(None, False)
    assert not meets("abc", "> 3")
