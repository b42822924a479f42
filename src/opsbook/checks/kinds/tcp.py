"""``tcp``: does a port take connections, and say what it should, and how fast?

The value is the time to connect in ms, and where more is to be done (TLS, something to send or to
hear) the time until that was done too: a port that takes connections and stays silent serves
nobody.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from typing import Self

from pydantic import Field, model_validator

from opsbook.book.fields import Flag, Part, Port
from opsbook.checks import patterns
from opsbook.checks.connect import connect, failed, place
from opsbook.checks.fields import AbsolutePath, Host, complaint
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import Reading
from opsbook.checks.patterns import Pattern
from opsbook.checks.trust import Trust, trusting

MOST_BYTES = 64 * 1024
PIECE = 16 * 1024
FEW = 4 * 1024


class Tcp(Part):
    """A host and a port. Without `send` nothing is sent: a connection comes and goes."""

    host: Host
    """The machine, by its name or its address."""
    port: Port
    """The port that should take connections."""
    send: str | None = Field(default=None, min_length=1, max_length=16 * 1024)
    """What is sent after connecting; "\\\\r\\\\n" in double quotes is the end of a line."""
    expects: Pattern | None = None
    """A regular expression of RE2 that must match in the first 64 KiB of what comes back."""
    tls: Flag = False
    """Whether the connection is secured before anything is said."""
    verify: Flag = True
    """Whether the certificate must then be trusted."""
    ca: AbsolutePath | None = None
    """A file of the authorities that are trusted instead of the machine's."""

    @property
    def value_unit(self) -> str:
        """Milliseconds."""
        return "ms"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.ca is not None and not (self.tls and self.verify):
            raise complaint("nobody asks the authorities of ca; write tls: true, and not verify")
        return self


async def observe(spec: Tcp, context: Context) -> Reading:
    """Connect, talk if there is something to say or to hear, and close."""
    where = place(spec.host, spec.port)
    try:
        tls = await trusting(Trust(spec.verify, spec.ca), context) if spec.tls else None
        connection, took = await connect(context, spec.host, int(spec.port))
        try:
            if tls is None and spec.send is None and spec.expects is None:
                return Reading(took, "ms", f"{where} takes connections")
            began = time.perf_counter() - took / 1000
            return await _talked(spec, context, connection, tls, where, began)
        finally:
            connection.close()
    except OSError as error:
        return failed(error, where)


async def _talked(
    spec: Tcp, context: Context, connection: socket.socket, tls: ssl.SSLContext | None, where: str,
    began: float,
) -> Reading:  # fmt: skip
    """Say and hear. What was heard is told if it is not what was expected, also when time is up."""
    patience = context.timeout.total_seconds()
    reader, writer = await asyncio.open_connection(
        sock=connection,
        limit=PIECE,
        ssl=tls,
        server_hostname=None if tls is None else spec.host.rstrip("."),
        ssl_handshake_timeout=None if tls is None else patience + 1,
    )
    try:
        if spec.send is not None:
            writer.write(spec.send.encode())
        if spec.expects is None:
            await writer.drain()
            return Reading(_since(began), "ms", f"{where} takes connections")
        heard, ended = b"", ""
        wanted = patterns.compiled(spec.expects)
        try:
            async with asyncio.timeout(max(0.001, 0.9 * patience - _since(began) / 1000)):
                while len(heard) < MOST_BYTES:
                    piece = await reader.read(PIECE)
                    heard += piece
                    if wanted.search(patterns.encoded(heard)) is not None:
                        said = f"{where} says {_shown(heard)}"
                        return Reading(_since(began), "ms", said)
                    if len(heard) > FEW:  # or a byte at a time would be a search each
                        await asyncio.sleep(0.01)
                    if not piece:
                        ended = "closed the connection"
                        break
                else:
                    ended = "said more than 64 KiB"
        except TimeoutError:
            ended = "then fell silent" if heard else "said nothing in time"
        said = f"{where} {ended}; expected {spec.expects[:80]!r}"
        if heard:
            said += f", heard {_shown(heard)}"
        return Reading(message=said, state="critical")
    finally:
        writer.transport.abort()


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _shown(heard: bytes) -> str:
    line = heard.decode("utf-8", "replace").strip().split("\n", 1)[0].strip()
    return repr(line[:80])


KIND = Kind("tcp", Tcp, observe, silence="critical")
