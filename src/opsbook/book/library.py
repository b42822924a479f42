"""The books that are running, and any revision that once was.

Domains ask the library instead of holding a book themselves: what is current may change under
them, and a run asks for the revision it was started with. What is held here is a memory of rows:
it is told (``remember``, ``note``, ``hold``) once these are committed and never before.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from opsbook.base.database import Database, Transaction
from opsbook.base.errors import Conflict, NotFound
from opsbook.book import store
from opsbook.book.loader import dump, load, parse
from opsbook.book.model import Book, Vocabulary
from opsbook.book.problems import Problem

REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why what a book comes from is not what runs. ``kind`` is a word for programs.

    ``broken`` (with every problem), ``gone`` (cannot be read or reached), ``access``, ``empty``,
    ``rewritten`` (a branch lost its history), ``other-book``, ``rejected``.
    """

    source: str
    kind: str
    message: str
    remedy: str
    problems: tuple[Problem, ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """A revision of a book's source that waits for an approval while the running one goes on."""

    id: int
    revision: str
    approval_id: int
    author: str
    origin: str
    since: datetime


class Library:
    """Current books by id, and old revisions by hash, read once and kept in memory."""

    def __init__(self, database: Database, vocabulary: Vocabulary) -> None:
        self.database = database
        self.vocabulary = vocabulary
        self._current: dict[str, Book] = {}
        self._revisions: dict[str, Book] = {}
        self._troubles: dict[str, Trouble] = {}
        self._held: dict[str, Held] = {}
        self._lock = threading.Lock()  # readers and the writer ask from threads of their own

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

    def trouble(self, book: str) -> Trouble | None:
        """Return why a book's source is not what runs, or ``None`` when all is well."""
        return self._troubles.get(book)

    def held(self, book: str) -> Held | None:
        """Return the revision of the book's source that waits for an approval."""
        return self._held.get(book)

    def publish(self, tx: Transaction, now: datetime, book: Book, author: str, origin: str) -> bool:
        """Store ``book`` and make it current within ``tx``; ``False`` when it already was.

        Raises:
            Conflict: another revision was made current at the same moment.
        """
        before = store.running(tx, book.id)
        self.keep(tx, now, book, author, origin, before)
        if before == book.revision:
            return False
        if not store.make_current(tx, now, book=book.id, digest=book.revision, over=before):
            raise Conflict(
                f"Another revision of the book {book.id} was published at this moment.",
                remedy="Look at what runs now, and try again.",
            )
        return True

    def keep(
        self, tx: Transaction, now: datetime, book: Book, author: str, origin: str,
        parent: str | None,
    ) -> None:  # fmt: skip
        """Store a revision without letting it run: it may have to wait for an approval."""
        store.keep(
            tx, now, digest=book.revision, book=book.id, files=dump(book.files), author=author,
            origin=origin, parent=parent,
        )  # fmt: skip

    def remember(self, book: Book) -> None:
        """Hold a published book in memory as the running one, after the commit that made it so."""
        self._current[book.id] = book
        self._know(book)

    def note(self, book: str, trouble: Trouble | None) -> None:
        """Hold a book's trouble in memory, or forget it."""
        if trouble is None:
            self._troubles.pop(book, None)
        else:
            self._troubles[book] = trouble

    def hold(self, book: str, held: Held | None) -> None:
        """Hold in memory what waits for an approval, or forget it."""
        if held is None:
            self._held.pop(book, None)
        else:
            self._held[book] = held

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
            self._know(found)
        return found

    def _know(self, book: Book) -> None:
        with self._lock:
            self._revisions.pop(book.revision, None)  # to the end: the longest unasked goes first
            self._revisions[book.revision] = book
            while len(self._revisions) > REMEMBERED:
                self._revisions.pop(next(iter(self._revisions)))
