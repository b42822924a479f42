"""Approvals: asking, voting, expiring. What is decided here is decided by ``model``.

An approval is bound to what is approved by a hash over revision, runbook, step and parameters
(``binding``). Whoever acts on one asks ``granted`` with the hash of what it is about to do, so that
a yes to something else is no yes. Roles are looked up when somebody votes, in the book that runs
then; the rule about one's own work is the stricter of the book that asked and the one that runs.

Accounts that are one person (``links.one_person``) are excluded together when something is asked,
and it is looked up again when somebody votes or takes part. As whom somebody voted stands in the
record of the vote and is read from there: a session that a link opened can be closed afterwards,
and the yes that was given in it is not somebody else's for that.

Whoever votes locks the approval first and reads it again; so does whoever excludes somebody. Of a
vote and an exclusion at the same moment the second one sees the first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from opsbook import audit
from opsbook.access import approvers, links, model
from opsbook.access.errors import NotApproved, Settled, Voted
from opsbook.access.principal import Principal
from opsbook.access.tables import approval, vote
from opsbook.audit.entries import SERVER
from opsbook.audit.tables import entry
from opsbook.base import events
from opsbook.base.database import Transaction
from opsbook.base.errors import Bug, NotFound, OpsbookError
from opsbook.book import Book

Row = dict[str, Any]
DECIDED = "approval.decided"
VOTED = ("approval.voted", "approval.approved", "approval.rejected")


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

    ``role`` is who may give it, or several with commas between them (``None``: whoever has
    ``permission``, or else ``runs:write``), ``need`` how many different people have to.
    ``excluded`` are the accounts that take part in what is asked, or these mapped to why (a key of
    ``model.BECAUSE``).
    """
    if need < 1:
        raise Bug(f"An approval that needs {need} people is a bug in Opsbook.")
    why = dict(excluded if isinstance(excluded, Mapping) else dict.fromkeys(excluded, "started"))
    for other in links.one_person(tx, now, *why) if why else ():
        why.setdefault(other, "linked")
    roles = model.roles_of(role)
    made = tx.insert(
        approval, book=book.id, subject=subject, thread=thread, question=question, role=role,
        permission=permission, need=need, bound_to=bound_to, excluded=sorted(why),
        excluded_because={str(one): why[one] for one in sorted(why)},
        self_approval=book.self_approval, state="open", requested_at=now, expires_at=expires_at,
    )  # fmt: skip
    row = require(tx, made)
    _record(
        tx, now, SERVER, "approval.requested", row, role=next(iter(roles), None),
        roles=list(roles), need=need, bound_to=bound_to,
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
        Invalid: the note is too long, or no text.
    """
    _of_book(require(tx, approval_id), book)
    note = audit.note(note)
    row = _locked(tx, approval_id)
    given = votes(tx, approval_id)
    who = approvers.voter(tx, now, principal, row, book)
    ruling = model.rule(approvers.asked(row, book), who, approvers.given(given), decision, now)
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
        account=principal.account_id, one_person=sorted(who.one_person),
        by_oneself=ruling.by_oneself, approved=approved, need=row["need"],
        stands_in=principal.first_admin and not approvers.holds(principal, row, book),
    )  # fmt: skip
    if ruling.state != "open":
        _settle(tx, now, row, ruling.state)
    return ruling.state


def withdraw(
    tx: Transaction, now: datetime, approval_id: int, principal: Principal, book: Book,
    note: str = "",
) -> None:  # fmt: skip
    """Take one's yes back while others are still waited for. The audit keeps that it was given.

    Raises:
        NotFound: there is no such approval.
        NotApproved: the principal is no person, or may not act as one here.
        Settled: decided, expired or void already, or there is no yes of theirs.
        Invalid: the note is too long, or no text.
    """
    _of_book(require(tx, approval_id), book)
    note = audit.note(note)
    row = _locked(tx, approval_id)
    given = approvers.given(votes(tx, approval_id))
    who = approvers.voter(tx, now, principal, row, book)
    model.taken_back(approvers.asked(row, book), who, given, now)
    mine = (vote.c.approval_id == approval_id) & (vote.c.account_id == principal.account_id)
    tx.execute(sa.delete(vote).where(mine))
    left = sum(one.decision == "approve" for one in given) - 1
    _record(
        tx, now, principal.actor, "approval.withdrawn", row, text=note,
        account=principal.account_id, approved=left, need=row["need"],
    )  # fmt: skip


def exclude(
    tx: Transaction, now: datetime, subject: str, account_id: int, why: str, actor: str = SERVER
) -> None:
    """Keep somebody who takes part in it from now on from approving what a subject waits for.

    Raises:
        Conflict: they have voted on it. A vote that is decided is not made undone by taking part
            afterwards, so whoever wants to take part has to be somebody else.
    """
    asked = sa.select(approval.c.id).where(approval.c.subject == subject).order_by(approval.c.id)
    rows = [_locked(tx, one) for one in tx.execute(asked).scalars().all()]
    persons = links.one_person(tx, now, account_id)
    given = [one for row in rows for one in approvers.given(votes(tx, row["id"]))]
    if any(model.said(one, persons) for one in given):
        raise Voted(
            "Who has voted on something cannot take it over: they would have approved their own.",
            remedy="Take your vote back while it is still open, or let somebody else take it over.",
        )
    for row in rows:
        if row["state"] != "open" or account_id in row["excluded"]:
            continue
        because = {**(row["excluded_because"] or {}), str(account_id): why}
        change = sa.update(approval).where(approval.c.id == row["id"], approval.c.state == "open")
        excluded = sorted({*row["excluded"], account_id})
        tx.execute(change.values(excluded=excluded, excluded_because=because))
        _record(tx, now, actor, "approval.excluded", row, account=account_id, because=why)


def record_refusal(
    tx: Transaction, now: datetime, approval_id: int, principal: Principal, error: OpsbookError
) -> None:
    """Put a refused vote on record, in a transaction of its own (the refused one left nothing)."""
    row = get(tx, approval_id)
    if row is not None:
        reason = error.details.get("reason", type(error).__name__)
        _record(tx, now, principal.actor, "approval.refused", row, reason=reason)


def expire(tx: Transaction, now: datetime) -> datetime | None:
    """Settle every approval nobody decided in time; return when the next one is due.

    They are put in order here: asked to, a database would rather walk through all that wait.
    """
    late = (approval.c.state == "open") & (approval.c.expires_at <= now)
    for row in sorted(tx.rows(sa.select(approval).where(late)), key=itemgetter("id")):
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
    """Return who voted, in order, and as whom (``persons``: accounts)."""
    return votes_of(tx, [approval_id]).get(approval_id, [])


def votes_of(tx: Transaction, approval_ids: Collection[int]) -> dict[int, list[Row]]:
    """Return the votes of several approvals; two queries for all of them."""
    found: dict[int, list[Row]] = {}
    given = sa.select(vote).where(vote.c.approval_id.in_(list(approval_ids)))
    for row in tx.rows(given.order_by(vote.c.id)) if approval_ids else ():
        found.setdefault(row["approval_id"], []).append(row)
    if found:
        as_whom = _as_whom(tx, found)
        for one in (one for rows in found.values() for one in rows):
            one["persons"] = as_whom.get((one["approval_id"], one["account_id"]), ())
    return found


def _as_whom(tx: Transaction, approval_ids: Iterable[int]) -> dict[tuple[int, int], list[int]]:
    """Return the accounts that were one person with each voter when they voted, from the record."""
    subjects = {f"approval:{one}": one for one in approval_ids}
    voted = entry.c.subject.in_(list(subjects)) & entry.c.action.in_(VOTED)
    rows = tx.rows(sa.select(entry.c.subject, entry.c.data).where(voted).order_by(entry.c.id))
    return {
        (subjects[row["subject"]], row["data"]["account"]): row["data"].get("one_person", [])
        for row in rows
        if row["data"].get("account") is not None
    }


def granted(tx: Transaction, subject: str, bound_to: str) -> Row | None:
    """Return the approval that covers exactly this for a subject; ``None`` when none does."""
    covers = (
        (approval.c.subject == subject)
        & (approval.c.state == "approved")
        & (approval.c.bound_to == bound_to)
    )
    return tx.row(sa.select(approval).where(covers).order_by(approval.c.id.desc()).limit(1))


def _locked(tx: Transaction, approval_id: int) -> Row:
    """Return an approval as it is once whoever votes on it has ended, on PostgreSQL too.

    Read in a statement of its own: on PostgreSQL the one that waited may show the row as it was
    when it began to wait.
    """
    if tx.connection.dialect.name == "postgresql":
        tx.execute(sa.select(approval.c.id).where(approval.c.id == approval_id).with_for_update())
    return require(tx, approval_id)


def _of_book(row: Row, book: Book) -> None:
    if row["book"] != book.id:
        raise NotApproved(
            f"This approval belongs to the book {row['book']}, not to {book.id}.",
            remedy=f"A role in {book.id} means nothing there; ask somebody of {row['book']}.",
            reason="book",
        )


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
