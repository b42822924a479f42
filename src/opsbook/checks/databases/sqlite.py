"""A query on an SQLite file, which is opened for reading and never made. On a thread.

An authorizer lets pass what reads and nothing else: no other file (ATTACH), no PRAGMA. A query that
takes longer than the look is ended from within, so that its thread comes back.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from opsbook.checks.databases.session import OURS, Row
from opsbook.checks.model import CannotLook
from opsbook.checks.own import opened

STEPS_BETWEEN_LOOKS: Final = 10_000
READING: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
NEVER: Final = frozenset({"load_extension", "readfile", "writefile", "edit"})


def query(path: str, text: str, seconds: float, data: Path | None) -> list[Row]:
    """Return at most two rows.

    Raises:
        CannotLook: the file is not there, is an Opsbook server's own, or the query fails.
    """
    os.close(opened(path, data))
    until = time.monotonic() + seconds
    try:
        with closing(sqlite3.connect(_address(path), uri=True, timeout=seconds)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > until, STEPS_BETWEEN_LOOKS)
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if {row[0] for row in tables} >= OURS:
                raise CannotLook("it is the database of an Opsbook server, which no check queries")
            connection.set_authorizer(_may)
            return connection.execute(text).fetchmany(2)
    except sqlite3.OperationalError as error:
        if time.monotonic() > until:
            raise CannotLook("the query took longer than a look may take") from None
        raise CannotLook(f"{path}: {error}") from None
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        raise CannotLook(f"{path}: {error}") from None


def _address(path: str) -> str:
    return f"file:{quote(path)}?mode=ro"


def _may(action: int, first: str | None, second: str | None, *_: object) -> int:
    refused = action == sqlite3.SQLITE_FUNCTION and (second or first) in NEVER
    return sqlite3.SQLITE_OK if action in READING and not refused else sqlite3.SQLITE_DENY
