"""What is wrong with duty in the time to come: found before the night it happens in.

Pure, over a `Duty` and a span of time. A gap is time in which no layer's hours hold: somebody is
called all the same, but nobody planned to be there. A clash is one person being first in two
rotations at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from opsbook.book import Book
from opsbook.calendar import Span, overlaps
from opsbook.people.duty import Duty


@dataclass(frozen=True, slots=True)
class Gap:
    """Nobody's turn: `person` is called all the same."""

    rotation: str
    start: datetime
    end: datetime
    person: str


@dataclass(frozen=True, slots=True)
class Clash:
    """One person is called first by several rotations at once."""

    person: str
    rotations: tuple[str, ...]
    start: datetime
    end: datetime


def gaps(duty: Duty, start: datetime, end: datetime) -> list[Gap]:
    """Return when nobody planned to be on duty, rotation by rotation."""
    return [
        Gap(rotation, one.start, one.end, one.person)
        for rotation in duty.book.rotations
        for one in duty.shifts(rotation, start, end)
        if one.why == "nobody's hours"
    ]


def clashes(duty: Duty, start: datetime, end: datetime) -> list[Clash]:
    """Return when somebody is called first by two rotations, in the order of time.

    Rotations that several teams share are one rotation: answering for two teams is what was wanted.
    """
    held: dict[str, dict[str, list[Span]]] = {}
    for rotation in _called(duty.book):
        for one in duty.shifts(rotation, start, end):
            spans = held.setdefault(one.person, {}).setdefault(rotation, [])
            spans.append(Span(one.start, one.end))
    found = [
        Clash(person, (first, second), shared.start, shared.end)
        for person, by_rotation in held.items()
        for first, second in _pairs(list(by_rotation))
        for shared in overlaps(by_rotation[first], by_rotation[second])
    ]
    return sorted(found, key=lambda one: (one.start, one.person, one.rotations))


def _called(book: Book) -> list[str]:
    """The rotations that some team is called by."""
    used = {team.rotation for team in book.teams.values()}
    return [id for id in book.rotations if id in used]


def _pairs(names: list[str]) -> Iterator[tuple[str, str]]:
    return ((a, b) for n, a in enumerate(names) for b in names[n + 1 :])
