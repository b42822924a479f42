"""Which silences an alert meets: looked up instead of tried one by one, and remembered.

Silences are set by people and their programs, alerts come by thousands, and both are looked at
while nothing else can be written. So a silence is tried only where an alert has what it asks for
first (a value, a pattern, a label), all patterns on one label are asked in one pass, and what an
alert meets is remembered with it for as long as its labels and the silences are the same. Whether
a silence holds at a moment is asked every time: that is what its times and its windows decide.

Silences that came since an alert was last looked at are tried alone, so that setting one does not
ask all alerts about all others again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

import re2

from opsbook.alerts.silences.model import Silence
from opsbook.book.matchers import Matcher, Matchers, all_match

KEPT: Final = 4
"""Indexes of one book that are kept: those that read the rows themselves have silences of their
own, and must not push out those of the loop."""
FEW: Final = 8
ANCESTORS: Final = 16
MOST_SHARED: Final = 1_024
ROOM: Final = 1 << 20
ROOM_EACH: Final = 64 << 10
_ANYTHING: Final = "(?s).*"

_numbers = itertools.count(1)


class Met(NamedTuple):
    """What an alert with these very labels meets: the index of which number says so."""

    where: int
    labels: Mapping[str, str]
    names: tuple[str, ...]


class Told(Protocol):
    """What may be silenced: `met` is where it is remembered by what."""

    labels: dict[str, str]
    met: Met | None


class Index:
    """A book's silences by what an alert must have to meet them; never changed.

    `before` is what it follows: alerts that were asked there are only asked about what is new.
    """

    def __init__(self, known: tuple[Silence, ...], before: Index | None = None) -> None:
        self.known = known
        self.number = next(_numbers)
        self._by_name = {one.uuid: one for one in known}
        self._place = {one.uuid: n for n, one in enumerate(known)}
        self._by_value: dict[tuple[str, str], list[Silence]] = {}
        self._by_pattern: dict[tuple[str, str], list[Silence]] = {}
        self._by_label: dict[str, list[Silence]] = {}
        self._always: list[Silence] = []
        self._same: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._at: tuple[datetime | None, dict[str, bool]] = (None, {})
        for one in known:
            self._put(one)
        patterns: dict[str, dict[str, None]] = {}
        for one in known:
            for each in one.matchers:
                if each.is_regex:
                    patterns.setdefault(each.name, {})[each.value] = None
        old: dict[str, Patterns] = before.patterns if before is not None else {}
        self.patterns: dict[str, Patterns] = {
            name: old[name] if name in old and old[name].all == tuple(some) else Patterns(some)
            for name, some in patterns.items()
        }
        self._since = self._news(before) if before is not None else {}

    def of(self, alert: Told, now: datetime) -> list[Silence]:
        """Return the silences that keep an alert quiet at `now`, in the order they were set."""
        met = alert.met
        labels = alert.labels
        if met is None or met.where != self.number or met.labels is not labels:
            names = self._anew(labels, met)
            if len(self._same) >= MOST_SHARED:
                self._same = {}
            met = Met(self.number, labels, self._same.setdefault(names, names))
            alert.met = met
        return self._holding(met.names, now) if met.names else []

    def matching(self, labels: Mapping[str, str], now: datetime) -> list[Silence]:
        """Return the silences that keep what has these labels quiet; nothing is remembered."""
        return self._holding(self._looked_up(labels), now)

    def _put(self, one: Silence) -> None:
        """Put a silence where the first thing that it asks for leads to it."""
        wants = [each for each in one.matchers if not each.takes_empty]
        if (first := next((each for each in wants if each.op == "="), None)) is not None:
            self._by_value.setdefault((first.name, first.value), []).append(one)
        elif (first := next((each for each in wants if each.op == "=~"), None)) is not None:
            self._by_pattern.setdefault((first.name, first.value), []).append(one)
        elif wants:
            self._by_label.setdefault(wants[0].name, []).append(one)
        else:
            self._always.append(one)

    def _news(self, before: Index) -> dict[int, tuple[Silence, ...]]:
        """Return what is new since the indexes before this one, as far as it is little.

        A silence may change its times and its words, never what it matches; one that would is
        another.
        """
        new = tuple(one for one in self.known if not before.has(one))
        found = {before.number: new}
        for number, some in before._since.items():
            here = (self._by_name.get(one.uuid) for one in some)
            left = tuple(one for one in here if one is not None and one not in new)
            found[number] = (*left, *new)
        latest = sorted(found, reverse=True)[:ANCESTORS]
        return {number: found[number] for number in latest if len(found[number]) <= FEW}

    def has(self, one: Silence) -> bool:
        """Whether it is here, matching the same."""
        mine = self._by_name.get(one.uuid)
        return mine is not None and mine.matchers == one.matchers

    def _anew(self, labels: Mapping[str, str], met: Met | None) -> tuple[str, ...]:
        new = self._since.get(met.where) if met is not None and met.labels is labels else None
        if met is None or new is None:
            return self._looked_up(labels)
        names = {name for name in met.names if name in self._by_name}
        tried = {one.uuid for one in new}
        names -= tried
        names |= {one.uuid for one in new if all_match(one.matchers, labels)}
        return self._ordered(names)

    def _looked_up(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        met: dict[str, frozenset[str]] = {}

        def patterns(name: str) -> frozenset[str]:
            found = met.get(name)
            if found is None:
                found = met[name] = self.patterns[name].met(labels.get(name, ""))
            return found

        names = []
        for name, value in labels.items():
            names += _taken(self._by_value.get((name, value), ()), labels, patterns)
            names += _taken(self._by_label.get(name, ()), labels, patterns)
            if name in self.patterns:
                for pattern in patterns(name):
                    names += _taken(self._by_pattern.get((name, pattern), ()), labels, patterns)
        names += _taken(self._always, labels, patterns)
        return self._ordered(names)

    def _ordered(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(names, key=self._place.__getitem__))

    def _holding(self, names: tuple[str, ...], now: datetime) -> list[Silence]:
        at, open_ = self._at
        if at != now:
            open_ = {}
            self._at = now, open_
        found = []
        for name in names:
            holds = open_.get(name)
            if holds is None:
                holds = open_[name] = self._by_name[name].holds(now)
            if holds:
                found.append(self._by_name[name])
        return found


class Patterns:
    """All patterns on one label, asked together: a thousand cost little more than one.

    RE2 says of such a set only which of its patterns match, and not when it has given up for want
    of room. So each set has a pattern that takes anything: where even that is missing, the patterns
    are tried one by one.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self.all = tuple(patterns)
        self._set: Any = None
        self._built = False
        self._of_nothing: frozenset[str] | None = None

    def met(self, value: str) -> frozenset[str]:
        """Return the patterns that take this value as a whole."""
        if value:
            return self._asked(value)
        if self._of_nothing is None:
            self._of_nothing = self._asked("")
        return self._of_nothing

    def _asked(self, value: str) -> frozenset[str]:
        if not self._built:
            self._set, self._built = _together(self.all), True
        found = (self._set.Match(value) or ()) if self._set is not None else ()
        if len(self.all) in found:
            return frozenset(self.all[n] for n in found if n < len(self.all))
        given = {"label": value}
        return frozenset(one for one in self.all if Matcher("label", "=~", one).matches(given))


def _together(patterns: tuple[str, ...]) -> Any:
    """Return RE2's set of these and of what takes anything; ``None`` where that is too much."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = ROOM + ROOM_EACH * len(patterns)
    made = re2.Set.FullMatchSet(options)
    try:
        for one in (*patterns, _ANYTHING):
            made.Add(one)
        made.Compile()
    except re2.error:
        return None
    return made


def _taken(
    some: Iterable[Silence], labels: Mapping[str, str], patterns: Callable[[str], frozenset[str]]
) -> list[str]:
    return [one.uuid for one in some if _takes(one.matchers, labels, patterns)]


def _takes(
    matchers: Matchers, labels: Mapping[str, str], patterns: Callable[[str], frozenset[str]]
) -> bool:
    for one in matchers:
        if one.is_regex:
            meets = one.value in patterns(one.name)
        else:
            meets = labels.get(one.name, "") == one.value
        if meets != one.is_equal:
            return False
    return True


_recent: dict[str, tuple[Index, ...]] = {}


def index_of(known: tuple[Silence, ...]) -> Index:
    """Return the index of a book's silences: the same one for as long as they are the same tuple.

    It follows the latest of the book's, so that what alerts are known to meet stays known.
    """
    if not known:
        return _NONE
    recent = _recent.get(known[0].book, ())
    for one in recent:
        if one.known is known:
            return one
    made = Index(known, recent[0] if recent else None)
    _recent[known[0].book] = (made, *recent[: KEPT - 1])
    return made


def by_book(some: Iterable[Silence]) -> dict[str, Index]:
    """Return an index for each book that these are of: for one answer, and remembered nowhere."""
    books: dict[str, list[Silence]] = {}
    for one in some:
        books.setdefault(one.book, []).append(one)
    return {book: Index(tuple(mine)) for book, mine in books.items()}


_NONE: Final = Index(())
