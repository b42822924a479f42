"""Reading what the pipeline knows: how each alert stands, in which groups, and who hears of it.

Answers come from the memory of the server that decides, after what came in has been worked in; a
server that stands by makes a memory from the rows. Both are read and never changed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from opsbook.alerts import silences
from opsbook.alerts.pipeline.grouping import Group
from opsbook.alerts.pipeline.memory import Memory
from opsbook.alerts.pipeline.model import Alert, in_order
from opsbook.alerts.pipeline.routing import Node
from opsbook.book.matchers import Matchers

Filter = Callable[["Standing"], bool]


@dataclass(frozen=True, slots=True)
class Standing:
    """How an alert stands: what keeps it quiet, and which routes take it."""

    alert: Alert
    state: Literal["active", "suppressed"]
    inhibited_by: tuple[str, ...]
    silenced_by: tuple[str, ...]
    nodes: tuple[Node, ...]


def standings(memory: Memory, book: str, now: datetime) -> Iterator[Standing]:
    """Yield how each alert of a book stands that is not over, in no order."""
    routing = memory.routings.get(book)
    if routing is None:
        return
    for alert in list(memory.alerts.values()):
        if alert.book == book and not alert.over(now):
            yield standing(memory, alert, now)


def standing(memory: Memory, alert: Alert, now: datetime) -> Standing:
    """Return how one alert stands."""
    inhibited = tuple(memory.inhibitors[alert.book].by(alert.labels, now))
    known = silences.index_of(memory.silences.get(alert.book, ()))
    silenced = tuple(one.uuid for one in known.of(alert, now))
    return Standing(
        alert,
        "suppressed" if inhibited or silenced else "active",
        inhibited,
        silenced,
        tuple(memory.routings[alert.book].root.taken_by(alert.labels)),
    )


def groups(memory: Memory, book: str, now: datetime) -> list[tuple[Group, list[Alert]]]:
    """Return a book's groups with their alerts that are not over, in Alertmanager's order."""
    found = []
    for group in list(memory.groups.values()):
        if group.node.book != book:
            continue
        alerts = [one for one in list(group.alerts.values()) if not one.over(now)]
        if alerts:
            found.append((group, in_order(alerts)))
    return sorted(
        found,
        key=lambda one: (len(one[0].labels), sorted(one[0].labels.items()), one[0].node.receiver),
    )


def passes(wanted: Matchers, labels: Mapping[str, str]) -> bool:
    """Whether labels pass a filter.

    Alertmanager's rule: ``name=""`` takes what has no such label, ``name!=""`` what has one.
    """
    for one in wanted:
        there = one.name in labels
        if not one.value and (there if one.op in {"!=", "!~"} else not there):
            continue
        if not one.matches(labels):
            return False
    return True
