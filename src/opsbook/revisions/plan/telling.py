"""Who is told of which alerts, how and when: routes, and the receivers that they share.

Routes have no names. One is taken for the same route where its conditions are the same, wherever
among its siblings it stands; else an insertion would be told as a change of all that stand behind
it. Compared is what a route does in the end, with what it inherits, and what it inherits is told
where it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from opsbook.alerts.pipeline import routing
from opsbook.alerts.pipeline.routing import Node
from opsbook.base.quantities import format_duration
from opsbook.book.matchers import Matchers, alternatives
from opsbook.book.sections.routing import Receiver, Route
from opsbook.revisions.plan.elements import Told
from opsbook.revisions.plan.keys import keys
from opsbook.revisions.plan.model import ALONE, N_, NOBODY, PAGED, TOGETHER, Change
from opsbook.revisions.plan.pair import Pair
from opsbook.revisions.plan.values import Leaf, Path, dotted, flat


def changes(pair: Pair) -> Iterator[Change]:
    """Yield who will be told otherwise."""
    yield from _receivers(pair)
    old, new = pair.old.routing, pair.new.routing
    if old is None and new is not None:
        yield pair.tell(
            "book", "routing",
            N_("Routes say who is told of alerts; before, each was an incident of its own, told at "
               "once."),
            kind="added", keys=["*"], soon=True,
        )  # fmt: skip
        yield from _lost(pair, routing.root(pair.new), ("routing",))
    elif old is not None and new is None:
        yield pair.tell(
            "book", "routing",
            N_("No route says who is told of alerts any more: each is an incident of its own, told "
               "at once."),
            kind="removed", keys=["*"], soon=True,
        )  # fmt: skip
    elif old is not None and new is not None:
        before, after = routing.root(pair.old), routing.root(pair.new)
        yield from _level(pair, Side(old, before), Side(new, after), (), set())


@dataclass(frozen=True, slots=True)
class Side:
    """A route of one of the books: as it is written, and with all it inherits."""

    route: Route
    node: Node

    def inner(self, n: int) -> Side:
        """Return the n-th route in it."""
        return Side(self.route.routes[n], self.node.nodes[n])


def told(matchers: Matchers) -> str:
    """Return conditions in words: ``severity=P1``, ``service=~"api|shop"``; a star for none."""
    plain = (f"{one.name}={one.value}" if one.op == "=" else str(one) for one in matchers)
    return " ".join(plain) or "*"


def _receivers(pair: Pair) -> Iterator[Change]:
    for id, one in pair.added("receivers"):
        template = (
            N_("%(id)s is a new receiver: it opens an incident and tells %(to)s.")
            if one.as_ == "incident"
            else N_("%(id)s is a new receiver: it tells %(to)s.")
        )
        yield pair.tell(
            "receivers", id, template, {"to": _names(one.to)}, kind="added", keys=["*"], soon=True
        )
    for id, one in pair.removed("receivers"):
        yield pair.tell(
            "receivers", id, N_("%(id)s is gone: nothing is told by it (it told %(to)s)."),
            {"to": _names(one.to)}, kind="removed", keys=["*"], soon=True,
        )  # fmt: skip
    for id, was, now in pair.kept("receivers"):
        yield from _receiver(pair, id, was, now)


def _receiver(pair: Pair, id: str, was: Receiver, now: Receiver) -> Iterator[Change]:
    if was.to != now.to:
        yield pair.tell(
            "receivers", id, N_("%(id)s tells %(after)s instead of %(before)s."),
            {"before": _names(was.to), "after": _names(now.to)}, keys=["to"], at=("to",), soon=True,
        )  # fmt: skip
    if was.as_ != now.as_:
        template = (
            N_("%(id)s opens no incident any more: it only tells.")
            if now.as_ == "notify"
            else N_("%(id)s opens an incident and pages.")
        )
        yield pair.tell("receivers", id, template, keys=["as"], at=("as",), soon=True)
    if was.only_firing != now.only_firing:
        yield pair.tell(
            "receivers", id,
            N_("%(id)s does not tell %(after)s when it is over (before: %(before)s)."),
            {"before": _names(was.only_firing), "after": _names(now.only_firing)},
            keys=["only_firing"], at=("only_firing",), soon=True,
        )  # fmt: skip


def _names(listeners: tuple[str, ...]) -> str:
    return ", ".join(listeners) or NOBODY


OPENS = N_("Alerts with %(match)s open an incident and page.")
ONLY_TELLS = N_("Alerts with %(match)s open no incident any more: they only tell.")
Difference = tuple[str, str, str]


def _level(
    pair: Pair, was: Side, now: Side, path: Path, around: set[Difference]
) -> Iterator[Change]:
    """A route against itself, and then the routes in it; `around` is what it inherits otherwise."""
    mine: set[Difference] = set()
    for one in _differences(was.node, now.node):
        mine.add((one.key, one.before, one.after))
        if (one.key, one.before, one.after) in around:
            continue
        at = (*path, one.key)
        yield pair.tell(
            "book", "routing", one.template,
            {"match": told(now.node.conditions), "before": one.before, "after": one.after},
            keys=[dotted((*path, key)) for key in (one.key, *one.also)], at=at, soon=True,
        )  # fmt: skip
    kept = _matched(was.route, now.route)
    if len(kept) == len(was.route.routes) == len(now.route.routes) and all(
        before == after for before, after in kept
    ):
        for before, after in kept:
            at = (*path, "routes", after)
            yield from _level(pair, was.inner(before), now.inner(after), at, mine)
    else:
        yield from _rearranged(pair, was, now, path, kept, mine)


def _rearranged(
    pair: Pair, was: Side, now: Side, path: Path, kept: list[tuple[int, int]], mine: set[Difference]
) -> Iterator[Change]:
    """The routes in one whose places have shifted: what came, what went, and each that stayed."""
    whole = [dotted((*path, "routes"))]
    for n in set(range(len(now.route.routes))) - {after for _, after in kept}:
        node = now.inner(n).node
        at = (*path, "routes", n)
        template = (
            N_("Alerts with %(match)s have a route of their own: they open an incident (told: "
               "%(to)s).")
            if node.as_ == "incident"
            else N_("Alerts with %(match)s have a route of their own: they are told to %(to)s.")
        )  # fmt: skip
        yield pair.tell(
            "book", "routing", template,
            {"match": told(node.conditions), "to": _listeners(node)},
            keys=whole, at=at, soon=True,
        )  # fmt: skip
        yield from _incidents(pair, routing.root(pair.new), node, whole, at)
    for n in set(range(len(was.route.routes))) - {before for before, _ in kept}:
        node = was.inner(n).node
        template = (
            N_("Alerts with %(match)s have no route of their own any more; they opened an "
               "incident (told: %(to)s).")
            if node.as_ == "incident"
            else N_("Alerts with %(match)s have no route of their own any more; they were told to "
                    "%(to)s.")
        )  # fmt: skip
        yield pair.tell(
            "book", "routing", template,
            {"match": told(node.conditions), "to": _listeners(node)},
            keys=whole, at=(*path, "routes"), soon=True,
        )  # fmt: skip
        yield from _incidents(pair, routing.root(pair.old), node, whole, (*path, "routes"))
    if [before for before, _ in kept] != sorted(before for before, _ in kept):
        yield pair.tell(
            "book", "routing",
            N_("The routes for alerts with %(match)s are tried in another order."),
            {"match": told(now.node.conditions)}, keys=whole, at=(*path, "routes"), soon=True,
        )  # fmt: skip
    for before, after in kept:
        at = (*path, "routes", after)
        found = list(_level(pair, was.inner(before), now.inner(after), at, mine))
        yield from found
        spoken = Told(found)
        here, there = _placed(was.inner(before).route, at), _placed(now.inner(after).route, at)
        for change in keys(pair, "book", "routing", here, there):
            if not any(spoken.key("book", "routing", key) for key in change.keys):
                yield change


def _lost(pair: Pair, node: Node, path: Path) -> Iterator[Change]:
    """Where routes come into a book that had none, alerts that are no incident any more."""
    if node.as_ == "notify":
        yield pair.tell(
            "book", "routing", ONLY_TELLS, {"match": told(node.conditions)},
            keys=["*"], at=path, soon=True,
        )  # fmt: skip
        return
    for n, inner in enumerate(node.nodes):
        yield from _lost(pair, inner, (*path, "routes", n))


def _incidents(
    pair: Pair, around: Node, node: Node, whole: list[str], at: Path
) -> Iterator[Change]:
    """Whether alerts of a route that came or went open an incident now and did not, or did.

    Asked of both trees by an alert that the route plainly wants, since what took such alerts before
    may be any route, and not only the one around. `around` is the tree that the route stands in.
    """
    labels = _wanted(around, node)
    was, now = (
        any(one.as_ == "incident" for one in routing.root(book).taken_by(labels))
        for book in (pair.old, pair.new)
    )
    if was != now:
        yield pair.tell(
            "book", "routing", OPENS if now else ONLY_TELLS, {"match": told(node.conditions)},
            keys=whole, at=at, soon=True,
        )  # fmt: skip


def _wanted(around: Node, node: Node) -> dict[str, str]:
    """Labels that a route and those around it name themselves, the first of several values."""
    found: dict[str, str] = {}
    for n in (*node.path, None):
        for one in around.conditions:
            if one.is_equal and one.name not in found:
                listed = alternatives(one.value) or () if one.is_regex else (one.value,)
                if listed:
                    found[one.name] = listed[0]
        around = around.nodes[n] if n is not None else around
    return found


def _placed(route: Route, at: Path) -> Mapping[Path, Leaf]:
    return {(*at, *path): leaf for path, leaf in flat(route)}


def _matched(was: Route, now: Route) -> list[tuple[int, int]]:
    """Which route of the one book is which of the other: the next with the same conditions."""
    free = {n: one.conditions for n, one in enumerate(was.routes)}
    found = []
    for n, route in enumerate(now.routes):
        same = next((m for m, conditions in free.items() if conditions == route.conditions), None)
        if same is not None:
            del free[same]
            found.append((same, n))
    return found


@dataclass(frozen=True, slots=True)
class _Different:
    """One thing that a route does otherwise. `also` are further keys that it is written by."""

    key: str
    template: str
    before: str
    after: str
    also: tuple[str, ...] = ()


def _differences(was: Node, now: Node) -> Iterator[_Different]:
    if _listeners(was) != _listeners(now):
        template = N_("Alerts with %(match)s are told to %(after)s instead of %(before)s.")
        yield _Different("to", template, _listeners(was), _listeners(now), ("receiver",))
    if was.as_ != now.as_:
        template = ONLY_TELLS if now.as_ == "notify" else OPENS
        yield _Different("as", template, was.as_, now.as_)
    if was.goes_on != now.goes_on:
        template = (
            N_("Alerts with %(match)s are looked at by the routes behind as well.")
            if now.goes_on
            else N_("Alerts with %(match)s are no longer looked at by the routes behind.")
        )
        yield _Different("continue", template, str(was.goes_on), str(now.goes_on))
    yield from _times(was, now)
    if was.group_by != now.group_by:
        template = N_("Alerts with %(match)s are told together: %(after)s instead of %(before)s.")
        yield _Different("group_by", template, _grouping(was), _grouping(now))
    if was.wait != now.wait:
        template = N_(
            "A group of alerts with %(match)s waits %(after)s for more instead of %(before)s."
        )
        before, after = format_duration(was.wait), format_duration(now.wait)
        yield _Different("group_wait", template, before, after)
    if was.interval != now.interval:
        template = N_(
            "What is new in a group of alerts with %(match)s is told after %(after)s instead of "
            "%(before)s."
        )
        before, after = format_duration(was.interval), format_duration(now.interval)
        yield _Different("group_interval", template, before, after)
    if was.repeat != now.repeat:
        template = N_(
            "Alerts with %(match)s that go on are told again every %(after)s instead of %(before)s."
        )
        before, after = format_duration(was.repeat), format_duration(now.repeat)
        yield _Different("repeat_interval", template, before, after)


def _times(was: Node, now: Node) -> Iterator[_Different]:
    if was.mute != now.mute:
        template = (
            N_("Alerts with %(match)s are muted in the hours %(after)s.")
            if now.mute
            else N_("Alerts with %(match)s are no longer muted in the hours %(before)s.")
        )
        yield _Different("mute", template, ", ".join(was.mute), ", ".join(now.mute))
    if was.active != now.active:
        template = (
            N_("Alerts with %(match)s are told only in the hours %(after)s.")
            if now.active
            else N_("Alerts with %(match)s are told always, not only in the hours %(before)s.")
        )
        yield _Different("active", template, ", ".join(was.active), ", ".join(now.active))


def _listeners(node: Node) -> str:
    if node.as_ == "incident" and not node.listeners:
        return PAGED
    return _names(tuple(one.id for one in node.listeners))


def _grouping(node: Node) -> str:
    if node.group_by is None:
        return ALONE
    return ", ".join(node.group_by) or TOGETHER
