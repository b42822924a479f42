"""What a runbook asks of people before it goes on, and what it may do without asking.

In doubt a change counts as loosening: being asked once too often is the smaller harm. So does a
runbook that asks for approvals and is removed: it could come back the next minute, under this id or
another, without them, and a new runbook has nothing that it could be compared with. So does a
question in other words, since those who answer it would agree to something else than is done.

What a question holds back is found in ``held``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from opsbook.base.quantities import format_duration
from opsbook.book import Runbook, Step
from opsbook.revisions.plan import held
from opsbook.revisions.plan.held import LOOKING, PEOPLE
from opsbook.revisions.plan.model import N_, Change
from opsbook.revisions.plan.pair import Pair

RISKS: Final = ("routine", "change", "dangerous")
GOES_ON: Final = frozenset({"continue", "ask"})
"""After a question that failed the run may go on all the same: by itself, or as one person says."""


def changes(pair: Pair) -> Iterator[Change]:
    """Yield what each runbook asks for, more or less than it did."""
    for id, after in pair.new.runbooks.items():
        before = pair.old.runbooks.get(id)
        if before is not None and before.source != after.source:
            yield from _runbook(pair, before, after)


def guards(runbook: Runbook) -> bool:
    """Tell whether it takes somebody's yes, or the hand of somebody it names."""
    return any(held.guards(step) for step in runbook.steps)


def _runbook(pair: Pair, before: Runbook, after: Runbook) -> Iterator[Change]:
    if before.risk != after.risk:
        less = RISKS.index(after.risk) < RISKS.index(before.risk)
        template = (
            N_("The runbook %(id)s counts as less risky: %(after)s instead of %(before)s.")
            if less
            else N_("The runbook %(id)s counts as riskier: %(after)s instead of %(before)s.")
        )
        yield pair.tell(
            "runbooks", after.id, template, {"before": before.risk, "after": after.risk},
            keys=["risk"], loosens=less, where=f"{after.file}:1",
        )  # fmt: skip
    for step in after.steps:
        yield from _by_itself(pair, before, after, step)
    yield from _asked(pair, before, after)


def _by_itself(pair: Pair, before: Runbook, after: Runbook, step: Step) -> Iterator[Change]:
    """Steps that may start, or start again, with nobody asked."""
    was = before.step(step.key) or next(
        (one for one in before.steps if (one.kind, one.body) == (step.kind, step.body)), None
    )
    if was is None:
        return
    named, where = {"step": step.key}, f"{after.file}:{step.line}"
    if was.effect != step.effect and step.kind not in PEOPLE:
        loosens = step.effect == "read"
        template = (
            N_("The step %(step)s of %(id)s counts as reading only: it may start by itself.")
            if loosens
            else N_(
                "The step %(step)s of %(id)s counts as changing something: it waits for people."
            )
        )
        yield pair.tell(
            "runbooks", after.id, template, named, keys=[f"steps.{step.key}.effect"],
            loosens=loosens, where=where,
        )  # fmt: skip
    if was.interrupted != step.interrupted and "retry" in (was.interrupted, step.interrupted):
        loosens = step.interrupted == "retry"
        template = (
            N_("The step %(step)s of %(id)s is repeated after an interruption; nobody is asked.")
            if loosens
            else N_("The step %(step)s of %(id)s is not repeated by itself after an interruption.")
        )
        yield pair.tell(
            "runbooks", after.id, template, named, keys=[f"steps.{step.key}.interrupted"],
            loosens=loosens, where=where,
        )  # fmt: skip


def _asked(pair: Pair, before: Runbook, after: Runbook) -> Iterator[Change]:
    """Each question there was, against the one that stands for it now; then the new ones."""
    found = held.counterparts(before, after)
    for was in (step for step in before.steps if step.kind in PEOPLE):
        now = found.get(was.key)
        if now is not None:
            for template, values, key, loosens in _differs(was, now, before, after):
                yield pair.tell(
                    "runbooks", after.id, template, {"step": now.key, **values},
                    keys=[f"steps.{now.key}.{key}"], loosens=loosens,
                    where=f"{after.file}:{now.line}",
                )  # fmt: skip
        elif held.guards(was):
            template = (
                N_("The runbook %(id)s no longer asks for the approval %(step)s.")
                if was.kind == "approval"
                else N_("The runbook %(id)s no longer waits until %(step)s is done by %(by)s.")
            )
            yield pair.tell(
                "runbooks", after.id, template, {"step": was.key, "by": _by(was)},
                keys=[f"steps.{was.key}"], loosens=True, where=f"{after.file}:1",
            )  # fmt: skip
    known = {step.key for step in found.values()}
    for step in after.steps:
        if step.kind == "approval" and step.key not in known:
            yield pair.tell(
                "runbooks", after.id,
                N_("The runbook %(id)s asks for one more approval: %(step)s, by %(by)s."),
                {"step": step.key, "by": _by(step)}, keys=[f"steps.{step.key}"],
                where=f"{after.file}:{step.line}",
            )  # fmt: skip


Difference = tuple[str, dict[str, str], str, bool]


def _differs(was: Step, now: Step, before: Runbook, after: Runbook) -> Iterator[Difference]:
    """How a question asks for less or for more than it did."""
    if set(was.roles) != set(now.roles):
        values = {"before": _by(was), "after": _by(now)}
        fewer = bool(now.roles) and (not was.roles or set(now.roles) < set(was.roles))
        if fewer:
            template = N_("Fewer may answer %(step)s of %(id)s: %(after)s instead of %(before)s.")
        else:
            template = N_("Others may answer %(step)s of %(id)s: %(after)s instead of %(before)s.")
        yield template, values, "by", not fewer
    if was.need != now.need:
        values = {"before": str(was.need), "after": str(now.need)}
        less = now.need < was.need
        if less:
            template = N_("Fewer people must answer %(step)s of %(id)s: %(after)s, not %(before)s.")
        else:
            template = N_("More people must answer %(step)s of %(id)s: %(after)s, not %(before)s.")
        yield template, values, "need", less
    if was.within != now.within:
        yield _time_left(was.within, now.within)
    if now.when is not None and was.when != now.when:
        template = N_("The question %(step)s of %(id)s is asked only under a condition: %(after)s.")
        yield template, {"after": now.attributes.get("when", "")}, "when", True
    moved = (was.phase, was.rollback_of) != (now.phase, now.rollback_of)
    if moved or (was.on_fail != now.on_fail and now.on_fail in GOES_ON):
        template = N_("The runbook %(id)s may go on past the question %(step)s.")
        yield template, {}, "phase" if moved else "on_fail", True
    if held.guards(was) and held.text(was) != held.text(now):
        template = N_("The question %(step)s of %(id)s asks something else than before.")
        yield template, {}, "body", True
    if not moved:
        yield from _sooner(was, now, before, after)


SOONER: Final = {
    held.BEFORE: N_("In the runbook %(id)s %(earlier)s comes before the question %(step)s."),
    held.OTHERWISE: N_(
        "In the runbook %(id)s %(earlier)s comes before the question %(step)s and does something "
        "else than before."
    ),
    held.ANYWAY: N_("In the runbook %(id)s %(earlier)s does not wait for the question %(step)s."),
}


def _sooner(was: Step, now: Step, before: Runbook, after: Runbook) -> Iterator[Difference]:
    """What no longer waits for a question. An item that anybody may tick keeps nothing back but
    what changes something, and by its name: texts around it are edited every day.
    """
    ways: dict[str, list[str]] = {}
    if held.guards(was):
        for way, step in held.released(before, was, after, now):
            ways.setdefault(way, []).append(step.key)
    elif earlier := [key for key in _changing(after, now) if key not in _changing(before, was)]:
        ways[held.BEFORE] = earlier
    for way, names in ways.items():
        yield SOONER[way], {"earlier": ", ".join(names)}, way, True


def _time_left(was: timedelta | None, now: timedelta | None) -> Difference:
    values = {
        "before": format_duration(was) if was is not None else "",
        "after": format_duration(now) if now is not None else "",
    }
    if now is None:
        template = N_(
            "%(step)s of %(id)s may be answered at any time, no longer within %(before)s."
        )
        return template, values, "within", True
    if was is None:
        template = N_("%(step)s of %(id)s must be answered within %(after)s.")
        return template, values, "within", False
    if now > was:
        template = N_("%(step)s of %(id)s may be answered for longer: %(after)s, not %(before)s.")
    else:
        template = N_("%(step)s of %(id)s must be answered sooner: %(after)s, not %(before)s.")
    return template, values, "within", now > was


def _by(step: Step) -> str:
    return ", ".join(step.roles) or "whoever has runs:write"


def _changing(runbook: Runbook, question: Step) -> list[str]:
    """The steps that change something and come before a question."""
    at = runbook.steps.index(question)
    return [
        step.key
        for step in runbook.steps[:at]
        if step.effect == "change" and step.kind not in LOOKING
    ]
