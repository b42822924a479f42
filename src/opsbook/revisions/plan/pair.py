"""The two books of a plan, as calculators look at them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from opsbook.book import Book
from opsbook.revisions.plan.model import DAYS, Change, Kind
from opsbook.revisions.plan.underway import Running

SOON = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """What runs, what shall run, the moment of asking, and what goes on then."""

    old: Book
    new: Book
    now: datetime
    running: Running = field(default_factory=Running)
    _differing: dict[str, tuple[Any, ...]] = field(default_factory=dict, repr=False)

    def differing(self, section: str) -> tuple[Any, ...]:
        """The keys of a section whose elements are not the same in both books, the new book's in
        its order and then those that are gone. Compared once: several calculators ask, and a book
        may have thousands of checks.
        """
        if section not in self._differing:
            old, new = getattr(self.old, section), getattr(self.new, section)
            other = (
                id for id, one in new.items()
                if id not in old or (old[id] is not one and old[id] != one)
            )  # fmt: skip
            self._differing[section] = (*other, *(id for id in old if id not in new))
        return self._differing[section]

    def kept(self, section: str) -> Iterator[tuple[str, Any, Any]]:
        """Elements that both books have and that are not equal: id, before, after."""
        old, new = getattr(self.old, section), getattr(self.new, section)
        ids = self.differing(section)
        return ((id, old[id], new[id]) for id in ids if id in old and id in new)

    def added(self, section: str) -> Iterator[tuple[str, Any]]:
        """Elements that only the new book has."""
        old, new = getattr(self.old, section), getattr(self.new, section)
        return ((id, new[id]) for id in self.differing(section) if id not in old)

    def removed(self, section: str) -> Iterator[tuple[str, Any]]:
        """Elements that only the old book has."""
        old, new = getattr(self.old, section), getattr(self.new, section)
        return ((id, old[id]) for id in self.differing(section) if id not in new)

    def tell(
        self,
        section: str,
        id: str,
        template: str,
        values: Mapping[str, str] = {},
        *,
        kind: Kind = "changed",
        keys: Iterable[str] = (),
        at: tuple[str | int, ...] = (),
        loosens: bool = False,
        soon: bool = False,
        where: str | None = None,
    ) -> Change:
        """Make a change. ``at`` is the path below the element that it points at; in every sentence
        ``%(id)s`` is the element.
        """
        if where is None:
            book = self.old if kind == "removed" else self.new
            start = (id,) if section == "book" else (section, id)
            where = book.where(*start, *at)
        return Change(
            section, id, kind, template, {"id": id, **values}, loosens, where, soon, tuple(keys)
        )

    def is_soon(self, *moments: datetime | None) -> bool:
        """Whether one of these comes within a day."""
        return any(one is not None and one <= self.now + SOON for one in moments)

    def clock(self, at: datetime, zone: ZoneInfo | None = None) -> str:
        """A moment on the wall clock of a zone, the new book's if none is named."""
        here = at.astimezone(zone or ZoneInfo(self.new.timezone))
        return f"{DAYS[here.weekday()]} {here:%Y-%m-%d %H:%M}"
