"""What observations do to how checks stand: stored, and with them whether they flap and wait.

All of it in one transaction, so that whoever reads an observation reads what follows from it too:
the pipeline must not page for a check in the moment between the failure of its gateway and the mark
that says so.

The states of the last looks are remembered, since reading them for each look would cost more than
all else. The memory is believed only where its newest time is that of the check's row: another
server, or work that was undone, makes it be read anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from opsbook import audit
from opsbook.audit.entries import SERVER
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.book.sections.checks import Check
from opsbook.checks import depending, flapping, pings, store, windows
from opsbook.checks.depending import FAILED
from opsbook.checks.model import Observation


@dataclass(slots=True)
class _Past:
    at: datetime | None
    states: deque[str]


@dataclass(frozen=True, slots=True)
class _Graph:
    """A book's dependencies, and the checks that have one or are one."""

    revision: str
    depends: Mapping[str, Sequence[str]]
    involved: frozenset[str]


@dataclass(slots=True)
class Memory:
    """The states of each check's last looks; touched by the writer's thread alone."""

    past: dict[tuple[str, str], _Past] = field(default_factory=dict)
    graphs: dict[str, _Graph] = field(default_factory=dict)

    def graph(self, book: Book) -> _Graph:
        """Return a book's dependencies, made once for each revision."""
        found = self.graphs.get(book.id)
        if found is None or found.revision != book.revision:
            depends = {id: check.depends_on for id, check in book.checks.items()}
            named = {one for wanted in depends.values() for one in wanted}
            involved = frozenset(named | {id for id, wanted in depends.items() if wanted})
            found = self.graphs[book.id] = _Graph(book.revision, depends, involved)
        return found

    def states(
        self, tx: Transaction, key: tuple[str, str], looks: int, newest: datetime | None
    ) -> deque[str]:
        """Return the last states before a new one, from memory if that is up to date."""
        past = self.past.get(key)
        if past is None or past.at != newest or past.states.maxlen != looks:
            some = store.last_states(tx, *key, looks) if newest is not None else []
            past = self.past[key] = _Past(newest, deque(some, maxlen=looks))
        return past.states


def keep(
    tx: Transaction,
    now: datetime,
    seen: Sequence[Observation],
    books: Mapping[str, Book],
    memory: Memory,
) -> None:
    """Store observations in their order, with what follows from them.

    A book that is no longer running, or a check that it no longer has, has nothing that follows.
    """
    mine: dict[str, list[Observation]] = {}
    for one in seen:
        mine.setdefault(one.book, []).append(one)
    before = {
        book: store.standing(tx, book, {one.check_id for one in some})
        for book, some in mine.items()
    }
    turned: list[tuple[Observation, bool, float]] = []
    moved: set[str] = set()
    for one in seen:
        book = books.get(one.book)
        check = book.checks.get(one.check_id) if book is not None else None
        if book is None or check is None:
            continue
        was = before[one.book].get(one.check_id)
        found = _flaps(tx, one, check, was, memory)
        if found is not None:
            turned.append((one, *found))
        if one.check_id in memory.graph(book).involved and (
            was is None or (was["state"] in FAILED) != (one.state in FAILED)
        ):
            moved.add(one.book)
        before[one.book][one.check_id] = {
            "state": one.state,
            "at": one.at,
            "flapping": found[0] if found is not None else bool(was and was["flapping"]),
        }
    store.keep(tx, seen)
    for one, flaps, share in turned:
        if store.set_flapping(tx, one.book, one.check_id, flaps):
            data = {"book": one.book, "check": one.check_id, "share": round(share, 1)}
            action = "check.flapping" if flaps else "check.steady"
            audit.record(tx, now, SERVER, action, f"check:{one.check_id}", data=data)
    for name in sorted(moved):
        settle(tx, now, books[name], memory)


def _flaps(
    tx: Transaction,
    one: Observation,
    check: Check,
    was: Mapping[str, Any] | None,
    memory: Memory,
) -> tuple[bool, float] | None:
    """Whether the check begins (or ceases) to flap with this observation, and at which share."""
    flapped = bool(was and was["flapping"])
    settings = check.flapping
    if settings.off:
        return (False, 0.0) if flapped else None
    key = (one.book, one.check_id)
    states = memory.states(tx, key, settings.looks, was["at"] if was is not None else None)
    states.append(one.state)
    memory.past[key].at = one.at
    flaps = flapping.decide(flapped, states, settings)
    return (flaps, flapping.share(states, settings.looks)) if flaps != flapped else None


def settle(tx: Transaction, now: datetime, book: Book, memory: Memory) -> None:
    """Let every check of a book that is behind a failed one say so, and no other."""
    graph, marked = memory.graph(book), store.behind(tx, book.id)
    if not marked and not graph.involved:
        return
    paused = windows.paused(book, now)
    failed = {one for one in store.failed(tx, book.id) if one not in paused}
    wanted = depending.behind(graph.depends, failed)
    new = {one: cause for one, cause in wanted.items() if marked.get(one) != cause}
    gone = {one: "" for one in marked if one not in wanted}
    store.set_behind(tx, book.id, {**new, **gone})


def renew(tx: Transaction, now: datetime, books: Iterable[Book], memory: Memory) -> None:
    """Follow what the books have now: what is gone has no state, dependencies may be others."""
    for book in books:
        store.keep_only(tx, book.id, list(book.checks))
        theirs = [one.id for one in book.checks.values() if one.kind == pings.KIND]
        pings.forget_removed(tx, book.id, theirs)
        settle(tx, now, book, memory)
        for key in [one for one in memory.past if one[0] == book.id and one[1] not in book.checks]:
            del memory.past[key]
