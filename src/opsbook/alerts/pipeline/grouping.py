"""Groups of alerts that are told together, and when each is looked at next.

A new group waits ``group_wait`` for more, unless its alert began that long ago already; after that
it is looked at every ``group_interval``. Where each alert is told alone there is nothing to wait
for: it is looked at whenever something about it has changed, and now and then for what keeps it
quiet, since hours pass and silences end without its doing.

An empty group stays for half a minute as Alertmanager's do, so that one that fires again at once
keeps the rhythm of its group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from opsbook.alerts.pipeline.model import Alert, label_text
from opsbook.alerts.pipeline.routing import Node

LOOK_AGAIN: Final = timedelta(minutes=1)
LOOK_AT_HELD: Final = timedelta(seconds=15)
KEPT_EMPTY: Final = timedelta(seconds=30)

Key = tuple[str, tuple[int, ...], tuple[tuple[str, str], ...]]


@dataclass(eq=False, slots=True)
class Group:
    """Alerts of one route that share the labels they are grouped by."""

    node: Node
    labels: dict[str, str]
    next_at: datetime
    flushed: bool = False
    empty_since: datetime | None = None
    alerts: dict[str, Alert] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its name, as Alertmanager makes it: the route's matchers and the group's labels."""
        return f"{self.node.key}:{label_text(self.labels)}"

    @property
    def alone(self) -> bool:
        """Whether it is told at every change, since there is nothing to wait for."""
        return not self.node.interval


def key_of(node: Node, alert: Alert) -> Key:
    """Return which group of a route an alert belongs to."""
    return identity(node, node.labels_of_group(alert.labels))


def identity(node: Node, labels: Mapping[str, str]) -> Key:
    """Return what tells a route's group with these labels from every other."""
    return node.book, node.path, tuple(sorted(labels.items()))


def begun(node: Node, alert: Alert, now: datetime) -> Group:
    """Return a new group for its first alert."""
    return Group(node, node.labels_of_group(alert.labels), now + node.wait)


def joined(group: Group, alert: Alert, now: datetime) -> bool:
    """Put an alert into a group, new or changed; ``True`` when that brings its time forward."""
    group.alerts[alert.fingerprint] = alert
    group.empty_since = None
    early = group.alone if group.flushed else alert.starts_at + group.node.wait <= now
    if early and group.next_at > now:
        group.next_at = now
        return True
    return False


def after_flush(group: Group, now: datetime, *, held: bool) -> datetime:
    """Return when a group is looked at after it was; `held` says that something kept it quiet."""
    if group.alone:
        return now + (LOOK_AT_HELD if held else LOOK_AGAIN)
    return now + group.node.interval
