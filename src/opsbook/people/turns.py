"""Whose turn it is: rotations as pure arithmetic over the zone's own clock.

Hand-overs are at a time of day, so turns of whole days are counted in local time: the night the
clocks change, a turn is an hour longer or shorter and the hand-over is still at nine. Turns of
other lengths (eight hours) are counted in real time from the day they began.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from opsbook import calendar
from opsbook.book import Book
from opsbook.book.sections.people import Layer, Override

DAY = timedelta(days=1)


def on_turn(book: Book, rotation: str, at: datetime) -> list[str]:
    """Return who a rotation names at ``at``, the one to call first at the front.

    That is whoever an override names, then each layer's person whose hours hold, the topmost layer
    first, then everybody else in the order in which their turns come: should nobody's hours hold,
    somebody is named all the same, because a night with nobody is worse than the wrong person.
    """
    found = book.rotations[rotation]
    zone = ZoneInfo(found.timezone or book.timezone)
    named = [one.person for one in reversed(found.overrides) if _holds(one, zone, at)]
    rest: list[str] = []
    for layer in reversed(found.layers):
        turns = _from_now(layer, zone, at)
        if layer.only is None or calendar.Hours.parse(layer.only, zone, book.days).contains(at):
            named += turns[:1]
            rest += turns[1:]
        else:
            rest += turns
    return list(dict.fromkeys(named + rest))


def hand_over(book: Book, rotation: str, at: datetime) -> datetime:
    """Return the first moment after ``at`` at which a layer's turn ends, in UTC."""
    found = book.rotations[rotation]
    zone = ZoneInfo(found.timezone or book.timezone)
    return min(_turn_start(layer, zone, _turn(layer, zone, at) + 1) for layer in found.layers)


def _from_now(layer: Layer, zone: ZoneInfo, at: datetime) -> list[str]:
    """The layer's people, beginning with whose turn it is; before the start, with the first."""
    now = max(_turn(layer, zone, at), 0) % len(layer.people)
    return [*layer.people[now:], *layer.people[:now]]


def _turn(layer: Layer, zone: ZoneInfo, at: datetime) -> int:
    """The number of the turn that holds at `at`; 0 is the first, negative ones are before it."""
    start = _local(layer.starts, time.min)
    if layer.shift % DAY:
        began = start.replace(tzinfo=zone).astimezone(UTC)
        return (at.astimezone(UTC) - began) // layer.shift
    return (at.astimezone(zone).replace(tzinfo=None) - start) // layer.shift


def _turn_start(layer: Layer, zone: ZoneInfo, turn: int) -> datetime:
    start = _local(layer.starts, time.min)
    if layer.shift % DAY:
        return start.replace(tzinfo=zone).astimezone(UTC) + turn * layer.shift
    return (start + turn * layer.shift).replace(tzinfo=zone).astimezone(UTC)


def _holds(override: Override, zone: ZoneInfo, at: datetime) -> bool:
    start = _local(override.from_, time.min).replace(tzinfo=zone)
    if isinstance(override.to, datetime):
        end = override.to.replace(tzinfo=zone)
    else:  # a day alone means its end
        end = datetime.combine(override.to + DAY, time.min, zone)
    return start.astimezone(UTC) <= at.astimezone(UTC) < end.astimezone(UTC)


def _local(moment: date, of_a_day: time) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.combine(moment, of_a_day)
