"""Who looks after a run, and what people say about it.

Whoever starts a run steers it, until somebody takes it over: hands over at the end of a shift, or
finds a run that started by itself. From then on that person is told when it fails or asks what to
do, and takes part in it, so that they no longer approve what it asks. It is not a right that others
lose: answering, cancelling and taking it over again is still up to everybody who may.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from opsbook import audit
from opsbook.access import Principal, approvals
from opsbook.base.database import Transaction
from opsbook.base.errors import Conflict, Refused
from opsbook.book import Book
from opsbook.runs import children, store
from opsbook.runs.errors import Over
from opsbook.runs.tables import run

SAYS = frozenset({"run", "approve"})
"""Scopes of which a token needs one to write anything down."""


def take_over(
    tx: Transaction, now: datetime, run_id: int, principal: Principal, book: Book, reason: str = ""
) -> None:
    """Become the one who steers a run, and the runs that its steps have started.

    Raises:
        Refused: not a person, or without runs:write.
        Over: it has ended.
        Conflict: they steer it already, or have voted on what it asks (``access.errors.Voted``).
        Invalid: the reason is too long, or no text.
    """
    principal.require_person()
    principal.require("runs:write", book)
    said = audit.note(reason, "reason")
    row = store.lock_run(tx, run_id)
    if row["state"] in store.FINISHED:
        raise Over(f"Run {run_id} is over: it {row['state']}.")
    account = principal.account_id or 0
    if store.account_behind(tx, row["steered_by"]) == account:
        raise Conflict(
            f"{principal.login} steers run {run_id} already.", remedy="There is nothing to do."
        )
    keep_from_approving(tx, now, run_id, principal)
    tx.execute(sa.update(run).where(run.c.id == run_id).values(steered_by=principal.actor))
    tx.touch("runs")
    audit.record(
        tx, now, principal.actor, "run.taken_over", f"run:{run_id}", thread=row["thread"],
        data={"before": row["steered_by"]}, text=said or None,
    )  # fmt: skip


def keep_from_approving(tx: Transaction, now: datetime, run_id: int, principal: Principal) -> None:
    """Exclude who steers a run from now on from what it asks, and from what its steps' runs ask.

    The caller has locked the run and knows that a person asks.

    Raises:
        Voted: they have voted on one of them.
    """
    for one in (run_id, *_under(tx, run_id)):
        account = principal.account_id or 0
        approvals.exclude(tx, now, f"run:{one}", account, "steers", principal.actor)


def comment(
    tx: Transaction, now: datetime, run_id: int, principal: Principal, book: Book, text: str
) -> None:
    """Write something about a run into its story, also after it has ended.

    Raises:
        Refused: without runs:read, or with a token that only reads.
        NoSuchRun: there is none.
        Invalid: nothing is written, too much, or no text.
    """
    principal.require("runs:read", book)
    if not principal.scopes & SAYS:
        raise Refused(
            "This token only reads, and a comment is written down.",
            remedy="Use the web page, or make a token with the scope run or approve.",
        )
    said = audit.note(text, "comment", required="Write what you saw or did.")
    row = store.lock_run(tx, run_id)
    audit.record(
        tx, now, principal.actor, "run.commented", f"run:{run_id}", thread=row["thread"], text=said
    )


def _under(tx: Transaction, run_id: int) -> list[int]:
    """The open runs below a run, locked from the top down: none of them asks anything meanwhile."""
    found: list[int] = []
    level = [run_id]
    for _ in range(children.DEEPEST + 1):
        below = sa.select(run.c.id).where(run.c.parent_id.in_(level), run.c.state.in_(store.OPEN))
        level = list(tx.execute(below.order_by(run.c.id)).scalars())
        if not level:
            break
        for one in level:
            store.lock_run(tx, one)
        found += level
    return found
