"""Checks, rules and routing: bands that can be compared, labels that an alert has."""

from __future__ import annotations

import re
from collections.abc import Iterator

from opsbook.base.quantities import format_duration
from opsbook.book import walk
from opsbook.book.positions import Path
from opsbook.book.problems import Problem
from opsbook.book.sections.alerts import LABEL_NAME, OWN_LABELS, Route
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
        check = whole.sections.checks.get(rule.check)
        band = rule.when.band
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
        if check is not None and runbook is not None:
            labels = rule.labels_of(whole.sections.id, check)
            yield from filled(whole, path, runbook, rule.params, labels)


def routes(whole: Whole) -> Iterator[Problem]:
    """The route that everything falls through to tells somebody."""
    routing = whole.sections.routing
    if routing is not None and not routing.to:
        told = "an alert that no route matches would be told to nobody"
        yield whole.at_key(("routing",), told, "add to: with a person, a team or a channel")
    if routing is not None and routing.match:
        told = "the outermost route takes every alert"
        yield whole.at_key(("routing", "match"), told, "move match: into one of its routes")
    for path, route in walk.parts(whole.sections, Route):
        for name in ("group_interval", "repeat_interval"):
            if getattr(route, name) is not None and not getattr(route, name):
                told = "would tell without a pause"
                yield whole.problem((*path, name), told, "write a time such as 5m")
