"""How a book changes while it runs.

Belongs here: following folders and git remotes, publishing a good revision in the place of the
running one, holding one that loosens something until it is approved, editing in the web page, and
what a new revision changes (``plan``). Does not belong here: reading and validating a book
(``book``), and what the running book does (everything below follows ``Library``).

A broken edit never replaces a good revision, and of two edits none is lost.
"""

from typing import Any

from opsbook.base.database import Transaction
from opsbook.book.library import Held, Trouble
from opsbook.revisions import store
from opsbook.revisions.address import Address, FolderAddress, RemoteAddress, parse
from opsbook.revisions.drafts import Checked, Published
from opsbook.revisions.following import Revisions


def history(tx: Transaction, book: str, limit: int = store.LONGEST_HISTORY) -> list[dict[str, Any]]:
    """Return what ran of a book, newest first: revision, parent, author, origin, changes, when."""
    return store.publications(tx, book, limit)


def trouble(tx: Transaction, book: str) -> list[Trouble]:
    """Return what is wrong with the sources of a book, from the rows."""
    found = (store.trouble_of(row) for row in store.sources_of(tx, book))
    return [one for one in found if one is not None]


def held(tx: Transaction, book: str) -> list[dict[str, Any]]:
    """Return the revisions of a book that wait for an approval, edits (``draft_id``) included."""
    return store.open_held(tx, book)


__all__ = [
    "Address",
    "Checked",
    "FolderAddress",
    "Held",
    "Published",
    "RemoteAddress",
    "Revisions",
    "Trouble",
    "held",
    "history",
    "parse",
    "trouble",
]
