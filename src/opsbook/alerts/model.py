"""Whether an observation makes a rule's alert begin, fire or end: values in, values out.

Whether it meets the rule's condition is measured in ``measuring``.

Time is the time of the observations and never the time of deciding, so a server that was away and
decides late decides the same as one that was not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from opsbook.alerts.measuring import Seen, explain
from opsbook.book.sections.alerts import Rule

Stage = Literal["inactive", "pending", "firing"]
Step = Literal["stay", "begin", "fire", "clear", "resolve"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a rule stands: since when its condition has held, and since when it has been gone."""

    stage: Stage = "inactive"
    since: datetime | None = None
    clear_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """What an observation did, and how the rule stands after it."""

    step: Step
    standing: Standing


INACTIVE = Standing()


def decide(rule: Rule, before: Standing, seen: Seen) -> Transition:
    """Return what `seen` does to an alert of `rule` that stands as `before`.

    It fires with the first observation that meets the condition once the condition has held for
    `for`: never sooner, and no more than one interval later. An observation that cannot tell (no
    data, too few values, too little traffic) moves nothing in either direction; time goes on
    meanwhile.
    """
    return moved(rule, before, seen.at, met(rule, seen))


def moved(rule: Rule, before: Standing, at: datetime, meets: bool | None) -> Transition:
    """Return what becomes of an alert once it is known whether the condition holds."""
    if meets is None:
        return Transition("stay", before)
    if before.stage == "firing":
        return _firing(rule, before, at, meets)
    if not meets:
        return Transition("clear" if before.stage == "pending" else "stay", INACTIVE)
    since = before.since if before.since is not None else at
    if at - since >= rule.for_:
        return Transition("fire", Standing("firing", since))
    step: Step = "stay" if before.stage == "pending" else "begin"
    return Transition(step, Standing("pending", since))


def _firing(rule: Rule, before: Standing, at: datetime, meets: bool) -> Transition:
    if meets:
        return Transition("stay", replace(before, clear_since=None))
    gone = before.clear_since if before.clear_since is not None else at
    if at - gone >= rule.resolve_after:
        return Transition("resolve", INACTIVE)
    return Transition("stay", replace(before, clear_since=gone))


def met(rule: Rule, seen: Seen) -> bool | None:
    """Whether the rule's condition holds; `None` where nobody can tell."""
    return explain(rule, seen).meets


def fingerprint(book: str, rule: str, check_id: str) -> str:
    """Return the name under which an alert of this rule is known, however often it fires."""
    return hashlib.sha256("\0".join((book, rule, check_id)).encode()).hexdigest()
