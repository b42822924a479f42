"""Two books, every calculator, one plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from opsbook.book import Book
from opsbook.revisions.plan import (
    alerting,
    approvals,
    authority,
    clocks,
    doors,
    duty,
    elements,
    gates,
    quiet,
    runbooks,
    schedules,
    targets,
    telling,
    watching,
)
from opsbook.revisions.plan.model import Change, Plan
from opsbook.revisions.plan.pair import Pair
from opsbook.revisions.plan.underway import Running

Calculator = Callable[[Pair], Iterator[Change]]

CALCULATORS: tuple[Calculator, ...] = (
    authority.changes, approvals.changes, gates.changes, targets.changes, quiet.changes,
    telling.changes, duty.changes, clocks.changes, alerting.changes, doors.changes,
    watching.changes, schedules.changes, runbooks.changes,
)  # fmt: skip
"""In the order in which their changes are told within each of the three parts of a plan."""


def compare(
    old: Book | None, new: Book, now: datetime, running: Running | None = None
) -> Plan:  # fmt: skip
    """Return what ``new`` changes against ``old``; the same revision changes nothing.

    Without ``old`` the book is the first of its name: everything is new and nothing is loosened.
    ``running`` is what goes on in the book; without it a plan says nothing of runs, incidents and
    firing alerts.
    """
    if old is None:
        return Plan(_ordered(elements.first(Pair(new, new, now))))
    if old.revision == new.revision:
        return Plan()
    pair = Pair(old, new, now, running or Running())
    found = _once(change for calculate in CALCULATORS for change in calculate(pair))
    found += elements.rest(pair, elements.Told(found))
    return Plan(_ordered(found or elements.layout(pair)))


def _ordered(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda one: (not one.loosens, not one.soon)))


def _once(changes: Iterable[Change]) -> list[Change]:
    """The changes without those that speak, less sharply, of a key that was spoken of before.

    What loosens is never left out: a step's id may hold a dot, so that the step ``ask.by`` and the
    roles of the step ``ask`` are the same key.
    """
    kept: list[Change] = []
    sharp: set[tuple[str, str, str]] = set()
    for one in changes:
        keys = {(one.section, one.id, key) for key in one.keys if key.startswith("steps.")}
        if keys and keys <= sharp and not one.loosens:
            continue
        kept.append(one)
        sharp |= keys
    return kept
