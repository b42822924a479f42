"""Approvals: asking, voting, expiring. What is decided here is decided by ``model``.

An approval is bound to what is approved by a hash over revision, runbook, step and parameters
(``binding``). Whoever acts on one asks ``granted`` with the hash of what it is about to do, so that
a yes to something else is no yes. Roles are looked up when somebody votes, in the book that runs
then; the rule about one's own work is the stricter of the book that asked and the one that runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from opsbook import audit
from opsbook.access import approvers, model
from opsbook.access.errors import NotApproved, Settled
from opsbook.access.principal import Principal
from opsbook.access.tables import approval, vote
from opsbook.audit.entries import SERVER
from opsbook.base import events
from opsbook.base.database import Transaction
from opsbook.base.errors import Bug, Invalid, NotFound, OpsbookError
from opsbook.book import Book

Row = dict[str, Any]
LONGEST_NOTE = 10_000
DECIDED = "approval.decided"


def binding(**what: Any) -> str:
    """Return the hash that binds an approval to what is approved; any change gives another one.

    Values are what JSON can hold: ``binding(revision=…, runbook=…, step=…, params={…})``.
    """
    text = json.dumps(what, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def request(
    tx: Transaction, now: datetime, *, book: Book, subject: str, thread: str | None, question: str,
    role: str | None, need: int, bound_to: str, excluded: Iterable[int] | Mapping[int, str],
    expires_at: datetime | None, permission: str | None = None,
) -> int:  # fmt: skip
    """Ask for an approval and return its number.

    ``role`` is who may give it (``None``: whoever has ``permission``, or else ``runs:write``),
    ``need`` how many different people have to. ``excluded`` are the accounts that take part in what
    is asked, or these mapped to why (``started``, ``triggered``, ``edited``, ``authored``).
    """
    if need < 1:
        raise Bug(f"An approval that needs {need} people is a bug in Opsbook.")
    why = excluded if isinstance(excluded, Mapping) else dict.fromkeys(excluded, "started")
    made = tx.insert(
        approval, book=book.id, subject=subject, thread=thread, question=question, role=role,
        permission=permission, need=need, bound_to=bound_to, excluded=sorted(why),
        excluded_because={str(one): why[one] for one in sorted(why)},
        self_approval=book.self_approval, state="open", requested_at=now, expires_at=expires_at,
    )  # fmt: skip
    row = require(tx, made)
    _record(
        tx, now, SERVER, "approval.requested", row, role=role, need=need, bound_to=bound_to,
        excluded={f"account:{one}": why[one] for one in sorted(why)},
        self_approval=book.self_approval,
        expires_at=expires_at.isoformat() if expires_at else None,
    )  # fmt: skip
    return made


def decide(
    tx: Transaction, now: datetime, approval_id: int, principal: Principal, book: Book,
    decision: model.Decision, note: str = "", *, seen: str | None = None,
) -> str:  # fmt: skip
    """Vote, and return the state after it: ``open`` while others are still needed.

    ``book`` is the running revision of the approval's book. ``seen`` is the ``bound_to`` of what
    the voter was shown, where the front door knows it.

    Raises:
        NotFound: there is no such approval.
        NotApproved: the voter may not; says who is excluded, why, and what to do.
        Settled: decided, expired or void already, changed since it was shown, or a second yes.
        Invalid: the note is too long.
    """
    row = require(tx, approval_id)
    if row["book"] != book.id:
        raise NotApproved(
            f"This approval belongs to the book {row['book']}, not to {book.id}.",
            remedy=f"A role in {book.id} means nothing there; ask somebody of {row['book']}.",
            reason="book",
        )
    note = note.strip()
    if len(note) > LONGEST_NOTE:
        raise Invalid(f"The note has {len(note)} characters; {LONGEST_NOTE} fit.")
    _lock(tx, approval_id)
    row = require(tx, approval_id)
    given = votes(tx, approval_id)
    ruling = model.rule(
        approvers.asked(row, book), approvers.voter(tx, principal, row, book),
        approvers.given(given), decision, now,
    )  # fmt: skip
    if seen is not None and seen != row["bound_to"]:
        raise Settled(
            "What is asked has changed since you looked.",
            remedy="Reload the page and read it again.",
            reason="changed",
            state=row["state"],
        )
    _keep(tx, now, approval_id, principal, decision, ruling.by_oneself, note)
    approved = sum(one["decision"] == "approve" for one in votes(tx, approval_id))
    action = {"open": "approval.voted", "approved": "approval.approved"}
    _record(
        tx, now, principal.actor, action.get(ruling.state, "approval.rejected"), row, text=note,
        account=principal.account_id, by_oneself=ruling.by_oneself,
        approved=approved, need=row["need"],
        stands_in=principal.first_admin and not approvers.holds(principal, row, book),
    )  # fmt: skip
    if ruling.state != "open":
        _settle(tx, now, row, ruling.state)
    return ruling.state


def record_refusal(
    tx: Transaction, now: datetime, approval_id: int, principal: Principal, error: OpsbookError
) -> None:
    """Put a refused vote on record, in a transaction of its own (the refused one left nothing)."""
    row = get(tx, approval_id)
    if row is not None:
        reason = error.details.get("reason", type(error).__name__)
        _record(tx, now, principal.actor, "approval.refused", row, reason=reason)


def expire(tx: Transaction, now: datetime) -> datetime | None:
    """Settle every approval nobody decided in time; return when the next one is due."""
    late = (approval.c.state == "open") & (approval.c.expires_at <= now)
    for row in tx.rows(sa.select(approval).where(late).order_by(approval.c.id)):
        if _settle(tx, now, row, "expired"):
            _record(tx, now, SERVER, "approval.expired", row)
    due = sa.type_coerce(sa.func.min(approval.c.expires_at), approval.c.expires_at.type)
    found: datetime | None = tx.scalar(sa.select(due).where(approval.c.state == "open"))
    return found


def void(tx: Transaction, now: datetime, approval_id: int, why: str) -> bool:
    """Take an approval back, asked or given: what it was for has changed or is over.

    ``why`` is a word for programs (``cancelled``, ``changed``). No event: who voids it knows.
    """
    row = require(tx, approval_id)
    usable = (approval.c.id == approval_id) & approval.c.state.in_(("open", "approved"))
    if not tx.claim(sa.update(approval).where(usable).values(state="void", decided_at=now)):
        return False
    _record(tx, now, SERVER, "approval.void", row, why=why)
    return True


def open(tx: Transaction, book: str | None = None) -> list[Row]:
    """Return what waits for a decision, the oldest first."""
    waiting = sa.select(approval).where(approval.c.state == "open").order_by(approval.c.id)
    return tx.rows(waiting if book is None else waiting.where(approval.c.book == book))


def get(tx: Transaction, approval_id: int) -> Row | None:
    """Return one approval."""
    return tx.row(sa.select(approval).where(approval.c.id == approval_id))


def require(tx: Transaction, approval_id: int) -> Row:
    """Return one approval.

    Raises:
        NotFound: there is none of that number.
    """
    row = get(tx, approval_id)
    if row is None:
        raise NotFound(f"There is no approval {approval_id}.")
    return row


def votes(tx: Transaction, approval_id: int) -> list[Row]:
    """Return who voted, in order."""
    mine = sa.select(vote).where(vote.c.approval_id == approval_id)
    return tx.rows(mine.order_by(vote.c.id))


def granted(tx: Transaction, subject: str, bound_to: str) -> Row | None:
    """Return the approval that covers exactly this for a subject; ``None`` when none does."""
    covers = (
        (approval.c.subject == subject)
        & (approval.c.state == "approved")
        & (approval.c.bound_to == bound_to)
    )
    return tx.row(sa.select(approval).where(covers).order_by(approval.c.id.desc()).limit(1))


def _lock(tx: Transaction, approval_id: int) -> None:
    """Let the votes on one approval come one after the other, on PostgreSQL too."""
    if tx.connection.dialect.name == "postgresql":
        tx.execute(sa.select(approval.c.id).where(approval.c.id == approval_id).with_for_update())


def _keep(
    tx: Transaction, now: datetime, approval_id: int, principal: Principal, decision: str,
    by_oneself: bool, note: str,
) -> None:  # fmt: skip
    """Store the vote; a yes may become a no while the approval is open."""
    values = {"decision": decision, "by_oneself": by_oneself, "note": note, "at": now}
    mine = (vote.c.approval_id == approval_id) & (vote.c.account_id == principal.account_id)
    if not tx.claim(sa.update(vote).where(mine).values(**values)):
        tx.insert(vote, approval_id=approval_id, account_id=principal.account_id, **values)


def _settle(tx: Transaction, now: datetime, row: Row, state: str) -> bool:
    still = (approval.c.id == row["id"]) & (approval.c.state == "open")
    if not tx.claim(sa.update(approval).where(still).values(state=state, decided_at=now)):
        return False
    events.publish(tx, now, DECIDED, row["subject"], {"approval_id": row["id"], "state": state})
    return True


def _record(
    tx: Transaction, now: datetime, actor: str, action: str, row: Row, *, text: str = "",
    **data: Any,
) -> None:  # fmt: skip
    tx.touch("approvals", row["subject"])
    audit.record(
        tx, now, actor, action, f"approval:{row['id']}", thread=row["thread"] or row["subject"],
        data={"for": row["subject"], **data}, text=text or None,
    )  # fmt: skip
