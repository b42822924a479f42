"""One run inside one transaction: its rows, and every way in which they change.

The engine loads a story, tells it what has happened, and lets it advance; the story writes rows,
audit entries and events and says what has to be done outside of a transaction next. It keeps its
copy of the rows in step with the database, so that a step's outcome and the next step's intent are
one transaction and hardly more statements than two rows need.

The run's row is locked first by everybody who changes a run, so a person's answer and the engine's
move never pass each other.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from opsbook import audit
from opsbook.access import approvals
from opsbook.audit.entries import SERVER
from opsbook.base import events
from opsbook.base.database import Transaction
from opsbook.base.errors import Bug
from opsbook.base.quantities import format_duration
from opsbook.book import Step
from opsbook.book.library import Library
from opsbook.runs import model, rows, store
from opsbook.runs.kinds import STEP_KINDS
from opsbook.runs.kinds.approval import Approval, ask_leave
from opsbook.runs.kinds.kind import Asking, Ended, Pause, Place, waits_for
from opsbook.runs.tables import attempt, run, step, wait

Row = dict[str, Any]
AGAIN: Final = timedelta(seconds=30)
LEAVE: Final = Approval()
MOST_REPEATS: Final = 3


@dataclass(frozen=True, slots=True)
class Hand:
    """Whose hand writes: the epoch of its lease, its machine, and where scratch folders go."""

    epoch: int
    host: str
    scratch: Path
    may_execute: bool


@dataclass(frozen=True, slots=True)
class Execution:
    """An intent is written: let it run, for as long as `allowed`."""

    place: Place
    attempt: Row
    allowed: timedelta


@dataclass(frozen=True, slots=True)
class Recovery:
    """An intent of an earlier server has no outcome: find what has become of it."""

    place: Place
    attempt: Row


@dataclass(frozen=True, slots=True)
class Clearing:
    """An interrupted step was decided: end what may be left of it before anything else."""

    place: Place
    attempt: Row
    choice: str


@dataclass(frozen=True, slots=True)
class NoRoom:
    """The next step has to wait until another has ended."""


Task = Execution | Recovery | Clearing | NoRoom


class Story:
    """A run's rows in this transaction.

    `steps` are those of an earlier story, where nobody else can have changed them since: while a
    step is under way and the lease is held, its run's steps are this server's alone.
    """

    def __init__(
        self,
        tx: Transaction,
        now: datetime,
        run_id: int,
        library: Library,
        steps: list[Row] | None = None,
    ) -> None:
        self.tx = tx
        self.now = now
        self.run = row = store.lock_run(tx, run_id)
        self.book = library.at(tx, row["revision"])
        self.written = {one.key: one for one in self.book.runbooks[row["runbook"]].steps}
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

    def place(self, key: str) -> Place:
        """What a kind is told about a step."""
        return Place(self.book, self.run, self.written[key], self.row(key))

    @property
    def late(self) -> bool:
        """Whether its main steps should have been over by now."""
        deadline = self.run["deadline_at"]
        return deadline is not None and self.now >= deadline and self.run["ending"] is None

    def situation(self) -> model.Situation:
        """What the decision is made of."""
        row = self.run
        deadline, created = row["deadline_at"], row["created_at"]
        return model.Situation(
            steps=[self._standing(one) for one in self.steps],
            attended=row["attended"],
            leave=row["leave"],
            cancelling=row["cancelling"],
            ending=row["ending"],
            reason=row["reason"],
            late=self.late,
            limit=format_duration(deadline - created) if deadline is not None else "",
        )

    def _standing(self, row: Row) -> model.Standing:
        known = self.written[row["key"]]
        asked = self.waits.get(row["id"])
        return model.Standing(
            key=row["key"], title=row["title"], phase=row["phase"], rollback_of=known.rollback_of,
            effect=row["effect"], waits_for=waits_for(STEP_KINDS[row["kind"]]), state=row["state"],
            begun=row["started_at"] is not None, answer=asked["answer"] if asked else None,
            message=row["message"],
        )  # fmt: skip

    # ---- moving on ----

    def advance(self, hand: Hand) -> Task | None:
        """Do all that needs no more than this transaction; return what does, or None to rest."""
        self.hear()
        while True:
            match model.next_move(self.situation()):
                case model.Execute(key):
                    return self.intend(key, hand) if hand.may_execute else NoRoom()
                case model.Follow(key):
                    return self._adopt(key, hand)
                case model.Clear(key, choice):
                    return self._to_clear(key, choice)
                case model.Wait(key):
                    self._ask(key)
                case model.AskLeave(key):
                    self._ask_leave(key)
                case model.Skip(key, reason):
                    self.end_step(self.row(key), "skipped", reason)
                case model.Conclude(ending, reason):
                    self._conclude(ending, reason)
                case model.Finish(state, reason):
                    self._finish(state, reason)
                    return None
                case model.Nothing():
                    self._rest()
                    return None

    def hear(self) -> bool:
        """Look at everything that is waited for; True when a step has its answer.

        Persons' decisions about interrupted steps are not among it: what they mean is up to the
        model. A wait that was to be looked at by now and goes on is looked at again later.
        """
        heard = False
        for asked in list(self.waits.values()):
            row = next(one for one in self.steps if one["id"] == asked["step_id"])
            leave = bool(asked["data"].get("leave"))
            kind = LEAVE if leave else _asking(row["kind"]) if row["state"] == "waiting" else None
            match kind and kind.look(self.tx, self.now, self.place(row["key"]), asked):
                case Ended() as ended:
                    self._leave(row, ended) if leave else self._ended(row, ended)
                    heard = True
                case Pause() as pause:
                    self._pause(row, pause)
                case None if asked["wake_at"] is not None and asked["wake_at"] <= self.now:
                    store.postpone(self.tx, asked["id"], self.now + AGAIN)
        return heard

    def _ask(self, key: str) -> None:
        row = self.row(key)
        match _asking(row["kind"]).begin(self.tx, self.now, self.place(key)):
            case Ended() as ended:
                self._ended(row, ended)
            case Pause() as pause:
                self._begin()
                self._set_step(row, state="waiting", started_at=self.now)
                self._pause(row, pause)

    def _ask_leave(self, key: str) -> None:
        row = self.row(key)
        changing = [
            self.written[one["key"]]
            for one in self.steps
            if one["state"] == "pending" and one["phase"] == row["phase"]
            and one["effect"] == "change" and waits_for(STEP_KINDS[one["kind"]]) is None
        ]  # fmt: skip
        self._begin()
        self._set_step(row, state="waiting")
        self._pause(row, ask_leave(self.tx, self.now, self.place(key), changing))

    def _leave(self, row: Row, ended: Ended) -> None:
        """The run was told whether it may change something."""
        self._unpause(row)
        if ended.leave == "granted":
            self._set_run(leave="granted")
            self._set_step(row, state="pending")
        else:
            self._set_run(leave="refused")
            state = "failed" if row["phase"] == "main" else "skipped"
            self.end_step(row, state, ended.message)

    def _ended(self, row: Row, ended: Ended) -> None:
        if ended.leave and self.run["leave"] != "granted":
            self._set_run(leave=ended.leave)
        self.end_step(row, ended.state, ended.message)

    def intend(self, key: str, hand: Hand) -> Execution:
        """Write down that the step is about to be executed; only then may it be."""
        row, known = self.row(key), self.written[key]
        again = store.last_attempt(self.tx, row["id"]) if row["started_at"] is not None else None
        name = f"{self.run['id']}-{row['position']}-{secrets.token_hex(6)}"
        made: Row = {
            "run_id": self.run["id"],
            "step_id": row["id"],
            "number": again["number"] + 1 if again else 1,
            "epoch": hand.epoch,
            "scratch": str(hand.scratch / name),
            "host": hand.host,
            "state": "intended",
            "intended_at": self.now,
        }
        made["id"] = rows.insert(self.tx, attempt, **made)
        made["raw_offset"] = 0
        self._begin()
        self._set_step(row, state="running", started_at=row["started_at"] or self.now, message="")
        self.record("step.started", row, attempt=made["number"])
        return Execution(self.place(key), made, self._allowed(known))

    def _allowed(self, known: Step) -> timedelta:
        deadline = self.run["deadline_at"] if known.phase == "main" else None
        left = deadline - self.now if deadline is not None else known.timeout
        return min(known.timeout, left)

    def _adopt(self, key: str, hand: Hand) -> Task | None:
        """Take over an attempt: from now on only an outcome with this hand's epoch is accepted."""
        row = self.row(key)
        found = store.open_attempt(self.tx, row["id"])
        if found is None:
            raise Bug(f"Step {key} of run {self.run['id']} runs and has no open attempt.")
        rows.claim(self.tx, attempt, found["id"], {"epoch": found["epoch"]}, epoch=hand.epoch)
        stored = store.output_end(self.tx, found["id"])
        return Recovery(self.place(key), {**found, "epoch": hand.epoch, "stored": stored})

    def _to_clear(self, key: str, choice: str) -> Clearing:
        found = store.last_attempt(self.tx, self.row(key)["id"])
        if found is None:
            raise Bug(f"Step {key} of run {self.run['id']} was interrupted without an attempt.")
        return Clearing(self.place(key), found, choice)

    def _conclude(self, ending: model.Ending, reason: str) -> None:
        """The main steps are over: close what is open of them."""
        self._set_run(ending=ending, reason=reason)
        for row in self.steps:
            if row["phase"] == "main" and row["state"] in {"waiting", "interrupted"}:
                self.end_step(row, "cancelled", "")
        self._skip_pending("main")

    def _finish(self, state: model.Ending, reason: str) -> None:
        self._skip_pending("rollback", "finally")
        self._set_run(state=state, reason=reason, finished_at=self.now)
        audit.record(
            self.tx, self.now, SERVER, f"run.{state}", f"run:{self.run['id']}",
            thread=self.run["thread"], data={"reason": reason},
        )  # fmt: skip
        announce(self.tx, self.now, "run.finished", self.run)

    def _rest(self) -> None:
        """Nothing to do: from here on the run is rows and nothing else."""
        if not self.waits:
            raise Bug(f"Run {self.run['id']} neither moves nor waits for anything.")
        self._set_run(state="waiting")
        announce(self.tx, self.now, "run.changed", self.run)

    # ---- what happened outside ----

    def interrupted(self, row: Row, tried: Row, told: str, *, elsewhere: bool = False) -> None:
        """An attempt has no outcome that can be trusted: ask a person, unless the book says else.

        What the book says is entered as the answer, so that every way goes through ending what may
        be left of the old tree. A step that was interrupted MOST_REPEATS times is asked about, as
        it may be what brings the server down; one that ran on another machine is too, since nobody
        here can see whether it still runs.
        """
        policy = self.written[row["key"]].interrupted
        worn = policy == "retry" and store.interruptions(self.tx, row["id"]) >= MOST_REPEATS
        asks = policy == "ask" or worn or elsewhere
        self._set_step(row, state="interrupted", message=told)
        due = self._due(row)
        data = {"attempt": tried["id"], "why": told}
        pause = Pause("decision", due_at=due, wake_at=due, data=data)
        self._pause(row, pause, answer=None if asks else policy)
        self.record("step.interrupted", row, attempt=tried["number"], policy=policy, why=told)
        if asks:
            announce(self.tx, self.now, "run.asks", self.run, step=row["key"])

    def _due(self, row: Row) -> datetime | None:
        deadline: datetime | None = self.run["deadline_at"]
        return deadline if row["phase"] == "main" and self.run["ending"] is None else None

    def cleared(self, key: str, choice: str) -> None:
        """Nothing of the old tree is left: do with the step as was chosen."""
        row = self.row(key)
        asked = self.waits.get(row["id"])
        by = asked["data"].get("by", "") if asked else ""
        said = f" by {by}" if by else ""
        match choice:
            case "retry":
                self._unpause(row)
                self._set_step(row, state="pending", message="")
            case "skip":
                self.end_step(row, "skipped", f"taken as done{said}")
            case "fail":
                self.end_step(row, "failed", f"{row['message']}; failed{said or ' by its rule'}")
            case _:
                self.end_step(row, "cancelled", row["message"])

    def end_step(self, row: Row, state: str, message: str) -> None:
        """Give a step its last state; a wait of it is over, an approval nobody needs is void."""
        self._unpause(row)
        values: Row = {"state": state, "message": message, "finished_at": self.now}
        if row["started_at"] is None and state in {"succeeded", "failed"}:
            values["started_at"] = self.now
        self._set_step(row, **values)
        self.record(f"step.{state}", row, message=message)

    def save(self, name: str, value: str) -> None:
        """Keep what a step saved for the steps after it."""
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
        left = [row for row in self.steps if row["phase"] in phases and row["state"] == "pending"]
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


def wake(tx: Transaction, now: datetime, row: Mapping[str, Any]) -> None:
    """Let the engine look at a run again; it says by itself what has changed."""
    if rows.claim(tx, run, row["id"], {"state": "waiting"}, state="running"):
        announce(tx, now, "run.changed", {**row, "state": "running"})
    tx.touch("runs", f"run:{row['id']}")


def announce(
    tx: Transaction, now: datetime, kind: str, row: Mapping[str, Any], **more: Any
) -> None:
    """Tell the other packages, in the transaction of what happened."""
    told = {name: row[name] for name in ("state", "trigger", "thread", "book")}
    events.publish(tx, now, kind, f"run:{row['id']}", {"run": row["id"], **told, **more})


def _asking(kind: str) -> Asking:
    found: Any = STEP_KINDS[kind]
    if waits_for(found) is None:
        raise Bug(f"Steps of kind {kind} execute, and one of them waits for an answer.")
    asking: Asking = found
    return asking
