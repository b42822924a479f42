"""Asking: a connection, a request, the bytes that come back, and the connection gone.

Over plain TCP the socket is watched directly (`watching`), without a transport around it and
without waking a task before the answer is there: that makes a look cheap, on every event loop.
TLS is the event loop's own. The caller's timeout is the only one; whoever is cancelled leaves no
connection behind.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from typing import Any, cast

from opsbook.checks.connect import connect, opened
from opsbook.checks.kind import Context
from opsbook.checks.lean import watching
from opsbook.checks.lean.answer import Answer, NoAnswer, Reader
from opsbook.checks.lean.request import Request

PIECE = 64 * 1024


async def ask(
    context: Context, request: Request, most: int, tls: ssl.SSLContext | None = None
) -> Answer:
    """Ask over a new connection; of the body, at most `most` bytes are read.

    Raises:
        NoAnswer: what came back is no answer.
        OSError: no connection, no TLS (`ssl.SSLError`), or one that was lost.
    """
    reader = Reader(most, no_body=request.no_body)
    addresses = await context.addresses(request.host, request.port)
    if tls is None and len(addresses) == 1:
        family, place = addresses[0]
        with opened(family) as connection:
            await _Exchange(connection, request.sent, reader).over(place)
        return reader.answer()
    connection, _ = await connect(context, request.host, request.port)
    try:
        if tls is None:
            await _Exchange(connection, request.sent, reader).over()
        else:
            patience = context.timeout.total_seconds() + 1  # the look's own ends sooner
            await _secured(connection, request, reader, tls, patience)
    finally:
        connection.close()
    return reader.answer()


class _Exchange:
    """A request and its answer over a socket that is not secured.

    What the event loop calls lets nothing escape. A server that refuses a long request answers
    before it has read it all; what it said still counts, so a connection that breaks while sending
    is read all the same.
    """

    __slots__ = ("_connection", "_done", "_left", "_reader")

    def __init__(self, connection: socket.socket, sent: bytes, reader: Reader) -> None:
        self._connection = connection
        self._left = sent
        self._reader = reader
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def over(self, place: tuple[Any, ...] | None = None) -> None:
        """Connect to `place`, if it is not connected, send, and read until the answer is whole."""
        fault = 0 if place is None else self._connection.connect_ex(place)
        if fault not in {0, errno.EINPROGRESS}:
            raise OSError(fault, os.strerror(fault))
        watch = watching.of(asyncio.get_running_loop())
        watch.add(self._connection, self._changed)
        try:
            await self._done
        finally:
            watch.remove(self._connection)

    def _changed(self) -> None:
        """It is connected, or is not; there is room to send, or something to read."""
        if self._done.done():
            return
        try:
            if self._left:
                self._send()
            if self._read():
                self._done.set_result(None)
        except Exception as error:  # noqa: BLE001  handed to whoever waits
            self._done.set_exception(error)

    def _send(self) -> None:
        """Send until there is no room; a connection that was not made is told here, too."""
        try:
            while self._left:
                self._left = self._left[self._connection.send(self._left) :]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self._left = b""

    def _read(self) -> bool:
        """Read until there is no more, which the bounds of the reader end; whether that was all."""
        try:
            while data := self._connection.recv(PIECE):
                if self._reader.feed(data):
                    return True
        except BlockingIOError:
            return False
        self._reader.end()
        return True


async def _secured(
    connection: socket.socket, request: Request, reader: Reader, tls: ssl.SSLContext,
    patience: float,
) -> None:  # fmt: skip
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    transport, _ = await loop.create_connection(
        lambda: _Conversation(request.sent, reader, done),
        sock=connection,
        ssl=tls,
        server_hostname=request.host,
        ssl_handshake_timeout=patience,
    )
    try:
        await done
    finally:
        transport.abort()


class _Conversation(asyncio.Protocol):
    """The same over TLS."""

    def __init__(self, sent: bytes, reader: Reader, done: asyncio.Future[None]) -> None:
        self._sent = sent
        self._reader = reader
        self._done = done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is no asyncio.WriteTransport by its class
        cast(asyncio.WriteTransport, transport).write(self._sent)

    def data_received(self, data: bytes) -> None:
        if self._done.done():
            return
        try:
            finished = self._reader.feed(data)
        except NoAnswer as error:
            self._done.set_exception(error)
        else:
            if finished:
                self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done.done():
            return
        try:
            if exc is not None:
                raise exc
            self._reader.end()
        except Exception as error:  # noqa: BLE001  handed to whoever waits
            self._done.set_exception(error)
        else:
            self._done.set_result(None)
