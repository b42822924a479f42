"""Connecting, and what a connection that fails says about the target.

The one distinction that matters at night: did *they* fail, or could *we* not look? A refusal is an
answer, and critical; so is silence, since whoever waits for the service waits in vain. A resolver
that does not answer, a network that is gone on our side, no free port or file descriptor are ours,
and missing data.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import time
from typing import Any

from opsbook.checks.kind import Context
from opsbook.checks.model import Reading

OURS = {
    errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL,
    errno.ENETUNREACH, errno.ENETDOWN, errno.EACCES, errno.EPERM, errno.ENOSPC,
}  # fmt: skip
_NOT_BLOCKING = getattr(socket, "SOCK_NONBLOCK", 0)
UNKNOWN_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


async def connect(context: Context, host: str, port: int) -> tuple[socket.socket, float]:
    """Return a connected socket and how long the connection took, in ms, names not counted.

    Each address of a name is tried in turn, all but the last for an even share of the time, so that
    one that swallows packets does not use up the time of one that answers.

    Raises:
        OSError: of the last address tried.
    """
    addresses = await context.addresses(host, port)
    failure = OSError(f"the name {host} stands for no address")
    share = context.timeout.total_seconds() / max(1, len(addresses))
    for left, (family, place) in zip(range(len(addresses), 0, -1), addresses, strict=True):
        connection: socket.socket | None = None
        began = time.perf_counter()
        try:
            connection = opened(family)
            if left > 1:
                async with asyncio.timeout(share):
                    await _connected(connection, place)
            else:
                await _connected(connection, place)
        except OSError as error:
            failure = error
            _close(connection)
        except BaseException:
            _close(connection)
            raise
        else:
            return connection, (time.perf_counter() - began) * 1000
    raise failure


def opened(family: socket.AddressFamily) -> socket.socket:
    """Return a socket that does not block, made so at once where the system can."""
    connection = socket.socket(family, socket.SOCK_STREAM | _NOT_BLOCKING)
    if not _NOT_BLOCKING:
        connection.setblocking(False)
    return connection


async def _connected(connection: socket.socket, place: tuple[Any, ...]) -> None:
    """Connect, without the event loop's own way, which costs as much again as the connection."""
    fault = connection.connect_ex(place)
    if fault == errno.EINPROGRESS:
        await _writable(connection)
        fault = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if fault:
        raise OSError(fault, os.strerror(fault))


async def _writable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    loop.add_writer(connection, _wake, done)
    try:
        await done
    finally:
        loop.remove_writer(connection)


def _wake(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def failed(error: Exception, where: str) -> Reading:
    """Return the reading for a connection to `where` that failed with `error`."""
    if isinstance(error, socket.gaierror):
        if error.errno in UNKNOWN_NAME:
            return Reading(message=f"the name of {where} is not known", state="critical")
        return Reading(message=f"the name of {where} cannot be looked up: {error.strerror}")
    if isinstance(error, ssl.SSLError):
        return Reading(message=f"{where}: TLS failed: {_reason(error)}", state="critical")
    if isinstance(error, TimeoutError):
        return Reading(message=f"{where} did not answer in time", state="critical")
    if isinstance(error, ConnectionRefusedError):
        return Reading(message=f"{where} refuses connections", state="critical")
    if isinstance(error, ConnectionError):
        return Reading(message=f"{where} closed the connection", state="critical")
    if isinstance(error, OSError):
        told = f"{where} cannot be reached: {error.strerror or error}"
        return Reading(message=told, state=None if error.errno in OURS else "critical")
    return Reading(message=f"{where}: {error}", state="critical")


def place(host: str, port: int | str) -> str:
    """Return host and port as people write them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason or str(error)).replace("_", " ").lower()


def _close(connection: socket.socket | None) -> None:
    if connection is not None:
        connection.close()
