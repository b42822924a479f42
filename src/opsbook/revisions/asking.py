"""Asking for the approval of what loosens, and telling those who can give it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from opsbook.access import accounts, approvals, approvers
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.notify import outbox
from opsbook.revisions import store
from opsbook.revisions.model import Candidate
from opsbook.revisions.plan import Change

PERMISSION: Final = "book:admin"
QUESTION: Final = {
    "ko": "이 개정판은 규칙을 느슨하게 합니다. 실행해도 됩니까? {changes}",
    "en": "This revision loosens what protects. May it run? {changes}",
}
TITLE: Final = {
    "ko": "지침서의 새 개정판이 승인을 기다립니다",
    "en": "A new revision of the book waits for approval",
}


def binding(book: str, revision: str, parent: str) -> str:
    """Return the hash of all that an approver agrees to: this content in the place of that one."""
    return approvals.binding(book=book, revision=revision, over=parent)


def ask(
    tx: Transaction, now: datetime, running: Book, candidate: Candidate, changes: Sequence[Change]
) -> int:
    """Hold a revision and ask whether it may run; return the number it is held under.

    The rule about one's own work is the running book's: a revision that allows it cannot be the
    one that is judged by it.
    """
    loosening = [change for change in changes if change.loosens]
    told = " ".join(str(change) for change in loosening)
    language = running.languages[0]
    digest, parent = str(candidate.book.revision), str(running.revision)
    shut = excluded(tx, candidate)
    thread = f"book:{running.id}"
    approval = approvals.request(
        tx, now, book=running, subject=f"{thread}/{digest[:12]}", thread=thread,
        question=QUESTION.get(language, QUESTION["en"]).format(changes=told), role=None,
        permission=PERMISSION, need=1, bound_to=binding(running.id, digest, parent),
        excluded=dict.fromkeys(shut, "authored"), expires_at=None,
    )  # fmt: skip
    held = store.hold(
        tx, book=running.id, revision=digest, parent=parent, source=candidate.source,
        author=candidate.author, accounts=list(candidate.accounts), origin=candidate.origin,
        changes=[change.as_data() for change in changes], draft_id=candidate.draft,
        approval_id=approval, held_at=now,
    )  # fmt: skip
    _tell(tx, now, running, held, approval, told)
    return held


def excluded(tx: Transaction, candidate: Candidate) -> list[int]:
    """Return the accounts that have a part in what was not approved yet.

    Who wrote this, who wrote what was published since the last approved revision, and who wrote
    what was held meanwhile: a loosening of one person's is not theirs to approve because somebody
    else changed a comma on top of it.
    """
    since, published = store.since_approved(tx, candidate.book.id)
    rows = [*published, *store.held_since(tx, candidate.book.id, since)]
    found = {*candidate.accounts, *(account for row in rows for account in row["accounts"])}
    return sorted(found)


def _tell(tx: Transaction, now: datetime, book: Book, held: int, approval: int, told: str) -> None:
    """Put it into the inbox of everybody who may approve it."""
    row: dict[str, Any] = approvals.require(tx, approval)
    logins = accounts.logins(tx, row["excluded"])
    for person in approvers.could_approve(book, row, logins):
        outbox.page(
            tx, now, book=book, person_id=person, cause=f"book:{book.id} held",
            key=f"book:{book.id}/held/{held}/{person}", thread=f"book:{book.id}", title=TITLE,
            body=told, path=f"/book/{book.id}/held", urgent=False,
        )  # fmt: skip
