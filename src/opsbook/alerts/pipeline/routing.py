"""Which routes take an alert: the book's tree, with what each route inherits settled beforehand.

Alertmanager's semantics: the deepest route that matches takes an alert, the first of several
siblings unless it says ``continue``. Waits, grouping and receiver are inherited; the hours in which
a route tells, and its conditions, are not.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from opsbook.book import Book
from opsbook.book.intervals import day_holds
from opsbook.book.matchers import Matchers, all_match
from opsbook.book.sections.routing import (
    DEFAULT_INTERVAL,
    DEFAULT_REPEAT,
    DEFAULT_WAIT,
    EVERY_LABEL,
    As,
    Route,
    TimeRange,
)
from opsbook.calendar import Hours

AT_ONCE: Final = timedelta(0)
INCIDENT: Final = "incident"


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody or something that is told: a person, team, channel or webhook, or the incident."""

    id: str
    resolved: bool = True


@dataclass(frozen=True, slots=True)
class Node:
    """A route with everything settled. `group_by` is ``None`` where each alert is told alone."""

    book: str
    path: tuple[int, ...]
    key: str
    conditions: Matchers
    goes_on: bool
    receiver: str
    as_: As
    listeners: tuple[Listener, ...]
    group_by: tuple[str, ...] | None
    wait: timedelta
    interval: timedelta
    repeat: timedelta
    active: tuple[str, ...]
    mute: tuple[str, ...]
    nodes: tuple[Node, ...]

    def taken_by(self, labels: Mapping[str, str]) -> list[Node]:
        """Return the routes that take an alert with these labels, in the book's order."""
        if not all_match(self.conditions, labels):
            return []
        found: list[Node] = []
        for node in self.nodes:
            inner = node.taken_by(labels)
            found += inner
            if inner and not node.goes_on:
                break
        return found or [self]

    def all(self) -> Iterator[Node]:
        """Yield this route and every one below it."""
        yield self
        for node in self.nodes:
            yield from node.all()

    def labels_of_group(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Return the labels that name the group an alert belongs to."""
        if self.group_by is None:
            return dict(labels)
        return {name: labels[name] for name in self.group_by if name in labels}


@dataclass(frozen=True, slots=True)
class Routing:
    """A book's routes, and the hours they speak of."""

    book: str
    revision: str
    root: Node
    hours: Mapping[str, Callable[[datetime], bool]]

    def hold(self, names: tuple[str, ...], now: datetime) -> list[str]:
        """Return which of these hours hold at `now`."""
        return [name for name in names if self.hours[name](now)]


def of_book(book: Book) -> Routing:
    """Settle a book's routes; without any, every alert is an incident, told alone and at once."""
    return Routing(book.id, str(book.revision), root(book), _hours(book))


def root(book: Book) -> Node:
    """Return the outermost route with everything below it."""
    written = book.routing or Route()
    grouped = written.group_by is not None and EVERY_LABEL not in written.group_by
    start = Node(
        book=book.id, path=(), key="{}", conditions=(), goes_on=False, receiver=INCIDENT,
        as_="incident", listeners=(), group_by=None,
        wait=DEFAULT_WAIT if grouped else AT_ONCE,
        interval=DEFAULT_INTERVAL if grouped else AT_ONCE,
        repeat=DEFAULT_REPEAT, active=(), mute=(), nodes=(),
    )  # fmt: skip
    return _settled(book, written, start, ())


def _settled(book: Book, route: Route, around: Node, path: tuple[int, ...]) -> Node:
    conditions = route.conditions
    inner = ",".join(str(one) for one in sorted(conditions))
    node = replace(
        around,
        path=path,
        key=f"{around.key}/{{{inner}}}" if path else "{}",
        conditions=conditions if path else (),
        goes_on=route.goes_on,
        active=route.active,
        mute=route.mute,
        **_receiver(book, route, around),
        **_waits(route, around),
    )  # fmt: skip
    nodes = tuple(_settled(book, one, node, (*path, n)) for n, one in enumerate(route.routes))
    return replace(node, nodes=nodes)


def _waits(route: Route, around: Node) -> dict[str, Any]:
    """What is left out is as around it; a route that begins to group gets what groups need."""
    found: dict[str, Any] = {
        "wait": route.group_wait if route.group_wait is not None else around.wait,
        "interval": route.group_interval if route.group_interval is not None else around.interval,
        "repeat": route.repeat_interval if route.repeat_interval is not None else around.repeat,
    }
    if route.group_by is None:
        return found
    alone = EVERY_LABEL in route.group_by
    found["group_by"] = None if alone else tuple(sorted(route.group_by))
    if not alone and around.group_by is None:
        if route.group_wait is None and around.wait == AT_ONCE:
            found["wait"] = DEFAULT_WAIT
        if route.group_interval is None and around.interval == AT_ONCE:
            found["interval"] = DEFAULT_INTERVAL
    return found


def _receiver(book: Book, route: Route, around: Node) -> dict[str, Any]:
    if route.receiver is not None:
        named = book.receivers[route.receiver]
        silent = set(named.only_firing)
        listeners = tuple(Listener(one, one not in silent) for one in named.to)
        return {"receiver": named.id, "as_": named.as_, "listeners": listeners}
    if not route.to and route.as_ is None:
        return {}
    as_ = route.as_ or around.as_
    listeners = tuple(Listener(one) for one in route.to) or around.listeners
    name = ",".join((*([INCIDENT] if as_ == "incident" else []), *(one.id for one in listeners)))
    return {"receiver": name or "nobody", "as_": as_, "listeners": listeners}


def _hours(book: Book) -> dict[str, Callable[[datetime], bool]]:
    found: dict[str, Callable[[datetime], bool]] = {}
    for id, one in book.hours.items():
        found[id] = Hours.parse(one.open, book.timezone, book.days).contains
    for id, interval in book.time_intervals.items():
        found[id] = functools.partial(_in_any, interval.ranges, book.timezone)
    return found


def _in_any(ranges: tuple[TimeRange, ...], zone: str, now: datetime) -> bool:
    return any(in_range(one, now.astimezone(ZoneInfo(one.timezone or zone))) for one in ranges)


def in_range(one: TimeRange, local: datetime) -> bool:
    """Whether a local time lies in a range; each field that is given must hold."""
    minute = local.hour * 60 + local.minute
    weekday = local.isoweekday() % 7
    return (
        (not one.times or any(span.first <= minute < span.last for span in one.times))
        and (not one.weekdays or any(span.holds(weekday) for span in one.weekdays))
        and (not one.days_of_month or any(day_holds(span, local) for span in one.days_of_month))
        and (not one.months or any(span.holds(local.month) for span in one.months))
        and (not one.years or any(span.holds(local.year) for span in one.years))
    )
