"""Inserting and changing single rows with statements that are built once.

To build a statement costs five times what it costs to run it here, and the journal writes half a
dozen rows for each step. Statements are therefore kept by table and columns; they are few, because
the places that write rows are. Values travel as parameters, as everywhere.
"""

from __future__ import annotations

import functools
from typing import Any

import sqlalchemy as sa

from opsbook.base.database import Transaction


def insert(tx: Transaction, into: sa.Table, **values: Any) -> int:
    """Insert one row and return its id."""
    key = tx.execute(_insert(into), values).inserted_primary_key
    return int(key[0]) if key is not None else 0


def update(tx: Transaction, table: sa.Table, row_id: int, **values: Any) -> None:
    """Change some columns of one row."""
    tx.execute(_update(table, tuple(values)), {"of_row": row_id, **_renamed(values)})


def claim(
    tx: Transaction, table: sa.Table, row_id: int, expected: dict[str, Any], **values: Any
) -> bool:
    """Change a row that still is as expected; False means that somebody else has changed it."""
    statement = _claim(table, tuple(expected), tuple(values))
    was = {f"was_{name}": value for name, value in expected.items()}
    return tx.execute(statement, {"of_row": row_id, **was, **_renamed(values)}).rowcount > 0


def _renamed(values: dict[str, Any]) -> dict[str, Any]:
    return {f"to_{name}": value for name, value in values.items()}


@functools.cache
def _insert(into: sa.Table) -> sa.Insert:
    return sa.insert(into)


@functools.cache
def _update(table: sa.Table, columns: tuple[str, ...]) -> sa.Update:
    changed: dict[str, Any] = {name: sa.bindparam(f"to_{name}") for name in columns}
    return sa.update(table).where(table.c.id == sa.bindparam("of_row")).values(changed)


@functools.cache
def _claim(table: sa.Table, expected: tuple[str, ...], columns: tuple[str, ...]) -> sa.Update:
    same = [table.c[name] == sa.bindparam(f"was_{name}") for name in expected]
    return _update(table, columns).where(*same)
