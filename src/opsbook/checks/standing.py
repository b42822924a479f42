"""What observations do to how checks stand: stored, and with them whether they flap and wait.

All of it in one transaction, so that whoever reads an observation reads what follows from it too:
the pipeline must not page for a check in the moment between the failure of its gateway and the mark
that says so.

How each check stands is remembered, with the states of its last looks: to read them for each look
would cost more than all else. With SQLite nobody else writes them, and the memory is believed until
work was undone; on PostgreSQL another server may have looked, so what is remembered is believed
only where its time is still that of the check's row.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from opsbook import audit
from opsbook.audit.entries import SERVER
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.book.sections.checks import Flapping
from opsbook.checks import depending, flapping, pings, store, windows
from opsbook.checks.depending import FAILED
from opsbook.checks.model import Observation


@dataclass(slots=True)
class _Past:
    """How a check stood when it was last looked at, and its last states up to then."""

    at: datetime
    state: str
    flapping: bool
    states: deque[str] | None = None


@dataclass(frozen=True, slots=True)
class _Graph:
    """A book's dependencies, and the checks that have one or are one."""

    revision: str
    depends: Mapping[str, Sequence[str]]
    involved: frozenset[str]


@dataclass(slots=True)
class Memory:
    """How checks stand; touched by the writer's thread alone, and thrown away when work fails."""

    past: dict[tuple[str, str], _Past] = field(default_factory=dict)
    graphs: dict[str, _Graph] = field(default_factory=dict)

    def refresh(self, tx: Transaction, seen: Sequence[Observation]) -> None:
        """Let the memory of these checks be what the database has."""
        alone = tx.connection.dialect.name == "sqlite"
        wanted: dict[str, set[str]] = {}
        for one in seen:
            if not alone or (one.book, one.check_id) not in self.past:
                wanted.setdefault(one.book, set()).add(one.check_id)
        for book, checks in wanted.items():
            found = store.standing(tx, book, checks)
            for check in checks:
                row, past = found.get(check), self.past.get((book, check))
                if row is None:
                    self.past.pop((book, check), None)
                elif past is None or past.at != row["at"]:
                    self.past[book, check] = _Past(row["at"], row["state"], row["flapping"])

    def graph(self, book: Book) -> _Graph:
        """Return a book's dependencies, made once for each revision."""
        found = self.graphs.get(book.id)
        if found is None or found.revision != book.revision:
            depends = {id: check.depends_on for id, check in book.checks.items()}
            named = {one for wanted in depends.values() for one in wanted}
            involved = frozenset(named | {id for id, wanted in depends.items() if wanted})
            found = self.graphs[book.id] = _Graph(book.revision, depends, involved)
        return found


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
    memory.refresh(tx, seen)
    turned: list[tuple[Observation, bool, float]] = []
    moved: set[str] = set()
    for one in seen:
        book = books.get(one.book)
        check = book.checks.get(one.check_id) if book is not None else None
        if book is None or check is None:
            continue
        key = (one.book, one.check_id)
        was = memory.past.get(key)
        new = _Past(one.at, one.state, was is not None and was.flapping)
        if not check.flapping.off:
            share = _flaps(tx, new, was, key, check.flapping)
        elif new.flapping:
            new.flapping, share = False, 0.0
        else:
            share = None
        if share is not None:
            turned.append((one, new.flapping, share))
        memory.past[key] = new
        if (was is None or (was.state in FAILED) != (one.state in FAILED)) and (
            one.check_id in memory.graph(book).involved
        ):
            moved.add(one.book)
    store.keep(tx, seen)
    for one, flaps, share in turned:
        if store.set_flapping(tx, one.book, one.check_id, flaps):
            data = {"book": one.book, "check": one.check_id, "share": round(share, 1)}
            action = "check.flapping" if flaps else "check.steady"
            audit.record(tx, now, SERVER, action, f"check:{one.check_id}", data=data)
    for name in sorted(moved):
        settle(tx, now, books[name], memory)


def _flaps(
    tx: Transaction, new: _Past, was: _Past | None, key: tuple[str, str], settings: Flapping
) -> float | None:
    """Let a check begin or cease to flap with a look; return the share of changes if it does."""
    states = was.states if was is not None else deque[str](maxlen=settings.looks)
    if states is None or states.maxlen != settings.looks:
        states = deque(store.last_states(tx, *key, settings.looks), maxlen=settings.looks)
    states.append(new.state)
    new.states = states
    share = flapping.share(states, settings.looks)
    flaps = flapping.decide(new.flapping, share, settings)
    if flaps == new.flapping:
        return None
    new.flapping = flaps
    return share


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
