"""What a run does next: values in, a move out. No database, no clock, no process.

One step at a time, in three phases. The main steps run in order until one fails, is rejected, or
somebody cancels; then each main step that had begun is undone by its rollback section, newest
first; then the finally steps. Rollback stops at the first of its steps that fails: to undo what
lies beneath a change that is still there can do more harm than leaving both. A failing finally step
does not stop the ones after it.

A run that nobody started by hand may look, and asks before it changes anything. One granted
approval covers all that comes after it in the run. While there was none, rollback and finally steps
that change something ask too, unless the answer is known: the approval was refused, or the run was
cancelled. Then they are skipped, and say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

WaitsFor = Literal["approval", "person", "check"]
Ending = Literal["succeeded", "failed", "cancelled"]
PASSED = frozenset({"succeeded", "skipped"})
OVER = frozenset({"succeeded", "failed", "cancelled"})
REFUSED = "nobody allowed this run to change anything"
NOT_WAITED = "the run was cancelled, so that nobody is waited for"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one step stands. `begun` once it had an intent, or somebody was asked to do it.

    `waits_for` is None for a step that executes. `answer` is what a person chose for it while it
    was interrupted.
    """

    key: str
    title: str
    phase: str
    rollback_of: str | None
    effect: str
    waits_for: WaitsFor | None
    state: str = "pending"
    begun: bool = False
    answer: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Situation:
    """A run at one moment. `late` once its deadline has passed; `leave` as in the table."""

    steps: Sequence[Standing]
    attended: bool
    leave: str = ""
    cancelling: bool = False
    ending: Ending | None = None
    reason: str = ""
    late: bool = False
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Execute:
    """Write the step's intent, then let it run."""

    step: str


@dataclass(frozen=True, slots=True)
class Follow:
    """An intent without an outcome: find what has become of it."""

    step: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask a person, or look at a check, and come back when there is an answer."""

    step: str
    on: WaitsFor


@dataclass(frozen=True, slots=True)
class AskLeave:
    """The run would change something and nobody has allowed it: wait for an approval of its own."""

    step: str


@dataclass(frozen=True, slots=True)
class Clear:
    """End what may be left of an interrupted step, then do with it as was chosen."""

    step: str
    choice: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Leave a step out, for a reason."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class Conclude:
    """The main steps are over; what is open of them is closed."""

    ending: Ending
    reason: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing is left to do."""

    state: Ending
    reason: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """Somebody or something is waited for."""


Move = Execute | Follow | Wait | AskLeave | Clear | Skip | Conclude | Finish | Nothing


def next_move(now: Situation) -> Move:
    """The one thing to do next. A step that is under way comes before everything else."""
    for step in now.steps:
        if step.state == "running":
            return Follow(step.key)
    for step in now.steps:
        stopped = now.cancelling or (now.late and now.ending is None)
        if step.state == "interrupted" and (step.answer or stopped):
            return Clear(step.key, step.answer or "cancel")
    return _main(now) if now.ending is None else _aftermath(now, now.ending)


def _main(now: Situation) -> Move:
    for step in now.steps:
        if step.phase != "main" or step.state in PASSED:
            continue
        if step.state == "failed":
            return Conclude("failed", _why(step))
        if now.cancelling:
            return Conclude("cancelled", now.reason)
        if now.late:
            return Conclude("failed", f"took longer than the {now.limit} its runbook allows")
        if step.state == "cancelled":
            return Conclude("cancelled", now.reason)
        return _enter(now, step) if step.state == "pending" else Nothing()
    return Conclude("succeeded", "")


def _aftermath(now: Situation, ending: Ending) -> Move:
    for step in _still_to_do(now, ending):
        if step.state in {"waiting", "interrupted"}:
            return Skip(step.key, NOT_WAITED) if now.cancelling else Nothing()
        if step.state != "pending":
            continue
        if step.waits_for and now.cancelling:
            return Skip(step.key, NOT_WAITED)
        move = _enter(now, step)
        if isinstance(move, AskLeave) and (now.cancelling or now.leave == "refused"):
            return Skip(step.key, REFUSED)
        return move
    return _finish(now, ending)


def _still_to_do(now: Situation, ending: Ending) -> Iterator[Standing]:
    """The rollback and finally steps of this run, in the order in which they run."""
    if not any(step.begun for step in now.steps):
        return
    if ending != "succeeded":
        for step in rollback(now.steps):
            yield step
            if step.state in {"failed", "cancelled"}:
                break
    yield from (step for step in now.steps if step.phase == "finally")


def rollback(steps: Sequence[Standing]) -> list[Standing]:
    """What undoes the steps that had begun: the newest first, each section in its own order."""
    return [
        undoing
        for done in reversed([step for step in steps if step.phase == "main" and step.begun])
        for undoing in steps
        if undoing.phase == "rollback" and undoing.rollback_of == done.key
    ]


def _enter(now: Situation, step: Standing) -> Move:
    if step.waits_for is not None:
        return Wait(step.key, step.waits_for)
    if step.effect == "change" and not now.attended and now.leave != "granted":
        return AskLeave(step.key)
    return Execute(step.key)


def _finish(now: Situation, ending: Ending) -> Finish:
    broken = [step for step in now.steps if step.phase != "main" and step.state == "failed"]
    if not broken:
        return Finish(ending, now.reason)
    told = "; ".join(f"{step.phase} – {_why(step)}" for step in broken)
    if ending == "succeeded":
        return Finish("failed", told)
    return Finish(ending, f"{now.reason}; {told}" if now.reason else told)


def _why(step: Standing) -> str:
    return f"{step.title}: {step.message}" if step.message else step.title
