"""Queries that only pages ask: what a picture or a list shows, in one statement for all its rows.

Everything a package itself asks of its tables is in that package's store; here is what exists only
because somebody looks at it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from opsbook.access.approvals import votes_of
from opsbook.access.tables import access_token, approval
from opsbook.alerts.tables import alert
from opsbook.audit.tables import entry
from opsbook.base.database import Transaction
from opsbook.checks.tables import observation
from opsbook.incidents.tables import incident
from opsbook.notify.tables import page
from opsbook.runs.tables import attempt, output, run, step, wait

LATE: Final = 5_000
CHILDREN: Final = 1_000


class OutputEnd(NamedTuple):
    """The end of an attempt's output: its first byte, the text, and its last piece's number."""

    start: int
    text: str
    piece: int


RANK: Final = ("ok", "warning", "critical", "nodata")


def trends(
    tx: Transaction, book: str, checks: Collection[str], since: datetime, step: timedelta
) -> dict[str, list[dict[str, Any]]]:
    """Return observations put together in steps of time, by check, oldest first.

    Each has ``at`` (its newest), ``low`` and ``high`` (None where no value was seen), and the
    worst ``state``.
    """
    micro = sa.type_coerce(observation.c.at, sa.BigInteger)
    bucket = micro // int(step / timedelta(microseconds=1))
    worst = sa.func.max(
        sa.case({name: rank for rank, name in enumerate(RANK)}, value=observation.c.state, else_=3)
    )
    query = (
        sa.select(
            observation.c.check_id,
            sa.type_coerce(sa.func.max(observation.c.at), observation.c.at.type).label("at"),
            sa.func.min(observation.c.value).label("low"),
            sa.func.max(observation.c.value).label("high"),
            worst.label("worst"),
        )
        .where(
            observation.c.book == book,
            observation.c.check_id.in_(list(checks)),
            observation.c.at >= since,
        )
        .group_by(observation.c.check_id, bucket)
        .order_by(observation.c.check_id, bucket)
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in tx.rows(query):
        row["state"] = RANK[row.pop("worst")]
        found.setdefault(row["check_id"], []).append(row)
    return found


def state_changes(
    tx: Transaction, book: str, check_id: str, since: datetime, limit: int = 30
) -> list[dict[str, Any]]:
    """Return the observations with which a check's state became another, newest first.

    The state that it had at first is one of them: without a ``before``, and with ``earlier`` where
    it was looked at before ``since`` already.
    """
    before = sa.func.lag(observation.c.state).over(order_by=(observation.c.at, observation.c.id))
    mine = (
        sa.select(observation, before.label("before"))
        .where(
            observation.c.book == book,
            observation.c.check_id == check_id,
            observation.c.at >= since,
        )
        .subquery()
    )
    changed = mine.c.before.is_(None) | (mine.c.before != mine.c.state)
    rows = tx.rows(sa.select(mine).where(changed).order_by(mine.c.at.desc()).limit(limit))
    older = sa.select(observation.c.id).where(
        observation.c.book == book, observation.c.check_id == check_id, observation.c.at < since
    )
    earlier = tx.scalar(older.limit(1)) is not None
    return [{**row, "earlier": earlier} for row in rows]


def failed_pages(tx: Transaction, since: datetime, limit: int = 5) -> list[dict[str, Any]]:
    """Return pages that were given up, newest first."""
    gone = (page.c.state == "failed") & (page.c.created_at >= since)
    return tx.rows(sa.select(page).where(gone).order_by(page.c.id.desc()).limit(limit))


def incident_counts(tx: Transaction, books: Collection[str]) -> dict[str, int]:
    """Return how many incidents of these books are open and how many acknowledged."""
    mine = incident.c.book.in_(list(books)) & incident.c.state.in_(("open", "acknowledged"))
    query = (
        sa.select(incident.c.state, sa.func.count().label("count"))
        .where(mine)
        .group_by(incident.c.state)
    )
    return {row["state"]: row["count"] for row in tx.rows(query)}


def past_incidents(
    tx: Transaction, books: Collection[str], *, limit: int, before: int | None = None
) -> list[dict[str, Any]]:
    """Return incidents of these books that are over, newest first."""
    over = incident.c.book.in_(list(books)) & (incident.c.state == "resolved")
    query = sa.select(incident).where(over).order_by(incident.c.id.desc()).limit(limit)
    return tx.rows(query if before is None else query.where(incident.c.id < before))


def past_alerts(
    tx: Transaction, books: Collection[str], *, limit: int, before: int | None = None
) -> list[dict[str, Any]]:
    """Return alerts of these books that fired and are over, newest first."""
    over = alert.c.book.in_(list(books)) & (alert.c.state == "resolved")
    query = sa.select(alert).where(over).order_by(alert.c.id.desc()).limit(limit)
    return tx.rows(query if before is None else query.where(alert.c.id < before))


def runs(
    tx: Transaction,
    books: Collection[str],
    *,
    states: Collection[str] | None,
    limit: int,
    before: int | None = None,
) -> list[dict[str, Any]]:
    """Return runs of these books, newest first."""
    query = sa.select(run).where(run.c.book.in_(list(books))).order_by(run.c.id.desc())
    if states is not None:
        query = query.where(run.c.state.in_(list(states)))
    if before is not None:
        query = query.where(run.c.id < before)
    return tx.rows(query.limit(limit))


def run_states(tx: Transaction, books: Collection[str]) -> dict[str, int]:
    """Return how many runs of these books are not over, by state."""
    mine = run.c.book.in_(list(books)) & run.c.state.in_(("queued", "running", "waiting"))
    query = sa.select(run.c.state, sa.func.count().label("count")).where(mine).group_by(run.c.state)
    return {row["state"]: row["count"] for row in tx.rows(query)}


def output_tails(
    tx: Transaction, attempts: Collection[int], size: int = 16_000
) -> dict[int, OutputEnd]:
    """Return the end of each of these attempts' output, by attempt: about ``size`` bytes of it.

    Where pieces begin is in their index, so that a step which wrote 10 MB costs a page hardly more
    than one that wrote 10 kB.
    """
    newest = (
        sa.select(output.c.attempt_id, sa.func.max(output.c.start).label("start"))
        .where(output.c.attempt_id.in_(list(attempts)))
        .group_by(output.c.attempt_id)
        .subquery()
    )
    query = (
        sa.select(output)
        .join(newest, newest.c.attempt_id == output.c.attempt_id)
        .where(output.c.start >= newest.c.start - size)
        .order_by(output.c.attempt_id, output.c.start)
    )
    found: dict[int, OutputEnd] = {}
    for row in tx.rows(query):
        before = found.get(row["attempt_id"]) or OutputEnd(row["start"], "", 0)
        found[row["attempt_id"]] = OutputEnd(before.start, before.text + row["text"], row["id"])
    return {attempt_id: _cut(end, size) for attempt_id, end in found.items()}


def output_until(tx: Transaction, attempt_id: int, piece: int, size: int = 16_000) -> str:
    """Return the end of an attempt's output as it was when ``piece`` was the newest of all."""
    mine = (output.c.attempt_id == attempt_id) & (output.c.id <= piece)
    query = sa.select(output.c.text).where(mine).order_by(output.c.start.desc()).limit(64)
    told: list[str] = []
    for text in tx.execute(query).scalars():
        told.append(text)
        if sum(map(len, told)) >= size:
            break
    return "".join(reversed(told))[-size:]


def _cut(end: OutputEnd, size: int) -> OutputEnd:
    """Return the end of the end, from the beginning of a line."""
    if len(end.text) <= size:
        return end
    line = end.text.find("\n", len(end.text) - size) + 1
    gone = end.text[: line or len(end.text) - size]
    return OutputEnd(end.start + len(gone.encode()), end.text[len(gone) :], end.piece)


def votes(tx: Transaction, approvals: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    """Return the votes of several approvals, by approval, oldest first, and as whom each voted."""
    return votes_of(tx, approvals)


def entries(
    tx: Transaction, *, limit: int, before: int | None = None, about: str = ""
) -> list[dict[str, Any]]:
    """Return audit entries newest first; ``about`` is a story or a subject."""
    query = sa.select(entry).order_by(entry.c.id.desc()).limit(limit)
    if about:
        query = query.where((entry.c.thread == about) | (entry.c.subject == about))
    return tx.rows(query if before is None else query.where(entry.c.id < before))


def sealed(tx: Transaction) -> int:
    """Return the number of the newest sealed entry, which is how many there are."""
    return int(tx.scalar(sa.select(sa.func.max(entry.c.seq))) or 0)


def runs_named(
    tx: Transaction, books: Collection[str], words: str, limit: int
) -> list[dict[str, Any]]:
    """Return late runs whose title or runbook holds the words, newest first."""
    late = _late_runs().subquery()
    said = late.c.title.icontains(words, autoescape=True)
    named = said | late.c.runbook.icontains(words, autoescape=True)
    mine = sa.select(late).where(late.c.book.in_(list(books)), named)
    return tx.rows(mine.order_by(late.c.id.desc()).limit(limit))


def _late_runs() -> sa.Select[Any]:
    """The newest runs: what a page looks through where no index leads to an answer."""
    return sa.select(run).order_by(run.c.id.desc()).limit(LATE)


def incidents_of(
    tx: Transaction, book: str, rules: Collection[str], limit: int
) -> list[dict[str, Any]]:
    """Return the newest incidents of some rules (titles are looked up in the book, not here)."""
    mine = (incident.c.book == book) & incident.c.rule.in_(list(rules))
    return tx.rows(sa.select(incident).where(mine).order_by(incident.c.id.desc()).limit(limit))


def waits(tx: Transaction, books: Collection[str], limit: int = 100) -> list[dict[str, Any]]:
    """Return open waits for a person in these books, the newest first.

    Each has its run, its step and, for an approval, the question and who is excluded. Bounded, and
    in the order of the table: a hundred thousand runs may wait, and no page sorts them.
    """
    for_people = wait.c.kind.in_(("approval", "person", "decision"))
    mine = _waits().where(run.c.book.in_(list(books)), for_people)
    return tx.rows(mine.order_by(wait.c.id.desc()).limit(limit))


def _waits() -> sa.Select[Any]:
    joined = (
        wait.join(run, run.c.id == wait.c.run_id)
        .join(step, step.c.id == wait.c.step_id)
        .outerjoin(approval, approval.c.id == wait.c.approval_id)
    )
    columns = (
        wait.c.id, wait.c.run_id, wait.c.step_id, wait.c.kind, wait.c.role, wait.c.approval_id,
        wait.c.since,
        wait.c.due_at, wait.c.data, run.c.book, run.c.title.label("run_title"), run.c.runbook,
        run.c.revision, run.c.trigger, run.c.started_by, step.c.key,
        step.c.title.label("step_title"), approval.c.question, approval.c.need,
        approval.c.excluded, approval.c.excluded_because, approval.c.self_approval,
        approval.c.role.label("approval_role"), approval.c.state.label("approval_state"),
        approval.c.expires_at, approval.c.decided_at, approval.c.bound_to,
    )  # fmt: skip
    return sa.select(*columns).select_from(joined)


def tokens(tx: Transaction) -> list[dict[str, Any]]:
    """Return every person's tokens, revoked ones too: old entries name them."""
    columns = (access_token.c.id, access_token.c.account_id, access_token.c.name)
    return tx.rows(sa.select(*columns).where(access_token.c.account_id.is_not(None)))


def waits_of(tx: Transaction, run_id: int) -> list[dict[str, Any]]:
    """Return what one run waits for, checks included, in the form of `waits`."""
    return tx.rows(_waits().where(wait.c.run_id == run_id))


def last_output(tx: Transaction, run_id: int) -> int:
    """Return the newest piece of output of a run; a stream of it goes on from there."""
    mine = sa.select(sa.func.max(output.c.id)).join(attempt, attempt.c.id == output.c.attempt_id)
    return int(tx.scalar(mine.where(attempt.c.run_id == run_id)) or 0)


def children(tx: Transaction, run_id: int) -> dict[int, dict[str, Any]]:
    """Return the runs that steps of a run have started, by number."""
    mine = sa.select(run).where(run.c.parent_id == run_id).order_by(run.c.id)
    return {row["id"]: row for row in tx.rows(mine.limit(CHILDREN))}


def other_ways(tx: Transaction, keys: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """Return, by key of a cause and person, what was also sent by other channels than the inbox."""
    wanted = set(keys)
    if not wanted:
        return {}
    same = sa.or_(*(page.c.key.startswith(f"{key}/", autoescape=True) for key in wanted))
    query = sa.select(page.c.key, page.c.channel, page.c.state).where(
        same, page.c.channel != "inbox"
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in tx.rows(query):
        cause = next(key for key in wanted if row["key"].startswith(f"{key}/"))
        found.setdefault(cause, []).append(row)
    return found


def states_now(tx: Transaction, threads: Collection[str]) -> dict[str, str]:
    """Return the present state of each incident among these threads."""
    numbers = {int(one.removeprefix("incident:")) for one in threads if one.startswith("incident:")}
    query = sa.select(incident.c.id, incident.c.state).where(incident.c.id.in_(numbers))
    return {f"incident:{row['id']}": row["state"] for row in tx.rows(query)}


def story_of_run(tx: Transaction, run_id: int, limit: int = 400) -> list[dict[str, Any]]:
    """Return the newest of what the audit says of a run, oldest first, whichever story it is of.

    That a step began is left out: what became of it is an entry too.
    """
    mine = (entry.c.subject == f"run:{run_id}") | (entry.c.thread == f"run:{run_id}")
    asked = sa.select(approval.c.id).where(approval.c.subject == f"run:{run_id}")
    votes_on = sa.literal("approval:").concat(sa.cast(approval.c.id, sa.Text))
    subjects = sa.select(votes_on).where(approval.c.id.in_(asked))
    told = (mine | entry.c.subject.in_(subjects)) & (entry.c.action != "step.started")
    rows = tx.rows(sa.select(entry).where(told).order_by(entry.c.id.desc()).limit(limit))
    return rows[::-1]


def last_runs(tx: Transaction, book: str) -> dict[str, dict[str, Any]]:
    """Return the newest run of each runbook of a book, of those that ran lately."""
    late = _late_runs().subquery()
    newest = sa.select(sa.func.max(late.c.id)).where(late.c.book == book).group_by(late.c.runbook)
    columns = (run.c.id, run.c.runbook, run.c.state, run.c.created_at)
    return {row["runbook"]: row for row in tx.rows(sa.select(*columns).where(run.c.id.in_(newest)))}


def runs_of(tx: Transaction, book: str, runbook: str, limit: int) -> list[dict[str, Any]]:
    """Return the newest runs of one runbook."""
    mine = sa.select(run).where(run.c.book == book, run.c.runbook == runbook)
    return tx.rows(mine.order_by(run.c.id.desc()).limit(limit))


def states_of(tx: Transaction, runs: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return the state of each of these runs, and when it began."""
    columns = (run.c.id, run.c.state, run.c.created_at)
    rows = tx.rows(sa.select(*columns).where(run.c.id.in_(list(runs))))
    return {row["id"]: row for row in rows}
