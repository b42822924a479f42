"""``sql`` on SQLite: the statements of a step on one file, in one transaction.

The file is opened read-only for a step that reads, and is never made. An authorizer refuses what
leads out of it: other files (ATTACH), the end of the transaction, and for a step that reads every
PRAGMA that is not known to tell something only.
"""

from __future__ import annotations

import sqlite3
from urllib.parse import quote

from .leaving import Clock, Failed, say
from .results import JOURNAL, Results, not_ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

STEPS_BETWEEN_LOOKS = 10_000
BUSY_S = 30.0
TELLING = frozenset(
    {"application_id", "collation_list", "compile_options", "data_version", "database_list",
     "encoding", "foreign_key_check", "foreign_key_list", "freelist_count", "function_list",
     "index_info", "index_list", "index_xinfo", "integrity_check", "page_count", "page_size",
     "quick_check", "schema_version", "table_info", "table_list", "table_xinfo", "user_version"}
)  # fmt: skip
TAKE_AN_ARGUMENT = frozenset(
    {"foreign_key_check", "foreign_key_list", "index_info", "index_list", "index_xinfo",
     "integrity_check", "quick_check", "table_info", "table_list", "table_xinfo"}
)  # fmt: skip
OUR_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN (?, ?, ?, ?)"


def go(order: dict[str, Any]) -> None:
    """Open the file, carry out, commit what may be committed."""
    reads = order["effect"] == "read"
    clock = Clock(order["allowed"])
    try:
        connection = sqlite3.connect(
            f"file:{quote(order['path'])}?mode={'ro' if reads else 'rw'}", uri=True,
            isolation_level=None, timeout=min(BUSY_S, clock.left()),
        )  # fmt: skip
    except sqlite3.Error as error:
        raise Failed(f"{order['path']} cannot be opened: {error}") from None
    # The handler also lets Python see that it was told to end, in the middle of a long query.
    connection.set_progress_handler(lambda: int(clock.over), STEPS_BETWEEN_LOOKS)
    results = Results()
    try:
        not_ours(row[0] for row in connection.execute(OUR_TABLES, JOURNAL))
        if reads:
            connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN" if reads else "BEGIN IMMEDIATE")
        connection.set_authorizer(_authorizer(reads))
        for statement in order["statements"]:
            _one(connection, statement, order["values"], results)
        connection.set_authorizer(None)
        connection.execute("ROLLBACK" if reads else "COMMIT")
    except (sqlite3.Error, OverflowError) as error:
        told = "it took longer than it may" if clock.over else str(error)
        raise Failed(f"{told}; nothing was changed") from None
    finally:
        connection.close()  # what was not committed is undone
    results.leave(order)


def _one(
    connection: sqlite3.Connection, text: str, values: dict[str, str], results: Results
) -> None:
    cursor = connection.execute(text, values)
    if cursor.description is None:
        say(f"{cursor.rowcount} changed" if cursor.rowcount >= 0 else "done")
        return
    results.take([column[0] for column in cursor.description], cursor)


def _authorizer(reads: bool) -> Callable[..., int]:
    refused = {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_TRANSACTION,
               sqlite3.SQLITE_SAVEPOINT}  # fmt: skip

    def judge(action: int, first: str | None, second: str | None, *_: object) -> int:
        if action in refused:
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_PRAGMA and reads:
            telling = first in TELLING and (second is None or first in TAKE_AN_ARGUMENT)
            return sqlite3.SQLITE_OK if telling else sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    return judge
