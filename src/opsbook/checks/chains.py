"""The certificates a server shows, and how a conversation gets to TLS in the first place.

Python tells the whole chain from 3.13 on. Before that it knows it and does not say it in public;
where it says nothing at all, the server's own certificate is all that is looked at.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal

from cryptography import x509

from opsbook.checks.connect import connect
from opsbook.checks.kind import Context
from opsbook.checks.lean import NoAnswer

StartTls = Literal["smtp", "imap", "pop3", "postgres"]
PORTS: Final[Mapping[StartTls, int]] = {"smtp": 25, "imap": 143, "pop3": 110, "postgres": 5432}
MOST_BEFORE: Final = 16 * 1024
_DER: Final = 2  # ssl's own number for this form
_SSL_REQUEST: Final = bytes.fromhex("00000008 04d2162f")

Chain = list[x509.Certificate]


async def shown(
    context: Context, host: str, port: int, tls: ssl.SSLContext, start: StartTls | None = None
) -> Chain:
    """Return the chain of a server: as it was judged if `tls` verifies, else as it was sent.

    Raises:
        NoAnswer: the server does not get to TLS, or shows nothing.
        OSError: no connection, or no TLS (`ssl.SSLError`).
        ValueError: a certificate that cannot be read.
    """
    connection, _ = await connect(context, host, port)
    try:
        if start is not None:
            await _STARTING[start](_Lines(connection))
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol,
            sock=connection,
            ssl=tls,
            server_hostname=host.rstrip("."),
            ssl_handshake_timeout=context.timeout.total_seconds() + 1,  # the look's own is first
        )
        try:
            found = _chain(transport.get_extra_info("ssl_object"), tls.verify_mode != ssl.CERT_NONE)
        finally:
            transport.abort()
    finally:
        connection.close()
    if not found:
        raise NoAnswer("shows no certificate")
    return [x509.load_der_x509_certificate(one) for one in found]


def _chain(session: Any, verified: bool) -> list[bytes]:
    """Return a session's certificates in DER form, the server's own first."""
    name = "get_verified_chain" if verified else "get_unverified_chain"
    ask = getattr(session, name, None) or getattr(getattr(session, "_sslobj", None), name, None)
    if ask is not None:
        return [one if isinstance(one, bytes) else one.public_bytes(_DER) for one in ask() or ()]
    own = session.getpeercert(binary_form=True)
    return [own] if own else []


# ---- getting to TLS -----------------------------------------------------------------------------


class _Lines:
    """The conversation before TLS, line by line, `MOST_BEFORE` bytes of it.

    Nothing is read beyond the line that is asked for: what a server says after it would be taken
    for the answer of the secured conversation.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._heard = 0

    async def say(self, raw: bytes) -> None:
        await self._loop.sock_sendall(self._connection, raw)

    async def byte(self) -> bytes:
        found = await self._loop.sock_recv(self._connection, 1)
        if not found:
            raise NoAnswer("closed the connection before TLS")
        self._heard += 1
        if self._heard > MOST_BEFORE:
            raise NoAnswer(f"says more than {MOST_BEFORE // 1024} KiB before TLS")
        return found

    async def line(self) -> str:
        line = bytearray()
        while not line.endswith(b"\n"):
            line += await self.byte()
        return line.decode("latin-1").strip()

    async def until(self, ends: Callable[[str], bool]) -> str:
        while not ends(line := await self.line()):
            pass
        return line


async def _smtp(lines: _Lines) -> None:
    """RFC 3207. A reply's last line has a space after its number."""
    for say, wanted in (("", "220"), ("EHLO opsbook", "250"), ("STARTTLS", "220")):
        if say:
            await lines.say(f"{say}\r\n".encode())
        _expect(await lines.until(lambda line: line[3:4] != "-"), wanted, say or "connecting")


async def _imap(lines: _Lines) -> None:
    """RFC 9051, 6.2.1."""
    _expect(await lines.line(), "* OK", "connecting")
    await lines.say(b"A STARTTLS\r\n")
    _expect(await lines.until(lambda line: line.startswith("A ")), "A OK", "STARTTLS")


async def _pop3(lines: _Lines) -> None:
    """RFC 2595, 4."""
    _expect(await lines.line(), "+OK", "connecting")
    await lines.say(b"STLS\r\n")
    _expect(await lines.line(), "+OK", "STLS")


async def _postgres(lines: _Lines) -> None:
    """PostgreSQL's SSLRequest; the answer is one byte."""
    await lines.say(_SSL_REQUEST)
    found = await lines.byte()
    if found != b"S":
        raise NoAnswer("has no TLS" if found == b"N" else "does not speak as PostgreSQL does")


def _expect(line: str, wanted: str, say: str) -> None:
    if not line.upper().startswith(wanted):
        raise NoAnswer(f"says {line[:80]!r} to {say}, not {wanted}")


_STARTING: Final[Mapping[StartTls, Callable[[_Lines], Awaitable[None]]]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "postgres": _postgres,
}
