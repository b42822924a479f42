"""Starting a run: everything is checked and written here, nothing is executed.

The run, its steps, its first audit entry and its event are one transaction, the caller's: an
alert's incident and the run that answers it exist together or not at all. The engine finds the row.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from opsbook import audit
from opsbook.access import Principal
from opsbook.base.database import Transaction
from opsbook.base.sealing import Sealer
from opsbook.book import Book, Runbook, check_params
from opsbook.runs import pausing, sealed
from opsbook.runs.children import DEEPEST, lock_of_ancestors
from opsbook.runs.errors import CannotRun, DraftBook, KeyReused, UnknownRunbook, WrongParameters
from opsbook.runs.kinds.kind import Place
from opsbook.runs.tables import run, step
from opsbook.runs.waking import announce


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a run comes from that another run has started, or that repeats one.

    `taken_over` are the steps that it need not do again, by key, with why; `saved` is what they
    have saved.
    """

    parent_id: int | None = None
    depth: int = 0
    rerun_of: int | None = None
    rerun_from: str = ""
    saved: Mapping[str, str] = field(default_factory=dict)
    taken_over: Mapping[str, str] = field(default_factory=dict)
    locks: Collection[str] = ()


def start(
    tx: Transaction,
    now: datetime,
    *,
    book: Book,
    runbook: str,
    params: Mapping[str, str],
    started_by: str,
    trigger: str = "",
    thread: str | None = None,
    attended: bool,
    idempotency_key: str | None = None,
    principal: Principal | None = None,
    sealer: Sealer | None = None,
    day: date | None = None,
    lineage: Lineage | None = None,
) -> int:
    """Start a runbook of `book` as it is now and return the run's id.

    `started_by` is an actor; where a person or program asks, pass the `principal` too and the
    permission is checked here. `trigger` says why (``incident:12``), `thread` whose story it is
    (its own when None). `attended` is whether a person started it: otherwise its first step that
    changes something waits for an approval. The same `idempotency_key` again returns the same run.
    `sealer` seals secret parameters; only who has one can start a runbook with any. `day` is the
    run's own, from which phases are counted: today in the book's zone when None.

    Raises:
        DraftBook: the book is a draft.
        UnknownRunbook: the book has none of that id.
        WrongParameters: with all that is wrong with them in ``details["problems"]``.
        CannotRun: one of its phases lies beyond the calendar, counted from this day.
        KeyReused: the key belongs to a run of something else.
        Refused: the principal may not start runs in this book.
    """
    if principal is not None:
        principal.require("runs:write", book)
    procedure = _procedure(book, runbook)
    values, found = check_params(procedure, params)
    problems = [str(one) for one in found] or _unknown_checks(book, procedure, values)
    if problems:
        raise WrongParameters(
            f"{len(problems)} of the parameters for {runbook} cannot be used: "
            + " ".join(problems),
            problems=problems,
        )
    shown, hidden = sealed.apart(procedure, values, sealer)
    own_day = (day or now.astimezone(ZoneInfo(book.timezone)).date()).isoformat()
    deadline = _reachable(book, procedure, own_day, now)
    if idempotency_key is not None:
        known = _started_before(tx, idempotency_key, book, runbook, shown)
        if known is not None:
            return known
    origin = lineage or Lineage()
    made: dict[str, Any] = {
        "book": book.id,
        "revision": book.revision,
        "runbook": runbook,
        "title": procedure.title.in_language(book.languages[0]),
        "params": shown,
        "saved": dict(origin.saved),
        "state": "queued",
        "started_by": started_by,
        "steered_by": started_by,
        "trigger": trigger,
        "thread": thread or "",
        "attended": attended,
        "lock": None if procedure.lock in origin.locks else procedure.lock,
        "idempotency_key": idempotency_key,
        "created_at": now,
        "day": own_day,
        "deadline_at": deadline,
        "parent_id": origin.parent_id,
        "depth": origin.depth,
        "rerun_of": origin.rerun_of,
        "rerun_from": origin.rerun_from,
    }
    run_id = tx.insert(run, **made)
    if thread is None:
        made["thread"] = f"run:{run_id}"
        tx.execute(sa.update(run).where(run.c.id == run_id).values(thread=made["thread"]))
    tx.execute(sa.insert(step), _steps(procedure, run_id, origin.taken_over))
    if hidden and sealer is not None:
        sealed.keep(tx, run_id, sealer, hidden)
    about = {"rerun_of": origin.rerun_of, "from": origin.rerun_from} if origin.rerun_of else {}
    audit.record(
        tx, now, started_by, "run.started", f"run:{run_id}", thread=made["thread"],
        data={"book": book.id, "revision": book.revision, "runbook": runbook,
              "trigger": trigger, "attended": attended, **about},
    )  # fmt: skip
    announce(tx, now, "run.created", {**made, "id": run_id})
    tx.touch("runs", f"run:{run_id}")
    return run_id


def start_child(
    tx: Transaction, now: datetime, place: Place, runbook: str, params: Mapping[str, str],
    sealer: Sealer | None = None,
) -> int:  # fmt: skip
    """Start the run of a step of another run, of the same revision and in the same hands.

    It has the locks of those that wait for it. Where nobody started the first of them, it asks by
    itself before it changes anything.

    Raises:
        CannotRun: runs lie in each other too deep.
        UnknownRunbook, WrongParameters: as `start`.
    """
    parent = place.run
    if parent["depth"] >= DEEPEST:
        raise CannotRun(
            f"{runbook} would be the run of a run of a run, {DEEPEST + 1} deep.",
            problems=[f"at most {DEEPEST} runs may lie in each other"],
            remedy="Let one of these runbooks do itself what it has others do.",
        )
    origin = Lineage(
        parent_id=parent["id"], depth=parent["depth"] + 1,
        locks=lock_of_ancestors(tx, parent["id"]),
    )  # fmt: skip
    return start(
        tx, now, book=place.book, runbook=runbook, params=params,
        started_by=parent["started_by"], trigger=f"run:{parent['id']}", thread=parent["thread"],
        attended=parent["attended"], sealer=sealer, day=date.fromisoformat(parent["day"]),
        lineage=origin,
    )  # fmt: skip


def _procedure(book: Book, runbook: str) -> Runbook:
    if book.status == "draft":
        raise DraftBook(
            f"The book {book.id} is a draft: nothing in it can be started.",
            remedy="Write status: active in its book.yaml when it is ready.",
        )
    procedure = book.runbooks.get(runbook)
    if procedure is None:
        raise _unknown(book, runbook)
    return procedure


def _reachable(book: Book, procedure: Runbook, day: str, now: datetime) -> datetime | None:
    """Return the deadline of a run of that day, once each of its phases was looked at.

    Raises:
        CannotRun: the calendar has no such day for some of them; with all of these.
    """
    if found := [error for _, error in pausing.unreachable(book, procedure, day)]:
        raise CannotRun(
            " ".join(one.message for one in found),
            problems=[one.message for one in found], remedy=found[0].remedy,
        )  # fmt: skip
    return pausing.deadline(book, procedure, day, now)


def _steps(
    procedure: Runbook, run_id: int, taken_over: Mapping[str, str]
) -> list[dict[str, object]]:
    return [
        {
            "run_id": run_id,
            "position": position,
            "key": one.key,
            "title": one.title,
            "kind": one.kind,
            "effect": one.effect,
            "phase": one.phase,
            "state": "skipped" if one.key in taken_over else "pending",
            "message": taken_over.get(one.key, ""),
        }
        for position, one in enumerate(procedure.steps)
    ]


def _unknown_checks(book: Book, procedure: Runbook, values: Mapping[str, str]) -> list[str]:
    """Name every parameter that a check step takes its check from and that names none.

    Found before anything runs: a run that changes something and then has nothing to verify it by
    would fail at the worst moment.
    """
    asked = {
        one.check.removeprefix("$")
        for one in procedure.steps
        if one.kind == "check" and one.check.startswith("$")
    }
    return [
        f"parameter {name}: {values[name]!r} is no check of the book {book.id}. "
        f"give one of: {', '.join(book.checks)}."
        for name in sorted(asked & set(values))
        if values[name] not in book.checks
    ]


def _unknown(book: Book, runbook: str) -> UnknownRunbook:
    near = difflib.get_close_matches(runbook, book.runbooks, n=1)
    known = ", ".join(sorted(book.runbooks)) or "none"
    return UnknownRunbook(
        f"The book {book.id} has no runbook {runbook!r}.",
        remedy=f"Did you mean {near[0]!r}?" if near else f"It has: {known}.",
    )


def _started_before(
    tx: Transaction, key: str, book: Book, runbook: str, values: Mapping[str, str]
) -> int | None:
    row = tx.row(sa.select(run).where(run.c.idempotency_key == key))
    if row is None:
        return None
    if (row["book"], row["runbook"], row["params"]) != (book.id, runbook, values):
        raise KeyReused(
            f"This idempotency key belongs to run {row['id']}, which is of something else.",
            remedy="Use a new key for a new request.",
        )
    return int(row["id"])
