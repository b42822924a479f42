"""What a run does next: values in, a move out. No database, no clock, no process.

Three phases. The main steps run in order until one fails for good, is rejected, or somebody
cancels; then each main step that had begun is undone by its rollback section, newest first; then
the finally steps. Rollback stops at the first of its steps that fails: to undo what lies beneath a
change that is still there can do more harm than leaving both. A failing finally step does not stop
the ones after it. ``on-fail=`` says otherwise for single steps.

One step at a time, but for a repeated one: its items are rows of their own, of which up to
``at-once`` move together. Once an item has failed no further one begins, and those under way end.

A run that nobody started by hand may look, and asks before it changes anything. One granted
approval covers all that comes after it in the run (but no run of its own that a step starts: that
one asks for itself). While there was none, rollback and finally steps
that change something ask too, unless the answer is known: the approval was refused, or the run was
cancelled. Then they are skipped, and say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from opsbook.base.quantities import QuantityError
from opsbook.book.conditions import When
from opsbook.book.runbook import OnCancel, OnFail

WaitsFor = Literal["approval", "person", "check", "time", "run", "nobody"]
Ending = Literal["succeeded", "failed", "cancelled"]
PASSED = frozenset({"succeeded", "skipped"})
OVER = frozenset({"succeeded", "failed", "cancelled"})
OPEN = frozenset({"running", "waiting", "interrupted"})
REFUSED = "nobody allowed this run to change anything"
NOT_WAITED = "the run was cancelled, so that nobody is waited for"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one step stands. `begun` once it had an intent, or somebody was asked to do it.

    `waits_for` is None for a step that executes. `answer` is what a person chose for it where it
    asks what shall become of it. `early` while its day has not come. `recalled` once the run that
    it waits for was told to end. A repeated step `repeats`; its items are `part_of` it.
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
    when: When | None = None
    on_fail: OnFail = "rollback"
    on_cancel: OnCancel = "rollback"
    early: bool = False
    recalled: bool = False
    repeats: bool = False
    at_once: int = 1
    part_of: str | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """A run at one moment. `late` once its deadline has passed; `leave` as in the table.

    `followed` are the steps that somebody follows already; `undo` is whether what the main steps
    did is to be undone where they do not succeed.
    """

    steps: Sequence[Standing]
    attended: bool
    leave: str = ""
    cancelling: bool = False
    ending: Ending | None = None
    reason: str = ""
    late: bool = False
    limit: str = ""
    undo: bool = True
    variables: Mapping[str, str] = field(default_factory=dict)
    followed: frozenset[str] = frozenset()


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
class Postpone:
    """Its day has not come: come back then."""

    step: str


@dataclass(frozen=True, slots=True)
class Expand:
    """Write down the items that a repeated step is repeated over."""

    step: str


@dataclass(frozen=True, slots=True)
class Gather:
    """The items of a repeated step are over: so is the step."""

    step: str
    state: Ending
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Recall:
    """Tell the run that a step waits for to end; how it ended is the step's answer."""

    step: str


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
class Settle:
    """A step has failed and a person has chosen what becomes of it; nothing of it runs."""

    step: str
    choice: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Leave a step out, for a reason."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fail:
    """A step cannot be entered, for a reason."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class Conclude:
    """The main steps are over; what is open of them is closed. `undo`: roll them back."""

    ending: Ending
    reason: str
    undo: bool = True


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing is left to do."""

    state: Ending
    reason: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """Somebody or something is waited for."""


Move = (
    Execute | Follow | Wait | Postpone | Expand | Gather | Recall | AskLeave | Clear | Settle
    | Skip | Fail | Conclude | Finish | Nothing
)  # fmt: skip


def next_move(now: Situation) -> Move:
    """The one thing to do next. A step that is under way comes before everything else."""
    for step in now.steps:
        if step.state == "running" and not step.repeats and step.key not in now.followed:
            return Follow(step.key)
    for step in now.steps:
        if step.key in now.followed:
            continue
        if step.state == "interrupted" and (step.answer or _stopped(now)):
            return Clear(step.key, step.answer or "cancel")
        if step.state == "waiting" and step.answer:
            return Settle(step.key, step.answer)
    return _main(now) if now.ending is None else _aftermath(now, now.ending)


def _stopped(now: Situation) -> bool:
    return now.cancelling or (now.late and now.ending is None)


def _main(now: Situation) -> Move:
    went_on = []
    for step in now.steps:
        if step.phase != "main" or step.part_of or step.state in PASSED:
            continue
        if step.state == "failed" and _goes_on(now, step):
            went_on.append(_why(step))
            continue
        if step.state == "failed":
            return Conclude("failed", _why(step), step.on_fail != "stop")
        if step.state in OPEN and (held := _held(now, step)) is not None:
            return held
        undo = step.on_cancel != "stop"
        if now.cancelling:
            return Conclude("cancelled", now.reason, undo)
        if now.late:
            return Conclude("failed", f"took longer than the {now.limit} its runbook allows")
        if step.state == "cancelled":
            return Conclude("cancelled", now.reason, undo)
        return _enter(now, step) if step.state == "pending" else Nothing()
    return Conclude("succeeded", f"went on after {'; '.join(went_on)}" if went_on else "")


def _goes_on(now: Situation, step: Standing) -> bool:
    """Whether the run goes on although the step has failed. Never after somebody said no."""
    return step.on_fail == "continue" and step.waits_for != "approval" and now.leave != "refused"


def _held(now: Situation, step: Standing) -> Move | None:
    """What a step that is open has to do before anything else may happen to the run."""
    if step.state == "running" and step.repeats:
        return _repeat(now, step)
    if step.state == "running" or step.key in now.followed:
        return Nothing()
    return _recalled(step) if _stopped(now) else None


def _recalled(step: Standing) -> Move | None:
    """A run that a step waits for ends before the run that waits does."""
    if step.state != "waiting" or step.waits_for != "run":
        return None
    return Nothing() if step.recalled else Recall(step.key)


def _repeat(now: Situation, step: Standing) -> Move:
    """The items of a repeated step: the next one, or the end of them all."""
    items = [one for one in now.steps if one.part_of == step.key]
    under_way = [one for one in items if one.state in OPEN]
    broken = [one for one in items if one.state in {"failed", "cancelled"}]
    stopped = step.phase == "main" and _stopped(now)
    if stopped:
        for one in under_way:
            if isinstance(move := _recalled(one), Recall):
                return move
        if any(one.key in now.followed or one.waits_for == "run" for one in under_way):
            return Nothing()
        return Gather(step.key, "cancelled")
    goes_on = not broken or (step.on_fail == "continue" and step.waits_for != "approval")
    waiting = [one for one in items if one.state == "pending"]
    if goes_on and waiting and len(under_way) < step.at_once:
        first = waiting[0]
        return Wait(first.key, first.waits_for) if first.waits_for else Execute(first.key)
    if under_way:
        return Nothing()
    if not broken:
        return Gather(step.key, "succeeded")
    told = f"{len(broken)} of {len(items)} failed"
    return Gather(step.key, "failed", f"{told}: {'; '.join(_why(one) for one in broken[:3])}")


def _aftermath(now: Situation, ending: Ending) -> Move:
    for step in _still_to_do(now, ending):
        if step.state == "running" and step.repeats:
            return _repeat(now, step)
        if step.state == "running" or step.key in now.followed:
            return Nothing()
        if step.state in {"waiting", "interrupted"}:
            return Skip(step.key, NOT_WAITED) if now.cancelling and _idle(step) else Nothing()
        if step.state != "pending":
            continue
        if now.cancelling and _idle(step):
            return Skip(step.key, NOT_WAITED)
        move = _enter(now, step)
        if isinstance(move, AskLeave) and (now.cancelling or now.leave == "refused"):
            return Skip(step.key, REFUSED)
        return move
    return _finish(now, ending)


def _idle(step: Standing) -> bool:
    """Whether it waits for somebody, or for what may never come.

    A run of its own is at work, a message is sent at once, and a time passes by itself.
    """
    return step.waits_for not in {None, "run", "nobody", "time"}


def _still_to_do(now: Situation, ending: Ending) -> Iterator[Standing]:
    """The rollback and finally steps of this run, in the order in which they run."""
    if ending == "cancelled" and not any(step.begun for step in now.steps):
        return
    if ending != "succeeded" and now.undo:
        for step in rollback(now.steps):
            yield step
            if step.state == "cancelled" or (step.state == "failed" and step.on_fail != "continue"):
                break
    for step in now.steps:
        if step.phase == "finally" and not step.part_of:
            yield step
            if step.state == "failed" and step.on_fail == "stop":
                break


def rollback(steps: Sequence[Standing]) -> list[Standing]:
    """What undoes the steps that had begun: the newest first, each section in its own order."""
    whole = [step for step in steps if not step.part_of]
    return [
        undoing
        for done in reversed([step for step in whole if step.phase == "main" and step.begun])
        for undoing in whole
        if undoing.phase == "rollback" and undoing.rollback_of == done.key
    ]


def _enter(now: Situation, step: Standing) -> Move:
    if step.early:
        return Postpone(step.key)
    if step.when is not None and not step.begun:
        try:
            if not step.when.holds(now.variables):
                return Skip(step.key, f"not needed: {step.when} does not hold")
        except QuantityError as error:
            return Fail(step.key, f"whether {step.when} holds cannot be told: {error}")
    changes = step.effect == "change" and step.waits_for is None
    if changes and not now.attended and now.leave != "granted":
        return AskLeave(step.key)
    if step.repeats:
        return Expand(step.key)
    return Wait(step.key, step.waits_for) if step.waits_for else Execute(step.key)


def _finish(now: Situation, ending: Ending) -> Finish:
    broken = [
        step
        for step in now.steps
        if step.phase != "main" and step.state == "failed" and not step.part_of
    ]
    if not broken:
        return Finish(ending, now.reason)
    told = "; ".join(f"{step.phase} – {_why(step)}" for step in broken)
    if ending == "succeeded" and all(step.on_fail == "continue" for step in broken):
        return Finish(ending, told)
    if ending == "succeeded":
        return Finish("failed", told)
    return Finish(ending, f"{now.reason}; {told}" if now.reason else told)


def _why(step: Standing) -> str:
    named = step.title or step.key
    return f"{named}: {step.message}" if step.message else named
