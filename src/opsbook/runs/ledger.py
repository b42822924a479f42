"""One run's rows inside one transaction: read, and changed together with what tells of them.

The run's row is locked first by everybody who changes a run, so a person's answer and the engine's
move never pass each other. The copy of the rows here is kept in step with the database, so that a
step's outcome and the next step's intent are one transaction and hardly more statements than two
rows need. What the changes mean is up to `journal`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from opsbook import audit
from opsbook.access import approvals
from opsbook.audit.entries import SERVER
from opsbook.base.database import Transaction
from opsbook.base.errors import Bug
from opsbook.base.sealing import Sealer
from opsbook.book import Step
from opsbook.book.library import Library
from opsbook.runs import items, rows, sealed, store
from opsbook.runs.kinds.kind import Pause, Place
from opsbook.runs.tables import run, step, wait
from opsbook.runs.waking import announce

Row = dict[str, Any]


class Ledger:
    """A run's rows in this transaction.

    `steps` are those of an earlier one, where nobody else can have changed them since: while a
    step is under way and the lease is held, its run's steps are this server's alone.
    """

    def __init__(
        self,
        tx: Transaction,
        now: datetime,
        run_id: int,
        library: Library,
        steps: list[Row] | None = None,
        sealer: Sealer | None = None,
    ) -> None:
        self.tx = tx
        self.now = now
        self.sealer = sealer
        self.run = row = store.lock_run(tx, run_id)
        self.book = library.at(tx, row["revision"])
        self.runbook = self.book.runbooks[row["runbook"]]
        self.written = {one.key: one for one in self.runbook.steps}
        self.steps = store.step_rows(tx, row["id"]) if steps is None else steps
        paused = any(one["state"] in {"waiting", "interrupted"} for one in self.steps)
        found = store.wait_rows(tx, row["id"]) if paused else []
        self.waits = {one["step_id"]: one for one in found}

    # ---- reading ----

    def row(self, key: str) -> Row:
        """The row of a step."""
        found = next((one for one in self.steps if one["key"] == key), None)
        if found is None:
            raise Bug(f"Run {self.run['id']} has no step {key!r}.")
        return found

    def known(self, row: Row) -> Step:
        """The step of the book that a row stands for, or is an item of."""
        return self.written[items.step_of(row["key"])]

    def place(self, row: Row) -> Place:
        """What a kind is told about a step."""
        return Place(self.book, self.run, self.known(row), row, sealer=self.sealer)

    @property
    def late(self) -> bool:
        """Whether its main steps should have been over by now."""
        deadline = self.run["deadline_at"]
        return deadline is not None and self.now >= deadline and self.run["ending"] is None

    @property
    def stopping(self) -> bool:
        """Whether its main steps are to end."""
        return bool(self.run["cancelling"]) or self.late

    @property
    def at_once(self) -> int:
        """How many steps of it may be executed at the same time, at most."""
        return max((one.at_once for one in self.runbook.steps if one.each), default=1)

    # ---- steps ----

    def end_step(self, row: Row, state: str, message: str) -> None:
        """Give a step its last state; a wait of it is over, an approval nobody needs is void."""
        self._unpause(row)
        values: Row = {"state": state, "message": message, "finished_at": self.now}
        if row["started_at"] is None and state in {"succeeded", "failed"}:
            values["started_at"] = self.now
        self._set_step(row, **values)
        self.record(f"step.{state}", row, message=message)
        if state == "failed":
            announce(self.tx, self.now, "step.failed", self.run, step=row["key"])

    def save(self, row: Row, name: str, value: str) -> None:
        """Keep what a step saved for the steps after it; an item's, until all items are over.

        A secret value comes sealed, and lies beside the other secrets of the run.
        """
        if self.known(row).secret:
            sealed.replace(self.tx, self.run["id"], name, value)
            return
        name = items.key(name, row["item"]) if row["part_of"] is not None else name
        self._set_run(saved={**self.run["saved"], name: value})

    def record(self, action: str, row: Row, **data: Any) -> None:
        """Put a transition of a step on record."""
        audit.record(
            self.tx, self.now, SERVER, action, f"run:{self.run['id']}",
            thread=self.run["thread"], data={"step": row["key"], "title": row["title"], **data},
        )  # fmt: skip

    # ---- rows ----

    def _begin(self) -> None:
        if self.run["state"] != "running" or self.run["started_at"] is None:
            self._set_run(state="running", started_at=self.run["started_at"] or self.now)
            announce(self.tx, self.now, "run.changed", self.run)

    def _set_run(self, **values: Any) -> None:
        self.run |= values
        rows.update(self.tx, run, self.run["id"], **values)
        self.tx.touch(f"run:{self.run['id']}", "runs")

    def _set_step(self, row: Row, **values: Any) -> None:
        row |= values
        rows.update(self.tx, step, row["id"], **values)
        self.tx.touch(f"run:{self.run['id']}")

    def _skip_pending(self, *phases: str) -> None:
        self._skip(
            [row for row in self.steps if row["phase"] in phases and row["state"] == "pending"]
        )

    def _skip(self, left: list[Row]) -> None:
        for row in left:
            row["state"] = "skipped"
        if left:
            ids = [row["id"] for row in left]
            self.tx.execute(sa.update(step).where(step.c.id.in_(ids)).values(state="skipped"))

    def _pause(self, row: Row, pause: Pause, answer: str | None = None) -> None:
        values: Row = {
            "kind": pause.kind,
            "role": pause.role,
            "approval_id": pause.approval_id,
            "due_at": pause.due_at,
            "wake_at": pause.wake_at,
            "remind_at": pause.remind_at,
            "data": pause.data,
        }
        known = self.waits.get(row["id"])
        if known is not None:
            known |= values
            rows.update(self.tx, wait, known["id"], **values)
            return
        made = {
            **values,
            "run_id": self.run["id"],
            "step_id": row["id"],
            "since": self.now,
            "answer": answer,
        }
        self.waits[row["id"]] = {**made, "id": rows.insert(self.tx, wait, **made)}
        if pause.kind != "decision":
            self.record("step.waiting", row, kind=pause.kind, role=pause.role)

    def _unpause(self, row: Row) -> None:
        known = self.waits.pop(row["id"], None)
        if known is not None:
            self.tx.execute(sa.delete(wait).where(wait.c.id == known["id"]))
            if known["approval_id"] is not None:
                asked = approvals.get(self.tx, known["approval_id"])
                if asked is not None and asked["state"] == "open":
                    approvals.void(self.tx, self.now, asked["id"], "cancelled")
