"""The secrets that a book's checks refer to, so that whoever masks text knows them.

Found wherever they stand in the fields of a kind, so that a new kind has nothing to declare: a
forgotten declaration would show a password. What a check's target refers to is the target's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from opsbook.book import Book
from opsbook.book.sections.webhooks import SECRET_FORM

MOST_REVISIONS: Final = 32
_known: dict[str, tuple[str, ...]] = {}


def of_book(book: Book) -> tuple[str, ...]:
    """Return every reference (``env:NAME``, ``file:/path``) in the fields of a book's checks.

    Walked once for a revision: it is asked for at every step, and there may be thousands of checks.
    """
    revision = str(book.revision)
    found = _known.get(revision)
    if found is None:
        specs = (check.spec.model_dump(mode="python") for check in book.checks.values())
        found = tuple(dict.fromkeys(one for spec in specs for one in _within(spec)))
        while len(_known) >= MOST_REVISIONS:
            _known.pop(next(iter(_known)))
        _known[revision] = found
    return found


def _within(value: object) -> Iterator[str]:
    if isinstance(value, str) and re.fullmatch(SECRET_FORM, value):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _within(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _within(inner)
