"""Starting a run: everything is checked and written here, nothing is executed.

The run, its steps, its first audit entry and its event are one transaction, the caller's: an
alert's incident and the run that answers it exist together or not at all. The engine finds the row.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from opsbook import audit
from opsbook.access import Principal
from opsbook.base.database import Transaction
from opsbook.book import Book, Runbook, check_params
from opsbook.runs import supported
from opsbook.runs.errors import CannotRun, DraftBook, KeyReused, UnknownRunbook, WrongParameters
from opsbook.runs.journal import announce
from opsbook.runs.tables import run, step


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
) -> int:
    """Start a runbook of `book` as it is now and return the run's id.

    `started_by` is an actor; where a person or program asks, pass the `principal` too and the
    permission is checked here. `trigger` says why (``incident:12``), `thread` whose story it is
    (its own when None). `attended` is whether a person started it: otherwise its first step that
    changes something waits for an approval. The same `idempotency_key` again returns the same run.

    Raises:
        DraftBook: the book is a draft.
        UnknownRunbook: the book has none of that id.
        CannotRun: it asks for something that the engine does not do, or has a secret parameter.
        WrongParameters: with all that is wrong with them in ``details["problems"]``.
        KeyReused: the key belongs to a run of something else.
        Refused: the principal may not start runs in this book.
    """
    if principal is not None:
        principal.require("runs:write", book)
    if book.status == "draft":
        raise DraftBook(
            f"The book {book.id} is a draft: nothing in it can be started.",
            remedy="Write status: active in its book.yaml when it is ready.",
        )
    procedure = book.runbooks.get(runbook)
    if procedure is None:
        raise _unknown(book, runbook)
    if lacking := supported.obstacles(procedure):
        raise CannotRun(
            f"The runbook {runbook} asks for what this Opsbook cannot do: {'; '.join(lacking)}.",
            problems=lacking,
            remedy="Take it out of the runbook, or do these steps by hand.",
        )
    values, found = check_params(procedure, params)
    problems = [str(one) for one in found] or _unknown_checks(book, procedure, values)
    if problems:
        raise WrongParameters(
            f"{len(problems)} of the parameters for {runbook} cannot be used: "
            + " ".join(problems),
            problems=problems,
        )
    if idempotency_key is not None:
        known = _started_before(tx, idempotency_key, book, runbook, values)
        if known is not None:
            return known
    made: dict[str, Any] = {
        "book": book.id,
        "revision": book.revision,
        "runbook": runbook,
        "title": procedure.title.in_language(book.languages[0]),
        "params": values,
        "saved": {},
        "state": "queued",
        "started_by": started_by,
        "trigger": trigger,
        "thread": thread or "",
        "attended": attended,
        "lock": procedure.lock,
        "idempotency_key": idempotency_key,
        "created_at": now,
        "deadline_at": now + procedure.timeout if procedure.timeout else None,
    }
    run_id = tx.insert(run, **made)
    if thread is None:
        made["thread"] = f"run:{run_id}"
        tx.execute(sa.update(run).where(run.c.id == run_id).values(thread=made["thread"]))
    tx.execute(sa.insert(step), _steps(procedure, run_id))
    audit.record(
        tx, now, started_by, "run.started", f"run:{run_id}", thread=made["thread"],
        data={"book": book.id, "revision": book.revision, "runbook": runbook,
              "trigger": trigger, "attended": attended},
    )  # fmt: skip
    announce(tx, now, "run.created", {**made, "id": run_id})
    tx.touch("runs", f"run:{run_id}")
    return run_id


def _steps(procedure: Runbook, run_id: int) -> list[dict[str, object]]:
    return [
        {
            "run_id": run_id,
            "position": position,
            "key": one.key,
            "title": one.title,
            "kind": one.kind,
            "effect": one.effect,
            "phase": one.phase,
            "state": "pending",
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
