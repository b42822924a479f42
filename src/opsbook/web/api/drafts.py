"""``/drafts`` and ``/books/{book}/held``: editing a book, and what waits for an approval.

A draft belongs to a person, so opening and changing one takes a personal token. ``seen`` takes the
place of a lock: a change to a file that is not as its editor saw it is a conflict (409), and so is
publishing over what somebody else has published meanwhile.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from opsbook.audit import LONGEST_NOTE
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid
from opsbook.book import Book, BookError
from opsbook.revisions import Checked, drafts, plan
from opsbook.revisions import store as rows
from opsbook.revisions.model import digest_of
from opsbook.web import revisions
from opsbook.web.api.callers import Ask, Asking
from opsbook.web.api.idempotency import OnlyOnce
from opsbook.web.api.models import Asked, Shape, Time
from opsbook.web.api.problems import ProblemRoute
from opsbook.web.i18n import Speech
from opsbook.web.numbers import Number

routes = APIRouter(route_class=ProblemRoute, tags=["books"])
WRITE = "book:write"
UNDER_WORK = frozenset({"open", "conflict", "waiting"})
PUBLISHED = frozenset({"waiting", "published"})
PLACE = "/api/v1/drafts/{}"


class DraftOut(Shape):
    """An edit that somebody works on. ``base`` is the revision it changes."""

    id: int
    book: str
    base: str
    state: str
    by: str
    files: list[str]
    said: str
    created_at: Time
    updated_at: Time


class Drafts(Shape):
    """Drafts, the latest first."""

    drafts: list[DraftOut]


class FileOut(Shape):
    """A file that a draft changes; ``text`` is null for one it removes. Send ``digest`` as
    ``seen`` with the next change of it.
    """

    path: str
    text: str | None
    digest: str | None


class FindingOut(Shape):
    """What is wrong with the book that the draft would be."""

    file: str
    line: int
    column: int
    message: str
    remedy: str


class ClashOut(Shape):
    """A file that somebody else has changed since the draft was begun."""

    path: str
    author: str
    revision: str
    at: str


class DraftDetail(DraftOut):
    """A draft with what publishing it would run into, or change (``plan`` as `opsbook plan` has
    it). ``approval`` is the approval it waits for.
    """

    contents: list[FileOut]
    findings: list[FindingOut]
    clashes: list[ClashOut]
    plan: dict[str, Any]
    approval: int | None


class HeldOut(Shape):
    """A revision that waits for an approval while the running one goes on."""

    id: int
    revision: str
    parent: str
    author: str
    origin: str
    draft: int | None
    approval: int
    changes: list[dict[str, Any]]
    held_at: Time


class Held(Shape):
    """Held revisions, the oldest first."""

    held: list[HeldOut]


class ChangeFile(Asked):
    """A file as it shall be: ``text`` null removes it; ``seen`` null says that it was not there."""

    path: str = Field(max_length=drafts.LONGEST_PATH)
    text: str | None
    seen: str | None = None


class PublishDraft(Asked):
    """Why a draft is published."""

    reason: str = Field(min_length=1, max_length=LONGEST_NOTE)


@routes.get("/books/{book}/drafts")
async def listed(ask: Ask, book: str) -> Drafts:
    """The drafts of a book that somebody works on."""
    current = _writable(ask, book)

    def read(tx: Transaction) -> Drafts:
        found = drafts.of_book(tx, current.id)
        return Drafts(drafts=[DraftOut(**_shaped(ask, tx, row)) for row in found])

    return await ask.app.database.read(read)


@routes.post("/books/{book}/drafts", status_code=201)
async def opened(ask: Ask, once: OnlyOnce, book: str) -> DraftDetail:
    """Begin an edit of a book as it runs."""
    current = _writable(ask, book)
    now = ask.app.clock.now()
    return await once.then(
        lambda tx: drafts.open(tx, now, current, ask.who), lambda made: _detail(ask, made), PLACE
    )


@routes.get("/drafts/{draft_id}")
async def one(ask: Ask, draft_id: Number) -> DraftDetail:
    """One draft, checked against what runs now."""
    return await _detail(ask, draft_id)


@routes.post("/drafts/{draft_id}/change")
async def changed(ask: Ask, once: OnlyOnce, draft_id: Number, asked: ChangeFile) -> DraftDetail:
    """Write or remove a file of one's own draft."""
    await _visible(ask, draft_id)
    now = ask.app.clock.now()

    def change(tx: Transaction) -> int:
        drafts.change(tx, now, draft_id, ask.who, asked.path, asked.text, asked.seen)
        return draft_id

    return await once.then(change, lambda made: _detail(ask, made), PLACE)


@routes.post("/drafts/{draft_id}/publish")
async def published(ask: Ask, once: OnlyOnce, draft_id: Number, asked: PublishDraft) -> DraftDetail:
    """Publish one's own draft: then it runs (``published``), or waits for an approval."""
    await _visible(ask, draft_id)
    now = ask.app.clock.now()
    if not asked.reason.strip():
        raise Invalid("The reason is empty.", remedy="Say why; the history keeps it.")

    async def publish() -> None:
        try:
            await drafts.publish(ask.app.revisions, draft_id, ask.who, asked.reason, now)
        except BookError as error:
            told = [str(one) for one in error.problems]
            raise Invalid("The book would not load.", problems=told) from error

    async def was_published() -> bool:
        _, row = await _visible(ask, draft_id)
        return row["state"] in PUBLISHED

    return await once.around(
        was_published, publish, lambda: _detail(ask, draft_id), PLACE.format(draft_id)
    )


@routes.post("/drafts/{draft_id}/discard")
async def discarded(ask: Ask, once: OnlyOnce, draft_id: Number) -> DraftDetail:
    """Drop one's own draft."""
    await _visible(ask, draft_id)
    now = ask.app.clock.now()

    def discard(tx: Transaction) -> int:
        drafts.discard(tx, now, draft_id, ask.who)
        return draft_id

    return await once.then(discard, lambda made: _detail(ask, made), PLACE)


@routes.get("/books/{book}/held")
async def held(ask: Ask, book: str) -> Held:
    """The revisions of a book that wait for an approval."""
    current = ask.books("book", book)[0]
    say = Speech(ask.language).say

    def read(tx: Transaction) -> Held:
        names = ask.names(tx)
        return Held(
            held=[
                HeldOut(
                    **{**row, "author": names.of(row["author"])},
                    draft=row["draft_id"],
                    approval=row["approval_id"],
                )
                for row in _told(rows.open_held(tx, current.id), say)
            ]
        )

    return await ask.app.database.read(read)


def _told(found: list[dict[str, Any]], say: Any) -> list[dict[str, Any]]:
    return [
        {
            **row,
            "changes": [
                {"sentence": plan.change_of(one).told(say), **one} for one in row["changes"]
            ],
        }
        for row in found
    ]


def _writable(ask: Asking, book: str) -> Book:
    """Return a running book that the caller may edit.

    Raises:
        NotFound: there is none of that name for this caller.
        Refused: the caller may only read it.
    """
    current = ask.books("book", book)[0]
    ask.who.require(WRITE, current)
    return current


async def _visible(ask: Asking, draft_id: int) -> tuple[Book, dict[str, Any]]:
    row = await ask.app.database.read(lambda tx: drafts.require(tx, draft_id))
    return _writable(ask, row["book"]), row


async def _detail(ask: Asking, draft_id: int) -> DraftDetail:
    book, row = await _visible(ask, draft_id)
    checked = Checked()
    if row["state"] in UNDER_WORK:
        goes_on = await ask.app.database.read(
            lambda tx: revisions.goes_on(tx, ask.who, ask.app.library, book)
        )
        now = ask.app.clock.now()
        checked = await drafts.check(ask.app.revisions, draft_id, now, goes_on)

    def read(tx: Transaction) -> DraftDetail:
        waits = rows.open_held(tx, draft=draft_id)
        names = ask.names(tx)
        return DraftDetail(
            **_shaped(ask, tx, row),
            contents=[
                FileOut(path=path, text=one["text"], digest=digest_of(one["text"]))
                for path, one in sorted(row["files"].items())
            ],
            findings=[
                FindingOut(
                    file=one.file, line=one.line, column=one.column, message=one.message,
                    remedy=one.remedy,
                )
                for one in checked.problems
            ],
            clashes=[
                ClashOut(**{**one, "author": names.of(one["author"]) if one["author"] else ""})
                for one in checked.clashes
            ],
            plan=plan.as_data(checked.plan, Speech(ask.language).say),
            approval=waits[-1]["approval_id"] if waits else None,
        )  # fmt: skip

    return await ask.app.database.read(read)


def _shaped(ask: Asking, tx: Transaction, row: dict[str, Any]) -> dict[str, Any]:
    by = ask.names(tx).of(f"account:{row['account_id']}")
    return {**row, "by": by, "files": sorted(row["files"])}
