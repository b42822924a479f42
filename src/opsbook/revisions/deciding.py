"""What follows from a decided approval: what was held runs, or is dropped.

Read from rows and not from events: a crash at any moment leaves a row that waits and an approval
that is decided, and the next look sees both.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog

from opsbook import audit
from opsbook.base.database import Transaction
from opsbook.base.errors import OpsbookError
from opsbook.book import BookError
from opsbook.book import store as books
from opsbook.revisions import drafts, intents, store
from opsbook.revisions.model import Candidate

if TYPE_CHECKING:
    from opsbook.revisions.following import Revisions

Row = dict[str, Any]
AGAIN: Final = timedelta(minutes=1)
log = structlog.get_logger("opsbook.revisions")


async def tick(home: Revisions, now: datetime) -> datetime | None:
    """Deal with everything that was decided, and with edits that wait for what has moved on."""
    left = False
    for row in await home.database.read(store.decided):
        if home.source_of(row["book"]) is None:
            continue
        if row["approval_state"] != "approved":
            await _dropped(home, row, now)
        elif row["draft_id"] is None:
            await _approved(home, row, now)
        else:
            left |= await _edit(home, row, now)
    for row in await home.database.read(_moved_on):
        if home.source_of(row["book"]) is not None:
            left |= await _edit(home, row, now)
    return now + AGAIN if left else None


def _moved_on(tx: Transaction) -> list[Row]:
    """The edits that wait for an approval in the place of something that does not run any more."""
    waiting = store.open_held(tx, edits=True)
    running = books.all_running(tx, {row["book"] for row in waiting})
    return [row for row in waiting if running.get(row["book"]) != row["parent"]]


async def _dropped(home: Revisions, row: Row, now: datetime) -> None:
    """Rejected: remembered, so that the same is not asked again."""
    await home.database.write(partial(_drop, now=now, row=row))
    await home.recall_held(row["book"])
    one = home.source_of(row["book"])
    if one is not None and row["draft_id"] is None:
        one.forget()  # the next look says that what it holds was rejected
    home.hub.touch(["books"])


def _drop(tx: Transaction, now: datetime, row: Row) -> None:
    state = "rejected" if row["approval_state"] == "rejected" else "replaced"
    if not store.close_held(tx, now, row["id"], state):
        return
    if state == "rejected":
        audit.record(
            tx, now, audit.SERVER, "book.rejected", f"book:{row['book']}",
            data={"revision": row["revision"], "origin": row["origin"]},
        )  # fmt: skip
    if row["draft_id"] is not None:
        said = "The approval was refused." if state == "rejected" else "The approval was withdrawn."
        intents.give_back(tx, now, row["draft_id"], "open", said)


async def _approved(home: Revisions, row: Row, now: datetime) -> None:
    """Publish what the source held when it was asked for."""
    one = home.source_of(row["book"])
    assert one is not None  # noqa: S101  asked before
    async with one.lock:
        running = await home.database.read(lambda tx: books.running(tx, row["book"]))
        if running != row["parent"]:
            await home.database.write(lambda tx: store.close_held(tx, now, row["id"], "replaced"))
            one.forget()
            await home.recall_held(row["book"])
            return
        book = await home.database.read(lambda tx: home.library.at(tx, row["revision"]))
        candidate = Candidate(
            book=book, source=row["source"], origin=row["origin"], author=row["author"],
            accounts=tuple(row["accounts"]),
        )  # fmt: skip
        await home.settle(candidate, now)
        one.forget()  # its trouble and its place are read anew from what it holds


async def _edit(home: Revisions, row: Row, now: datetime) -> bool:
    """Carry an edit on that waited; return whether it has to be tried again later."""
    one = home.source_of(row["book"])
    draft = await home.database.read(lambda tx: store.draft_by_id(tx, row["draft_id"]))
    if one is None or draft is None or draft["state"] != "waiting":
        return False
    async with one.lock:
        try:
            await drafts.push_through(home, one, draft["id"], now)
        except BookError as error:
            said = f"What runs has changed, and the edit does not fit any more: {error}"
            await home.database.write(
                partial(intents.give_back, now=now, draft=draft["id"], state="conflict", said=said)
            )
        except OpsbookError as error:
            log.warning("an edit could not be carried on", draft=draft["id"], why=str(error))
            still = await home.database.read(lambda tx: store.draft_by_id(tx, row["draft_id"]))
            return still is not None and still["state"] == "waiting"
    return False
