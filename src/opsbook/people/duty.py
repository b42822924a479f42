"""Who is on duty at a moment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from opsbook.book import Book
from opsbook.people import turns


def on_duty(book: Book, team: str, at: datetime) -> list[str]:
    """Return the people on duty for ``team``, the one to call first at the front.

    A team that names neither a rotation nor an order is on duty in the order of its members: an
    empty answer would be a night with nobody, which a book must never mean by leaving something
    out.
    """
    found = book.teams[team]
    if found.rotation is not None:
        return turns.on_turn(book, found.rotation, at)
    return list(found.on_duty or found.members)


def reached(book: Book, names: Iterable[str], at: datetime) -> list[str]:
    """Return the persons whom an escalation level reaches: people as named, of a team its first.

    Nobody is reached twice, and the order is kept.
    """
    persons: dict[str, None] = {}
    for name in names:
        if name in book.people:
            persons[name] = None
        elif name in book.teams:
            persons.update(dict.fromkeys(on_duty(book, name, at)[:1]))
    return list(persons)
