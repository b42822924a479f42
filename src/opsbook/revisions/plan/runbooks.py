"""What a run of a runbook will do differently, and what that means for runs that go on now.

A run stays with the revision it began with, so a plan never changes one; what differs in its
remaining steps is told all the same, since whoever follows it may have the new text before them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from opsbook.book import Book, Runbook, Step
from opsbook.revisions.plan import approvals
from opsbook.revisions.plan.keys import keys
from opsbook.revisions.plan.model import N_, Change
from opsbook.revisions.plan.pair import Pair
from opsbook.revisions.plan.underway import fingerprint
from opsbook.revisions.plan.values import flat, leaf, shortened, shown

UNTOLD = frozenset({"key", "line", "kind", "body", "attributes", "classes", "by", "section"})
APART = frozenset({"id", "risk", "params", "steps", "sections", "source"})
"""Fields of a runbook that are told in their own words; all others are told by their keys."""
FRONT = tuple(one.name for one in dataclasses.fields(Runbook) if one.name not in APART)


def changes(pair: Pair) -> Iterator[Change]:
    """Yield what becomes of each runbook, then each run in flight that it concerns."""
    for id, runbook in pair.added("runbooks"):
        n = str(len(runbook.steps))
        yield pair.tell(
            "runbooks", id, N_("%(id)s is a new runbook of %(n)s steps."), {"n": n},
            kind="added", keys=["*"], where=f"{runbook.file}:1",
        )  # fmt: skip
    for id, runbook in pair.removed("runbooks"):
        users = _users(pair.old, id)
        template = (
            N_("The runbook %(id)s is gone; it was started by: %(users)s.")
            if users
            else N_("The runbook %(id)s is gone.")
        )
        yield pair.tell(
            "runbooks", id, template, {"users": ", ".join(users)}, kind="removed", keys=["*"],
            where=f"{runbook.file}:1", loosens=approvals.guards(runbook),
        )  # fmt: skip
    for id, after in pair.new.runbooks.items():
        before = pair.old.runbooks.get(id)
        if before is not None and (before.source, before.file) != (after.source, after.file):
            yield from _runbook(pair, before, after)
    yield from _in_flight(pair)


def _users(book: Book, runbook: str) -> list[str]:
    users = [one.id for one in book.rules.values() if one.runbook == runbook]
    return users + [one.id for one in book.routines.values() if one.runbook == runbook]


def _runbook(pair: Pair, before: Runbook, after: Runbook) -> Iterator[Change]:
    told = [*_front(pair, before, after), *_steps(pair, before, after)]
    yield from told
    if not told and before.risk == after.risk:
        yield pair.tell(
            "runbooks", after.id, N_("The text of the runbook %(id)s differs; no step does."),
            keys=["source"], where=f"{after.file}:1",
        )  # fmt: skip


def _front(pair: Pair, before: Runbook, after: Runbook) -> Iterator[Change]:
    for name in FRONT:
        yield from keys(
            pair, "runbooks", after.id, dict(flat(getattr(before, name), (name,))),
            dict(flat(getattr(after, name), (name,))),
        )  # fmt: skip
    for name in dict.fromkeys([*before.params, *after.params]):
        was, now = before.params.get(name), after.params.get(name)
        if was == now:
            continue
        at = ("params", name)
        if was is None or now is None:
            template = (
                N_("The runbook %(id)s takes a new parameter: %(name)s.")
                if was is None
                else N_("The runbook %(id)s takes no parameter %(name)s any more.")
            )
            yield pair.tell(
                "runbooks", after.id, template, {"name": name}, keys=[".".join(at)],
                at=at if now is not None else ("params",),
            )  # fmt: skip
            continue
        found = list(
            keys(
                pair, "runbooks", after.id, dict(flat(was, at)), dict(flat(now, at))
            )
        )  # fmt: skip
        yield from found or [pair.tell(
            "runbooks", after.id, N_("%(key)s was changed."),
            {"key": f"runbooks.{after.id}.params.{name}"}, keys=[".".join(at)], at=at,
        )]  # fmt: skip


def _steps(pair: Pair, before: Runbook, after: Runbook) -> Iterator[Change]:
    old = {step.key: step for step in before.steps}
    new = {step.key: step for step in after.steps}
    for key, step in new.items():
        if key not in old:
            yield _step(
                pair, after, step,
                N_("%(id)s: the step %(step)s is new (%(kind)s: %(title)s)."),
                {"kind": step.kind, "title": shortened(step.title or step.body)}, "",
            )  # fmt: skip
    for key, step in old.items():
        if key not in new:
            yield pair.tell(
                "runbooks", after.id,
                N_("%(id)s: the step %(step)s is gone (%(kind)s: %(title)s)."),
                {"step": key, "kind": step.kind, "title": shortened(step.title or step.body)},
                keys=[f"steps.{key}"], where=f"{after.file}:1",
            )  # fmt: skip
    for key, step in new.items():
        if key in old and fingerprint(old[key]) != fingerprint(step):
            yield from _changed(pair, after, old[key], step)
    was, now = [key for key in old if key in new], [key for key in new if key in old]
    if was != now:
        yield pair.tell(
            "runbooks", after.id, N_("%(id)s: the steps come in another order: %(after)s."),
            {"after": ", ".join(new)}, keys=["steps"], where=f"{after.file}:1",
        )  # fmt: skip


def _step(
    pair: Pair, after: Runbook, step: Step, template: str, values: dict[str, str], key: str
) -> Change:
    keys = [f"steps.{step.key}.{key}" if key else f"steps.{step.key}"]
    return pair.tell(
        "runbooks", after.id, template, {"step": step.key, **values}, keys=keys,
        where=f"{after.file}:{step.line}",
    )  # fmt: skip


def _changed(pair: Pair, after: Runbook, was: Step, now: Step) -> Iterator[Change]:
    found = []
    if was.kind != now.kind:
        found.append(_step(
            pair, after, now, N_("%(id)s: the step %(step)s is %(after)s instead of %(before)s."),
            {"before": was.kind, "after": now.kind}, "kind",
        ))  # fmt: skip
    if was.body != now.body:
        found.append(_step(
            pair, after, now, N_("%(id)s: the step %(step)s does something else than before."),
            {}, "body",
        ))  # fmt: skip
    for one in dataclasses.fields(Step):
        left, right = getattr(was, one.name), getattr(now, one.name)
        if one.name in UNTOLD or left == right:
            continue
        field = "by" if one.name == "roles" else one.name
        name = field.rstrip("_").replace("_", "-")
        found.append(_step(
            pair, after, now,
            N_("%(id)s: the step %(step)s: %(key)s is %(after)s instead of %(before)s."),
            {"key": name, "before": _said(left), "after": _said(right)}, field,
        ))  # fmt: skip
    if not found:
        found.append(_step(
            pair, after, now, N_("%(id)s: the step %(step)s is written otherwise."), {}, "written"
        ))  # fmt: skip
    yield from found


def _said(value: Any) -> str:
    if value is None or value == ():
        return "–"
    if isinstance(value, tuple):
        return shortened(", ".join(map(shown, value)))
    return leaf(value).shown


def _in_flight(pair: Pair) -> Iterator[Change]:
    for run in pair.running.runs:
        before, after = pair.old.runbooks.get(run.runbook), pair.new.runbooks.get(run.runbook)
        if run.revision == pair.new.revision or (
            before is not None and after is not None and before.source == after.source
        ):
            continue
        values = {"runbook": run.runbook, "revision": run.revision[:12], "now": run.step or "–"}
        if after is None:
            yield pair.tell(
                "runs", str(run.id),
                N_("Run %(id)s stays on revision %(revision)s and is not affected; its runbook "
                   "%(runbook)s is gone for the next one."),
                values, where=before.file if before is not None else "",
            )  # fmt: skip
            continue
        steps = {step.key: fingerprint(step) for step in after.steps}
        other = [key for key, print in run.remaining.items() if steps.get(key) != print]
        template = (
            N_("Run %(id)s (%(runbook)s, at %(now)s) stays on revision %(revision)s and is not "
               "affected; %(n)s of its remaining steps differ: %(steps)s.")
            if other
            else N_("Run %(id)s (%(runbook)s, at %(now)s) stays on revision %(revision)s and is "
                    "not affected; its remaining steps are the same.")
        )  # fmt: skip
        yield pair.tell(
            "runs", str(run.id), template,
            {**values, "n": str(len(other)), "steps": ", ".join(other)}, where=f"{after.file}:1",
        )  # fmt: skip
