"""Who is on duty at a moment.

Everything that calls somebody asks a `Duty`, which knows the book's turns and what people agreed
on the page. `store.duty` makes one within a transaction; `Duty(book)` is what the book alone says,
for comparing books.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from opsbook.book import Book
from opsbook.people import turns


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
class Duty:
    """Who is called: a book's teams and rotations, under the exceptions made since.

    Of several exceptions that hold at once the one that was made last counts.
    """

    book: Book
    agreed: tuple[Agreed, ...] = ()

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
        return list(dict.fromkeys([*instead, *turns.on_turn(self.book, rotation, at)]))

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
