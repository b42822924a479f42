"""The books that are running, and any revision that once was.

Domains ask the library instead of holding a book themselves: what is current may change under
them, and a run asks for the revision it was started with.
"""

from __future__ import annotations

from datetime import datetime

from opsbook.base.database import Database, Transaction
from opsbook.base.errors import NotFound
from opsbook.book import store
from opsbook.book.loader import dump, load, parse
from opsbook.book.model import Book, Vocabulary

REMEMBERED = 64


class Library:
    """Current books by id, and old revisions by hash, read once and kept in memory."""

    def __init__(self, database: Database, vocabulary: Vocabulary) -> None:
        self.database = database
        self.vocabulary = vocabulary
        self._current: dict[str, Book] = {}
        self._revisions: dict[str, Book] = {}

    def books(self) -> list[Book]:
        """Return the running books, by id."""
        return [self._current[key] for key in sorted(self._current)]

    def current(self, book: str) -> Book:
        """Return the running revision of a book.

        Raises:
            NotFound: no such book is running.
        """
        try:
            return self._current[book]
        except KeyError:
            loaded = ", ".join(sorted(self._current)) or "none"
            raise NotFound(
                f"The book {book!r} is not running.", remedy=f"Running books: {loaded}."
            ) from None

    def publish(self, tx: Transaction, now: datetime, book: Book, author: str, origin: str) -> bool:
        """Store ``book`` and make it current within ``tx``; ``False`` when nothing changed."""
        store.keep(
            tx, now, digest=book.revision, book=book.id, files=dump(book.files), author=author,
            origin=origin,
        )  # fmt: skip
        return store.make_current(tx, now, book=book.id, digest=book.revision)

    def remember(self, book: Book) -> None:
        """Hold a published book in memory as the running one."""
        self._current[book.id] = book
        self._revisions[book.revision] = book

    def at(self, tx: Transaction, revision: str) -> Book:
        """Return a revision, from memory or from the database.

        Raises:
            NotFound: the database does not hold it.
        """
        found = self._revisions.get(revision)
        if found is None:
            files = store.files_of(tx, revision)
            if files is None:
                raise NotFound(f"The book revision {revision[:12]} is not in this database.")
            found = load(parse(files), self.vocabulary)
            if len(self._revisions) >= REMEMBERED:
                self._revisions.pop(next(iter(self._revisions)))
            self._revisions[revision] = found
        return found
