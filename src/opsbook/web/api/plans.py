"""``/books/{book}/running``: what a plan is made from, on the side of what runs.

The book that shall run is where somebody edits it, and often does not load yet; so it is compared
there, and the server is asked only for what it alone knows.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid, NotFound
from opsbook.book import Book, dump
from opsbook.book import store as books
from opsbook.revisions import plan
from opsbook.revisions import store as revisions
from opsbook.revisions.plan import store
from opsbook.web.api.callers import Ask, Asking
from opsbook.web.api.models import Shape, Time
from opsbook.web.api.problems import ProblemRoute

routes = APIRouter(route_class=ProblemRoute, tags=["books"])
SHORTEST = 8


class WaitingOut(Shape):
    """A revision that waits for an approval."""

    revision: str
    since: Time


class RunningOut(Shape):
    """A revision with its files, and what goes on in the book. ``files`` is JSON as ASCII text: a
    file may hold bytes that are no UTF-8, which no other form would carry. ``held`` are the
    revisions that were saved and wait.
    """

    book: str
    revision: str
    files: str
    running: dict[str, Any]
    held: list[WaitingOut]


@routes.get("/books/{book}/running")
async def running(ask: Ask, book: str, revision: str | None = None) -> RunningOut:
    """The running revision, or another one by the beginning of its hash, and what goes on now."""
    current = ask.books("book", book)[0]
    return await ask.app.database.read(lambda tx: _answer(tx, ask, current, revision))


def _answer(tx: Transaction, ask: Asking, current: Book, revision: str | None) -> RunningOut:
    chosen = str(current.revision) if revision is None else _named(tx, current.id, revision)
    files = books.files_of(tx, chosen) if revision is not None else dump(current.files)
    if files is None:
        raise NotFound(f"The revision {chosen[:12]} of the book {current.id!r} is not stored.")
    told = plan.running_as_data(_seen(tx, ask, current))
    held = [
        WaitingOut(revision=row["revision"], since=row["held_at"])
        for row in revisions.open_held(tx, current.id)
    ]
    return RunningOut(book=current.id, revision=chosen, files=files, running=told, held=held)


def _seen(tx: Transaction, ask: Asking, book: Book) -> plan.Running:
    """What goes on, as far as the caller may read it."""
    runs = ask.who.may("runs:read", book)
    incidents = ask.who.may("incidents:read", book)
    return plan.Running(
        store.runs_in_flight(tx, ask.app.library, book.id) if runs else (),
        store.open_incidents(tx, book) if incidents else (),
        store.firing(tx, book.id) if incidents else {},
        store.undelivered(tx, book.id) if incidents else {},
    )


def _named(tx: Transaction, book: str, revision: str) -> str:
    """The whole hash of a revision.

    Raises:
        Invalid: too few digits to mean one of them.
        NotFound: none of the book's revisions begins like that.
    """
    if len(revision) < SHORTEST:
        raise Invalid(
            f"{revision!r} is too short to name a revision.",
            remedy=f"Write at least the first {SHORTEST} digits of its hash.",
        )
    for row in books.history(tx, book):
        if row["revision"].startswith(revision.lower()):
            found: str = row["revision"]
            return found
    raise NotFound(
        f"The book {book!r} has no revision {revision}.",
        remedy="The Book page lists its revisions; a folder is meant by the path of one.",
    )
