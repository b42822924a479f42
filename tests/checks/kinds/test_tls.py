import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from opsbook.book import BookError
from opsbook.checks.kinds.tls import covers
from tests.checks.making import Looking, answering, certificate, closed_port, server_side, serving


def days(count: float) -> timedelta:
    return timedelta(days=count)


async def test_the_value_is_the_days_that_are_left(
    looking: Looking, now: datetime, tmp_path: Path
) -> None:
    file = certificate(tmp_path, "127.0.0.1", starts=now - days(1), ends=now + days(12))
    bands = {"warning": "< 30d", "critical": "< 7d"}
    async with serving(answering(b""), server_side(file)) as port:
        seen = await looking.look(kind="tls", host="127.0.0.1", port=port, bands=bands)
    assert (seen.state, seen.value, seen.unit) == ("warning", 12.0, "d")
    assert seen.message == "valid until 2026-03-15: 127.0.0.1"


@pytest.mark.parametrize(
    ("starts", "ends", "told"),
    [
        (-10, -1, "expired on 2026-03-02: 127.0.0.1"),
        (1, 10, "not valid before 2026-03-04: 127.0.0.1"),
    ],
)
async def test_one_that_is_not_valid_today_is_critical(
    looking: Looking, now: datetime, tmp_path: Path, starts: int, ends: int, told: str
) -> None:
    file = certificate(tmp_path, "127.0.0.1", starts=now + days(starts), ends=now + days(ends))
    async with serving(answering(b""), server_side(file)) as port:
        seen = await looking.look(kind="tls", host="127.0.0.1", port=port)
    assert (seen.state, seen.value, seen.message) == ("critical", ends, told)


async def test_one_for_another_name_is_critical(
    looking: Looking, now: datetime, tmp_path: Path
) -> None:
    file = certificate(tmp_path, "shop.example", starts=now, ends=now + days(90))
    async with serving(answering(b""), server_side(file)) as port:
        seen = await looking.look(kind="tls", host="127.0.0.1", port=port)
    assert seen.state == "critical"
    assert seen.message == "the certificate is not for 127.0.0.1, but for shop.example"


async def test_a_server_that_speaks_no_tls_is_critical(looking: Looking) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read()
        writer.close()

    async with serving(greet) as port:
        seen = await looking.look(kind="tls", host="127.0.0.1", port=port)
    assert (seen.state, seen.message) == (
        "critical",
        f"127.0.0.1:{port}: TLS failed: wrong version number",
    )
    with closed_port() as port:
        seen = await looking.look(kind="tls", host="127.0.0.1", port=port)
    assert (seen.state, seen.message) == ("critical", f"127.0.0.1:{port} refuses connections")


async def test_of_several_in_a_file_the_first_to_end_counts(
    looking: Looking, now: datetime, tmp_path: Path
) -> None:
    began = now - days(1)
    parts = [
        certificate(tmp_path, f"{n}.example", starts=began, ends=now + days(n), name=f"{n}")
        for n in (90, 5, 365)
    ]
    file = tmp_path / "chain.pem"
    file.write_bytes(b"".join(part.read_bytes() for part in parts))
    seen = await looking.look(kind="tls", file=str(file), bands={"critical": "< 7d"})
    assert (seen.state, seen.value) == ("critical", 5.0)
    assert seen.message == "valid until 2026-03-08: 5.example, the first to end of 3"


async def test_a_file_without_a_certificate_is_missing_data(
    looking: Looking, tmp_path: Path
) -> None:
    seen = await looking.look(kind="tls", file=str(tmp_path / "none.pem"))
    assert seen.state == "nodata"
    assert "No such file" in seen.message
    (tmp_path / "none.pem").write_bytes(b"\x30\x82garbage")
    seen = await looking.look()
    assert seen.state == "nodata"
    assert seen.message.endswith("none.pem holds no certificate")


@pytest.mark.parametrize(
    ("host", "is_for"),
    [
        ("shop.example", True),
        ("SHOP.example.", True),
        ("api.shop.example", True),
        ("a.api.shop.example", False),
        ("example", False),
        ("쇼핑.shop.example", True),
        ("::1", True),
        ("0:0:0:0:0:0:0:1", True),
        ("127.0.0.1", False),
    ],
)
def test_a_star_stands_for_one_label_and_addresses_are_compared_as_addresses(
    now: datetime, tmp_path: Path, host: str, is_for: bool
) -> None:
    file = certificate(
        tmp_path, "shop.example", "*.shop.example", "::1", starts=now, ends=now + days(1)
    )
    assert covers(x509.load_pem_x509_certificate(file.read_bytes()), host) is is_for


async def test_a_book_must_say_which_of_both_is_meant(looking: Looking) -> None:
    for fields in ({}, {"host": "a", "file": "/b"}):
        with pytest.raises(BookError, match="looks at a host or at a file"):
            await looking.look(kind="tls", **fields)
