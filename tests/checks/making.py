"""Books, targets and certificates for the tests of checks and alerts; all of them real."""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from opsbook.base.clock import WoundClock
from opsbook.base.database import Database
from opsbook.base.hub import Hub
from opsbook.base.loops import Loops
from opsbook.book import Book, Vocabulary, load
from opsbook.book.library import Library
from opsbook.checks import KINDS, Facts, Kind, Observation, Scheduler
from opsbook.checks.looking import Looker
from opsbook.checks.model import SPREAD
from opsbook.checks.plan import Planned, target_of

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
FACTS = Facts(data="/var/lib/opsbook", url="http://127.0.0.1:8420", host="127.0.0.1", port=8420)
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"


def book(
    checks: Mapping[str, Mapping[str, Any]],
    rules: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    kinds: Mapping[str, Kind] = KINDS,
    **about: Any,
) -> Book:
    """A loaded book with these checks and rules, and whatever `about` says."""
    whole = {
        "id": "shop",
        "title": "Shop",
        "timezone": "Asia/Seoul",
        "severities": {"P1": {"title": "Outage"}},
        "checks": {name: {"title": name, **check} for name, check in checks.items()},
        "rules": {
            name: {"severity": "P1", "summary": f"{name}!", **rule}
            for name, rule in (rules or {}).items()
        },
        **about,
    }
    vocabulary = Vocabulary(check_kinds={name: kind.model for name, kind in kinds.items()})
    return load({"book.yaml": yaml.safe_dump(whole, allow_unicode=True)}, vocabulary)


class Looking:
    """A looker with a clock that stands still; `look` returns the observation of one check."""

    def __init__(self, now: datetime) -> None:
        self.clock = WoundClock(now)
        self.looker = Looker(self.clock, KINDS)
        self.planned: dict[str, Planned] = {}
        self.targets: dict[str, dict[str, Any]] = {}

    async def look(self, name: str = "it", /, **check: Any) -> Observation:
        """Look once; the same `name` again goes on with what the check remembers."""
        if check or name not in self.planned:
            whole = book({name: check}, targets=self.targets)
            made = whole.checks[name]
            target = target_of(whole, made)
            self.planned[name] = Planned.of("shop", made, FACTS.by_name(), target)
        return await self.looker.look(self.planned[name])


@contextlib.asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on a free port of the loopback."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def answering(*answers: bytes) -> Handler:
    """Give these answers in turn, the last one for ever, and close each time."""
    left = list(answers)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            await writer.drain()
        writer.close()

    return handle


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the connection and never answer."""
    with contextlib.suppress(ConnectionError):
        while await reader.read(4096):
            pass
    writer.close()


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else can get meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def certificate(
    folder: Path, *names: str, starts: datetime, ends: datetime, name: str = "server"
) -> Path:
    """A self-signed certificate with its key, both in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A test")])
    listed: list[x509.GeneralName] = []
    for one in names:
        try:
            listed.append(x509.IPAddress(ipaddress.ip_address(one)))
        except ValueError:
            listed.append(x509.DNSName(one))
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(ends)
    )
    if listed:
        builder = builder.add_extension(x509.SubjectAlternativeName(listed), critical=False)
    made = builder.sign(key, hashes.SHA256())
    file = folder / f"{name}.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


def server_side(file: Path) -> ssl.SSLContext:
    """What a server needs to show the certificate in `file`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


class Watch:
    """A scheduler over a real database, driven by a wound clock."""

    def __init__(
        self,
        database: Database,
        now: datetime,
        *books: Book,
        kinds: Mapping[str, Kind] = KINDS,
        at_most: int = 32,
    ) -> None:
        self.database = database
        self.clock = WoundClock(now)
        self.hub = Hub()
        database.on_commit = self.hub.touch
        self.loops = Loops(self.clock)
        models = {name: kind.model for name, kind in kinds.items()}
        self.library = Library(database, Vocabulary(check_kinds=models))
        for one in books:
            self.library.remember(one)
        self.scheduler = Scheduler(
            database, self.library, self.loops, self.clock, FACTS, at_most=at_most, kinds=kinds
        )
        self.scheduler.wire(self.hub)

    async def __aenter__(self) -> "Watch":
        await self.scheduler.start()
        self.loops.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.loops.stop()
        await self.scheduler.stop()

    async def wind(self, **by: float) -> None:
        await self.loops.wind(timedelta(**by))

    async def begin(self) -> None:
        """Make every first look due, without waiting for any of them to end."""
        await self.loops.settle()
        self.clock.advance(SPREAD)

    async def reload(self, *books: Book) -> None:
        """Let other revisions be current, as an edit of a book does."""
        for one in books:
            self.library.remember(one)
        await self.database.write(lambda tx: tx.touch("books"))
        await self.loops.settle()
