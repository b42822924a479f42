"""When each check is looked at next. Pure but for being remembered: `now` is an argument.

Kept in memory and not in the database: a restart looks at everything again within `SPREAD`, which
is sooner than the plan would have, and saves a write for every look.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from opsbook.book import Book, facts
from opsbook.book.sections.checks import Check
from opsbook.book.sections.targets import Target
from opsbook.calendar import Hours
from opsbook.checks import windows
from opsbook.checks.model import offset
from opsbook.checks.recent import Recent

Key = tuple[str, str]


@dataclass(eq=False, slots=True)
class Planned:
    """A check with its fields filled in, and what its kind remembers from look to look.

    `fault` is why it cannot be looked at at all. `under_way` is true from the moment it is due to
    the moment its observation is stored; `gone` once the book no longer has it, in this form.
    """

    book: str
    check: Check
    spec: BaseModel
    fault: str
    target: Target | None = None
    hours: Hours | None = None
    memory: dict[str, Any] = field(default_factory=dict)
    recent: Recent | None = None
    under_way: bool = False
    gone: bool = False

    def __post_init__(self) -> None:
        if self.check.over is not None and self.check.statistic != "last":
            self.recent = Recent(self.check.over)

    @classmethod
    def of(
        cls,
        book: str,
        check: Check,
        known: Mapping[str, str],
        target: Target | None = None,
        hours: Hours | None = None,
    ) -> Planned:
        """Fill in what only this server knows; a value that does not fit is a fault."""
        try:
            return cls(book, check, facts.fill(check.spec, known), "", target, hours)
        except ValidationError as error:
            told = "; ".join(
                f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
            )
            return cls(book, check, check.spec, f"cannot be filled in: {told}", target, hours)

    def go_on(self, before: Planned) -> None:
        """Take over what the same target has shown so far."""
        self.memory = before.memory
        if self.recent is not None and before.recent is not None:
            if self.check.unit == before.check.unit:
                self.recent.values = before.recent.values
            self.recent.stale = before.recent.stale

    @property
    def key(self) -> Key:
        """Book and check."""
        return self.book, self.check.id


def target_of(book: Book, check: Check) -> Target | None:
    """What a check asks, where its kind has a field ``on`` and the book names a target there."""
    name = getattr(check.spec, "on", None)
    return book.targets.get(name) if isinstance(name, str) else None


class Plan:
    """Every check of every active book, by the time of its next look."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self.known = known
        self.planned: dict[Key, Planned] = {}
        self.skipped = 0
        self.paused: set[Key] = set()
        self.turned = False
        self._queue: list[tuple[datetime, int, Planned]] = []
        self._count = 0
        self._revisions: tuple[tuple[str, str], ...] | None = None

    def renew(self, books: Iterable[Book], now: datetime) -> bool:
        """Follow what the books have now; `False` when nothing has changed.

        A check that is as it was keeps its time. One that is new or different is looked at soon,
        and keeps its memory if only its title, times or bands are different.
        """
        active = [book for book in books if book.status == "active"]
        revisions = tuple((book.id, str(book.revision)) for book in active)
        if revisions == self._revisions:
            return False
        self._revisions = revisions
        wanted = {
            (book.id, check.id): (check, target_of(book, check), windows.hours_of(book, check))
            for book in active
            for check in book.checks.values()
        }
        for key in [key for key in self.planned if key not in wanted]:
            self.planned.pop(key).gone = True
        self.paused &= wanted.keys()
        for key, (check, target, hours) in wanted.items():
            before = self.planned.get(key)
            now_as = (check, target, hours)
            if before is not None and (before.check, before.target, before.hours) == now_as:
                continue
            planned = Planned.of(key[0], check, self.known, target, hours)
            if before is not None:
                before.gone = True
                asked = (before.check.kind, before.spec, before.target)
                if asked == (check.kind, planned.spec, target):
                    planned.go_on(before)
            self.planned[key] = planned
            self._put(now + offset(*key, check.every), planned)
        return True

    def due(self, now: datetime) -> list[Planned]:
        """Return what is to be looked at now, and plan the look after.

        Times stay on the grid that the first look began. A look that is still under way when the
        next is due is not started twice. After a pause of a whole interval (the machine slept,
        another server decided) everything would be due at once, so it is spread as at a start.
        Outside of its hours a check is `paused`, and looked at soon after they begin; `turned` says
        that one has begun or ceased to be.
        """
        due = []
        while self._queue and (self._queue[0][2].gone or self._queue[0][0] <= now):
            at, _, planned = heapq.heappop(self._queue)
            if planned.gone:
                continue
            every = planned.check.every
            if planned.hours is not None and not planned.hours.contains(now):
                self._pause(planned.key)
                opens = windows.opens(planned.hours, now)
                self._put(opens + offset(*planned.key, every), planned)
                continue
            if now - at >= every:
                if planned.recent is not None:
                    planned.recent.stale = True
                self._put(now + offset(*planned.key, every), planned)
                continue
            self._put(at + every, planned)
            if planned.key in self.paused:
                self.paused.discard(planned.key)
                self.turned = True
            if planned.under_way:
                self.skipped += 1
            else:
                due.append(planned)
        return due

    def next_due(self) -> datetime | None:
        """Return when something is due, or `None` when nothing is watched."""
        return self._queue[0][0] if self._queue else None

    def _pause(self, key: Key) -> None:
        if key not in self.paused:
            self.paused.add(key)
            self.turned = True

    def _put(self, at: datetime, planned: Planned) -> None:
        self._count += 1
        heapq.heappush(self._queue, (at, self._count, planned))
