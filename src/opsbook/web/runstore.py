"""Queries of the pages about many runs: their history, the library, and two side by side.

They have to stay fast with a hundred thousand runs on either database, so each is put so that an
index gives the rows in the order in which they are shown: the newest id first. A filter by state or
by runbook is one such walk for each of them, merged here; neither database finds that by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from opsbook.access.tables import access_token, approval, vote
from opsbook.base.database import Transaction
from opsbook.runs.tables import attempt, output, run, step, wait

Row = dict[str, Any]
FEW: Final = 12
"""Runbooks, each of which is walked through by itself; of more, all runs are walked through."""
WINDOW: Final = 20_000
"""Runs that are looked through for one page where no index leads to what is asked for."""
MARGIN: Final = 1_000
"""Ids around a moment that are looked at one by one: clocks are set back, ids are not."""
MOST_OUTPUT: Final = 64 * 1024
"""Characters of a step's output that are compared."""


@dataclass(frozen=True)
class Wanted:
    """What a history is filtered by; empty and None mean anything.

    `runbooks` are (book, runbook); `actors` those who started; `trigger` is the kind of cause.
    """

    books: tuple[str, ...]
    states: tuple[str, ...] = ()
    runbooks: tuple[tuple[str, str], ...] | None = None
    actors: tuple[str, ...] | None = None
    trigger: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Page:
    """A page of history. `older` is where to go on from; None at the end.

    `looked_to` is the id down to which was looked, where that was the limit and not the page's end.
    """

    rows: list[Row]
    older: int | None
    looked_to: int | None = None


def history(tx: Transaction, wanted: Wanted, limit: int, before: int | None = None) -> Page:
    """Return runs newest first."""
    newest = int(tx.scalar(sa.select(sa.func.max(run.c.id))) or 0)
    top = min(newest + 1, before) if before is not None else newest + 1
    bottom = 0
    if wanted.until is not None:
        top = min(top, _first_since(tx, wanted.until, newest) + MARGIN)
    if wanted.since is not None:
        bottom = max(0, _first_since(tx, wanted.since, newest) - MARGIN)
    low = max(bottom, top - WINDOW) if _seeks(wanted) else bottom
    found: dict[int, Row] = {}
    for walk in _walks(wanted):
        here = (run.c.id < top) & (run.c.id >= low)
        query = sa.select(run).where(walk, here, *_filters(wanted)).order_by(run.c.id.desc())
        found |= {row["id"]: row for row in tx.rows(query.limit(limit))}
    rows = [found[one] for one in sorted(found, reverse=True)[:limit]]
    if len(rows) == limit:
        return Page(rows, rows[-1]["id"])
    return Page(rows, low, low) if low > max(bottom, 1) else Page(rows, None)


def _seeks(wanted: Wanted) -> bool:
    """Whether a walk may pass by any number of runs before it finds one."""
    many = wanted.runbooks is not None and len(wanted.runbooks) > FEW
    timed = wanted.since is not None or wanted.until is not None
    return bool(many or timed or wanted.actors is not None or wanted.trigger)


def _walks(wanted: Wanted) -> Iterable[sa.ColumnElement[bool]]:
    """One condition for each walk along an index that holds ids in order behind its columns."""
    if wanted.runbooks is not None and len(wanted.runbooks) <= FEW:
        for book, runbook in wanted.runbooks:
            same = (run.c.book == book) & (run.c.runbook == runbook)
            yield same & _plain(run.c.state).in_(wanted.states) if wanted.states else same
        return
    here: sa.ColumnElement[bool] = _plain(run.c.book).in_(wanted.books)
    if wanted.runbooks is not None:
        here &= _plain(run.c.runbook).in_([runbook for _, runbook in wanted.runbooks])
    if wanted.states:
        for state in wanted.states:
            yield (run.c.state == state) & here
    else:
        yield here


def _plain(column: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """A column as a value that no index is used for: SQLite would sort all rows it leads to."""
    return column.concat("")


def _filters(wanted: Wanted) -> Iterable[sa.ColumnElement[bool]]:
    if wanted.actors is not None:
        yield run.c.started_by.in_(wanted.actors)
    if wanted.trigger == "person":
        yield (run.c.trigger == "") & (run.c.started_by != "opsbook")
    elif wanted.trigger:
        yield run.c.trigger.startswith(f"{wanted.trigger}:", autoescape=True)
    if wanted.since is not None:
        yield run.c.created_at >= wanted.since
    if wanted.until is not None:
        yield run.c.created_at < wanted.until


def _first_since(tx: Transaction, at: datetime, newest: int) -> int:
    """Return about the first id of a time: ids grow with it, and there is no index of times."""
    low, high = 0, newest + 1
    while low < high:
        middle = (low + high) // 2
        columns = (run.c.id, run.c.created_at)
        row = tx.row(sa.select(*columns).where(run.c.id >= middle).order_by(run.c.id).limit(1))
        if row is None or row["created_at"] >= at:
            high = middle
        else:
            low = row["id"] + 1
    return low


def known_runbooks(tx: Transaction, books: Collection[str]) -> list[tuple[str, str]]:
    """Return every (book, runbook) that ever ran, those that the book no longer has too."""
    query = sa.select(run.c.book, run.c.runbook).where(run.c.book.in_(list(books))).distinct()
    return [(row["book"], row["runbook"]) for row in tx.rows(query)]


def tokens_of(tx: Transaction, account_id: int) -> list[int]:
    """Return the ids of all tokens that somebody ever made."""
    mine = sa.select(access_token.c.id).where(access_token.c.account_id == account_id)
    return list(tx.execute(mine).scalars())


def waits_of(tx: Transaction, runs: Collection[int]) -> dict[int, Row]:
    """Return the oldest open wait of each of these runs, with its step and its approval."""
    columns = (
        wait.c.run_id, wait.c.kind, wait.c.role, wait.c.due_at, wait.c.wake_at, wait.c.data,
        step.c.title.label("step_title"), step.c.key, approval.c.role.label("approval_role"),
    )  # fmt: skip
    joined = wait.join(step, step.c.id == wait.c.step_id).outerjoin(
        approval, approval.c.id == wait.c.approval_id
    )
    mine = wait.c.run_id.in_(list(runs))
    query = sa.select(*columns).select_from(joined).where(mine).order_by(wait.c.id.desc())
    return {row["run_id"]: row for row in tx.rows(query)}


def newest_of(tx: Transaction, book: str, runbooks: Sequence[str]) -> dict[str, Row]:
    """Return the newest run of each of these runbooks."""
    if not runbooks:
        return {}
    newest = (
        sa.select(sa.func.max(run.c.id))
        .where(run.c.book == book, run.c.runbook.in_(list(runbooks)))
        .group_by(run.c.runbook)
    )
    columns = (run.c.id, run.c.runbook, run.c.state, run.c.created_at)
    return {row["runbook"]: row for row in tx.rows(sa.select(*columns).where(run.c.id.in_(newest)))}


def before_that(tx: Transaction, row: Mapping[str, Any]) -> Row | None:
    """Return the run of the same runbook before a run."""
    same = (run.c.book == row["book"]) & (run.c.runbook == row["runbook"])
    query = sa.select(run).where(same, run.c.id < row["id"])
    return tx.row(query.order_by(run.c.id.desc()).limit(1))


def of_runbook(tx: Transaction, book: str, runbook: str, limit: int) -> list[Row]:
    """Return the newest runs of a runbook, as something to choose from."""
    columns = (run.c.id, run.c.state, run.c.created_at, run.c.started_at, run.c.finished_at)
    same = (run.c.book == book) & (run.c.runbook == runbook)
    return tx.rows(sa.select(*columns).where(same).order_by(run.c.id.desc()).limit(limit))


def outputs(tx: Transaction, run_id: int) -> dict[int, str]:
    """Return the end of what each step's last attempt wrote, by step, MOST_OUTPUT at most."""
    last = sa.select(sa.func.max(attempt.c.id)).where(attempt.c.run_id == run_id)
    tries = sa.select(attempt.c.id, attempt.c.step_id).where(
        attempt.c.id.in_(last.group_by(attempt.c.step_id))
    )
    found: dict[int, str] = {}
    for row in tx.rows(tries):
        pieces = sa.select(output.c.text).where(output.c.attempt_id == row["id"])
        told, size = [], 0
        for text in tx.execute(pieces.order_by(output.c.start.desc())).scalars():
            told.append(text)
            size += len(text)
            if size >= MOST_OUTPUT:
                break
        found[row["step_id"]] = "".join(reversed(told))[-MOST_OUTPUT:]
    return found


def approvals_of(tx: Transaction, run_id: int) -> list[Row]:
    """Return who decided what was asked of people in a run, oldest first."""
    columns = (
        vote.c.account_id, vote.c.decision, vote.c.by_oneself, vote.c.note, vote.c.at,
        approval.c.question,
    )  # fmt: skip
    joined = vote.join(approval, approval.c.id == vote.c.approval_id)
    mine = approval.c.subject == f"run:{run_id}"
    return tx.rows(sa.select(*columns).select_from(joined).where(mine).order_by(vote.c.id))
