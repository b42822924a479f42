"""Who takes part in a run, and therefore may not approve it.

Whoever started it, whoever steers it or has steered it, whoever it runs because of (who opened or
acknowledged the incident that started it, who started the run it is a step of), whoever set its
parameters (of a repetition: who started what it repeats), and whoever wrote what it runs and nobody
else has approved.

The authors are those of the run's revision and of the ones before it, back to the last one that
somebody else approved, or to the first: a comma that a second person changed on top does not turn
one's own runbook into somebody else's. A revision that somebody else approved was read by two, and
so was all that it stands on. A routine's owner has written nothing and started nothing.

Where somebody takes part in more than one way, the first of them is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa

from opsbook.access import approvals
from opsbook.access.tables import approval, vote
from opsbook.audit.tables import entry
from opsbook.base.database import Transaction
from opsbook.book.tables import revision
from opsbook.runs import store
from opsbook.runs.children import DEEPEST
from opsbook.runs.tables import run as run_table

MOST_REVISIONS: Final = 200
MOST_RUNS: Final = 200
"""How far back a chain of runs is followed, of which each repeats or belongs to the next."""
TAKEN: Final = ("run.taken_over", "run.resumed")
CALLED: Final = ("incident.opened", "incident.acknowledged")

Row = Mapping[str, Any]


def taking_part(tx: Transaction, run: Row) -> dict[int, str]:
    """Return the accounts that may not approve this run, and why (keys of ``access.BECAUSE``)."""
    found: dict[int, str] = {}
    for actor, why in _actors(tx, run):
        account = store.account_behind(tx, actor)
        if account is not None:
            found.setdefault(account, why)
    return found


def steerers(tx: Transaction, run: Row) -> Iterator[str]:
    """Everybody who has taken a run over or has resumed it, as actors, and who steers it now."""
    taken = (entry.c.subject == f"run:{run['id']}") & entry.c.action.in_(TAKEN)
    yield from tx.execute(sa.select(entry.c.actor).where(taken).order_by(entry.c.id)).scalars()
    yield run["steered_by"]


def _actors(tx: Transaction, run: Row) -> Iterator[tuple[str, str]]:
    yield run["started_by"], "started"
    yield from ((actor, "steers") for actor in steerers(tx, run))
    yield from ((actor, "triggered") for actor in _callers(tx, run))
    for below in _below(tx, run):
        yield from ((actor, "steers") for actor in steerers(tx, below))
    for above in _chain(tx, run, "parent_id"):
        yield above["started_by"], "triggered"
        yield from ((actor, "steers") for actor in steerers(tx, above))
        yield from ((actor, "triggered") for actor in _callers(tx, above))
        yield from ((one["started_by"], "edited") for one in _chain(tx, above, "rerun_of"))
    yield from ((one["started_by"], "edited") for one in _chain(tx, run, "rerun_of"))
    yield from ((actor, "authored") for actor in authors(tx, run["book"], run["revision"]))


def _below(tx: Transaction, run: Row) -> Iterator[Row]:
    """The runs that a run's steps have started, and theirs: to steer one is to steer a part."""
    level = [run["id"]]
    for _ in range(DEEPEST):
        query = sa.select(run_table).where(run_table.c.parent_id.in_(level)).limit(MOST_RUNS)
        found = tx.rows(query.order_by(run_table.c.id.desc())) if level else []
        yield from found
        level = [one["id"] for one in found]


def _chain(tx: Transaction, run: Row, by: str) -> Iterator[Row]:
    """The runs that lie before a run, by the column that leads from each to the next."""
    row: Row | None = run
    for _ in range(MOST_RUNS):
        before = row[by] if row is not None else None
        row = store.get(tx, before) if before is not None else None
        if row is None:
            return
        yield row


def _callers(tx: Transaction, run: Row) -> Iterator[str]:
    """Whom a run that nobody started by hand runs because of.

    Only what came before the run is a cause: whoever is on duty acknowledges the incident that has
    started a run by itself, and is the very person that the run then asks. Where a person started
    it, that person is the cause and nobody else.
    """
    trigger = str(run["trigger"])
    if store.account_behind(tx, run["started_by"]) is not None:
        return
    if trigger.startswith(("account:", "token:")):
        yield trigger
    if trigger.startswith("incident:"):
        called = (entry.c.subject == trigger) & entry.c.action.in_(CALLED)
        before = called & (entry.c.at <= run["created_at"])
        yield from tx.execute(sa.select(entry.c.actor).where(before).limit(MOST_RUNS)).scalars()


def authors(tx: Transaction, book: str, digest: str) -> Iterator[str]:
    """Everybody, as actors, who wrote what a revision holds since it was last approved."""
    line = _lineage(tx, book, digest)
    approved = _approved(tx, line)
    since = []
    for one in line:
        if one["revision"] in approved:
            break
        since.append(one)
    yield from (str(one["author"]) for one in since)
    if since:
        yield from _publishers(tx, book, {one["revision"] for one in since})


def _lineage(tx: Transaction, book: str, digest: str) -> list[Row]:
    """Return a revision and those that each was made in the place of, the newest first."""
    columns = (revision.c.revision, revision.c.book, revision.c.author, revision.c.parent)
    loaded = sa.select(revision.c.loaded_at).where(revision.c.revision == digest)
    mine = (revision.c.book == book) & (revision.c.loaded_at <= loaded.scalar_subquery())
    newest = sa.select(*columns).where(mine).order_by(revision.c.loaded_at.desc())
    known = {row["revision"]: row for row in tx.rows(newest.limit(MOST_REVISIONS))}
    line: list[Row] = []
    at: str | None = digest
    while at is not None and (row := known.pop(at, None)) is not None:
        line.append(row)
        at = row["parent"]
    return line


def _approved(tx: Transaction, line: list[Row]) -> set[str]:
    """Return which of these revisions somebody approved who had no part in them."""
    asked = {
        approvals.binding(book=one["book"], revision=one["revision"], over=one["parent"]): one
        for one in line
        if one["parent"] is not None
    }
    if not asked:
        return set()
    subjects = [f"book:{one['book']}/{one['revision'][:12]}" for one in asked.values()]
    joined = approval.join(vote, vote.c.approval_id == approval.c.id)
    by_another = (vote.c.decision == "approve") & ~vote.c.by_oneself
    query = (
        sa.select(approval.c.bound_to)
        .select_from(joined)
        .where(approval.c.subject.in_(subjects), approval.c.state == "approved", by_another)
    )
    given = set(tx.execute(query).scalars())
    return {one["revision"] for bound, one in asked.items() if bound in given}


def _publishers(tx: Transaction, book: str, digests: set[str]) -> Iterator[str]:
    """Who let these revisions run, and who else had a hand in them, as the audit has it."""
    published = (entry.c.subject == f"book:{book}") & (entry.c.action == "book.published")
    columns = sa.select(entry.c.actor, entry.c.data).where(published)
    for row in tx.rows(columns.order_by(entry.c.id.desc()).limit(MOST_REVISIONS)):
        if row["data"].get("revision") in digests:
            yield row["actor"]
            yield from (f"account:{one}" for one in row["data"].get("accounts", ()))
