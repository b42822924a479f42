"""What somebody edits: the running book, their draft on top of it, and saving into that draft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid, NotFound
from opsbook.book import Book
from opsbook.revisions import drafts
from opsbook.revisions import store as rows
from opsbook.revisions.model import digest_of
from opsbook.web.numbers import LARGEST
from opsbook.web.visit import Visit

WRITE = "book:write"
UNDER_WORK = frozenset({"open", "conflict", "waiting"})


class Change(NamedTuple):
    """A file as somebody wants it, and the digest of what they saw."""

    path: str
    text: str | None
    seen: str | None


@dataclass(frozen=True)
class Desk:
    """``files`` are those of the draft, or of the running book where there is none yet."""

    book: Book
    draft: dict[str, Any] | None
    files: Mapping[str, str]

    @property
    def path(self) -> str:
        """The address of the book's pages."""
        return f"/book/{quote(self.book.id)}"

    @property
    def number(self) -> str:
        """The draft's number for a form; empty where saving opens one."""
        return str(self.draft["id"]) if self.draft else ""

    def digest(self, path: str) -> str:
        """Return the digest of a file for a form; empty for one that is not there."""
        return digest_of(self.files.get(path)) or ""

    def edit(self, **query: str | int) -> str:
        """Return the address of the page that edits something in this draft."""
        if self.draft:
            query["draft"] = self.draft["id"]
        return f"{self.path}/edit?{urlencode(query)}" if query else f"{self.path}/edit"


def writable(visit: Visit, book_id: str) -> Book:
    """Return a running book that the visitor may edit.

    Raises:
        NotFound: there is none of that name for this visitor.
        Refused: the visitor may read it and not edit it.
    """
    book = visit.book(book_id, "book:read")
    visit.who.require(WRITE, book)
    return book


def number(given: str) -> int | None:
    """Return a draft's number from a form or an address."""
    return int(given) if given.isdigit() and int(given) <= LARGEST else None


def read(tx: Transaction, book: Book, draft_id: int | None) -> Desk:
    """Return what a draft of this book makes of its files.

    Raises:
        NotFound: the book has no such draft.
    """
    if draft_id is None:
        return Desk(book, None, book.files)
    row = drafts.require(tx, draft_id)
    if row["book"] != book.id:
        raise NotFound(f"The book {book.id} has no draft {draft_id}.")
    files = dict(book.files if row["base"] == book.revision else rows.files_of(tx, row["base"]))
    for path, change in row["files"].items():
        if change["text"] is None:
            files.pop(path, None)
        else:
            files[path] = change["text"]
    return Desk(book, row, files)


async def opened(visit: Visit, book_id: str, draft: str) -> Desk:
    """Return the desk for a form that was sent."""
    book = writable(visit, book_id)
    return await visit.kept.app.database.read(lambda tx: read(tx, book, number(draft)))


async def save(visit: Visit, desk: Desk, changes: list[Change]) -> int:
    """Keep changes in the draft, opening one if need be, and return its number; all or none.

    Raises:
        DraftConflict: a file is not what the editor saw; nothing was kept.
        Invalid: nothing is different, or a path or text cannot be part of a book.
    """
    if all(desk.files.get(one.path) == one.text for one in changes) and all(
        desk.digest(one.path) == (one.seen or "") for one in changes
    ):
        raise Invalid("Nothing is different from before.", remedy="Change something, then save.")

    def write(tx: Transaction) -> int:
        made = desk.draft["id"] if desk.draft else drafts.open(tx, visit.now, desk.book, visit.who)
        for one in changes:
            drafts.change(tx, visit.now, made, visit.who, one.path, one.text, one.seen)
        return int(made)

    return await visit.write(write)
