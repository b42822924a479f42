"""An edit on its way into its source: begun as a row, carried out, and finished after a crash.

The order is what keeps it safe. First the row (``writing``, with the hash of what the source will
hold), then the source, and then the source is looked at like any other day: what it holds is
published, and where that is an intent's target it is the editor's. A crash between any two of these
is finished by the next start, which knows from the row what was meant.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from opsbook import audit
from opsbook.access import accounts
from opsbook.base.database import Transaction
from opsbook.base.errors import OpsbookError
from opsbook.book import Book
from opsbook.book.texts import Text
from opsbook.revisions import git, store, writing
from opsbook.revisions.address import FolderAddress
from opsbook.revisions.errors import DraftConflict, NotWritten, PushRefused, Unreachable
from opsbook.revisions.git import GitFailed
from opsbook.revisions.writing import FileChange, Signature

if TYPE_CHECKING:
    from opsbook.revisions.following import Followed, Revisions

Row = dict[str, Any]


async def carry_out(home: Revisions, one: Followed, row: Row, base: Book, now: datetime) -> None:
    """Write an edit whose intent is a committed row to its source.

    Raises:
        DraftConflict: the source has changed there since; the edit is its author's again.
        NotWritten: it could not be written; nothing is published.
        Moved: the remote has moved on; the edit is open again and can be put on top.
        NotKnown: nobody knows whether it arrived. The intent stays and is looked at again.
    """
    changes = changes_of(row, base.files)
    signed = await home.database.read(partial(signature, row=row, book=base))
    try:
        if isinstance(one.address, FolderAddress):
            await asyncio.to_thread(writing.to_folder, one.address.path.absolute(), changes, signed)
        else:
            await _push(home, one, row, changes, signed, now)
    except (DraftConflict, NotWritten) as error:
        state = "conflict" if isinstance(error, DraftConflict) else "open"
        await home.database.write(partial(give_back, now=now, draft=row["id"], state=state,
                                          said=str(error)))  # fmt: skip
        raise


async def _push(
    home: Revisions, one: Followed, row: Row, changes: tuple[FileChange, ...], signed: Signature,
    now: datetime,
) -> None:  # fmt: skip
    remote = one.remote
    assert remote is not None  # noqa: S101  the address says so
    try:
        tip = await asyncio.to_thread(remote.tip)
        made = await asyncio.to_thread(
            remote.commit, tip, {change.path: change.after for change in changes},
            git.committer(signed.name, signed.login), writing.message(signed),
        )  # fmt: skip
    except GitFailed as failure:
        raise NotWritten(f"The edit could not be committed: {failure.said}") from failure
    await home.database.write(partial(_commit_known, draft=row["id"], commit=made, now=now))
    try:
        await asyncio.to_thread(remote.push, made)
    except PushRefused as refusal:
        with contextlib.suppress(Unreachable):
            if await asyncio.to_thread(remote.fetch) != tip:
                raise Moved(refusal.message, remedy=refusal.remedy) from refusal
        raise NotWritten(refusal.message, remedy=refusal.remedy) from refusal
    except Unreachable as failure:
        arrived = await _arrived(one, made)
        if arrived is None:
            one.unsettled = True
            raise NotKnown(
                f"{failure.message} Nobody knows whether the edit arrived there.",
                remedy="It is looked up as soon as the remote answers; publish nothing meanwhile.",
            ) from failure
        if not arrived:
            raise NotWritten(
                f"The edit could not be pushed: {failure.message}",
                remedy="Nothing was published. Try again when the remote answers.",
            ) from failure


class Moved(NotWritten):
    """Somebody has pushed at the same moment."""


class NotKnown(Unreachable):
    """The push was cut off: it may have arrived."""


async def _arrived(one: Followed, commit: str) -> bool | None:
    """Whether a commit is in the remote's branch; ``None`` while nobody answers."""
    assert one.remote is not None  # noqa: S101
    try:
        tip = await asyncio.to_thread(one.remote.fetch)
    except Unreachable:
        return None
    return await asyncio.to_thread(one.remote.builds_on, tip, commit)


async def finish(home: Revisions, one: Followed, book: str, now: datetime) -> None:
    """Finish every edit that was on its way into a source when this server was last heard of."""
    rows = await home.database.read(lambda tx: store.writing(tx, book))
    one.unsettled = False
    for row in rows:
        try:
            await _finish(home, one, row, now)
        except (DraftConflict, NotWritten) as error:
            await home.database.write(partial(give_back, now=now, draft=row["id"],
                                              state="conflict", said=str(error)))  # fmt: skip


async def _finish(home: Revisions, one: Followed, row: Row, now: datetime) -> None:
    files = await home.database.read(lambda tx: store.files_of(tx, row["base"]))
    if isinstance(one.address, FolderAddress):
        base = await home.database.read(lambda tx: home.library.at(tx, row["base"]))
        signed = await home.database.read(partial(signature, row=row, book=base))
        await asyncio.to_thread(
            writing.carry_on, one.address.path.absolute(), changes_of(row, files), signed
        )
        return
    if row["commit"] is None:
        raise NotWritten("This server stopped before the edit was pushed; publish it again.")
    arrived = await _arrived(one, row["commit"])
    if arrived is None:
        one.unsettled = True
    elif not arrived:
        raise NotWritten("The edit did not arrive at the remote; publish it again.")


def settle_rest(
    tx: Transaction, now: datetime, book: str, files: Mapping[str, str], following: bool
) -> None:
    """Close the intents that are left after their source was looked at and did not hold just them.

    Where what runs has every file as the edit has it, the edit runs, together with somebody else's.
    Otherwise it is its author's again; ``following`` says that what the source holds now does run.
    """
    for row in store.writing(tx, book):
        changes = row["files"].items()
        if all(files.get(path) == change["text"] for path, change in changes):
            store.change_draft(tx, row, state="published", said="", updated_at=now)
        elif following:
            said = "The source was changed at the same moment; compare what runs with this edit."
            give_back(tx, now, row["id"], "conflict", said)


def give_back(tx: Transaction, now: datetime, draft: int, state: str, said: str) -> None:
    """Let an edit be its author's again, with what has become of it."""
    row = store.draft_by_id(tx, draft)
    if row is None or row["state"] in {"published", "discarded"}:
        return
    store.change_draft(tx, row, state=state, target=None, commit=None, said=said, updated_at=now)
    audit.record(
        tx, now, audit.SERVER, "draft.returned", f"draft:{draft}", thread=f"book:{row['book']}",
        data={"book": row["book"], "state": state},
    )  # fmt: skip


def changes_of(row: Row, files: Mapping[str, str]) -> tuple[FileChange, ...]:
    """Return what an edit writes over these files, in the order of its paths."""
    return tuple(
        FileChange(path, files.get(path), change["text"])
        for path, change in sorted(row["files"].items())
        if files.get(path) != change["text"]
    )


def signature(tx: Transaction, row: Row, book: Book) -> Signature:
    """Return who an edit is signed by: as the book calls them, under their login."""
    account = accounts.by_id(tx, row["account_id"])
    login = str(account["login"]) if account else "opsbook"
    person = book.person_of(login)
    name = _plain(book.people[person].name, book.languages[0]) if person else login
    return Signature(name or login, login, row["reason"])


def _plain(name: Text, language: str) -> str:
    """A name that git takes: without its own signs and line breaks."""
    return " ".join(
        "".join(" " if c in "<>\n\r" else c for c in name.in_language(language)).split()
    )


def _commit_known(tx: Transaction, draft: int, commit: str, now: datetime) -> None:
    row = store.draft_by_id(tx, draft)
    if row is None or not store.change_draft(tx, row, commit=commit, updated_at=now):
        raise OpsbookError("The draft has changed while it was being written: this is a bug.")
