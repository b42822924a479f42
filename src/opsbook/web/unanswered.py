"""Alerts that fire and that no incident answers: how many, how bad, and the worst of them.

Today must never call a day quiet on which these are not, so what is asked here is asked of every
alert, whoever noticed it. A silence is somebody's word that they need nobody; everything else that
may keep an alert quiet (another alert, the hours of a route) only keeps it from being told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from opsbook.alerts import silences
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.web import alertrows, alertstore
from opsbook.web.i18n import Speech
from opsbook.web.visit import Visit

SHOWN: Final = 5


@dataclass(frozen=True)
class Unanswered:
    """What no incident answers. `urgent` are those of which somebody should have been paged."""

    counts: Sequence[tuple[str, int]]
    urgent: int
    silenced: int
    worst: Sequence[dict[str, Any]]

    @property
    def total(self) -> int:
        """How many there are that nobody has silenced."""
        return sum(count for _, count in self.counts)

    def sentence(self, speech: Speech) -> str:
        """Say what there is; empty where there is nothing."""
        if self.urgent:
            return speech.say_n(
                "%(n)s alert fires that should page somebody, and no incident answers it.",
                "%(n)s alerts fire that should page somebody, and no incident answers them.",
                self.urgent,
            )
        if self.total:
            return speech.say_n("%(n)s alert fires.", "%(n)s alerts fire.", self.total)
        return ""


def read(tx: Transaction, visit: Visit) -> Unanswered:
    """Return what no incident answers in the books that the visitor may read alerts of."""
    books = {book.id: book for book in visit.books("alerts:read")}
    quiet = {one.book for one in silences.current(tx, visit.now) if one.holds(visit.now)}
    loud = [id for id in books if id not in quiet]
    rows = alertstore.unanswered(tx, loud) if loud else []
    order = [(book.id, severity) for book in books.values() for severity in book.severities]
    worst = alertstore.unanswered_worst(tx, loud, order, SHOWN) if rows else []
    silenced = 0
    if heard := [id for id in books if id in quiet]:
        left, silenced = _unsilenced(tx, visit, heard)
        rows += [{**row, "count": 1} for row in left]
        place = {one: n for n, one in enumerate(order)}
        left.sort(key=lambda row: (place.get((row["book"], row["severity"]), 999), row["id"]))
        worst += alertstore.by_ids(tx, [row["id"] for row in left[:SHOWN]])
        worst.sort(key=lambda row: (place.get((row["book"], row["severity"]), 999), row["id"]))
    counted: Counter[str] = Counter()
    for row in rows:
        counted[row["severity"]] += row["count"]
    return Unanswered(
        counts=_in_order(counted, order),
        urgent=sum(row["count"] for row in rows if _pages(books[row["book"]], row)),
        silenced=silenced,
        worst=[alertrows.of_row(visit, row) for row in worst[:SHOWN]],
    )


def _unsilenced(
    tx: Transaction, visit: Visit, books: Sequence[str]
) -> tuple[list[dict[str, Any]], int]:
    """Return the alerts of these books that no silence matches, and how many one does."""
    known: dict[str, list[silences.Silence]] = {}
    for one in silences.current(tx, visit.now):
        if one.holds(visit.now):
            known.setdefault(one.book, []).append(one)
    rows = alertstore.unanswered_labels(tx, books)
    left = [
        row for row in rows if not silences.matching(known[row["book"]], row["labels"], visit.now)
    ]
    return left, len(rows) - len(left)


def _pages(book: Book, row: dict[str, Any]) -> bool:
    """Whether an alert's severity, or its rule, names somebody who is paged."""
    if row["rule"] in book.rules:
        return book.escalation_of(row["rule"]) is not None
    severity = book.severities.get(row["severity"])
    return severity is not None and severity.escalation is not None


def _in_order(counted: Counter[str], order: Sequence[tuple[str, str]]) -> list[tuple[str, int]]:
    known = list(dict.fromkeys(severity for _, severity in order))
    names = [one for one in known if counted[one]] + sorted(set(counted) - set(known))
    return [(name, counted[name]) for name in names]
