"""Why PostgreSQL refuses a session, by its code and not in its words.

The driver keeps of a refusal only the sentence, which is in the server's language: "too many
clients" says as much in Korean. So where the words are none that we know, the server is asked once
more, by hand, with a startup message that names nobody; what it says of itself (no connection left,
starting, shutting down) it says to everyone, before it asks for a password and before TLS.

The messages: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import Final

from opsbook.checks.connect import connect
from opsbook.checks.kind import Context

VERSION: Final = 3 << 16
MOST_BYTES: Final = 8192
ANSWERS_WITHIN_S: Final = 2.0


async def code_of(context: Context, host: str, port: int) -> str:
    """The code (SQLSTATE) with which the server refuses anybody; empty if it does not."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            return await _asked(context, host, port)
    return ""


async def _asked(context: Context, host: str, port: int) -> str:
    if host.startswith("/"):
        reader, writer = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
    else:
        taken, _ = await connect(context, host, port)
        reader, writer = await asyncio.open_connection(sock=taken)
    try:
        told = struct.pack("!I", VERSION) + b"user\0opsbook\0database\0postgres\0\0"
        writer.write(struct.pack("!I", len(told) + 4) + told)
        kind, size = struct.unpack("!cI", await reader.readexactly(5))
        if kind != b"E" or not 4 < size <= MOST_BYTES:
            return ""
        return code_in(await reader.readexactly(size - 4))
    finally:
        writer.transport.abort()


def code_in(fields: bytes) -> str:
    """The code among the fields of an error: each a letter and a text that ends with a zero."""
    found = {one[:1]: one[1:] for one in fields.split(b"\0") if one}
    return found.get(b"C", b"").decode("ascii", "replace")
