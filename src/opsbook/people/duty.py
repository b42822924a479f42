"""Who is on duty at a moment.

Everything that calls somebody asks a `Duty`, which knows the book's turns and what people agreed
on the page. `store.duty` makes one within a transaction; `Duty(book)` is what the book alone says,
for comparing books.

`Duty.of` says whom to call at one moment; `Duty.shifts` the same for a time, without asking minute
by minute: only where a turn, an hour or an exception begins or ends can somebody else come.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from opsbook.book import Book
from opsbook.people.turns import First, Rota, Why


@dataclass(frozen=True, slots=True)
class Agreed:
    """Somebody instead of whoever would be on duty in a rotation, agreed upon after the book.

    `number` is the row's. The end is the first moment at which it does not hold any more.
    """

    rotation: str
    person: str
    start: datetime
    end: datetime
    number: int = 0

    def holds(self, at: datetime) -> bool:
        """Whether it holds at a moment."""
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class Shift:
    """Somebody is called first from `start` to just before `end`."""

    start: datetime
    end: datetime
    person: str
    why: Why
    layer: int = -1


@dataclass(frozen=True, slots=True)
class Duty:
    """Who is called: a book's teams and rotations, under the exceptions made since.

    Of several exceptions that hold at once the one that was made last counts.
    """

    book: Book
    agreed: tuple[Agreed, ...] = ()
    _rotas: dict[str, Rota] = field(default_factory=dict, compare=False, repr=False)

    def of(self, team: str, at: datetime) -> list[str]:
        """Return the people on duty for a team, the one to call first at the front.

        A team that names neither a rotation nor an order is on duty in the order of its members: an
        empty answer would be a night with nobody, which a book must never mean by leaving something
        out.
        """
        found = self.book.teams[team]
        if found.rotation is not None:
            return self.on_turn(found.rotation, at)
        return list(found.on_duty or found.members)

    def on_turn(self, rotation: str, at: datetime) -> list[str]:
        """Return who a rotation names at a moment, the one to call first at the front."""
        instead = [
            one.person
            for one in reversed(self.agreed)
            if one.rotation == rotation and one.holds(at)
        ]
        return list(dict.fromkeys([*instead, *self.rota(rotation).on_turn(at)]))

    def rota(self, rotation: str) -> Rota:
        """Return a rotation of the book, ready to be asked."""
        found = self._rotas.get(rotation)
        if found is None:
            found = self._rotas[rotation] = Rota.of(self.book.rotations[rotation], self.book)
        return found

    def first(self, rotation: str, at: datetime) -> First:
        """Return who is called first, and why."""
        for one in reversed(self.agreed):
            if one.rotation == rotation and one.holds(at):
                return First(one.person, "agreed")
        return self.rota(rotation).first(at)

    def shifts(self, rotation: str, start: datetime, end: datetime) -> list[Shift]:
        """Return who is called first from when until when, between two moments, without a gap."""
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        agreed = [
            (one.person, one.start, one.end) for one in self.agreed if one.rotation == rotation
        ]
        found: list[Shift] = []
        for begins, ends, first in self.rota(rotation).plan(start, end, agreed):
            last = found[-1] if found else None
            if last is not None and (last.person, last.why) == (first.person, first.why):
                found[-1] = Shift(last.start, ends, first.person, first.why, first.layer)
            else:
                found.append(Shift(begins, ends, first.person, first.why, first.layer))
        return found

    def reached(self, names: Iterable[str], at: datetime) -> list[str]:
        """Return the persons that names reach: people as named, of a team its first.

        Nobody is reached twice, and the order is kept.
        """
        persons: dict[str, None] = {}
        for name in names:
            if name in self.book.people:
                persons[name] = None
            elif name in self.book.teams:
                persons.update(dict.fromkeys(self.of(name, at)[:1]))
        return list(persons)
