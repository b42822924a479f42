"""One run inside one transaction: what happens to it, and what it does next.

The engine loads a story, tells it what has happened, and lets it advance; the story writes rows
(`ledger`), audit entries and events and says what has to be done outside of a transaction next.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from opsbook import audit
from opsbook.audit.entries import SERVER
from opsbook.base.errors import Bug
from opsbook.base.quantities import format_duration
from opsbook.book import Step
from opsbook.runs import items, model, pausing, rows, sealed, store
from opsbook.runs.children import cancel_child
from opsbook.runs.kinds import STEP_KINDS
from opsbook.runs.kinds.approval import Approval, ask_leave
from opsbook.runs.kinds.kind import Asking, Ended, Pause, Place, earliest, plain, waits_for
from opsbook.runs.ledger import Ledger, Row
from opsbook.runs.tables import attempt, step
from opsbook.runs.waking import announce

AGAIN: Final = timedelta(seconds=30)
LEAVE: Final = Approval()
MOST_REPEATS: Final = 3


@dataclass(frozen=True, slots=True)
class Hand:
    """Whose hand writes: the epoch of its lease, its machine, and where scratch folders go.

    `places` is how many steps it may begin to execute, `followed` which it follows already.
    """

    epoch: int
    host: str
    scratch: Path
    places: int
    followed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Execution:
    """An intent is written: let it run, for as long as `allowed`."""

    place: Place
    attempt: Row
    allowed: timedelta
    sealed: dict[str, str]


@dataclass(frozen=True, slots=True)
class Recovery:
    """An intent of an earlier server has no outcome: find what has become of it."""

    place: Place
    attempt: Row
    sealed: dict[str, str]


@dataclass(frozen=True, slots=True)
class Clearing:
    """An interrupted step was decided: end what may be left of it before anything else."""

    place: Place
    attempt: Row
    choice: str


Task = Execution | Recovery | Clearing


@dataclass(slots=True)
class Turn:
    """What is to be done outside of the transaction; `hungry` for a step without a place."""

    tasks: list[Task] = field(default_factory=list)
    hungry: bool = False


class Story(Ledger):
    """What happens to a run, and what it does next."""

    def situation(self, followed: frozenset[str] = frozenset()) -> model.Situation:
        """What the decision is made of."""
        row, limit = self.run, self.runbook.timeout
        return model.Situation(
            steps=[self._standing(one) for one in self.steps],
            attended=row["attended"],
            leave=row["leave"],
            cancelling=row["cancelling"],
            ending=row["ending"],
            reason=row["reason"],
            late=self.late,
            limit=format_duration(limit) if limit is not None else "",
            undo=row["undo"],
            variables=plain(row),
            followed=followed,
        )

    def _standing(self, row: Row) -> model.Standing:
        known = self.known(row)
        asked = self.waits.get(row["id"])
        begins = pausing.begins(self.book, known, self.run["day"]) if known.day else None
        return model.Standing(
            key=row["key"], title=row["title"], phase=row["phase"], rollback_of=known.rollback_of,
            effect=row["effect"], waits_for=waits_for(STEP_KINDS[row["kind"]]), state=row["state"],
            begun=row["started_at"] is not None, answer=asked["answer"] if asked else None,
            message=row["message"], when=known.when, on_fail=known.on_fail,
            on_cancel=known.on_cancel, early=begins is not None and self.now < begins,
            recalled=bool(asked and asked["data"].get("recalled")),
            repeats=known.each is not None and row["part_of"] is None, at_once=known.at_once,
            part_of=items.step_of(row["key"]) if row["part_of"] is not None else None,
        )  # fmt: skip

    # ---- moving on ----

    def advance(self, hand: Hand) -> Turn:
        """Do all that needs no more than this transaction; return what does, nothing to rest."""
        self.hear()
        turn = Turn()
        followed = set(hand.followed)
        while True:
            move = model.next_move(self.situation(frozenset(followed)))
            match move:
                case model.Execute(key) if len(followed) - len(hand.followed) >= hand.places:
                    turn.hungry = True
                    return turn
                case model.Execute(key):
                    turn.tasks.append(self.intend(key, hand))
                    followed.add(key)
                case model.Follow(key):
                    turn.tasks.append(self._adopt(key, hand))
                    followed.add(key)
                case model.Clear(key, choice):
                    turn.tasks.append(self._to_clear(key, choice))
                    followed.add(key)
                case model.Conclude(ending, reason, undo):
                    self._conclude(ending, reason, undo)
                case model.Finish(state, reason):
                    self._finish(state, reason)
                    return turn
                case model.Nothing():
                    if not followed:
                        self._rest()
                    return turn
                case _:
                    self._step_on(move)

    def _step_on(self, move: model.Move) -> None:
        """A move that is about one step and needs nothing but its rows."""
        match move:
            case model.Wait(key):
                self._ask(self.row(key))
            case model.Postpone(key):
                self._postpone(self.row(key))
            case model.Expand(key):
                self._expand(self.row(key))
            case model.Gather(key, state, reason):
                self._gather(self.row(key), state, reason)
            case model.Recall(key):
                self._recall(self.row(key))
            case model.AskLeave(key):
                self._ask_leave(self.row(key))
            case model.Settle(key, choice):
                self.decided(self.row(key), choice)
            case model.Skip(key, reason):
                self.end_step(self.row(key), "skipped", reason)
            case model.Fail(key, reason):
                self.failed(self.row(key), reason)
            case _:
                raise Bug(f"Run {self.run['id']} cannot {move!r}.")

    def hear(self) -> bool:
        """Look at everything that is waited for; True when a step has its answer.

        Persons' decisions about steps are not among it: what they mean is up to the model. A wait
        that was to be looked at by now and goes on is looked at again later.
        """
        heard = False
        for asked in list(self.waits.values()):
            row = next(one for one in self.steps if one["id"] == asked["step_id"])
            if asked["data"].get("again"):
                heard = self._again(row, asked) or heard
                continue
            leave = bool(asked["data"].get("leave"))
            asking = row["state"] == "waiting" and asked["kind"] != "decision"
            kind = LEAVE if leave else _asking(row["kind"]) if asking else None
            match kind and kind.look(self.tx, self.now, self.place(row), asked):
                case Ended() as ended:
                    self._leave(row, ended) if leave else self._ended(row, ended)
                    heard = True
                case Pause() as pause:
                    self._pause(row, pause)
                case None if asked["wake_at"] is not None and asked["wake_at"] <= self.now:
                    store.postpone(self.tx, asked["id"], self.now + AGAIN)
        return heard

    def _again(self, row: Row, asked: Row) -> bool:
        """A step that waits for its day, or before it is tried again: whether that time is over."""
        if asked["due_at"] is not None and self.now < asked["due_at"]:
            return False
        self._unpause(row)
        self._set_step(row, state="pending")
        return True

    def _ask(self, row: Row) -> None:
        match _asking(row["kind"]).begin(self.tx, self.now, self.place(row)):
            case Ended() as ended:
                self._begin()
                self._ended(row, ended)
            case Pause() as pause:
                self._begin()
                self._set_step(
                    row, state="waiting", started_at=row["started_at"] or self.now, message=""
                )
                self._pause(row, pause)

    def _postpone(self, row: Row) -> None:
        until = pausing.begins(self.book, self.known(row), self.run["day"])
        self._begin()
        self._set_step(row, state="waiting")
        self._pause_until(row, until, {"again": "day"})

    def _pause_until(self, row: Row, until: datetime | None, data: dict[str, Any]) -> None:
        wake = earliest(until, self.place(row).deadline)
        self._pause(row, Pause("time", due_at=until, wake_at=wake, data=data))

    def _expand(self, row: Row) -> None:
        """Write a row for each item; from here on the items are what moves."""
        known = self.known(row)
        try:
            found = items.of(self.runbook, known.each or "", plain(self.run))
        except items.CannotRepeat as error:
            self.failed(row, error.message)
            return
        self._begin()
        if not found:
            self.end_step(row, "succeeded", f"nothing to do: {known.each} is empty")
            return
        last = max(one["position"] for one in self.steps)
        made = [
            {
                **{name: row[name] for name in ("run_id", "kind", "effect", "phase")},
                "position": last + number, "part_of": row["id"], "item": number, "value": value,
                "key": items.key(row["key"], number), "state": "pending",
                "title": f"{row['title']} ({value[:60]})",
            }
            for number, value in enumerate(found, 1)
        ]  # fmt: skip
        self.tx.execute(sa.insert(step), made)
        self._set_step(row, state="running", started_at=row["started_at"] or self.now)
        self.record("step.started", row, items=len(made))
        self.steps[:] = store.step_rows(self.tx, self.run["id"])

    def _gather(self, row: Row, state: str, reason: str) -> None:
        """All items are over, or none of them goes on."""
        mine = [one for one in self.steps if one["part_of"] == row["id"]]
        for one in mine:
            if one["state"] in {"waiting", "interrupted"}:
                self.end_step(one, "cancelled", one["message"])
        self._skip([one for one in mine if one["state"] == "pending"])
        known = self.known(row)
        if known.save is not None and state == "succeeded":
            value, saved = items.gathered(self.run["saved"], known.save, len(mine))
            self._set_run(saved={**saved, known.save: value})
        if state == "failed":
            self.failed(row, reason)
        else:
            self.end_step(row, state, reason or f"{len(mine)} done")

    def _recall(self, row: Row) -> None:
        """End the run that a step waits for; the step ends with it."""
        asked = self.waits[row["id"]]
        cancel_child(self.tx, self.now, asked["data"]["run"], f"run {self.run['id']} ends")
        data = {**asked["data"], "recalled": True}
        store.note(self.tx, asked["id"], data)
        asked["data"] = data

    def _ask_leave(self, row: Row) -> None:
        changing = [
            self.known(one)
            for one in self.steps
            if one["state"] == "pending" and one["phase"] == row["phase"]
            and one["effect"] == "change" and waits_for(STEP_KINDS[one["kind"]]) is None
        ]  # fmt: skip
        self._begin()
        self._set_step(row, state="waiting")
        self._pause(row, ask_leave(self.tx, self.now, self.place(row), changing))

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
        if ended.state == "succeeded":
            self.end_step(row, "succeeded", ended.message)
        elif row["phase"] == "main" and self.run["cancelling"]:
            self.end_step(row, "cancelled", ended.message)
        else:
            self.failed(row, ended.message)

    def intend(self, key: str, hand: Hand) -> Execution:
        """Write down that the step is about to be executed; only then may it be."""
        row = self.row(key)
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
        return Execution(self.place(row), made, self._allowed(self.known(row)), self._sealed())

    def _allowed(self, known: Step) -> timedelta:
        deadline = self.run["deadline_at"] if known.phase == "main" else None
        left = deadline - self.now if deadline is not None else known.timeout
        return min(known.timeout, left)

    def _sealed(self) -> dict[str, str]:
        """The run's secret values, still sealed."""
        return sealed.stored(self.tx, self.run["id"]) if sealed.has_any(self.runbook) else {}

    def _adopt(self, key: str, hand: Hand) -> Recovery:
        """Take over an attempt: from now on only an outcome with this hand's epoch is accepted."""
        row = self.row(key)
        found = store.open_attempt(self.tx, row["id"])
        if found is None:
            raise Bug(f"Step {key} of run {self.run['id']} runs and has no open attempt.")
        rows.claim(self.tx, attempt, found["id"], {"epoch": found["epoch"]}, epoch=hand.epoch)
        stored = store.output_end(self.tx, found["id"])
        tried = {**found, "epoch": hand.epoch, "stored": stored}
        return Recovery(self.place(row), tried, self._sealed())

    def _to_clear(self, key: str, choice: str) -> Clearing:
        row = self.row(key)
        found = store.last_attempt(self.tx, row["id"])
        if found is None:
            raise Bug(f"Step {key} of run {self.run['id']} was interrupted without an attempt.")
        return Clearing(self.place(row), found, choice)

    def _conclude(self, ending: model.Ending, reason: str, undo: bool) -> None:
        """The main steps are over: close what is open of them."""
        self._set_run(ending=ending, reason=reason, undo=self.run["undo"] and undo)
        for row in self.steps:
            if row["phase"] == "main" and row["state"] in {"waiting", "interrupted"}:
                self.end_step(row, "cancelled", row["message"])
        self._skip_pending("main")

    def _finish(self, state: model.Ending, reason: str) -> None:
        self._skip_pending("rollback", "finally")
        self._set_run(state=state, reason=reason, finished_at=self.now)
        if sealed.has_any(self.runbook):
            sealed.erase(self.tx, self.run["id"])
        audit.record(
            self.tx, self.now, SERVER, f"run.{state}", f"run:{self.run['id']}",
            thread=self.run["thread"], data={"reason": reason},
        )  # fmt: skip
        announce(self.tx, self.now, "run.finished", self.run, parent=self.run["parent_id"])

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
        policy = self.known(row).interrupted
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

    def failed(self, row: Row, message: str) -> None:
        """A step has failed: it is tried again, somebody is asked, or that was it."""
        known = self.known(row)
        failures = row["failures"] + 1
        ends = row["phase"] == "main" and self.stopping
        whole = known.each is None or row["part_of"] is not None  # and not a list of such
        if failures <= known.retry and not ends and whole:
            pause = pausing.before_try(known, failures)
            self._unpause(row)
            self._set_step(row, failures=failures, message=message,
                           state="waiting" if pause else "pending")  # fmt: skip
            self.record("step.failed_once", row, message=message, failures=failures)
            if pause:
                self._pause_until(row, self.now + pause, {"again": "retry", "why": message})
            return
        if known.on_fail == "ask" and not ends and whole and row["phase"] == "main":
            due = self._due(row)
            self._unpause(row)
            started = row["started_at"] or self.now
            self._set_step(row, failures=failures, message=message, state="waiting",
                           started_at=started)  # fmt: skip
            data = {"failed": True, "why": message}
            self._pause(row, Pause("decision", due_at=due, wake_at=due, data=data))
            self.record("step.failed_and_asks", row, message=message)
            announce(self.tx, self.now, "run.asks", self.run, step=row["key"])
            return
        self.end_step(row, "failed", message)

    def cleared(self, key: str, choice: str) -> None:
        """Nothing of the old tree is left: do with the step as was chosen."""
        self.decided(self.row(key), choice)

    def decided(self, row: Row, choice: str) -> None:
        """Do with an interrupted or failed step as a person, or its rule, has chosen."""
        asked = self.waits.get(row["id"])
        by = asked["data"].get("by", "") if asked else ""
        knew = bool(asked and asked["data"].get("failed"))
        said = f" by {by}" if by else ""
        match choice:
            case "retry":
                self._unpause(row)
                # The tries begin anew for whoever has seen them fail; one that was only cut off
                # is done over, and has used up nothing.
                failures = 0 if knew else row["failures"]
                self._set_step(row, state="pending", message="", failures=failures)
            case "skip":
                words = "left as it failed" if knew else "taken as done"
                self.end_step(row, "skipped", f"{words}{said}")
            case "fail" | "stop" if knew:
                if choice == "stop":
                    self._set_run(undo=False)
                self.end_step(row, "failed", row["message"])
            case "fail":
                self.end_step(row, "failed", f"{row['message']}; failed{said or ' by its rule'}")
            case "stop":
                self._set_run(undo=False)
                self.end_step(row, "failed", f"{row['message']}; stopped{said}")
            case _:
                self.end_step(row, "cancelled", row["message"])


def _asking(kind: str) -> Asking:
    found: Any = STEP_KINDS[kind]
    if waits_for(found) is None:
        raise Bug(f"Steps of kind {kind} execute, and one of them waits for an answer.")
    asking: Asking = found
    return asking
