"""Where an alert with certain labels would go, as ``amtool config routes test`` asks it.

Asked of a book and not of a server, so that it can be asked before the book runs. What only a
server knows (what fires, which silences there are) is said as what may be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from opsbook.alerts.pipeline import routing
from opsbook.alerts.pipeline.routing import Node
from opsbook.book import Book
from opsbook.book.matchers import all_match


@dataclass(frozen=True, slots=True)
class Way:
    """One route that takes the alert, and which of its hours keep it quiet."""

    node: Node
    group: Mapping[str, str]
    inactive: tuple[str, ...]
    muted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ways:
    """All routes that take the alert, and the inhibitions that may keep it quiet."""

    labels: Mapping[str, str]
    routes: tuple[Way, ...]
    inhibitions: tuple[str, ...]


def of(book: Book, labels: Mapping[str, str], now: datetime) -> Ways:
    """Return where an alert goes at `now`; one of a rule of the book has that rule's labels too."""
    rule = book.rules.get(labels.get("rule", ""))
    if rule is not None:
        check = book.checks[rule.check] if rule.check is not None else None
        labels = {**rule.labels_of(book.id, check), **labels}
    settled = routing.of_book(book)
    ways = tuple(
        Way(
            node,
            node.labels_of_group(labels),
            node.active if node.active and not settled.hold(node.active, now) else (),
            tuple(settled.hold(node.mute, now)),
        )
        for node in settled.root.taken_by(labels)
    )
    may = tuple(id for id, one in book.inhibitions.items() if all_match(one.targets, labels))
    return Ways(labels, ways, may)
