"""A book's routing as an alertmanager.yml.

Written from the routes as they are settled, so that what a book inherits or begins in its own way
(an outermost route tells each alert alone and at once) is said where Alertmanager would do
otherwise. The names of receivers are those Opsbook itself answers with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from opsbook.alerts.exchange import intervals, layout, matching
from opsbook.alerts.exchange.alertmanager_in import ALL_IN_ONE, AT_ONCE
from opsbook.alerts.exchange.findings import Finding, Setting
from opsbook.alerts.exchange.layout import Noted
from opsbook.alerts.exchange.receivers_out import Out, receivers, spoken
from opsbook.alerts.exchange.severities import LABEL
from opsbook.alerts.pipeline import routing
from opsbook.alerts.pipeline.routing import Node
from opsbook.base.quantities import format_duration
from opsbook.book import Book
from opsbook.book.matchers import Matchers
from opsbook.book.positions import Path
from opsbook.book.sections.intakes import Intake
from opsbook.book.sections.routing import Route

FILE = "alertmanager.yml"
_HEAD = """\
Written from the book {book}, revision {revision}.
Notes that begin with "opsbook:" say what Alertmanager has no word for; `opsbook import
alertmanager` reads them back."""


@dataclass(frozen=True, slots=True)
class Exported:
    """Files by name, what was found on the way, and which secrets somebody has to set."""

    files: Mapping[str, str]
    findings: tuple[Finding, ...] = ()
    settings: tuple[Setting, ...] = ()


def write(book: Book, *, url: str, alone: bool = False) -> Exported:
    """Write it; `url` is Opsbook's own address, and `alone` means that it is not asked any more."""
    out = Out(book, url, alone)
    written = book.routing or Route()
    root = routing.root(book)
    route = _route(out, written, root, None, ("routing",))
    content: dict[str, Any] = {}
    prometheus = [one for one in book.intakes.values() if one.kind == "alertmanager"]
    prometheus.sort(key=lambda one: not one.default)
    if prometheus:
        timeout = {"resolve_timeout": format_duration(prometheus[0].resolve_after)}
        content["global"] = Noted(timeout, {"intake": _intake(prometheus[0])})
    _untranslated(out, prometheus, root)
    content["route"] = route
    content["receivers"] = receivers(out)
    if book.inhibitions:
        content["inhibit_rules"] = _inhibitions(out)
    used = {name for node in root.all() for name in (*node.active, *node.mute)}
    if times := intervals.for_alertmanager(book, used, out.findings):
        content["time_intervals"] = times
    head = _HEAD.format(book=book.id, revision=book.revision)
    settings = tuple(sorted(set(out.settings)))
    text = layout.written(content, head=head)
    return Exported({FILE: text}, tuple(sorted(set(out.findings))), settings)


def _intake(one: Intake) -> dict[str, Any]:
    """The door that Alertmanager itself is, with what it has no words for; references only."""
    found: dict[str, Any] = {
        "id": one.id, "title": spoken(one.title), "token": one.token,
        "severities": dict(one.severities), "severity": one.severity, "labels": dict(one.labels),
        "default": one.default,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value}


def _untranslated(out: Out, doors: Iterable[Intake], root: Node) -> None:
    """Alertmanager routes by the sender's own word, and these routes ask for the book's."""
    asked = [one.conditions for one in root.all()]
    for inhibition in out.book.inhibitions.values():
        asked += [inhibition.sources, inhibition.targets]
    if not any(one.name == LABEL for conditions in asked for one in conditions):
        return
    for door in doors:
        if door.severities:
            made = ", ".join(f"{word} is {here}" for word, here in door.severities.items())
            told = f"Alertmanager translates no severities, and routes ask for the book's ({made})"
            remedy = "let whatever hands alerts in say the book's, as the exported rules do"
            out.say("changed", ("intakes", door.id, "severities"), told, remedy)


def _route(out: Out, route: Route, node: Node, around: Node | None, path: Path) -> Any:
    found: dict[str, Any] = {}
    if node.conditions:
        found["matchers"] = _matchers(out, node.conditions, path)
    if around is None or route.receiver is not None or route.to or route.as_ is not None:
        found["receiver"] = out.name(node, route.receiver)
    if node.goes_on:
        found["continue"] = True
    if node.active:
        found["active_time_intervals"] = list(node.active)
    if node.mute:
        found["mute_time_intervals"] = list(node.mute)
    if around is None or route.group_by is not None:
        labels = ["..."] if node.group_by is None else list(route.group_by or ())
        found["group_by"] = labels or ([] if around is None else [ALL_IN_ONE])
    for name, value, before, said in (
        ("group_wait", node.wait, around and around.wait, route.group_wait),
        ("group_interval", node.interval, around and around.interval, route.group_interval),
        ("repeat_interval", node.repeat, around and around.repeat, route.repeat_interval),
    ):
        if said is not None or value != before:
            may_be_zero = name == "group_wait"
            found[name] = format_duration(value if value or may_be_zero else AT_ONCE)
    routes = [
        _route(out, inner, below, node, (*path, "routes", n))
        for n, (inner, below) in enumerate(zip(route.routes, node.nodes, strict=True))
    ]
    if routes:
        found["routes"] = routes
    says = _says(route)
    return Noted(found, {"says": says}) if says != _told(route, node, around, found) else found


_WAITS = ("group_by", "group_wait", "group_interval", "repeat_interval")


def _says(route: Route) -> list[str]:
    """Of what is inherited, what the book says at this route itself."""
    said = {"to": bool(route.to), "as": route.as_ is not None}
    said |= {name: getattr(route, name) is not None for name in _WAITS}
    return [name for name, is_said in said.items() if is_said]


def _told(route: Route, node: Node, around: Node | None, found: Mapping[str, Any]) -> list[str]:
    """What a reader of the file would take the book to have said."""
    before = (around.listeners, around.as_) if around is not None else ((), "incident")
    told = {"to": node.listeners != before[0], "as": node.as_ != before[1]}
    if route.receiver is not None:
        told = {}
    shortest = found.get("group_interval") == format_duration(AT_ONCE)
    at_once = around is None and node.group_by is None and not node.wait and shortest
    told |= {name: name in found for name in _WAITS}
    if at_once:
        told |= {"group_wait": False, "group_interval": False}
    return [name for name, is_told in told.items() if is_told]


def _matchers(out: Out, conditions: Matchers, path: Path) -> list[str]:
    for one in conditions:
        if not matching.is_classic(one):
            told = f"Alertmanager takes a label called {one.name!r} since 0.27 only"
            out.say("changed", path, told, "rename the label, or bring Alertmanager up to date")
    return matching.for_alertmanager(conditions)


def _inhibitions(out: Out) -> list[Any]:
    found = []
    for id, one in out.book.inhibitions.items():
        path: Path = ("inhibitions", id)
        note: dict[str, Any] = {"id": id}
        if one.title is not None:
            note["title"] = spoken(one.title)
        rule: dict[str, Any] = {
            "source_matchers": _matchers(out, one.sources, path),
            "target_matchers": _matchers(out, one.targets, path),
        }
        if one.equal:
            rule["equal"] = _labels(out, one.equal, path)
        found.append(Noted(rule, note))
    return found


def _labels(out: Out, names: Iterable[str], path: Path) -> list[str]:
    for name in names:
        if not matching.LABEL.fullmatch(name):
            told = f"Alertmanager takes a label called {name!r} since 0.27 only"
            out.say("changed", (*path, "equal"), told, "rename the label")
    return list(names)
