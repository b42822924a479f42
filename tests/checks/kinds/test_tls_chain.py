"""The way from a server's certificate up to an authority, and what is spoken before TLS."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from opsbook.book import BookError
from tests.checks.making import Handler, Looking, answering, server_side, serving, silent
from tests.support.servers import Postgres, needs

NOW = datetime.now(UTC)


@dataclass
class Signed:
    """A certificate with its key, and who signed it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self, *, with_key: bool = False) -> bytes:
        told = self.certificate.public_bytes(serialization.Encoding.PEM)
        if with_key:
            told += self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        return told


def signed(name: str, days: float, by: Signed | None = None, *, authority: bool = True) -> Signed:
    """A certificate for `name` that ends in so many days; without `by` it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = by.certificate.subject if by else subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=400))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        builder = builder.add_extension(names, critical=False)
    return Signed(builder.sign(by.key if by else key, hashes.SHA256()), key)


@dataclass
class Shop:
    """A server's certificate, an intermediate and a root, in files."""

    folder: Path
    own: float = 90
    middle: float = 900
    root: float = 9000

    def __post_init__(self) -> None:
        self.top = signed("Root", self.root)
        self.between = signed("Middle", self.middle, self.top)
        self.leaf = signed("localhost", self.own, self.between, authority=False)
        self.ca = self.folder / "root.pem"
        self.ca.write_bytes(self.top.pem())

    def server(self, *sent: Signed) -> ssl.SSLContext:
        file = self.folder / "sent.pem"
        others = sent or (self.between,)
        file.write_bytes(self.leaf.pem(with_key=True) + b"".join(one.pem() for one in others))
        return server_side(file)


@pytest.fixture
async def looking() -> AsyncIterator[Looking]:
    """Looks at the time that the machine has: whom TLS trusts is a matter of the real time."""
    looking = Looking(NOW)
    yield looking
    await looking.looker.close()


def asked(port: int, **fields: Any) -> dict[str, Any]:
    return {"kind": "tls", "host": "localhost", "port": port, **fields}


def day(days: float) -> str:
    return f"{NOW + timedelta(days=days):%Y-%m-%d}"


async def test_a_whole_chain_is_trusted_and_its_first_to_end_counts(
    looking: Looking, tmp_path: Path
) -> None:
    shop = Shop(tmp_path, own=90, middle=20)
    async with serving(answering(b""), shop.server()) as port:
        fields = asked(port, chain="trusted", ca=str(shop.ca))
        seen = await looking.look(**fields, bands={"warning": "< 30d"})
        assert (seen.state, round(seen.value or 0, 1)) == ("warning", 20.0)
        assert seen.message == f"valid until {day(20)}: CN=Middle, the first to end of its chain"
        seen = await looking.look("own", **asked(port))
        assert (seen.state, round(seen.value or 0, 1)) == ("ok", 90.0)
        assert seen.message == (
            f"valid until {day(90)}: localhost; sent with it and ends sooner, on {day(20)}: "
            "CN=Middle"
        )


async def test_an_expired_intermediate_is_an_outage_and_named(
    looking: Looking, tmp_path: Path
) -> None:
    shop = Shop(tmp_path, middle=-3)
    async with serving(answering(b""), shop.server()) as port:
        seen = await looking.look(**asked(port, chain="trusted", ca=str(shop.ca)))
        assert (seen.state, round(seen.value or 0, 1)) == ("critical", 90.0)
        assert seen.message == (
            "not trusted: certificate has expired; of its chain expired: "
            f"CN=Middle on {day(-3)}; valid until {day(90)}: localhost"
        )
        seen = await looking.look("own", **asked(port))
        assert seen.state == "ok"
        assert f"sent with it and expired on {day(-3)}: CN=Middle" in seen.message


async def test_an_expired_one_that_nobody_needs_is_told_and_not_judged(
    looking: Looking, tmp_path: Path
) -> None:
    shop = Shop(tmp_path)
    old = signed("Old root", -30)
    async with serving(answering(b""), shop.server(shop.between, old)) as port:
        seen = await looking.look(**asked(port, chain="trusted", ca=str(shop.ca)))
        assert (seen.state, round(seen.value or 0)) == ("ok", 90)


async def test_a_missing_intermediate_is_told(looking: Looking, tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    alone = tmp_path / "alone.pem"
    alone.write_bytes(shop.leaf.pem(with_key=True))
    async with serving(answering(b""), server_side(alone)) as port:
        seen = await looking.look(**asked(port, chain="trusted", ca=str(shop.ca)))
    assert seen.state == "critical"
    assert seen.message.startswith(
        "not trusted: unable to get local issuer certificate; it sends its own certificate alone"
    )


async def test_an_authority_nobody_named_is_not_trusted(looking: Looking, tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    async with serving(answering(b""), shop.server()) as port:
        seen = await looking.look(**asked(port, chain="trusted"))
        assert (seen.state, seen.message[:12]) == ("critical", "not trusted:")
        assert (await looking.look("own", **asked(port))).state == "ok"
        other = {"kind": "tls", "host": "127.0.0.1", "port": port}
        seen = await looking.look("name", **other, chain="trusted", ca=str(shop.ca))
        assert seen.message == "the certificate is not for 127.0.0.1, but for localhost"
        seen = await looking.look("file", **asked(port, chain="trusted", ca=str(tmp_path / "x")))
        assert (seen.state, "x cannot be read: No such file" in seen.message) == ("nodata", True)


# ---- before TLS ---------------------------------------------------------------------------------


def talking(*turns: tuple[bytes, bytes], tls: ssl.SSLContext) -> Handler:
    """Say the first of each turn, wait for the second, and then secure the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            for say, hear in turns:
                writer.write(say)
                if hear:
                    assert await reader.readuntil(hear[-1:]) == hear
            await writer.drain()
            await writer.start_tls(tls)
            await reader.read()
        writer.close()

    return handle


TALKS: dict[str, list[tuple[bytes, bytes]]] = {
    "smtp": [
        (b"220-mail\r\n220 ready\r\n", b"EHLO opsbook\r\n"),
        (b"250-mail\r\n250-SIZE 1\r\n250 STARTTLS\r\n", b"STARTTLS\r\n"),
        (b"220 go on\r\n", b""),
    ],
    "imap": [(b"* OK ready\r\n", b"A STARTTLS\r\n"), (b"* x\r\nA OK go on\r\n", b"")],
    "pop3": [(b"+OK ready\r\n", b"STLS\r\n"), (b"+OK go on\r\n", b"")],
    "postgres": [(b"", bytes.fromhex("0000000804d2162f")), (b"S", b"")],
}


@pytest.mark.parametrize("start", TALKS)
async def test_what_is_spoken_before_tls_leads_to_it(
    looking: Looking, tmp_path: Path, start: str
) -> None:
    shop = Shop(tmp_path)
    async with serving(talking(*TALKS[start], tls=shop.server())) as port:
        fields = asked(port, starttls=start, chain="trusted", ca=str(shop.ca))
        seen = await looking.look(**fields)
    assert (seen.state, round(seen.value or 0)) == ("ok", 90), seen.message


@pytest.mark.parametrize(
    ("start", "raw", "told"),
    [
        ("smtp", b"554 go away\r\n", "says '554 go away' to connecting, not 220"),
        ("smtp", b"220 a\r\n502 what\r\n", "says '502 what' to EHLO opsbook, not 250"),
        ("smtp", b"220-" * 9000, "says more than 16 KiB before TLS"),
        ("smtp", b"220-again\r\n" * 9000, "says more than 16 KiB before TLS"),
        ("imap", b"* BYE\r\n", "says '* BYE' to connecting, not * OK"),
        ("pop3", b"-ERR\r\n", "says '-ERR' to connecting, not +OK"),
        ("postgres", b"N", "has no TLS"),
        ("postgres", b"E", "does not speak as PostgreSQL does"),
        ("postgres", b"", "closed the connection before TLS"),
    ],
)
async def test_a_server_that_does_not_get_to_tls_is_critical(
    looking: Looking, start: str, raw: bytes, told: str
) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(raw)
            await writer.drain()
            writer.write_eof()
            while await reader.read(4096):
                pass
        writer.close()

    async with serving(say) as port:
        seen = await looking.look(**asked(port, starttls=start))
    assert (seen.state, seen.message) == ("critical", f"localhost:{port} {told}")


async def test_a_server_that_says_nothing_is_an_outage(looking: Looking) -> None:
    async with serving(silent) as port:
        for start in ({}, {"starttls": "smtp"}):
            seen = await looking.look(f"n{len(start)}", **asked(port, timeout="100ms", **start))
            assert (seen.state, seen.message) == ("critical", "no answer within 100ms")


async def test_a_real_postgresql_without_tls_says_so(looking: Looking, postgres: Postgres) -> None:
    """The server of the tests listens on a socket of the machine alone; a port leads there."""
    needs("postgres")
    place = next(postgres.folder.glob(".s.PGSQL.*[0-9]"))

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner = await asyncio.open_unix_connection(str(place))
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            inner.write(await reader.readexactly(8))
            writer.write(await inner_reader.readexactly(1))
            await writer.drain()
        inner.close()
        writer.close()

    async with serving(through) as port:
        seen = await looking.look(**asked(port, starttls="postgres"))
    assert (seen.state, seen.message) == ("critical", f"localhost:{port} has no TLS")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"file": "/a", "chain": "trusted"}, "is not asked for its chain"),
        ({"file": "/a", "starttls": "smtp"}, "is not asked for its chain"),
        ({"host": "a", "ca": "/a"}, "write chain: trusted too"),
        ({"host": "a", "starttls": "telnet"}, "starttls"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_the_book(
    looking: Looking, fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(BookError, match=told):
        await looking.look(kind="tls", **fields)


async def test_without_a_port_the_usual_one_is_meant(looking: Looking) -> None:
    from opsbook.checks.kinds.tls import Tls

    assert Tls(host="a").at == 443
    assert Tls(host="a", starttls="smtp").at == 25
    assert Tls(host="a", starttls="postgres").at == 5432
    assert Tls(host="a", starttls="imap", port=1143).at == 1143
