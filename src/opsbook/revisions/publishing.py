"""Letting a revision run, holding it, or leaving things as they are: one transaction each.

Everything is decided again inside the transaction, from the rows as they are there. What was
compared outside counts only if what it was compared with still runs; otherwise the answer is
``stale`` and the caller compares again. So an edit and a reload at the same moment cannot undo each
other, and a crash leaves either nothing or all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from opsbook import audit
from opsbook.access import approvals
from opsbook.base import events
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.book import store as books
from opsbook.book.library import Library
from opsbook.revisions import asking, store
from opsbook.revisions.model import REWRITTEN, Candidate, Outcome, decide
from opsbook.revisions.plan import Change, Plan

PUBLISHED = "book.published"


def settle(
    tx: Transaction, now: datetime, library: Library, candidate: Candidate, over: str | None,
    old: Book | None, plan: Plan,
) -> Outcome:  # fmt: skip
    """Let what a source holds run, or hold it, or neither.

    ``plan`` compares it with ``old``, which is the revision ``over``: ``None`` where nothing ran,
    or where what ran cannot be loaded any more and so cannot go on either.
    """
    book = candidate.book
    if books.running(tx, book.id) != over:
        return "stale"
    intent = intent_of(tx, book)
    if intent is not None:
        candidate = attributed(candidate, intent)
    changes = changes_of(candidate, plan)
    outcome, covering = weigh(tx, candidate, over, changes, comparable=old is not None)
    if outcome == "publish":
        _publish(tx, now, library, candidate, over, changes, covering)
    elif outcome == "hold" and old is not None:
        replace_held(tx, now, book.id, keep=None)
        hold(tx, now, library, candidate, old, changes)
    else:
        keep = covering["id"] if outcome == "waiting" and covering is not None else None
        replace_held(tx, now, book.id, keep=keep)
    if intent is not None and outcome in {"same", "publish"}:
        close_draft(tx, now, intent)
    return outcome


def weigh(
    tx: Transaction, candidate: Candidate, over: str | None, changes: Sequence[Change], *,
    comparable: bool = True,
) -> tuple[Outcome, dict[str, Any] | None]:  # fmt: skip
    """Say what becomes of a candidate, and the row of the time that exactly it was held."""
    book = candidate.book
    covering = store.held_of(tx, book.id, book.revision, over) if over else None
    outcome = decide(
        over, book.revision,
        loosens=comparable and any(one.loosens for one in changes),
        approved=covering is not None and _granted(tx, covering),
        refused=store.held_of(tx, book.id, book.revision, state="rejected") is not None,
        asked=covering is not None and covering["state"] == "open",
    )  # fmt: skip
    return outcome, covering


def hold(
    tx: Transaction, now: datetime, library: Library, candidate: Candidate, running: Book,
    changes: Sequence[Change],
) -> dict[str, Any]:  # fmt: skip
    """Store a revision and ask whether it may run; return the row it is held by."""
    parent = str(running.revision)
    library.keep(tx, now, candidate.book, candidate.author, candidate.origin, parent)
    held = asking.ask(tx, now, running, candidate, changes)
    row = store.held_by_id(tx, held)
    assert row is not None  # noqa: S101  written in this transaction
    return row


def changes_of(candidate: Candidate, plan: Plan) -> list[Change]:
    """Return what a candidate changes, its history included."""
    return [*plan.changes, *([REWRITTEN] if candidate.rewritten else [])]


def intent_of(tx: Transaction, book: Book) -> dict[str, Any] | None:
    """Return the edit whose way into the source was begun and whose target is exactly this."""
    return next((one for one in store.writing(tx, book.id) if one["target"] == book.revision), None)


def attributed(candidate: Candidate, intent: dict[str, Any]) -> Candidate:
    """Return the candidate as the editor's: the source holds what their edit was to write there."""
    return Candidate(
        book=candidate.book, source=candidate.source, origin=f"edit:{intent['id']}",
        author=f"account:{intent['account_id']}", accounts=(intent["account_id"],),
        commit=candidate.commit, rewritten=candidate.rewritten,
    )  # fmt: skip


def replace_held(tx: Transaction, now: datetime, book: str, *, keep: int | None) -> None:
    """Let what the source held before wait no longer, and make its approval void."""
    for row in store.open_held(tx, book, edits=False):
        if row["id"] != keep:
            drop_held(tx, now, row, "replaced")


def drop_held(tx: Transaction, now: datetime, row: dict[str, Any], state: str) -> None:
    """Close a held revision whose approval is not wanted any more."""
    if store.close_held(tx, now, row["id"], state):
        approvals.void(tx, now, row["approval_id"], "changed")


def close_draft(tx: Transaction, now: datetime, row: dict[str, Any]) -> None:
    """Note that an edit runs."""
    store.change_draft(tx, row, state="published", said="", updated_at=now)
    tx.touch(f"draft:{row['id']}")


def _granted(tx: Transaction, row: dict[str, Any]) -> bool:
    """Whether exactly this was approved in the place of exactly what runs."""
    subject = f"book:{row['book']}/{row['revision'][:12]}"
    bound = asking.binding(row["book"], row["revision"], row["parent"])
    found = approvals.granted(tx, subject, bound)
    return row["state"] == "open" and found is not None and found["id"] == row["approval_id"]


def _publish(
    tx: Transaction, now: datetime, library: Library, candidate: Candidate, running: str | None,
    changes: Sequence[Change], approved: dict[str, Any] | None,
) -> None:  # fmt: skip
    book = candidate.book
    library.publish(tx, now, book, candidate.author, candidate.origin)
    covered = approved is not None and _granted(tx, approved)
    approval = approved["approval_id"] if approved is not None and covered else None
    told = [change.as_data() for change in changes]
    store.published(
        tx, book=book.id, revision=book.revision, parent=running, author=candidate.author,
        accounts=list(candidate.accounts), origin=candidate.origin, changes=told,
        approval_id=approval, at=now,
    )  # fmt: skip
    if approved is not None and covered:
        store.close_held(tx, now, approved["id"], "published")
    replace_held(tx, now, book.id, keep=None)
    by = candidate.author if candidate.author.startswith("account:") else audit.SERVER
    data: dict[str, Any] = {
        "revision": book.revision, "origin": candidate.origin, "parent": running,
        "changes": [str(change) for change in changes], "accounts": list(candidate.accounts),
    }  # fmt: skip
    if approval is not None:
        data["approval"] = approval
    subject = f"book:{book.id}"
    audit.record(tx, now, by, PUBLISHED, subject, data=data, text=candidate.named or None)
    events.publish(
        tx, now, PUBLISHED, subject,
        {"book": book.id, "revision": book.revision, "parent": running},
    )  # fmt: skip
