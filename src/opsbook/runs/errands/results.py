"""Results of SQL, bounded: a table for people, and a value for later steps."""

from __future__ import annotations

import datetime
import decimal
import json

from .leaving import Failed, leave_value, say, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

MOST_ROWS = 1000
MOST_KEPT = 64 * 1024
"""What a step saves is bounded so; of a longer result one byte more is kept, to be refused."""

JOURNAL = ("attempt", "audit_entry", "book_revision", "run_step")
REFUSED = "it is the database of an Opsbook server, which no step may touch"


def not_ours(tables: Iterable[str]) -> None:
    """Refuse the database of an Opsbook server, this one's or another's.

    By what is in it: a host has many names, and a file many paths.
    """
    if set(JOURNAL) <= set(tables):
        raise Failed(REFUSED)


class Results:
    """What the statements of a step gave, told as it comes; the last one with rows is the value."""

    def __init__(self) -> None:
        self.value = b""

    def take(self, names: list[str], rows: Iterable[tuple[Any, ...]]) -> None:
        """Take all the rows of a statement: a result that is left half read would undo it."""
        shown: list[list[str]] = []
        kept = bytearray(b"[")
        first: tuple[Any, ...] = ()
        count = 0
        for count, row in enumerate(rows, 1):
            if count == 1:
                first = row
            if count <= MOST_ROWS:
                shown.append([told(one) for one in row])
            if len(kept) <= MOST_KEPT:
                record = dict(zip(names, map(plain, row), strict=True))
                kept += (b", " if count > 1 else b"") + _json(record)
        say(table(names, shown))
        more = f"; the first {MOST_ROWS:,} are shown" if count > MOST_ROWS else ""
        say(f"({count:,} {'row' if count == 1 else 'rows'}{more})")
        single = count == 1 and len(names) == 1
        self.value = told(first[0], null="").encode() if single else bytes(kept + b"]")

    def leave(self, order: dict[str, Any]) -> None:
        """Leave the value to later steps."""
        leave_value(order, self.value)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def plain(value: Any) -> Any:
    """A value as JSON has it. A decimal is a number where that loses nothing, else a text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, decimal.Decimal):
        if not value.is_finite():
            return str(value)
        short = int(value) if value == value.to_integral_value() else float(value)
        return short if decimal.Decimal(str(short)) == value else str(value)
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return told(value)


def told(value: Any, null: str = "NULL") -> str:
    """A value as people read it."""
    if value is None:
        return null
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"\\x{bytes(value).hex()}"
    if isinstance(value, dict | list):
        return _json(plain(value)).decode()
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
