"""What an http check sends, to whom, and where it follows to."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop

from opsbook.book import BookError
from tests.checks.making import (
    FACTS,
    FINE,
    Looking,
    answering,
    certificate,
    closed_port,
    server_side,
    serving,
)
from tests.support.servers import Nginx

Respond = Callable[[str], bytes]


@dataclass
class Heard:
    """A server that keeps what it was sent, and answers by the target that was asked for."""

    respond: Respond = lambda target: FINE
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {
                name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
            }
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.requests.append((first, headers, body))
            writer.write(self.respond(first.split()[1]))
            await writer.drain()
        writer.close()

    @contextlib.asynccontextmanager
    async def serve(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        async with serving(self.handle, tls) as port:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"


def redirect(to: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


async def test_a_request_says_who_asks_and_wants_the_plain_body(looking: Looking) -> None:
    heard = Heard()
    async with heard.serve() as url:
        seen = await looking.look(kind="http", url=f"{url}/a%20b?q=1&r=가#part")
    assert seen.state == "ok"
    (first, headers, body) = heard.requests[0]
    assert first == "GET /a%20b?q=1&r=%EA%B0%80 HTTP/1.1"
    assert headers["host"] == url.removeprefix("http://")
    assert headers["user-agent"].startswith("opsbook/")
    assert headers["accept-encoding"] == "identity"
    assert headers["connection"] == "close"
    assert "content-length" not in headers
    assert body == b""


async def test_method_headers_and_body_are_those_of_the_book(looking: Looking) -> None:
    heard = Heard()
    async with heard.serve() as url:
        seen = await looking.look(
            kind="http",
            url=f"{url}/search",
            method="POST",
            headers={"Content-Type": "application/json", "user-agent": "probe", "Host": "shop"},
            body='{"q": "가"}',
        )
    assert seen.state == "ok"
    first, headers, body = heard.requests[0]
    assert first == "POST /search HTTP/1.1"
    assert (headers["content-type"], headers["user-agent"]) == ("application/json", "probe")
    assert headers["host"] == "shop"
    assert body.decode() == '{"q": "가"}'


async def test_a_body_longer_than_a_packet_arrives_whole(looking: Looking) -> None:
    heard = Heard()
    async with heard.serve() as url:
        seen = await looking.look(kind="http", url=url, method="PUT", body="x" * 60_000)
    assert seen.state == "ok"
    assert heard.requests[0][2] == b"x" * 60_000


async def test_an_answer_to_head_has_no_body_and_is_complete(looking: Looking) -> None:
    heard = Heard(lambda target: b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
    async with heard.serve() as url:
        seen = await looking.look(kind="http", url=url, method="HEAD")
    assert (seen.state, heard.requests[0][0]) == ("ok", "HEAD / HTTP/1.1")


async def test_secrets_are_looked_up_sent_and_never_shown(
    looking: Looking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROBE_TOKEN", "Bearer abcdef123456")
    key = tmp_path / "key"
    key.write_text("hunter22-first\n")

    def tell_tale(target: str) -> bytes:
        said = heard.requests[-1][1]
        shown = f"{said['authorization']} and {said['x-key']}"
        return f"HTTP/1.1 403 no {shown}\r\nContent-Length: 0\r\n\r\n".encode()

    heard = Heard(tell_tale)
    async with heard.serve() as url:
        fields = {
            "kind": "http",
            "url": url,
            "headers": {"Authorization": "env:PROBE_TOKEN", "X-Key": f"file:{key}"},
        }
        seen = await looking.look(**fields)
        key.write_text("hunter22-second\n")
        again = await looking.look()
    assert heard.requests[0][1]["authorization"] == "Bearer abcdef123456"
    assert [headers["x-key"] for _, headers, _ in heard.requests] == [
        "hunter22-first",
        "hunter22-second",
    ]
    for one in (seen, again):
        assert one.message.startswith("403 no ")
        assert "abcdef" not in one.message
        assert "hunter22" not in one.message


async def test_a_secret_that_comes_back_is_hidden_before_it_is_cut_short(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "hunter22-" + "abcdefghij" * 9
    monkeypatch.setenv("PROBE_TOKEN", secret)
    body = f'{{"who": "it is {secret}"}}'

    def tell_tale(status: str) -> Respond:
        head = f"HTTP/1.1 {status}\r\nX-Who: {secret}\r\nContent-Length: {len(body)}\r\n\r\n"
        return lambda target: (head + body).encode()

    for n, status in enumerate((f"200 {'-' * 60}{secret}", f"500 {'-' * 60}{secret}")):
        async with Heard(tell_tale(status)).serve() as url:
            seen = await looking.look(
                f"n{n}",
                kind="http",
                url=url,
                headers={"X-Key": "env:PROBE_TOKEN"},
                json={"who": "me"},
                response_headers={"X-Who": "me"},
            )
        assert seen.state == "critical"
        assert "hunter22" not in seen.message
        assert "abcdef" not in seen.message


async def test_a_user_and_a_password_are_basic_authentication(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROBE_PASSWORD", "p:ss wörd")
    heard = Heard()
    async with heard.serve() as url:
        await looking.look(kind="http", url=url, user="watch", password="env:PROBE_PASSWORD")
        there = url.replace("://", "://watch:hunter22@")
        await looking.look("other", kind="http", url=there)
    said = [headers["authorization"] for _, headers, _ in heard.requests]
    assert said == ["Basic d2F0Y2g6cDpzcyB3w7ZyZA==", "Basic d2F0Y2g6aHVudGVyMjI="]
    assert [headers["host"] for _, headers, _ in heard.requests] == [url[7:], url[7:]]


async def test_a_secret_that_is_not_there_is_missing_data_and_named(
    looking: Looking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PROBE_TOKEN", raising=False)
    with closed_port() as port:
        url = f"http://127.0.0.1:{port}/"
        for n, reference in enumerate(("env:PROBE_TOKEN", f"file:{tmp_path}/none")):
            seen = await looking.look(f"n{n}", kind="http", url=url, headers={"X-Key": reference})
            assert seen.state == "nodata"
            assert reference.removeprefix("file:") in seen.message
    broken = tmp_path / "broken"
    broken.write_text("one\ntwo")
    with closed_port() as port:
        url = f"http://127.0.0.1:{port}/"
        seen = await looking.look("n", kind="http", url=url, headers={"X-Key": f"file:{broken}"})
    assert (seen.state, seen.message) == (
        "nodata",
        "the secret for the header X-Key has a line break in it",
    )


async def test_redirects_are_followed_as_often_as_the_book_says(looking: Looking) -> None:
    heard = Heard(lambda target: FINE if target == "/3" else redirect(f"/{int(target[1:]) + 1}"))
    async with heard.serve() as url:
        seen = await looking.look("a", kind="http", url=f"{url}/0", redirects=3)
        assert (seen.state, seen.message) == ("ok", f"200 OK at {url}/3 after 3 redirects")
        seen = await looking.look("b", kind="http", url=f"{url}/0", redirects=2)
        assert seen.state == "critical"
        assert seen.message.endswith("redirects more than 2 times")
        seen = await looking.look("c", kind="http", url=f"{url}/2", redirects=2, status=[200])
        assert (seen.state, seen.message) == ("ok", f"200 OK at {url}/3 after 1 redirect")


async def test_the_address_at_the_end_is_asserted(looking: Looking) -> None:
    heard = Heard(lambda target: FINE if target != "/" else redirect("/login?next=secret"))
    async with heard.serve() as url:
        fields = {"kind": "http", "url": f"{url}/", "redirects": 1}
        seen = await looking.look("a", **fields, final_url=f"{url}/login?next=secret")
        assert seen.state == "ok"
        seen = await looking.look("b", **fields, final_url=f"{url}/shop")
    assert (seen.state, seen.message) == (
        "critical",
        f"200 OK at {url}/login after 1 redirect; the redirects should end at {url}/shop",
    )


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "PUT", "GET"),
        (307, "POST", "POST"),
        (308, "PUT", "PUT"),
        (302, "PUT", "PUT"),
        (303, "HEAD", "HEAD"),
    ],
)
async def test_a_redirect_is_asked_for_as_browsers_do(
    looking: Looking, status: int, method: str, then: str
) -> None:
    heard = Heard(lambda target: FINE if target == "/there" else redirect("there", status))
    fields: dict[str, Any] = {} if method == "HEAD" else {"body": "data"}
    async with heard.serve() as url:
        seen = await looking.look(kind="http", url=url, method=method, redirects=1, **fields)
    assert seen.state == "ok"
    assert heard.requests[1][0] == f"{then} /there HTTP/1.1"
    assert heard.requests[1][2] == (b"data" if then == method != "HEAD" else b"")


async def test_who_asks_is_told_to_nobody_but_the_origin_of_the_book(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROBE_TOKEN", "Bearer abcdef123456")
    elsewhere = Heard()
    async with elsewhere.serve() as there:
        heard = Heard(lambda target: redirect("/b") if target == "/" else redirect(there))
        async with heard.serve() as url:
            seen = await looking.look(
                kind="http",
                url=f"{url}/",
                redirects=2,
                headers={
                    "Authorization": "env:PROBE_TOKEN",
                    "Cookie": "session=1",
                    "Accept-Language": "ko",
                },
            )
    assert seen.state == "ok"
    assert [headers.get("authorization") for _, headers, _ in heard.requests] == [
        "Bearer abcdef123456",
        "Bearer abcdef123456",
    ]
    (_, headers, _) = elsewhere.requests[0]
    assert "authorization" not in headers
    assert "cookie" not in headers
    assert headers["accept-language"] == "ko"


@pytest.mark.parametrize(
    "to", ["ftp://a/", "http://", "http://[::1/", "http://a:99999/", "javascript:x", "http:///x"]
)
async def test_a_redirect_to_nowhere_is_critical(looking: Looking, to: str) -> None:
    async with Heard(lambda target: redirect(to)).serve() as url:
        seen = await looking.look(kind="http", url=url, redirects=1)
        assert (seen.state, seen.message) == (
            "critical",
            f"{url[7:]} redirects to something that is no web address",
        )
        seen = await looking.look("b", kind="http", url=url)
        assert (seen.state, seen.message[:9]) == ("critical", "302 Found")


async def test_a_redirects_target_that_fails_is_named(looking: Looking) -> None:
    with closed_port() as port:
        async with Heard(lambda target: redirect(f"http://127.0.0.1:{port}/")).serve() as url:
            seen = await looking.look(kind="http", url=url, redirects=1)
    assert seen.state == "critical"
    assert seen.message == f"127.0.0.1:{port} (where a redirect leads) refuses connections"


async def test_a_private_authority_is_trusted_where_the_book_names_it(
    looking: Looking, tmp_path: Path
) -> None:
    today = datetime.now(UTC)
    both = certificate(tmp_path, "127.0.0.1", starts=today, ends=today + timedelta(days=1))
    async with Heard().serve(server_side(both)) as url:
        seen = await looking.look("a", kind="http", url=url, ca=str(both))
        assert (seen.state, seen.message) == ("ok", "200 OK")
        seen = await looking.look("b", kind="http", url=url, ca=str(tmp_path / "none.pem"))
        assert seen.state == "nodata"
        assert "none.pem cannot be read: No such file" in seen.message
        other = certificate(tmp_path, "x", starts=today, ends=today + timedelta(1), name="other")
        seen = await looking.look("c", kind="http", url=url, ca=str(other))
        assert (seen.state, "TLS failed" in seen.message) == ("critical", True)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "closed the connection without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "broke off in the middle"),
        (b"SSH-2.0-x\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", "200 OK"),
    ],
)
def test_what_is_broken_over_tls_is_told_the_same_on_both_event_loops(
    tmp_path: Path, raw: bytes, told: str
) -> None:
    today = datetime.now(UTC)
    both = certificate(tmp_path, "127.0.0.1", starts=today, ends=today + timedelta(days=1))

    async def seen() -> str:
        looking = Looking(today)
        async with serving(answering(raw), server_side(both)) as port:
            found = await looking.look(kind="http", url=f"https://127.0.0.1:{port}/", ca=str(both))
        await looking.looker.close()
        return found.message

    for run in (asyncio.run, uvloop.run):
        assert told in run(seen())


async def test_a_name_is_asked_at_each_of_its_addresses(looking: Looking) -> None:
    async with Heard().serve() as url:  # on 127.0.0.1 alone; localhost may be ::1 first
        seen = await looking.look(kind="http", url=url.replace("127.0.0.1", "localhost"))
    assert (seen.state, seen.message) == ("ok", "200 OK")


async def test_an_address_of_this_server_is_filled_in(looking: Looking) -> None:
    seen = await looking.look(
        kind="http",
        url="{opsbook.url}/-/healthy",
        headers={"X-From": "{opsbook.host}"},
        json={"host": "{opsbook.host}"},
        contains=["{opsbook.host}"],
        redirects=1,
        user="a",
        password="env:PATH",
        timeout="1s",
    )
    planned = looking.planned["it"]
    assert (planned.fault, planned.spec.url) == ("", f"{FACTS.url}/-/healthy")
    assert planned.spec.json_ == {"host": FACTS.host}
    assert "cannot be filled in" not in seen.message


async def test_a_server_may_ask_who_we_are(looking: Looking, tmp_path: Path) -> None:
    today = datetime.now(UTC)
    ours = certificate(tmp_path, "probe", starts=today, ends=today + timedelta(1), name="ours")
    both = certificate(tmp_path, "127.0.0.1", starts=today, ends=today + timedelta(days=1))
    tls = server_side(both)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(ours)
    async with Heard().serve(tls) as url:
        fields = {"kind": "http", "url": url, "ca": str(both)}
        assert (await looking.look("a", **fields, certificate=str(ours))).state == "ok"
        assert (await looking.look("b", **fields)).state == "critical"
        seen = await looking.look("c", **fields, certificate=str(ours), key=str(both))
        assert seen.state == "nodata"
        assert "do not belong together" in seen.message


async def test_nginx_is_asked_like_any_server(looking: Looking, nginx: Nginx) -> None:
    (nginx.root / "health.json").write_text('{"status": "up", "queue": {"depth": 7}}')
    (nginx.root / "large").write_bytes(b"x" * 3_000_000)
    url = nginx.url
    seen = await looking.look(
        "a", kind="http", url=f"{url}/health.json", json={"status": "up"}, value="json:queue.depth"
    )
    assert (seen.state, seen.value, seen.unit) == ("ok", 7.0, "")
    assert (await looking.look("b", kind="http", url=f"{url}/none")).message.startswith("404")
    seen = await looking.look("c", kind="http", url=f"{url}/large", contains="y")
    assert "the first MiB of the body does not contain 'y'" in seen.message
    seen = await looking.look("d", kind="http", url=f"{url}/large", method="HEAD")
    assert seen.state == "ok"
    server = {"Server": "nginx/.*", "Content-Length": "3000000"}
    seen = await looking.look("e", kind="http", url=f"{url}/large", response_headers=server)
    assert seen.state == "ok"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"headers": {"Content-Length": "3"}}, "is filled by Opsbook"),
        ({"headers": {"bad header": "x"}}, "is not a header's name"),
        ({"headers": {"X": "line\nbreak"}}, "is not a header's value"),
        ({"user": "a"}, "go together"),
        ({"user": "a", "password": "plain"}, "is not a reference to a secret"),
        ({"method": "BREW"}, "method"),
        ({"method": "HEAD", "contains": "x"}, "has no body"),
        ({"redirects": 21}, "redirects"),
        ({"redirects": 0, "follow_redirects": True}, "leave one of the two"),
        ({"final_url": "http://a/"}, "no redirect is followed"),
        ({"key": "/a"}, "without its certificate"),
        ({"ca": "/a", "verify": False}, "nobody is trusted"),
        ({"matches": "(?=x)"}, "no regular expression of RE2"),
        ({"json": {"a[": 1}}, "no path into JSON"),
        ({"json": {"a": [1]}}, "cannot be compared"),
        ({"json": {"a": "> 3ms"}}, "has a unit"),
        ({"value": "queue"}, "names no value"),
        ({"contains": [3]}, "is no text"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_the_book(
    looking: Looking, fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(BookError, match=told):
        await looking.look(kind="http", url="http://127.0.0.1/", **fields)
