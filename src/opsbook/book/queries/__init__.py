"""The texts of ``http``, ``sql`` and ``promql`` steps, taken apart before a variable comes near.

Nothing is ever put into a text: a request, a query or an expression is read as the book has it, and
a variable may stand only where what it becomes has one meaning (a path segment, a query value, a
whole JSON string, a bound parameter, a label's value). So a value cannot end what it stands in,
whatever is in it. The same reading judges a book when it is loaded and fills a step when it runs:
what cannot be filled is found at the desk and not at night.

Pure functions over text. Each ``ValueError`` is a sentence and, after ``"; "``, what to do.
"""

from __future__ import annotations

from opsbook.book.queries import http, promql, sql
from opsbook.book.queries.names import Uses

READERS = {"http": http.uses, "promql": promql.uses, "sql": sql.uses}


def uses(kind: str, body: str) -> Uses:
    """The variables that a step's text uses. Raises ValueError for a text that cannot be read."""
    reader = READERS.get(kind)
    return reader(body) if reader is not None else Uses()
