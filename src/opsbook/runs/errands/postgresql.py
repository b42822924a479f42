"""``sql`` on PostgreSQL: the statements of a step, in one transaction.

A step that reads gets a read-only transaction, and what it did is rolled back. The session is told
so before it begins, and the look for our own tables is the first query in it, after which
PostgreSQL lets nobody make it writable again. That is a rail; the wall is the role that the
credential names, which is why a target has one for each effect.

Statements go over the extended protocol with their values bound, one at a time: a text that holds
two is refused by the server, however it was read here.
"""

from __future__ import annotations

# ipaddress, uuid and zoneinfo are what the driver would load at the first value of their kind: then
# it is another user, who may be unable to read the library.
import ipaddress  # noqa: F401
import uuid  # noqa: F401
import zoneinfo  # noqa: F401

import psycopg
import psycopg.types.json

from .leaving import Failed, say
from .results import JOURNAL, Results, not_ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, LiteralString

CONNECT_WITHIN_S = 15
OUR_TABLES = (
    "SELECT relname FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p') AND relname = ANY(%s)"
)


def go(order: dict[str, Any]) -> None:
    """Connect, carry out, commit what may be committed."""
    reads = order["effect"] == "read"
    wait = max(1, int(order["allowed"] * 1000))
    options = [
        f"-c default_transaction_read_only={'on' if reads else 'off'}",
        f"-c statement_timeout={wait}",
        f"-c lock_timeout={wait}",
        "-c client_encoding=UTF8",
    ]
    settings = {"connect_timeout": CONNECT_WITHIN_S, "application_name": "opsbook"}
    try:
        connection = psycopg.connect(
            **{**settings, **order["address"]},
            password=order["password"],
            options=" ".join(options),
        )
    except (psycopg.Error, ValueError) as error:
        raise Failed(f"no connection to PostgreSQL: {_short(error)}") from None
    results = Results()
    with connection:
        connection.add_notice_handler(lambda notice: say(f"notice: {notice.message_primary}"))
        connection.read_only = reads
        try:
            found = connection.execute(OUR_TABLES, [list(JOURNAL)]).fetchall()
            not_ours(str(row[0]) for row in found)
            for statement in order["statements"]:
                _one(connection, statement, order["values"], results)
            if reads:
                connection.rollback()
            else:
                connection.commit()
        except psycopg.Error as error:
            connection.rollback()
            raise Failed(f"{_short(error)}; nothing was changed") from None
    results.leave(order)


def _one(
    connection: psycopg.Connection[Any], text: str, values: dict[str, str], results: Results
) -> None:
    """Carry out one statement, prepared, as only one at a time can be.

    Its result is held as a whole, within the memory that an errand may have: read row by row the
    driver does not tell a statement without rows from one that has none.
    """
    with connection.cursor() as cursor:
        cursor.execute(_literal(text), values, prepare=True)
        if cursor.description is None:
            say(cursor.statusmessage or "done")
        else:
            results.take([column.name for column in cursor.description], cursor)


def _literal(text: str) -> LiteralString:
    """The book's text as the driver's type wants it: it is nobody's input."""
    literal: Any = text
    return literal  # type: ignore[no-any-return]


def _short(error: Exception) -> str:
    """What the server says, without the text that it was said of: values may be in it."""
    told = getattr(getattr(error, "diag", None), "message_primary", None)
    return str(told or str(error).strip().split("\n")[0])
