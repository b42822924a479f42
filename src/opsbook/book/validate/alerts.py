"""Checks and rules: bands that can be compared, labels that an alert has."""

from __future__ import annotations

import re
from collections.abc import Iterator

from opsbook.base.quantities import format_duration
from opsbook.book.matchers import Matchers, clash
from opsbook.book.positions import Path
from opsbook.book.problems import Problem
from opsbook.book.sections.alerts import LABEL_NAME, OWN_LABELS, Rule
from opsbook.book.sections.checks import Check, Flapping
from opsbook.book.validate.bands import fits, misfit, order
from opsbook.book.validate.calendar import ring
from opsbook.book.validate.measures import measures
from opsbook.book.validate.starting import filled
from opsbook.book.validate.whole import Whole


def checks(whole: Whole) -> Iterator[Problem]:
    """Looks do not pile up, bands can be compared, what is taken together can be seen together."""
    depends = {id: check.depends_on for id, check in whole.sections.checks.items()}
    told_of: set[str] = set()
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
        yield from order(whole, path, check)
        yield from _statistic(whole, path, check)
        yield from _flapping(whole, path, check.flapping)
        if id not in told_of and (way := ring(id, depends)):
            told_of.update(way)
            told = f"waits for itself: {' → '.join(way)}"
            remedy = "take one of them out of depends_on:"
            yield whole.at_key((*path, "depends_on"), told, remedy)
    yield from _kept(whole)


def _statistic(whole: Whole, path: Path, check: Check) -> Iterator[Problem]:
    """A statistic says over which time, and enough looks fall into it, all of them still kept."""
    if check.statistic == "last" or check.over is None:
        for name in ("over", "at_least"):
            if check.statistic == "last" and name in check.model_fields_set:
                told = "means nothing for the last look alone"
                remedy = f"add statistic:, such as p95, or remove {name}:"
                yield whole.at_key((*path, name), told, remedy)
        if check.statistic != "last":
            told = f"does not say of which looks it is the {check.statistic}"
            yield whole.at_key((*path, "statistic"), told, "add over: with a time such as 5m")
        return
    if not check.every:
        return
    every, over = format_duration(check.every), format_duration(check.over)
    most = -(-check.over // check.every)
    if most < 2:
        told = f"no two looks fall into {over}, of one every {every}"
        yield whole.problem((*path, "over"), told, "write a longer time, or lower every:")
    elif check.at_least > most:
        told = f"{check.at_least} looks never fall into {over}, of one every {every}"
        remedy = f"write {most} or less, or a longer time in over:"
        yield whole.problem((*path, "at_least"), told, remedy)
    kept = whole.sections.retention.observations
    if check.over > kept:
        told = f"looks are kept for {format_duration(kept)}, which is shorter"
        remedy = "write a shorter time, or raise observations: under retention:"
        yield whole.problem((*path, "over"), told, remedy)


def _flapping(whole: Whole, path: Path, flapping: Flapping) -> Iterator[Problem]:
    """Both ends are shares of all changes, and it ends below where it begins."""
    for name in ("high", "low"):
        share = getattr(flapping, name)
        if share.unit != "%" or not 0 <= share.value <= 100:
            told = f"{share} is no share of all changes"
            yield whole.problem((*path, "flapping", name), told, "write a percentage such as 50%")
            return
    if flapping.low.value > flapping.high.value:
        told = f"it would be steady at {flapping.low} and flapping at {flapping.high}"
        yield whole.problem((*path, "flapping"), told, "let low: be at most high:")


def _kept(whole: Whole) -> Iterator[Problem]:
    """What is put together more coarsely is kept longer, or a chart would have a hole."""
    kept = whole.sections.retention
    for finer, coarser in (("observations", "rollups_5m"), ("rollups_5m", "rollups_1h")):
        if coarser in kept.model_fields_set and getattr(kept, coarser) < getattr(kept, finer):
            longer = format_duration(getattr(kept, finer))
            told = f"is shorter than the {longer} of {finer}:, so that charts would have a hole"
            remedy = f"write {longer} or more, or lower {finer}:"
            yield whole.problem(("retention", coarser), told, remedy)


def rules(whole: Whole) -> Iterator[Problem]:
    """Conditions that can be judged, labels of one's own, a runbook that can start."""
    for id, rule in whole.sections.rules.items():
        path: Path = ("rules", id)
        yield from _origin(whole, path, rule)
        yield from measures(whole, path, rule)
        check = whole.sections.checks.get(rule.check or "")
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
    needs = {
        "when": "check", "traffic": "check", "every": "promql", "tests": "promql",
        "intake": "received",
    }  # fmt: skip
    for name, wanted in needs.items():
        if getattr(rule, name) not in (None, ()) and not ways[wanted]:
            told = f"means nothing without {wanted}:"
            yield whole.at_key((*path, name), told, f"add {wanted}:, or remove {name}:")
    if rule.received and not all_needed(rule.received):
        told = "every one of these matchers takes an alert without that label: it takes all alerts"
        yield whole.at_key((*path, "received"), told, "add one that wants a value")
    if (both := clash(rule.received)) is not None:
        told = f"no alert is both {both[0]} and {both[1]}"
        yield whole.at_key((*path, "received"), told, "take one of them out")


def all_needed(matchers: Matchers) -> bool:
    """Whether at least one matcher refuses an alert without labels."""
    return any(not one.takes_empty for one in matchers)
