"""The secrets that a book's checks refer to, so that whoever masks text knows them.

A kind whose fields refer to secrets has a method ``references``; what a check's target refers to is
the target's.
"""

from __future__ import annotations

from collections.abc import Iterator

from opsbook.book import Book


def of_book(book: Book) -> Iterator[str]:
    """Return every reference (``env:NAME``, ``file:/path``) in the fields of a book's checks."""
    for check in book.checks.values():
        references = getattr(check.spec, "references", None)
        if callable(references):
            yield from references()
