"""Where an alert with certain labels would go, as ``amtool config routes test`` asks it.

Asked of a book and not of a server, so that it can be asked before the book runs. What only a
server knows (what fires, which silences there are) is said as what may be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from opsbook.alerts.intake.posted import Posted
from opsbook.alerts.pipeline import receiving, routing
from opsbook.alerts.pipeline.routing import Node
from opsbook.base.errors import Invalid
from opsbook.book import Book
from opsbook.book.matchers import all_match
from opsbook.book.problems import suggestion
from opsbook.book.sections.alerts import LABEL_NAME


@dataclass(frozen=True, slots=True)
class Way:
    """One route that takes the alert, and which of its hours keep it quiet."""

    node: Node
    group: Mapping[str, str]
    inactive: tuple[str, ...]
    muted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ways:
    """All routes that take the alert, and the inhibitions that may keep it quiet.

    `labels` and `severity` are those it has by then, which for one from outside are not all those
    it came with.
    """

    labels: Mapping[str, str]
    severity: str
    routes: tuple[Way, ...]
    inhibitions: tuple[str, ...]


def of(book: Book, labels: Mapping[str, str], now: datetime, intake: str | None = None) -> Ways:
    """Return where an alert goes at `now`.

    One of a rule of the book has that rule's labels too. With an `intake` it is what comes of an
    alert that is handed in there with these labels.

    Raises:
        Invalid: a name that no label can have; no such rule or intake in the book.
    """
    for name in labels:
        if not re.match(LABEL_NAME, name):
            raise Invalid(
                f"{name!r} is no label's name.",
                remedy="Give a label and its value, such as severity=P1; matchers are for routes.",
            )
    labels, severity = _seen(book, labels, now, intake)
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
    return Ways(labels, severity, ways, may)


def _seen(
    book: Book, labels: Mapping[str, str], now: datetime, intake: str | None
) -> tuple[Mapping[str, str], str]:
    """The labels and the severity that routes are asked with."""
    if intake is not None:
        if intake not in book.intakes:
            remedy = _said(suggestion(intake, book.intakes))
            raise Invalid(f"There is no intake {intake!r} in the book.", remedy=remedy)
        posted = Posted(dict(labels))
        alert = receiving.worked_in(book, intake, posted, now, None, "").alert
        return alert.labels, alert.severity
    named = labels.get("rule")
    if named is None:
        return labels, labels.get("severity", "")
    rule = book.rules.get(named)
    if rule is None:
        raise Invalid(
            f"There is no rule {named!r} in the book.",
            remedy=f"{_said(suggestion(named, book.rules))} For an alert from outside, name its "
            "--intake.",
        )
    check = book.checks[rule.check] if rule.check is not None else None
    labels = {**rule.labels_of(book.id, check), **labels}
    return labels, labels["severity"]


def _said(remedy: str) -> str:
    """A remedy of the loader as a sentence."""
    return remedy[:1].upper() + remedy[1:] + ("" if remedy.endswith("?") else ".")
