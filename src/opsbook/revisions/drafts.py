"""Editing a book in the web page: a draft, what is wrong with it, what it changes, publishing it.

A draft holds the files it changes and, of each, the digest of what it was changed from. Nothing is
ever overwritten unseen: where somebody else has changed the same file meanwhile, the second to
publish is told who, what and when. Where they changed other files, the draft is put on top of
theirs, validated again, and published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from opsbook import audit
from opsbook.access import Principal
from opsbook.base.database import Transaction
from opsbook.base.errors import Bug, Conflict, Invalid, Refused
from opsbook.book import Book, BookError, Problem, load
from opsbook.book import store as books
from opsbook.book.files import MAX_FILE
from opsbook.revisions import intents, model, publishing, store
from opsbook.revisions.errors import (
    DraftClosed,
    DraftConflict,
    NoSuchDraft,
    SourceBusy,
    WasRejected,
)
from opsbook.revisions.model import Candidate, digest_of
from opsbook.revisions.plan import Plan, Running, compare

if TYPE_CHECKING:
    from opsbook.revisions.following import Followed, Revisions

Row = dict[str, Any]
WRITE: Final = "book:write"
MOST_FILES: Final = 500
LONGEST_PATH: Final = 500
TRIES: Final = 3
NOTHING: Final = Plan()


@dataclass(frozen=True)
class Checked:
    """What a draft would be if it were published now: broken, clashing, or this plan."""

    problems: tuple[Problem, ...] = ()
    clashes: tuple[dict[str, Any], ...] = ()
    plan: Plan = NOTHING
    revision: str | None = None


@dataclass(frozen=True)
class Published:
    """What became of a draft: it runs, or waits for the approval of that number."""

    revision: str
    approval_id: int | None = None

    @property
    def waits(self) -> bool:
        """Whether it does not run yet."""
        return self.approval_id is not None


def open(tx: Transaction, now: datetime, book: Book, principal: Principal) -> int:
    """Begin an edit of a book as it runs and return the draft's number.

    Raises:
        Refused: the principal may not edit the book, or is no person.
    """
    principal.require(WRITE, book)
    principal.require_person()
    made = store.add_draft(
        tx, book=book.id, base=book.revision, account_id=principal.account_id, files={},
        state="open", created_at=now, updated_at=now,
    )  # fmt: skip
    audit.record(
        tx, now, principal.actor, "draft.opened", f"draft:{made}", thread=f"book:{book.id}",
        data={"book": book.id, "base": book.revision},
    )  # fmt: skip
    tx.touch(f"draft:{made}")
    return made


def require(tx: Transaction, draft_id: int) -> Row:
    """Return a draft.

    Raises:
        NoSuchDraft: there is none of that number.
    """
    row = store.draft_by_id(tx, draft_id)
    if row is None:
        raise NoSuchDraft(f"There is no draft {draft_id}.")
    return row


def of_book(
    tx: Transaction, book: str, states: Iterable[str] = ("open", "waiting", "writing", "conflict")
) -> list[Row]:
    """Return a book's drafts, those being worked on unless told otherwise, the latest first."""
    return store.drafts_of(tx, book, states)


def text_of(tx: Transaction, row: Row, path: str) -> str | None:
    """Return a file as the draft has it; ``None`` where there is none."""
    change = row["files"].get(path)
    if change is not None:
        text: str | None = change["text"]
        return text
    return store.files_of(tx, row["base"]).get(path)


def change(
    tx: Transaction, now: datetime, draft_id: int, principal: Principal, path: str,
    text: str | None, seen: str | None,
) -> str | None:  # fmt: skip
    """Write a file of a draft (``None`` removes it) and return its digest.

    ``seen`` is the digest (``model.digest_of``) of the text that the editor changed: ``None`` for a
    file that was not there. A draft that waits for its approval is open again, and the approval of
    what it was is void.

    Raises:
        Refused: it is somebody else's draft.
        DraftClosed: it was published or discarded, or is being written.
        DraftConflict: the file is not as the editor saw it: another page of theirs has changed it.
        Invalid: the path or text cannot be part of a book.
    """
    row = _mine(tx, draft_id, principal)
    _editable(row)
    path = checked_path(path)
    base = store.files_of(tx, row["base"])
    if digest_of(text_of(tx, row, path)) != seen:
        raise DraftConflict(
            f"{path} in this draft is not what you changed any more.",
            remedy="Another page has changed it; load it again.",
            files=[{"path": path}],
        )
    _checked_text(path, text)
    files = {name: one for name, one in row["files"].items() if name != path}
    if base.get(path) != text:
        before = row["files"].get(path, {"base": digest_of(base.get(path))})["base"]
        files[path] = {"text": text, "base": before}
    if len(files) > MOST_FILES:
        raise Invalid(f"A draft changes at most {MOST_FILES} files.", remedy="Publish it in parts.")
    _reopen(tx, now, row, files=files)
    return digest_of(text)


def renew(
    tx: Transaction, now: datetime, draft_id: int, principal: Principal, running: Book,
    resolved: Mapping[str, str | None],
) -> None:  # fmt: skip
    """Put a draft on top of what runs now.

    ``resolved`` has, for each file that both have changed, the digest of the running text that the
    editor has read: the draft's own text then replaces exactly that.

    Raises:
        DraftConflict: a file that both have changed is not resolved.
    """
    row = _mine(tx, draft_id, principal)
    _editable(row)
    _, clashes = model.rebased(running.files, row["files"])
    open_still = [
        path for path in clashes
        if path not in resolved or resolved[path] != digest_of(running.files.get(path))
    ]  # fmt: skip
    if open_still:
        raise conflict(tx, row, running, open_still)
    files = {
        path: {"text": one["text"], "base": digest_of(running.files.get(path))}
        for path, one in row["files"].items()
        if one["text"] != running.files.get(path)
    }
    _reopen(tx, now, row, files=files, base=str(running.revision))


def discard(tx: Transaction, now: datetime, draft_id: int, principal: Principal) -> None:
    """Drop a draft; an approval that it waits for is void.

    Raises:
        Refused: it is somebody else's draft.
        DraftClosed: it was published or discarded before, or is being written.
    """
    row = _mine(tx, draft_id, principal)
    _editable(row)
    _reopen(tx, now, row, state="discarded")
    audit.record(
        tx, now, principal.actor, "draft.discarded", f"draft:{draft_id}",
        thread=f"book:{row['book']}", data={"book": row["book"]},
    )  # fmt: skip


async def check(
    home: Revisions, draft_id: int, now: datetime, goes_on: Running | None = None
) -> Checked:
    """Say what publishing a draft would run into, or change; nothing is written.

    ``goes_on`` lets the plan tell of runs, incidents and alerts.

    Raises:
        NoSuchDraft: there is none of that number.
    """
    row = await home.database.read(partial(require, draft_id=draft_id))
    running = home.library.current(row["book"])
    files, clashes = model.rebased(running.files, row["files"])
    if clashes:
        error = await home.database.read(lambda tx: conflict(tx, row, running, clashes))
        return Checked(clashes=tuple(error.details["files"]))
    one = home.source_of(row["book"])
    memory = one.memory if one is not None else None
    try:
        book = await asyncio.to_thread(load, files, home.library.vocabulary, memory)
    except BookError as error:
        return Checked(problems=error.problems)
    plan = await asyncio.to_thread(compare, running, book, now, goes_on)
    return Checked(plan=plan, revision=str(book.revision))


async def book_of(home: Revisions, draft_id: int, book_id: str) -> Book | None:
    """Return the book that a draft would make; ``None`` where it is broken or clashes.

    Raises:
        NoSuchDraft: the book has none of that number.
    """
    row = await home.database.read(partial(require, draft_id=draft_id))
    if row["book"] != book_id:
        raise NoSuchDraft(f"There is no draft {draft_id} of the book {book_id}.")
    files, clashes = model.rebased(home.library.current(book_id).files, row["files"])
    if clashes:
        return None
    try:
        return await asyncio.to_thread(load, files, home.library.vocabulary)
    except BookError:
        return None


async def publish(
    home: Revisions, draft_id: int, principal: Principal, reason: str, now: datetime
) -> Published:
    """Publish a draft: written to its source and running, or held until somebody approves.

    Raises:
        Refused: the principal may not edit the book, or it is somebody else's draft.
        DraftClosed: it was published or discarded, or is being written.
        DraftConflict: somebody else has changed the same; says who, what and when.
        SourceBusy: the source holds something that does not run.
        BookError: with every problem of the book that it would be.
        WasRejected: exactly this was rejected before.
        NotWritten: the source could not be written; nothing was published.
        Invalid: the draft changes nothing, or the reason is too long.
    """
    reason = audit.note(reason, "reason")

    def begin(tx: Transaction) -> Row:
        row = _mine(tx, draft_id, principal)
        principal.require(WRITE, home.library.current(row["book"]))
        _editable(row)
        if not store.change_draft(tx, row, reason=reason, updated_at=now):
            raise _raced()
        return row

    row = await home.database.write(begin)
    one = _source(home, row["book"])
    async with home.alone(one):
        return await push_through(home, one, draft_id, now)


async def push_through(home: Revisions, one: Followed, draft_id: int, now: datetime) -> Published:
    """Take a draft as far as it goes; the caller has the source for itself.

    A remote may move between the fetch and the push: then it is followed, and the draft put on top.
    """
    last: intents.Moved | None = None
    for _ in range(TRIES):
        try:
            return await _push_through(home, one, draft_id, now)
        except intents.Moved as moved:
            last = moved
    raise last or Bug()


async def _push_through(home: Revisions, one: Followed, draft_id: int, now: datetime) -> Published:
    row = await home.database.read(partial(require, draft_id=draft_id))
    await home.follow(one, now, at_once=True)
    running = home.library.current(row["book"])
    _at_rest(home, one, running)
    files, clashes = model.rebased(running.files, row["files"])
    if clashes:
        error = await home.database.write(lambda tx: _clash(tx, now, draft_id, running, clashes))
        raise error
    if files == dict(running.files):
        if row["state"] == "waiting":
            await home.database.write(partial(_done_already, now=now, draft_id=draft_id))
            return Published(str(running.revision))
        raise Invalid(
            "The draft changes nothing that is not so already.",
            remedy="Change something, or discard it.",
        )
    book = await asyncio.to_thread(load, files, home.library.vocabulary, one.memory)
    if book.id != running.id:
        raise Invalid(
            f"The draft changes the book's id from {running.id!r} to {book.id!r}.",
            remedy="The id may not change while the book runs.",
        )
    plan = await asyncio.to_thread(compare, running, book, now)
    ready = await home.database.write(
        partial(_intend, now=now, home=home, one=one, draft_id=draft_id, book=book,
                running=running, plan=plan)
    )  # fmt: skip
    if isinstance(ready, Published):
        home.hub.touch(["books", f"draft:{draft_id}"])
        return ready
    try:
        await intents.carry_out(home, one, ready, running, now)
    finally:
        one.forget()
    await home.follow(one, now, at_once=True)
    return await _result(home, draft_id, book)


async def _result(home: Revisions, draft_id: int, book: Book) -> Published:
    """What became of a draft that is in its source."""
    row = await home.database.read(partial(require, draft_id=draft_id))
    if row["state"] == "published":
        return Published(str(home.library.current(book.id).revision))
    raise DraftConflict(
        "The source was changed at the same moment, so that what it holds is not this edit alone.",
        remedy="Look at what runs and at the source; the draft is kept.",
        files=[],
    )


def _intend(
    tx: Transaction, now: datetime, home: Revisions, one: Followed, draft_id: int, book: Book,
    running: Book, plan: Plan,
) -> Row | Published:  # fmt: skip
    """Write the intent, or hold what needs an approval first.

    Raises:
        Conflict: something else runs since the draft was compared.
    """
    row = require(tx, draft_id)
    if row["state"] not in {"open", "conflict", "waiting"}:
        raise _closed(row)
    if books.running(tx, book.id) != running.revision:
        raise Conflict("Another revision was published at this moment.", remedy="Try again.")
    candidate = Candidate(
        book=book, source=one.key, origin=f"edit:{draft_id}", author=f"account:{row['account_id']}",
        accounts=(row["account_id"],), draft=draft_id,
    )  # fmt: skip
    outcome, held = publishing.weigh(tx, candidate, str(running.revision), plan.changes)
    if outcome == "waiting" and held is not None and held["draft_id"] != draft_id:
        outcome = "hold"  # somebody else's edit says the same, and waits for an approval of its own
    for other in store.open_held(tx, draft=draft_id):
        if held is None or other["id"] != held["id"]:
            publishing.drop_held(tx, now, other, "replaced")
    base = str(running.revision)
    if outcome == "rejected":
        raise WasRejected(
            "Exactly this was rejected before.",
            remedy="Change what was objected to; the same content is not asked for again.",
        )
    if outcome in {"hold", "waiting"}:
        if outcome == "hold" or held is None:
            held = publishing.hold(tx, now, home.library, candidate, running, plan.changes)
        store.change_draft(tx, row, state="waiting", base=base, files=_onto(row, running),
                           target=str(book.revision), said="", updated_at=now)  # fmt: skip
        return Published(str(book.revision), held["approval_id"])
    changed = store.change_draft(
        tx, row, state="writing", base=base, files=_onto(row, running),
        target=str(book.revision), commit=None, said="", updated_at=now,
    )  # fmt: skip
    if not changed:
        raise _raced()
    return require(tx, draft_id)


def _onto(row: Row, running: Book) -> dict[str, Any]:
    """The draft's files, each from what runs now."""
    return {
        path: {"text": one["text"], "base": digest_of(running.files.get(path))}
        for path, one in row["files"].items()
        if one["text"] != running.files.get(path)
    }


def _at_rest(home: Revisions, one: Followed, running: Book) -> None:
    """Refuse to write on top of what does not run: that would publish it as well."""
    if one.content == running.revision:
        return
    trouble, held = home.library.trouble(running.id), home.library.held(running.id)
    if held is not None:
        why = f"It holds the revision {held.revision[:12]}, which waits for approval."
    elif trouble is not None:
        why = trouble.message
    else:
        why = "It is being written to at this moment."
    raise SourceBusy(
        f"{one.key} is not what runs, and an edit on top would publish that as well. {why}",
        remedy="Settle that first, then publish again; the draft is kept.",
    )


def conflict(tx: Transaction, row: Row, running: Book, paths: list[str]) -> DraftConflict:
    """Return who has changed these files since the draft was begun, and when."""
    found = [_who_changed(tx, row, path) for path in paths]
    told = "; ".join(
        f"{one['path']} by {one['author']} ({one['revision'][:12]})" if one["author"]
        else one["path"] for one in found
    )  # fmt: skip
    return DraftConflict(
        f"Somebody else has changed the same since you began: {told}.",
        remedy="Read what it says now, take that into your edit, and publish again.",
        files=found,
    )


def _who_changed(tx: Transaction, row: Row, path: str) -> dict[str, Any]:
    """The latest publication since the draft's base that changed a file."""
    wanted = row["files"][path]["base"]
    for one in store.publications(tx, row["book"]):
        if one["revision"] == row["base"] or one["parent"] is None:
            break
        after = digest_of(store.files_of(tx, one["revision"]).get(path))
        before = digest_of(store.files_of(tx, one["parent"]).get(path))
        if after not in {before, wanted}:
            return {"path": path, "author": one["author"], "revision": one["revision"],
                    "at": one["at"].isoformat()}  # fmt: skip
    return {"path": path, "author": "", "revision": "", "at": ""}


def _clash(
    tx: Transaction, now: datetime, draft_id: int, running: Book, paths: list[str]
) -> DraftConflict:
    row = require(tx, draft_id)
    error = conflict(tx, row, running, paths)
    _reopen(tx, now, row, state="conflict", said=error.message)
    return error


def _done_already(tx: Transaction, now: datetime, draft_id: int) -> None:
    _reopen(tx, now, require(tx, draft_id), state="published")


def _mine(tx: Transaction, draft_id: int, principal: Principal) -> Row:
    row = require(tx, draft_id)
    principal.require_person()
    if row["account_id"] != principal.account_id:
        raise Refused(
            "This draft is somebody else's.", remedy="Begin one of your own; both can be published."
        )
    return row


def _editable(row: Row) -> None:
    if row["state"] not in {"open", "conflict", "waiting"}:
        raise _closed(row)


def _closed(row: Row) -> DraftClosed:
    if row["state"] == "writing":
        return DraftClosed(
            "This draft is being written to its source.", remedy="Wait until that is done."
        )
    return DraftClosed(f"This draft was {row['state']}.", remedy="Begin a new one.")


def _raced() -> DraftConflict:
    return DraftConflict("The draft was changed at this moment.", remedy="Load it again.", files=[])


def _reopen(tx: Transaction, now: datetime, row: Row, **values: Any) -> None:
    """Change a draft; what it waited for was something else."""
    for held in store.open_held(tx, draft=row["id"]):
        publishing.drop_held(tx, now, held, "replaced")
    fresh = {"state": "open", "target": None, "commit": None, "said": "", "updated_at": now}
    if not store.change_draft(tx, row, **{**fresh, **values}):
        raise _raced()
    tx.touch(f"draft:{row['id']}", "books")


def _source(home: Revisions, book: str) -> Followed:
    one = home.source_of(book)
    if one is None:
        raise Invalid(
            f"The book {book} comes from nowhere that this server can write to.",
            remedy="Edit it where it comes from.",
        )
    return one


def checked_path(path: str) -> str:
    """Return a path that can be part of a book.

    Raises:
        Invalid: with the reason.
    """
    parts = path.split("/")
    fault = None
    if not path or len(path) > LONGEST_PATH:
        fault = f"is empty or longer than {LONGEST_PATH} characters"
    elif any(part in {"", ".", ".."} for part in parts) or "\\" in path:
        fault = "does not lead to a place inside the book"
    elif any(part.startswith(".") for part in parts) or path.endswith("~"):
        fault = "is a name that books leave out (a dot before it, or ~ behind it)"
    elif not path.isprintable():
        fault = "has signs in it that cannot be printed"
    if fault is not None:
        raise Invalid(f"{path!r} {fault}.", remedy="Write a path such as runbooks/restart.md.")
    return path


def _checked_text(path: str, text: str | None) -> None:
    if text is None:
        return
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Invalid(f"{path} has signs in it that are no text.", remedy="Write UTF-8.") from None
    if size > MAX_FILE:
        raise Invalid(f"{path} is larger than {MAX_FILE // 2**20} MiB.")
