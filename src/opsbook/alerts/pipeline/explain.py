"""Why am I seeing this: every stage's word on one alert, in their order, and what it would be now.

The stages are asked as they are when groups are told, so that the page cannot say something else
than what happens. With another revision of the book (a draft) the answer is what that would do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from opsbook.alerts.pipeline import deduplicating, grouping, muting, stages
from opsbook.alerts.pipeline.deduplicating import Entry, Told
from opsbook.alerts.pipeline.grouping import Group
from opsbook.alerts.pipeline.memory import Memory
from opsbook.alerts.pipeline.model import Alert
from opsbook.alerts.pipeline.muting import Quiet
from opsbook.alerts.pipeline.receiving import rule_of
from opsbook.alerts.pipeline.routing import Listener, Node


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage that keeps alerts quiet, and what it says of this one; ``None`` lets it pass."""

    name: str
    quiet: Quiet | None


@dataclass(frozen=True, slots=True)
class Hears:
    """Whether a listener is told now, and why; `last` is when it was told of the group before."""

    listener: Listener
    told: Told | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Way:
    """What happens to an alert on one of the routes that take it.

    `next_at` is when the group is looked at next; a group that there is not yet would wait first.
    """

    node: Node
    group_labels: Mapping[str, str]
    members: int
    next_at: datetime | None
    stages: tuple[Stage, ...]
    hears: tuple[Hears, ...]

    @property
    def quiet(self) -> Quiet | None:
        """The first stage that keeps it quiet."""
        return next((one.quiet for one in self.stages if one.quiet is not None), None)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where an alert comes from in the book's eyes, and its way through every route."""

    alert: Alert
    rule: str
    ways: tuple[Way, ...]


def explained(
    memory: Memory, alert: Alert, now: datetime, behind: Mapping[str, str]
) -> Explanation:
    """Return what would be decided of an alert at `now`; nothing is changed."""
    book = memory.books[alert.book]
    rule = alert.rule if alert.check else _rule(memory, alert)
    if not alert.check and rule != alert.rule and rule:
        labels = {**alert.labels, "rule": rule, "severity": book.rules[rule].severity}
        alert = _with(alert, labels, rule)
    routing = memory.routings[alert.book]
    ways = [_way(memory, alert, node, now, behind) for node in routing.root.taken_by(alert.labels)]
    return Explanation(alert, rule, tuple(ways))


def _rule(memory: Memory, alert: Alert) -> str:
    found = rule_of(memory.books[alert.book], alert.source, alert.labels)
    return found.id if found is not None else ""


def _with(alert: Alert, labels: dict[str, str], rule: str) -> Alert:
    fields = {name: getattr(alert, name) for name in alert.__struct_fields__}
    return Alert(**{**fields, "labels": labels, "rule": rule, "severity": labels["severity"]})


def _way(memory: Memory, alert: Alert, node: Node, now: datetime, behind: Mapping[str, str]) -> Way:
    look = memory.look(alert.book, now, behind)
    group = memory.groups.get(grouping.key_of(node, alert))
    known = group is not None and alert.fingerprint in group.alerts
    shown = group if group is not None else grouping.begun(node, alert, now)
    if not known:
        members = {**shown.alerts, alert.fingerprint: alert}
        shown = replace(shown, alerts=members)
    decisions = {one.listener.id: one for one in stages.decided(memory, shown, look).decisions}
    return Way(
        node=node,
        group_labels=shown.labels,
        members=sum(not one.over(now) for one in shown.alerts.values()),
        next_at=group.next_at if group is not None else None,
        stages=tuple(Stage(one.__name__, one(alert, node, look)) for one in muting.STAGES),
        hears=tuple(
            _hears(memory, shown, one, decisions.get(one.id)) for one in stages.listeners(shown)
        ),
    )


def _hears(
    memory: Memory, group: Group, listener: Listener, decision: stages.Decision | None
) -> Hears:
    name = deduplicating.name(group.node.book, group.key, group.node.receiver, listener.id)
    before: Entry | None = memory.entries.get(name)
    return Hears(
        listener,
        decision.told if decision is not None else None,
        before.at if before is not None else None,
    )
