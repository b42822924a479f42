"""A session with PostgreSQL for one look: connect, one transaction that only reads, gone again.

A connection kept open would go on working after the server takes no new ones, so each look opens
one. The name is looked up by us (the driver would ask on the few threads that everything shares).
The transaction is read-only and its limits are set in it and not at the start of the session:
poolers such as PgBouncer refuse what they do not know there. That is a rail; the wall is the role.

**A server that hangs.** When a look's time is up, the driver would first ask the server to cancel
and wait for its answer for seconds. So the work is a task of its own, and its socket is shut when
the look ends: the driver sees the connection break, at once.

The book's own query goes through a cursor, so that it can be nothing but a query, and of its rows
no more are fetched than tell that there are too many.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, LiteralString, TypeVar

import psycopg
from psycopg import errors

from opsbook.checks.asking import Credential
from opsbook.checks.connect import failed, place
from opsbook.checks.databases.refusal import code_of
from opsbook.checks.databases.session import OURS, Row
from opsbook.checks.kind import Context
from opsbook.checks.model import CannotLook, Reading

_WHERE: Final = re.compile(r"connection to server (?:at|on) .*? failed: ")
Result = TypeVar("Result")

ITS_SHARE: Final = 0.8
"""How much of the look's time a statement gets, so that the server can still say it gave up."""
BREAKS_WITHIN_S: Final = 5
"""How long the driver may take to see that its connection is gone; it takes no time."""
FULL: Final = frozenset({"53300"})
NOBODY: Final = "08001"
"""Words that say by themselves that there is nothing more to ask."""
GOING: Final = frozenset({"57P01", "57P02", "57P03", "3D000"})
"""What a server says that is there and serves nobody: shutting down, starting, no such database."""


class Reader:
    """A transaction that can only read; see `opsbook.checks.databases.session.Session`."""

    def __init__(self, connection: psycopg.AsyncConnection[Row]) -> None:
        self._connection = connection

    async def rows(self, text: LiteralString, given: Sequence[Any] = ()) -> list[Row]:
        """The rows of a statement of ours."""
        cursor = await self._connection.execute(text, given or None)
        return await cursor.fetchall()

    async def row(self, text: LiteralString, given: Sequence[Any] = ()) -> Row:
        """The one row of a statement that gives one."""
        return (await self.rows(text, given))[0]

    async def query(self, text: str) -> list[Row]:
        """At most two rows of the book's own query.

        Raises:
            CannotLook: it is the database of an Opsbook server.
        """
        ours = await self.rows(
            "SELECT relname FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p') "
            "AND relname = ANY(%s)",
            [sorted(OURS)],
        )
        if {row[0] for row in ours} >= OURS:
            raise CannotLook(
                "it is the database of an Opsbook server, which no check queries; use a metric:"
            )
        async with self._connection.cursor(name="opsbook_check") as cursor:
            await cursor.execute(text)
            return await cursor.fetchmany(2)


async def look(
    context: Context,
    address: Mapping[str, str],
    let_in: Credential,
    work: Callable[[Reader], Awaitable[Reading]],
) -> Reading:
    """Do some work in a session.

    Raises:
        CannotLook: it cannot be done, for another reason than that the server serves nobody.
    """
    port = int(address.get("port") or 5432)
    where = address["host"] if address["host"].startswith("/") else place(address["host"], port)
    told: dict[str, Any] = {**address, "application_name": "opsbook", "client_encoding": "UTF8"}
    try:
        told |= await _addresses(context, address["host"], port)
    except OSError as error:
        return failed(error, where)
    told |= {"user": let_in.user} if let_in.user else {}
    told |= {"password": let_in.password} if let_in.password else {}
    try:
        connection = await psycopg.AsyncConnection.connect(**told, gssencmode="disable")
    except errors.OperationalError as error:
        state = _told_state(_said(error)) or await code_of(context, address["host"], port)
        return _refused(error, state, where)
    except psycopg.Error as error:
        raise CannotLook(f"{where}: {_said(error)}") from None
    try:
        return await _unless_cut_off(connection, _worked(connection, context.timeout, work))
    except psycopg.Error as error:
        return _failed(error, where)
    finally:
        with contextlib.suppress(psycopg.Error):
            connection.pgconn.finish()


async def _addresses(context: Context, host: str, port: int) -> dict[str, str]:
    """The host's addresses, under the name that is checked against the certificate."""
    if host.startswith("/"):
        return {}
    found = dict.fromkeys(str(where[0]) for _, where in await context.addresses(host, port))
    listed = list(found)
    return {
        "host": ",".join([host] * len(listed)),
        "hostaddr": ",".join(listed),
        "port": ",".join([str(port)] * len(listed)),
    }


async def _worked(
    connection: psycopg.AsyncConnection[Row],
    timeout: timedelta,
    work: Callable[[Reader], Awaitable[Reading]],
) -> Reading:
    wait = max(1, int(timeout.total_seconds() * 1000 * ITS_SHARE))
    await connection.set_read_only(True)
    await connection.execute(
        "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)",
        [str(wait), str(wait)],
    )
    return await work(Reader(connection))


async def _unless_cut_off(
    connection: psycopg.AsyncConnection[Row], work: Awaitable[Result]
) -> Result:
    """Do the work; when the look is cut off, break the connection instead of asking nicely."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with socket.socket(fileno=os.dup(connection.fileno())) as its, contextlib.suppress(OSError):
            its.shutdown(socket.SHUT_RDWR)
        await asyncio.wait([task], timeout=BREAKS_WITHIN_S)
        task.cancel()
        if task.done() and not task.cancelled():
            task.exception()  # seen: the connection broke because we broke it
        raise


def _refused(error: errors.OperationalError, state: str, where: str) -> Reading:
    """What it means that no session came about; `state` is the server's code, where it is known."""
    told = _said(error)
    if state in FULL:
        return Reading(message=f"{where} has no connection left: {told}", state="critical")
    if state in GOING:
        return Reading(message=f"{where}: {told}", state="critical")
    if isinstance(error, errors.ConnectionTimeout):
        return failed(TimeoutError(), where)
    text = str(error)
    if "Connection refused" in text or "No such file" in text:
        return failed(ConnectionRefusedError(), where)
    if "server closed the connection" in text or "reset by peer" in text:
        return failed(ConnectionResetError(), where)
    if "No route to host" in text:
        return Reading(message=f"{where} cannot be reached: No route to host", state="critical")
    raise CannotLook(f"{where}: {told}")


def _told_state(told: str) -> str:
    """The code of a refusal, of which the driver keeps the words alone; empty for other words."""
    for words, code in (
        ("too many clients", "53300"),
        ("too many connections", "53300"),
        ("remaining connection slots", "53300"),
        ("is starting up", "57P03"),
        ("is shutting down", "57P03"),
        ("not yet accepting connections", "57P03"),
        ("in recovery mode", "57P03"),
        ("Connection refused", NOBODY),
        ("No such file", NOBODY),
        ("authentication failed", NOBODY),
        ("role ", NOBODY),
    ):
        if words in told:
            return code
    return "3D000" if told.startswith("database ") and told.endswith("does not exist") else ""


def _failed(error: psycopg.Error, where: str) -> Reading:
    """What it means that a statement failed."""
    told = _said(error)
    if isinstance(error, errors.QueryCanceled):
        raise CannotLook(f"the query took longer than a look may take: {told}")
    if isinstance(error, errors.LockNotAvailable):
        raise CannotLook(f"the query waited for a lock longer than a look may take: {told}")
    if isinstance(error, errors.InsufficientPrivilege):
        raise CannotLook(f"{told}; grant it to the role that the check is let in as")
    if error.sqlstate in GOING or (
        error.sqlstate is None and isinstance(error, errors.OperationalError)
    ):
        return Reading(message=f"{where} ended the connection: {told}", state="critical")
    raise CannotLook(told)


def _said(error: psycopg.Error) -> str:
    """What the server says, without the statement that it was said of."""
    if error.diag.message_primary:
        return error.diag.message_primary
    line = str(error).strip().split("\n")[0].removeprefix("connection failed: ")
    return _WHERE.sub("", line).rpartition("FATAL:  ")[2]
