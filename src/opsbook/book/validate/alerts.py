"""Checks, rules and routing: bands that can be compared, labels that an alert has."""

from __future__ import annotations

import re
from collections.abc import Iterator

from opsbook.base.quantities import format_duration
from opsbook.book import walk
from opsbook.book.matchers import Matchers
from opsbook.book.positions import Path
from opsbook.book.problems import Problem
from opsbook.book.sections.alerts import LABEL_NAME, OWN_LABELS, Rule
from opsbook.book.sections.routing import EVERY_LABEL, Inhibition, Route
from opsbook.book.validate.bands import fits, misfit
from opsbook.book.validate.starting import filled
from opsbook.book.validate.whole import Whole


def checks(whole: Whole) -> Iterator[Problem]:
    """Looks do not pile up, and bands are in a unit that the values can be compared with."""
    for id, check in whole.sections.checks.items():
        path: Path = ("checks", id)
        if not check.every:
            yield whole.problem((*path, "every"), "would never pause", "write a time such as 1m")
        elif check.timeout > check.every:
            every, timeout = format_duration(check.every), format_duration(check.timeout)
            told = (
                f"its timeout of {timeout} is longer than its interval of {every}, so that looks "
                "would pile up"
            )
            yield whole.problem((*path, "timeout"), told, "lower timeout: or raise every:")
        for name in ("normal", "warning", "critical"):
            band = getattr(check.bands, name)
            if band is not None and not fits(check, band):
                yield whole.problem((*path, "bands", name), *misfit(check, band))


def rules(whole: Whole) -> Iterator[Problem]:
    """Conditions that can be judged, labels of one's own, a runbook that can start."""
    for id, rule in whole.sections.rules.items():
        path: Path = ("rules", id)
        yield from _origin(whole, path, rule)
        check = whole.sections.checks.get(rule.check or "")
        band = rule.when.band if rule.when is not None else None
        if check is not None and band is not None and not fits(check, band):
            yield whole.problem((*path, "when"), *misfit(check, band))
        for label in rule.labels:
            if label in OWN_LABELS:
                told = f"every alert already has the label {label!r}"
                yield whole.at_key((*path, "labels", label), told, "choose another name")
            elif not re.match(LABEL_NAME, label):
                told = f"{label!r} is no label's name"
                remedy = "use letters, digits and _, not starting with a digit"
                yield whole.at_key((*path, "labels", label), told, remedy)
        if rule.runbook is None and rule.params:
            told = "there are parameters and no runbook to take them"
            yield whole.at_key((*path, "params"), told, "name a runbook:, or remove params:")
        runbook = whole.runbooks.get(rule.runbook or "")
        if runbook is not None and not rule.received and (check is not None or rule.promql):
            labels = rule.labels_of(whole.sections.id, check)
            yield from filled(whole, path, runbook, rule.params, labels)


def _origin(whole: Whole, path: Path, rule: Rule) -> Iterator[Problem]:
    """A rule says in one way, and wholly, where its alerts come from."""
    ways = {"check": rule.check, "promql": rule.promql, "received": rule.received}
    said = [name for name, value in ways.items() if value]
    if not said:
        told = "says nowhere what is watched"
        yield whole.at_key(path, told, "write check: with when:, or promql:, or received:")
    for name in said[1:]:
        told = f"alerts cannot come both from {said[0]} and from {name}"
        yield whole.at_key((*path, name), told, "keep one of them, and make two rules of it")
    if rule.check is not None and rule.when is None:
        told = "does not say when it fires"
        yield whole.at_key((*path, "check"), told, "add when: warning, critical, nodata or a band")
    for name, wanted in (("when", "check"), ("every", "promql"), ("intake", "received")):
        if getattr(rule, name) is not None and not ways[wanted]:
            told = f"means nothing without {wanted}:"
            yield whole.at_key((*path, name), told, f"add {wanted}:, or remove {name}:")
    if rule.received and not all_needed(rule.received):
        told = "every one of these matchers takes an alert without that label: it takes all alerts"
        yield whole.at_key((*path, "received"), told, "add one that wants a value")


def all_needed(matchers: Matchers) -> bool:
    """Whether at least one matcher refuses an alert without labels."""
    return any(not one.takes_empty for one in matchers)


def routes(whole: Whole) -> Iterator[Problem]:
    """The route that everything falls through to tells somebody."""
    routing = whole.sections.routing
    if routing is not None and not routing.to and routing.receiver is None:
        told = "an alert that no route matches would be told to nobody"
        yield whole.at_key(("routing",), told, "add to: with a person, a team or a channel")
    for name in ("match", "matchers", "active", "mute", "goes_on"):
        if routing is not None and getattr(routing, name):
            key = "continue" if name == "goes_on" else name
            told = "the outermost route takes every alert, always"
            yield whole.at_key(("routing", key), told, f"move {key}: into one of its routes")
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
