"""Asking: a connection, a request, the bytes that come back, and the connection gone.

Over plain TCP the socket is watched directly, without a transport around it: that is what makes a
look cheap, and it is the same on every event loop. TLS is the event loop's own. The caller's
timeout is the only one; whoever is cancelled leaves no connection behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

from opsbook.checks.connect import connect
from opsbook.checks.kind import Context
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
    connection, _ = await connect(context, request.host, request.port)
    try:
        reader = Reader(most, no_body=request.no_body)
        if tls is None:
            await _plain(connection, request.sent, reader)
        else:
            patience = context.timeout.total_seconds() + 1  # the look's own ends sooner
            await _secured(connection, request, reader, tls, patience)
    finally:
        connection.close()
    return reader.answer()


async def _plain(connection: socket.socket, sent: bytes, reader: Reader) -> None:
    """Send and read on a connected socket.

    A server that refuses a long request answers before it has read it all; what it said still
    counts, so a connection that breaks while sending is read all the same.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    began = _send(connection, sent)
    rest = loop.create_task(_rest(connection, sent[began:])) if began < len(sent) else None
    loop.add_reader(connection, _readable, connection, reader, done)
    try:
        await done
    finally:
        loop.remove_reader(connection)
        if rest is not None:
            rest.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await rest


def _send(connection: socket.socket, sent: bytes) -> int:
    """Send what can be sent at once; most often everything."""
    try:
        return connection.send(sent)
    except BlockingIOError:
        return 0
    except ConnectionError:
        return len(sent)  # what the server said before is still to be read


async def _rest(connection: socket.socket, rest: bytes) -> None:
    with contextlib.suppress(OSError):
        await asyncio.get_running_loop().sock_sendall(connection, rest)


def _readable(connection: socket.socket, reader: Reader, done: asyncio.Future[None]) -> None:
    """Some of the answer is there. Runs on the event loop, so nothing may escape from it."""
    if done.done():
        return
    try:
        data = connection.recv(PIECE)
        if data:
            if not reader.feed(data):
                return
        else:
            reader.end()
    except (BlockingIOError, InterruptedError):
        return
    except Exception as error:  # noqa: BLE001  handed to whoever waits
        done.set_exception(error)
        return
    done.set_result(None)


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
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(self._sent)

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
