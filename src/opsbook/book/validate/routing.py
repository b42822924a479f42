"""Routing: alerts go where somebody is told, groups are ones, and names mean one thing each."""

from __future__ import annotations

from collections.abc import Iterator

from opsbook.book import walk
from opsbook.book.positions import Path
from opsbook.book.problems import Problem
from opsbook.book.sections.routing import EVERY_LABEL, Inhibition, Route
from opsbook.book.validate.whole import Whole


def routes(whole: Whole) -> Iterator[Problem]:
    """The route that everything falls through to tells somebody; no route says a thing twice."""
    routing = whole.sections.routing
    if routing is not None:
        yield from _outermost(whole, routing)
    for path, route in walk.parts(whole.sections, Route):
        if route.receiver is not None and (route.to or route.as_ is not None):
            told = "names a receiver, which says already who is told and how"
            yield whole.at_key((*path, "receiver"), told, "remove to: and as:, or receiver:")
        if route.group_by is not None:
            yield from _grouping(whole, (*path, "group_by"), route.group_by)
        for name in ("group_interval", "repeat_interval"):
            if getattr(route, name) is not None and not getattr(route, name):
                told = "would tell without a pause"
                yield whole.problem((*path, name), told, "write a time such as 5m")


def _outermost(whole: Whole, routing: Route) -> Iterator[Problem]:
    if routing.as_ == "notify" and not routing.to:
        told = "an alert that no route matches would be told to nobody"
        remedy = "add to: with a person, a team or a channel, or name a receiver:"
        yield whole.at_key(("routing",), told, remedy)
    for name in ("match", "matchers", "active", "mute", "goes_on"):
        if getattr(routing, name):
            key = "continue" if name == "goes_on" else name
            told = "the outermost route takes every alert, always"
            yield whole.at_key(("routing", key), told, f"move {key}: into one of its routes")


def _grouping(whole: Whole, path: Path, labels: tuple[str, ...]) -> Iterator[Problem]:
    if EVERY_LABEL in labels and len(labels) > 1:
        told = '"..." is every label already'
        yield whole.at_key(path, told, 'write ["..."] alone, or the labels without it')
    for label in sorted({one for one in labels if labels.count(one) > 1}):
        yield whole.at_key(path, f"names the label {label!r} twice", "remove one of them")


def inhibitions(whole: Whole) -> Iterator[Problem]:
    """An inhibition says which alert silences which, in both directions wholly."""
    for path, one in walk.parts(whole.sections, Inhibition):
        if not one.sources:
            told = "does not say which alert keeps others quiet"
            yield whole.at_key(path, told, "add while: with labels of the alert that fires")
        if not one.targets:
            told = "does not say which alerts are kept quiet"
            yield whole.at_key(path, told, "add mutes: with labels of those alerts")


def listeners(whole: Whole) -> Iterator[Problem]:
    """Whoever is named as not told of an end is told at all; a webhook is one for alerts."""
    sections = whole.sections
    named: list[tuple[Path, tuple[str, ...]]] = []
    for id, receiver in sections.receivers.items():
        path: Path = ("receivers", id)
        named.append((path, receiver.to))
        for listener in sorted(set(receiver.only_firing) - set(receiver.to)):
            told = f"{listener!r} is not among those who are told"
            yield whole.at_key((*path, "only_firing"), told, "add it to to:, or remove it here")
    named += [(path, route.to) for path, route in walk.parts(sections, Route)]
    for path, listening in named:
        for listener in listening:
            hook = sections.webhooks.get(listener)
            if hook is not None and "alerts" not in hook.events:
                told = f"the webhook {listener!r} is not one that is told of alerts"
                yield whole.at_key((*path, "to"), told, "add alerts to its events:")


def times(whole: Whole) -> Iterator[Problem]:
    """A name that routes tell the time by is one of hours or of a time interval, not of both."""
    for id in whole.sections.time_intervals:
        if id in whole.known.of("hours"):
            told = "there are hours of this name too, and a route could mean either"
            yield whole.at_key(("time_intervals", id), told, "give one of the two another name")
