"""What the questions of a runbook hold back, and what comes about whatever is answered to them.

A run does the main steps in their order and ends at a no; then it undoes what had begun, and does
its finally steps in any case. So a question of the main phase holds back the main steps behind it
and what would undo those, and nothing else: neither what stands before it, nor a finally step, nor
what undoes a step before it. A question in a rollback or finally section holds back what stands
behind it there.

Whether a step only reads is what the book says of it, and a key is a name. Neither tells what a
step does, so steps are known again by what they run, where, and as what; a text that is new before
a question may be the very thing that was to be asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from opsbook.book import Runbook, Step
from opsbook.book.runbook import READ_BY_NATURE

PEOPLE: Final = frozenset({"approval", "manual"})
LOOKING: Final = PEOPLE | {"check"}

BEFORE: Final = "before"
"""It comes before the question, and did not."""
OTHERWISE: Final = "otherwise"
"""It came before the question already, and does something else there now."""
ANYWAY: Final = "anyway"
"""It undoes or tidies up, and no longer or never waited for the question."""


def guards(step: Step) -> bool:
    """Whether a step takes a yes, or a hand, that the book has assigned to somebody.

    An item that anybody may tick is part of the procedure and no permission.
    """
    return step.kind == "approval" or (step.kind == "manual" and bool(step.roles or step.need > 1))


def text(step: Step) -> str:
    """What a question asks; how its lines are broken is no part of it."""
    return " ".join(step.body.split())


def counterparts(before: Runbook, after: Runbook) -> dict[str, Step]:
    """For the key of each question there was, the one that stands for it now.

    What is alike in more ways is found first, for all of them, so that an item added to a list,
    which gives all below it other keys, does not make other questions of them. Each stands for one
    question only, and the two are compared in everything: to find another pair hides nothing.
    """
    left = [step for step in after.steps if step.kind in PEOPLE]
    found: dict[str, Step] = {}
    for alike in _ALIKE:
        for was in before.steps:
            if was.kind not in PEOPLE or was.key in found:
                continue
            now = next((one for one in left if one.kind == was.kind and alike(was, one)), None)
            if now is not None:
                found[was.key] = now
                left.remove(now)
    return found


_ALIKE: Final[tuple[Callable[[Step, Step], bool], ...]] = (
    lambda was, now: was.key == now.key and text(was) == text(now),
    lambda was, now: was.roles == now.roles and text(was) == text(now),
    lambda was, now: was.key == now.key,
    lambda was, now: was.roles == now.roles,
)


def released(before: Runbook, was: Step, after: Runbook, now: Step) -> Iterator[tuple[str, Step]]:
    """Yield the steps that a question no longer keeps from running, and in which way.

    That they were before it already is no excuse for another text, and that they were behind it is
    none for a place elsewhere: what undoes a step behind it does wait for the question, but people
    who agree to a change do not thereby agree that it is done when that has failed.
    """
    behind, free = _sides(before, was)
    still, open_ = _sides(after, now)
    known, names = {_known(step) for step in free}, {step.key for step in free}
    kept, gone = {_done(step) for step in still}, {_done(step) for step in behind}
    for step in after.steps:
        if step in open_:
            if _known(step) not in known:
                apart = (step.phase, step.rollback_of) != (now.phase, now.rollback_of)
                yield ANYWAY if apart else OTHERWISE if step.key in names else BEFORE, step
        elif step not in still and _executes(step) and _done(step) in gone - kept:
            yield ANYWAY, step


def _sides(runbook: Runbook, question: Step) -> tuple[list[Step], list[Step]]:
    """What executes and stands behind a question in its part of the runbook, and what executes
    whatever is answered to it.
    """
    places = {step.key: n for n, step in enumerate(runbook.steps)}
    at, main = places[question.key], question.phase == "main"
    behind: list[Step] = []
    free: list[Step] = []
    for step in filter(_executes, runbook.steps):
        if (step.phase, step.rollback_of) == (question.phase, question.rollback_of):
            (behind if places[step.key] > at else free).append(step)
        elif main and (step.phase == "finally" or places.get(step.rollback_of or "", -1) <= at):
            free.append(step)
    return behind, free


def _executes(step: Step) -> bool:
    if step.kind in LOOKING:
        return False
    return step.effect == "change" or step.kind not in READ_BY_NATURE


def _done(step: Step) -> tuple[str, str]:
    return step.kind, step.body


def _known(step: Step) -> tuple[str, str, str, str | None]:
    return step.kind, step.body, step.effect, step.on
