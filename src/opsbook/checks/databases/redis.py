"""A session with Redis for one look: connect, ask, gone again.

The driver is redis-py's connection without its pool: a look asks one or two things over a new
connection. Name, socket and TLS are ours, as for every look, so that a failure is told apart in
the words of the house and a resolver that hangs holds up nobody.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis import exceptions
from redis.asyncio.connection import Connection

from opsbook.book.redis import Address
from opsbook.checks.asking import Credential
from opsbook.checks.connect import connect, failed, place
from opsbook.checks.kind import Context
from opsbook.checks.model import CannotLook, Reading
from opsbook.checks.trust import Trust, trusting

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Given(Connection):
    """The driver's connection over streams that are open already."""

    def __init__(self, streams: Streams, **told: Any) -> None:
        super().__init__(**told)
        self._streams = streams

    async def _connect(self) -> None:
        self._reader, self._writer = self._streams

    def drop(self) -> None:
        """End the connection at once, whatever the other end does."""
        self._reader = self._writer = None
        self._streams[1].transport.abort()


class Session:
    """One connection; a command's answer as text, number or list."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def ask(self, *command: str | int) -> Any:
        """Send a command and return its answer; raises redis-py's errors."""
        await self._connection.send_command(*command, check_health=False)
        return await self._connection.read_response()


class Unreachable(Exception):
    """There is no session; `reading` says what that means."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading.message)
        self.reading = reading


class Open:
    """A session as a context: ``async with Open(…) as session``.

    Raises:
        Unreachable: the server does not serve, which is an answer.
        CannotLook: it does not let us in.
    """

    def __init__(
        self, context: Context, address: Address, let_in: Credential, ca: str | None
    ) -> None:
        self.context = context
        self.address = address
        self.let_in = let_in
        self.ca = ca
        self.where = address.path or place(address.host, address.port)
        self._connection: _Given | None = None

    async def __aenter__(self) -> Session:
        try:
            streams = await self._streams()
        except OSError as error:
            raise Unreachable(failed(error, self.where)) from None
        connection = self._connection = _Given(
            streams,
            db=self.address.database,
            username=self.let_in.user,
            password=self.let_in.password,
            protocol=2,
            driver_info=None,
            decode_responses=True,
            encoding_errors="replace",
            socket_timeout=None,
            socket_connect_timeout=None,
        )
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
        except exceptions.RedisError as error:
            self._close()
            reading = meaning(error, self.where)
            raise Unreachable(reading) from None
        except BaseException:
            self._close()
            raise
        return Session(connection)

    async def __aexit__(self, *_: object) -> None:
        self._close()

    async def _streams(self) -> Streams:
        if self.address.path:
            return await asyncio.open_unix_connection(self.address.path)
        host = self.address.host
        tls = await trusting(Trust(ca=self.ca), self.context) if self.address.tls else None
        taken, _ = await connect(self.context, host, self.address.port)
        try:
            return await asyncio.open_connection(
                sock=taken, ssl=tls, server_hostname=host if tls is not None else None
            )
        except BaseException:
            taken.close()
            raise

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.drop()


def meaning(error: exceptions.RedisError, where: str) -> Reading:
    """What an error of the server says about it.

    Raises:
        CannotLook: nothing: it does not let us in, or does not know what we ask.
    """
    told = str(error) or type(error).__name__
    if isinstance(error, exceptions.BusyLoadingError):
        return Reading(message=f"{where} is still loading its data", state="critical")
    if "max number of clients" in told:
        return Reading(message=f"{where} has no connection left: {told}", state="critical")
    if isinstance(error, (exceptions.AuthenticationError, exceptions.NoPermissionError)):
        raise CannotLook(f"{where} does not let us in: {told}; check the user and the password")
    if isinstance(error, exceptions.ResponseError):
        raise CannotLook(f"{where}: {told}")
    if isinstance(error, exceptions.InvalidResponse):
        return Reading(message=f"{where} does not speak as Redis does", state="critical")
    return Reading(message=f"{where} closed the connection", state="critical")
