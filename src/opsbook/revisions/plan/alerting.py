"""When it is an alert, and what an alert does."""

from __future__ import annotations

from collections.abc import Iterator

from opsbook.base.quantities import format_duration
from opsbook.book.sections.alerts import Rule
from opsbook.revisions.plan.model import N_, Change
from opsbook.revisions.plan.pair import Pair


def changes(pair: Pair) -> Iterator[Change]:
    """Yield what becomes of each rule."""
    for id, rule in pair.added("rules"):
        yield pair.tell(
            "rules", id, N_("%(id)s is a new rule: %(severity)s when %(check)s is %(when)s."),
            {"severity": rule.severity, "check": rule.watches, "when": rule.condition},
            kind="added", keys=["*"], soon=True,
        )  # fmt: skip
    for id, rule in pair.removed("rules"):
        yield _removed(pair, id, rule)
    for id, before, after in pair.kept("rules"):
        yield from _rule(pair, id, before, after)


def _removed(pair: Pair, id: str, rule: Rule) -> Change:
    firing = pair.running.alerts.get(id, 0)
    if firing:
        return pair.tell(
            "rules", id,
            N_("%(id)s is gone: nothing alerts on %(check)s by it; its firing alerts are closed "
               "(%(n)s)."),
            {"check": rule.watches, "n": str(firing)}, kind="removed", keys=["*"], soon=True,
        )  # fmt: skip
    return pair.tell(
        "rules", id, N_("%(id)s is gone: nothing alerts on %(check)s by it."),
        {"check": rule.watches}, kind="removed", keys=["*"], soon=True,
    )  # fmt: skip


def _rule(pair: Pair, id: str, before: Rule, after: Rule) -> Iterator[Change]:
    def tell(key: str, template: str, was: str, now: str, **more: str) -> Change:
        return pair.tell(
            "rules", id, template, {"before": was, "after": now, **more},
            keys=[key], at=(key,), soon=True,
        )  # fmt: skip

    if before.watches != after.watches:
        firing = pair.running.alerts.get(id, 0)
        if firing:
            yield tell(
                "check",
                N_("%(id)s looks at %(after)s instead of %(before)s; its firing alerts are closed "
                   "(%(n)s)."),
                before.watches, after.watches, n=str(firing),
            )  # fmt: skip
        else:
            template = N_("%(id)s looks at %(after)s instead of %(before)s.")
            yield tell("check", template, before.watches, after.watches)
    if before.condition != after.condition:
        key = "when" if str(before.when) != str(after.when) else "traffic"
        yield pair.tell(
            "rules", id, N_("%(id)s fires when it is %(after)s instead of %(before)s."),
            {"before": before.condition, "after": after.condition},
            keys=["when", "traffic"], at=(key,), soon=True,
        )  # fmt: skip
    if before.for_ != after.for_:
        yield tell(
            "for", N_("%(id)s fires after %(after)s instead of %(before)s."),
            format_duration(before.for_), format_duration(after.for_),
        )  # fmt: skip
    if before.resolve_after != after.resolve_after:
        yield tell(
            "resolve_after", N_("%(id)s is over after %(after)s instead of %(before)s."),
            format_duration(before.resolve_after), format_duration(after.resolve_after),
        )  # fmt: skip
    if before.severity != after.severity:
        yield tell(
            "severity", N_("%(id)s is %(after)s instead of %(before)s."),
            before.severity, after.severity,
        )  # fmt: skip
    yield from _escalation(pair, id, before, after)
    if before.runbook != after.runbook:
        yield _runbook(pair, id, before.runbook, after.runbook)


def _escalation(pair: Pair, id: str, before: Rule, after: Rule) -> Iterator[Change]:
    """Whom it pages in the end: by its own policy, or by its severity's."""
    was, now = pair.old.escalation_of(id), pair.new.escalation_of(id)
    was_id, now_id = (one.id if one is not None else None for one in (was, now))
    if was_id == now_id:
        return
    values = {"before": str(was_id), "after": str(now_id)}
    if now_id is None:
        template = N_("%(id)s pages nobody any more (it did by %(before)s).")
    elif was_id is None:
        template = N_("%(id)s pages by %(after)s; it paged nobody before.")
    else:
        template = N_("%(id)s pages by %(after)s instead of %(before)s.")
    keys = ["escalation"] if before.escalation != after.escalation else []
    yield pair.tell("rules", id, template, values, keys=keys, at=tuple(keys), soon=True)


def _runbook(pair: Pair, id: str, was: str | None, now: str | None) -> Change:
    values = {"before": str(was), "after": str(now)}
    if now is None:
        template = N_("%(id)s starts no runbook any more (it started %(before)s).")
    elif was is None:
        template = N_("%(id)s starts the runbook %(after)s; it started none before.")
    else:
        template = N_("%(id)s starts the runbook %(after)s instead of %(before)s.")
    return pair.tell("rules", id, template, values, keys=["runbook"], at=("runbook",), soon=True)
