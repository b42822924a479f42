import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsbook.book import BookError
from tests.checks.making import (
    FINE,
    Looking,
    answering,
    certificate,
    closed_port,
    server_side,
    serving,
    silent,
)


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def test_an_answer_of_200_is_fine_and_its_value_is_the_time_it_took(looking: Looking) -> None:
    async with serving(answering(FINE)) as port:
        seen = await looking.look(kind="http", url=f"http://127.0.0.1:{port}/")
    assert (seen.state, seen.unit, seen.message) == ("ok", "ms", "200 OK")
    assert seen.value is not None
    assert 0 < seen.value <= seen.latency_ms


async def test_another_status_is_critical_and_the_message_says_what_came_back(
    looking: Looking,
) -> None:
    async with serving(answering(answer("503 Service Unavailable"))) as port:
        url = f"http://127.0.0.1:{port}/"
        seen = await looking.look(kind="http", url=url)
        assert (seen.state, seen.message) == (
            "critical",
            "503 Service Unavailable; expected 200 to 299",
        )
        assert seen.value is not None
        seen = await looking.look(kind="http", url=url, status=[200, 503])
        assert seen.state == "ok"
        seen = await looking.look(kind="http", url=url, status=204)
        assert seen.message.endswith("expected 204")


async def test_a_redirect_is_an_answer_unless_the_book_says_to_follow_it(looking: Looking) -> None:
    away = answer("302 Found", "Location: /welcome?session=secret")
    async with serving(answering(away, away, FINE)) as port:
        url = f"http://127.0.0.1:{port}/"
        seen = await looking.look(kind="http", url=url)
        assert seen.state == "critical"
        assert seen.message == "302 Found, a redirect to /welcome; expected 200 to 299"
        seen = await looking.look(kind="http", url=url, follow_redirects=True)
    assert seen.state == "ok"
    assert seen.message == f"200 OK at http://127.0.0.1:{port}/welcome after 1 redirect"


async def test_redirects_without_an_end_are_cut_off(looking: Looking) -> None:
    async with serving(answering(answer("302 Found", "Location: /again"))) as port:
        url = f"http://127.0.0.1:{port}/"
        seen = await looking.look(kind="http", url=url, follow_redirects=True)
    assert (seen.state, seen.message) == (
        "critical",
        f"127.0.0.1:{port} redirects more than 5 times",
    )


async def test_the_body_must_contain_what_the_book_says(looking: Looking) -> None:
    page = answer(
        "200 OK", "Content-Type: text/plain; charset=euc-kr", body="정상".encode("euc-kr")
    )
    async with serving(answering(page)) as port:
        url = f"http://127.0.0.1:{port}/"
        assert (await looking.look(kind="http", url=url, contains="정상")).state == "ok"
        seen = await looking.look(kind="http", url=url, contains="장애")
    assert (seen.state, seen.message) == ("critical", "200 OK; the body does not contain '장애'")


async def test_a_body_without_end_is_read_only_so_far(looking: Looking) -> None:
    flood = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 3_000_000 + b"needle"
    async with serving(answering(flood)) as port:
        url = f"http://127.0.0.1:{port}/"
        seen = await looking.look(kind="http", url=url, contains="needle")
    assert seen.state == "critical"
    assert "the first MiB of the body does not contain" in seen.message


async def test_a_compressed_body_is_not_blown_up(looking: Looking) -> None:
    bomb = answer("200 OK", "Content-Encoding: gzip", body=gzip.compress(b"0" * 50_000_000))
    async with serving(answering(bomb)) as port:
        seen = await looking.look(kind="http", url=f"http://127.0.0.1:{port}/")
    assert seen.state == "ok"


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "broke off in the middle"),
    ],
)
async def test_what_is_no_answer_is_critical(looking: Looking, raw: bytes, told: str) -> None:
    async with serving(answering(raw)) as port:
        seen = await looking.look(kind="http", url=f"http://127.0.0.1:{port}/")
    assert seen.state == "critical"
    assert told in seen.message


async def test_a_refused_connection_is_critical(looking: Looking) -> None:
    with closed_port() as port:
        seen = await looking.look(kind="http", url=f"http://127.0.0.1:{port}/")
    assert (seen.state, seen.message) == ("critical", f"127.0.0.1:{port} refuses connections")


async def test_a_target_that_accepts_and_never_answers_is_an_outage(looking: Looking) -> None:
    async with serving(silent) as port:
        url = f"http://127.0.0.1:{port}/"
        seen = await looking.look(kind="http", url=url, timeout="100ms")
    assert (seen.state, seen.message) == ("critical", "no answer within 100ms")


async def test_a_certificate_nobody_trusts_is_critical_unless_it_need_not_be(
    looking: Looking, tmp_path: Path
) -> None:
    today = datetime.now(UTC)
    file = certificate(tmp_path, "127.0.0.1", starts=today, ends=today + timedelta(days=1))
    async with serving(answering(FINE), server_side(file)) as port:
        url = f"https://127.0.0.1:{port}/"
        seen = await looking.look(kind="http", url=url)
        assert (seen.state, seen.message) == (
            "critical",
            f"127.0.0.1:{port}: TLS failed: self-signed certificate",
        )
        seen = await looking.look(kind="http", url=url, verify=False)
        assert seen.state == "ok"


async def test_a_password_in_the_address_is_used_and_never_shown(looking: Looking) -> None:
    async with serving(answering(answer("401 Unauthorized"))) as port:
        url = f"http://watch:hunter22@127.0.0.1:{port}/?token=abc"
        seen = await looking.look(kind="http", url=url)
        assert "hunter22" not in seen.message
        assert "abc" not in seen.message
    with closed_port() as port:
        seen = await looking.look(kind="http", url=f"http://watch:hunter22@127.0.0.1:{port}/")
        assert "hunter22" not in seen.message


@pytest.mark.parametrize("url", ["ftp://a/", "example.org", "http://", "http://a:99999/", "/x"])
async def test_what_is_no_web_address_is_refused_with_the_book(looking: Looking, url: str) -> None:
    with pytest.raises(BookError, match="is no web address"):
        await looking.look(kind="http", url=url)
