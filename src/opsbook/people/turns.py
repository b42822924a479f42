"""Whose turn it is: rotations as pure arithmetic over the zone's own clock.

Hand-overs are at a time of day, so turns of whole days are counted in local time: the night the
clocks change, a turn is an hour longer or shorter and the hand-over is still at nine; one in a
repeated hour happens once, the first time round. Turns of other lengths (eight hours) are counted
in real time from the day they began.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from opsbook import calendar
from opsbook.book import Book
from opsbook.book.sections.people import Layer, Override, Rotation
from opsbook.calendar import Days, Hours, Span

DAY = timedelta(days=1)

Piece = tuple[datetime, datetime]
"""From when until when, in UTC; the end does not belong to it."""

Why = Literal["agreed", "override", "layer", "nobody's hours"]
"""Why somebody is called first; the last is that no layer holds, and somebody is named all the
same, because a night with nobody is worse than the wrong person."""


@dataclass(frozen=True, slots=True)
class Turns:
    """One layer: people, and whose turn it is."""

    people: tuple[str, ...]
    shift: timedelta
    starts: datetime
    """As the zone's clock reads, without a zone."""
    zone: ZoneInfo
    hours: Hours | None
    ends: datetime | None

    @classmethod
    def of(cls, layer: Layer, zone: ZoneInfo, days: Days) -> Turns:
        """Return a layer of a book."""
        zone = ZoneInfo(layer.timezone) if layer.timezone is not None else zone
        hours = _hours(layer.only, zone, days) if layer.only is not None else None
        ends = _end(layer.until, zone) if layer.until is not None else None
        return cls(layer.people, layer.shift, _local(layer.starts), zone, hours, ends)

    def over(self, at: datetime) -> bool:
        """Whether it has ended."""
        return self.ends is not None and self.ends <= at

    def holds(self, at: datetime) -> bool:
        """Whether its hours hold."""
        return not self.over(at) and (self.hours is None or self.hours.contains(at))

    def from_now(self, at: datetime) -> tuple[str, ...]:
        """Return the people, beginning with whose turn it is; before the start, with the first."""
        now = max(self.number(at), 0) % len(self.people)
        return (*self.people[now:], *self.people[:now])

    def number(self, at: datetime) -> int:
        """Return the number of the turn that holds; 0 is the first, negative ones are before it."""
        if self.shift % DAY:
            return (at.astimezone(UTC) - self.begins(0)) // self.shift
        guess = (at.astimezone(self.zone).replace(tzinfo=None) - self.starts) // self.shift
        while self.begins(guess + 1) <= at:
            guess += 1
        while self.begins(guess) > at:
            guess -= 1
        return guess

    def begins(self, number: int) -> datetime:
        """Return when a turn begins, in UTC."""
        if self.shift % DAY:
            return calendar.happens(self.starts, self.zone) + number * self.shift
        return calendar.happens(self.starts + number * self.shift, self.zone)

    def held(self, start: datetime, end: datetime) -> list[Piece]:
        """Return the pieces of a time in which its hours hold, in order."""
        if self.ends is not None:
            end = min(end, self.ends)
        if end <= start:
            return []
        if self.hours is None:
            return [(start, end)]
        return list(_open(self.hours, start, end))

    def turns(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, str]]:
        """Yield whose turn it is from when until when, between two moments."""
        if len(self.people) == 1:
            yield start, end, self.people[0]
            return
        number = self.number(start)
        while start < end:
            number += 1
            until = min(self.begins(number), end)
            yield start, until, self.people[max(number - 1, 0) % len(self.people)]
            start = until


@dataclass(frozen=True, slots=True)
class First:
    """Who is called first, and why; `layer` is its place in the book where a layer decides."""

    person: str
    why: Why
    layer: int = -1


@dataclass(frozen=True, slots=True)
class Rota:
    """A rotation, ready to be asked many times: its texts are read once."""

    layers: tuple[Turns, ...]
    overrides: tuple[tuple[str, Span], ...]

    @classmethod
    def of(cls, rotation: Rotation, book: Book) -> Rota:
        """Return a rotation of a book."""
        zone = ZoneInfo(rotation.timezone or book.timezone)
        return cls(
            tuple(Turns.of(layer, zone, book.days) for layer in rotation.layers),
            tuple((one.person, span(one, zone)) for one in rotation.overrides),
        )

    def on_turn(self, at: datetime) -> list[str]:
        """Return who is named at a moment, the one to call first at the front.

        That is whoever an override names, then each layer's person whose hours hold, the topmost
        layer first, then everybody else in the order in which their turns come: should nobody's
        hours hold, somebody is named all the same. A layer that has ended names nobody, unless all
        have.
        """
        named = [person for person, span in reversed(self.overrides) if span.contains(at)]
        rest: list[str] = []
        left = [one for one in reversed(self.layers) if not one.over(at)]
        for layer in left or reversed(self.layers):
            turns = layer.from_now(at)
            if layer.holds(at):
                named += turns[:1]
                rest += turns[1:]
            else:
                rest += turns
        return list(dict.fromkeys(named + rest))

    def first(self, at: datetime) -> First:
        """Return who is called first, and why."""
        for person, held in reversed(self.overrides):
            if held.contains(at):
                return First(person, "override")
        for place in range(len(self.layers) - 1, -1, -1):
            if self.layers[place].holds(at):
                return First(self.layers[place].from_now(at)[0], "layer", place)
        return First(self.on_turn(at)[0], "nobody's hours")

    def plan(
        self, start: datetime, end: datetime, agreed: Sequence[tuple[str, datetime, datetime]] = ()
    ) -> list[tuple[datetime, datetime, First]]:
        """Return who is called first from when until when, in order and without a gap.

        What stands highest takes its time first, and what is below it gets what is left. `agreed`
        are exceptions that stand above everything here, the last one highest.
        """
        left = [(start, end)]
        found: list[tuple[datetime, datetime, First]] = []
        above = [(First(who, "agreed"), (begins, ends)) for who, begins, ends in reversed(agreed)]
        above += [
            (First(who, "override"), (held.start, held.end))
            for who, held in reversed(self.overrides)
        ]
        for first, held in above:
            taken, left = _split(left, [held])
            found += [(*piece, first) for piece in taken]
        places = range(len(self.layers) - 1, -1, -1)
        for place in places:
            layer = self.layers[place]
            taken, left = _split(left, layer.held(start, end))
            found += _turns_in(taken, layer, "layer", place)
        lasting = [(self.layers[place], self.layers[place].ends) for place in places]
        lasting.append((self.layers[-1], None))  # should all of them have ended
        for layer, ends in lasting:  # nobody's hours: the topmost that has not ended
            until = end if ends is None else min(ends, end)
            taken, left = _split(left, [(start, until)] if until > start else [])
            found += _turns_in(taken, layer, "nobody's hours")
        return sorted(found, key=lambda one: one[0])


def span(override: Override, zone: ZoneInfo) -> Span:
    """Return from when until when an exception of the book holds."""
    return Span(calendar.happens(_local(override.from_), zone), _end(override.to, zone))


def _end(moment: date, zone: ZoneInfo) -> datetime:
    """An end as it is written: a day alone means its end."""
    whole_day = not isinstance(moment, datetime)
    return calendar.happens(_local(moment + DAY if whole_day else moment), zone)


def _local(moment: date) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time.min)


@functools.lru_cache(maxsize=1024)
def _hours(text: str, zone: ZoneInfo, days: Days) -> Hours:
    """Reading a text costs a hundred times what asking it does."""
    return Hours.parse(text, zone, days)


@functools.lru_cache(maxsize=1024)
def _open(hours: Hours, start: datetime, end: datetime) -> tuple[Piece, ...]:
    """Many layers have the same hours, and a page asks for the same month of all of them."""
    return tuple((one.start, one.end) for one in hours.spans(start, end))


def _turns_in(
    pieces: Sequence[Piece], layer: Turns, why: Why, place: int = -1
) -> Iterator[tuple[datetime, datetime, First]]:
    """Yield whose turn it is in these pieces; hand-overs are worked out once for all of them."""
    if not pieces:
        return
    turns = list(layer.turns(pieces[0][0], pieces[-1][1]))
    n = 0
    for start, end in pieces:
        while turns[n][1] <= start:
            n += 1
        m = n
        while m < len(turns) and turns[m][0] < end:
            begins, ends, who = turns[m]
            yield max(begins, start), min(ends, end), First(who, why, place)
            m += 1


def _split(left: list[Piece], held: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Return what `held` takes of what is left, and what is left then; all in order."""
    taken: list[Piece] = []
    rest: list[Piece] = []
    n = 0
    for start, end in left:
        while n < len(held) and held[n][1] <= start:
            n += 1
        at, m = start, n
        while m < len(held) and held[m][0] < end:
            begins, ends = max(held[m][0], at), min(held[m][1], end)
            if begins > at:
                rest.append((at, begins))
            taken.append((begins, ends))
            at = ends
            m += 1
        if at < end:
            rest.append((at, end))
    return taken, rest
