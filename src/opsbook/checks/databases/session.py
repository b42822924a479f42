"""What a ready-made number may use of a database, and what a row's value is as a number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, LiteralString, Protocol

from opsbook.checks.model import CannotLook, Reading

Row = tuple[Any, ...]

OURS: Final = frozenset({"attempt", "audit_entry", "book_revision", "run_step"})
"""Tables that no database but an Opsbook server's has all of; its rows are no query's to read."""


class Session(Protocol):
    """A transaction that can only read."""

    async def rows(self, text: LiteralString, given: Sequence[Any] = ()) -> list[Row]:
        """The rows of a statement of ours."""

    async def row(self, text: LiteralString, given: Sequence[Any] = ()) -> Row:
        """The one row of a statement that gives one."""


def reading(rows: Sequence[Row]) -> Reading:
    """The reading that a book's own query gave: a number, and beside it a text if there is one.

    Raises:
        CannotLook: it gave no row, several, or no number.
    """
    if not rows:
        raise CannotLook("the query gives no row; let it give one, with count(*) or coalesce()")
    if len(rows) > 1:
        raise CannotLook("the query gives several rows; a check's value is one number: aggregate")
    found, *more = rows[0]
    if len(more) > 1:
        raise CannotLook(f"the query gives {len(rows[0])} columns; write a number, and a text")
    told = str(more[0]) if more and more[0] is not None else ""
    if isinstance(found, timedelta):
        return Reading(found.total_seconds(), "s", told)
    if isinstance(found, (int, float, Decimal)) and not isinstance(found, bool):
        number = float(found)
        if math.isfinite(number):
            return Reading(number, "", told)
    raise CannotLook(f"the query gives {_shown(found)}, which is no number")


def _shown(found: object) -> str:
    if found is None:
        return "NULL"
    text = repr(found) if isinstance(found, str) else str(found)
    return text if len(text) <= 60 else f"{text[:60]}…"
