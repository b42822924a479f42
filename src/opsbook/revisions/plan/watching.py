"""What is looked at, how often, and from which value on it is worth a word."""

from __future__ import annotations

from collections.abc import Iterator

from opsbook.base.quantities import Band, QuantityError, format_duration
from opsbook.book import Book
from opsbook.book.sections.checks import Check
from opsbook.revisions.plan.model import N_, Change
from opsbook.revisions.plan.pair import Pair
from opsbook.revisions.plan.values import dotted, flat

LATER = {
    "warning": N_("%(id)s warns later: at %(after)s instead of %(before)s."),
    "critical": N_("%(id)s is critical later: at %(after)s instead of %(before)s."),
}
SOONER = {
    "warning": N_("%(id)s warns sooner: at %(after)s instead of %(before)s."),
    "critical": N_("%(id)s is critical sooner: at %(after)s instead of %(before)s."),
}
OTHERWISE = {
    "normal": N_("%(id)s is normal at %(after)s instead of %(before)s."),
    "warning": N_("%(id)s warns at %(after)s instead of %(before)s."),
    "critical": N_("%(id)s is critical at %(after)s instead of %(before)s."),
}
NEVER = {
    "normal": N_("%(id)s no longer says what is normal (it was %(before)s)."),
    "warning": N_("%(id)s no longer warns (it did at %(before)s)."),
    "critical": N_("%(id)s is never critical any more (it was at %(before)s)."),
}
FIRST = {
    "normal": N_("%(id)s is normal at %(after)s; nothing was said before."),
    "warning": N_("%(id)s warns at %(after)s; it did not before."),
    "critical": N_("%(id)s is critical at %(after)s; it never was before."),
}


def changes(pair: Pair) -> Iterator[Change]:
    """Yield what becomes of each check."""
    for id, check in pair.added("checks"):
        yield pair.tell(
            "checks", id, N_("%(id)s is looked at from now on, every %(every)s (%(kind)s)."),
            {"every": format_duration(check.every), "kind": check.kind},
            kind="added", keys=["*"], soon=True,
        )  # fmt: skip
    for id, _ in pair.removed("checks"):
        yield _removed(pair, id)
    for id, before, after in pair.kept("checks"):
        yield from _check(pair, id, before, after)


def _removed(pair: Pair, id: str) -> Change:
    rules = [rule.id for rule in pair.old.rules.values() if rule.check == id]
    runbooks = _waiting_for(pair.old, id)
    if rules or runbooks:
        return pair.tell(
            "checks", id,
            N_("%(id)s is not looked at any more; it was looked at for: %(losers)s."),
            {"losers": ", ".join(dict.fromkeys([*rules, *runbooks]))},
            kind="removed", keys=["*"], soon=True,
        )  # fmt: skip
    return pair.tell(
        "checks", id, N_("%(id)s is not looked at any more; no rule or runbook used it."),
        kind="removed", keys=["*"], soon=True,
    )  # fmt: skip


def _waiting_for(book: Book, check: str) -> list[str]:
    return [
        runbook.id
        for runbook in book.runbooks.values()
        if any(step.kind == "check" and step.check == check for step in runbook.steps)
    ]


def _check(pair: Pair, id: str, before: Check, after: Check) -> Iterator[Change]:
    if before.kind != after.kind:
        yield pair.tell(
            "checks", id, N_("%(id)s looks in another way: %(after)s instead of %(before)s."),
            {"before": before.kind, "after": after.kind}, keys=["kind"], at=("kind",), soon=True,
        )  # fmt: skip
    if before.every != after.every:
        yield pair.tell(
            "checks", id, N_("%(id)s looks every %(after)s instead of every %(before)s."),
            {"before": format_duration(before.every), "after": format_duration(after.every)},
            keys=["every"], at=("every",), soon=True,
        )  # fmt: skip
    if before.timeout != after.timeout:
        yield pair.tell(
            "checks", id, N_("%(id)s may look for %(after)s instead of %(before)s."),
            {"before": format_duration(before.timeout), "after": format_duration(after.timeout)},
            keys=["timeout"], at=("timeout",), soon=True,
        )  # fmt: skip
    if before.kind == after.kind:
        yield from _target(pair, id, before, after)
    for name in ("normal", "warning", "critical"):
        was, now = getattr(before.bands, name), getattr(after.bands, name)
        if was != now:
            yield _band(pair, id, name, was, now)


def _target(pair: Pair, id: str, before: Check, after: Check) -> Iterator[Change]:
    was, now = dict(flat(before.spec)), dict(flat(after.spec))
    for path, new in now.items():
        old = was.get(path)
        if old is not None and old.shown != new.shown:
            yield pair.tell(
                "checks", id,
                N_("%(id)s looks at something else: %(key)s is %(after)s instead of %(before)s."),
                {"key": dotted(path), "before": old.shown, "after": new.shown},
                keys=[dotted(path)], at=path, soon=True,
            )  # fmt: skip


def _band(pair: Pair, id: str, name: str, was: Band | None, now: Band | None) -> Change:
    if now is None:
        template = NEVER[name]
    elif was is None:
        template = FIRST[name]
    else:
        direction = later(was, now) if name != "normal" else None
        template = {True: LATER, False: SOONER, None: OTHERWISE}[direction][name]
    return pair.tell(
        "checks", id, template, {"before": str(was), "after": str(now)},
        keys=[f"bands.{name}"], at=("bands", name), soon=True,
    )  # fmt: skip


def later(was: Band, now: Band) -> bool | None:
    """Whether fewer values lie in the new band; None where the two cannot be put in order."""
    if was.op[0] != now.op[0] or was.op[0] not in "<>" or was.limit.unit != now.limit.unit:
        return None
    try:
        old, new = was.limit.in_unit(was.limit.unit), now.limit.in_unit(was.limit.unit)
    except QuantityError:
        return None
    if old == new:
        return len(now.op) < len(was.op)  # "> 90%" holds at fewer values than ">= 90%"
    return new > old if was.op[0] == ">" else new < old
