"""Targets: an address that fits, credentials that mean something, steps that fit them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from opsbook.book import postgres, queries, redis
from opsbook.book.positions import Path
from opsbook.book.problems import Problem, suggestion
from opsbook.book.runbook import Runbook, Step
from opsbook.book.sections.targets import FITTING, WEB, Credential, Target
from opsbook.book.validate.whole import Whole

OWN: Final = re.compile(r"PATH|HOME|LANG|TZ|OPSBOOK_.*")
"""Variables that every step gets from Opsbook, whatever its target says."""

ADDRESSES: Final[Mapping[str, Callable[[str], object]]] = {
    "postgresql": postgres.address,
    "redis": redis.address,
    "http": queries.http.base,
    "prometheus": queries.http.base,
}
"""What has an address, and what reads it."""

SIGNED_IN: Final = frozenset({"postgresql", "redis"})
"""What lets in with a user and a password."""


def targets(whole: Whole) -> Iterator[Problem]:
    """What a target says of itself fits its kind."""
    for id, target in whole.sections.targets.items():
        path: Path = ("targets", id)
        yield from _place(whole, path, target)
        yield from _own(whole, (*path, "environment"), target.environment)
        for name, credential in (("read", target.read), ("change", target.change)):
            if credential is not None:
                yield from _credential(whole, (*path, name), target, credential)


def _place(whole: Whole, path: Path, target: Target) -> Iterator[Problem]:
    for name, kinds in (("url", {*ADDRESSES}), ("path", {"sqlite"})):
        said = getattr(target, name) is not None
        if said and target.kind not in kinds:
            told = f"a target of kind {target.kind} has no {name}"
            remedy = f"remove it; it belongs to {', '.join(sorted(kinds))}"
            yield whole.at_key((*path, name), told, remedy)
        elif not said and target.kind in kinds:
            remedy = f"add {name}:"
            yield whole.at_key(path, f"does not say where it is, which {target.kind} needs", remedy)
    if target.url is None or target.kind not in ADDRESSES:
        return
    try:
        ADDRESSES[target.kind](target.url)
    except ValueError as error:
        message, _, remedy = str(error).partition("; ")
        yield whole.problem((*path, "url"), message, remedy)


def _own(whole: Whole, path: Path, names: object) -> Iterator[Problem]:
    for name in names if isinstance(names, dict) else ():
        if OWN.fullmatch(name):
            remedy = "choose another name" if name != "PATH" else "write programs: [/its/folder]"
            yield whole.at_key((*path, name), "is a variable that Opsbook sets itself", remedy)


def _credential(
    whole: Whole, path: Path, target: Target, credential: Credential
) -> Iterator[Problem]:
    yield from _own(whole, (*path, "environment"), credential.environment)
    yield from _own(whole, (*path, "files"), credential.files)
    for name in sorted(credential.environment.keys() & credential.files.keys()):
        told = "is a variable of environment: as well"
        yield whole.at_key((*path, "files", name), told, "remove one of the two")
    for name, kinds in (("headers", WEB), ("user", SIGNED_IN), ("password", SIGNED_IN)):
        if getattr(credential, name) and target.kind not in kinds:
            told = f"means nothing for a target of kind {target.kind}"
            remedy = f"remove it; it belongs to {', '.join(sorted(kinds))}"
            yield whole.at_key((*path, name), told, remedy)
    if not any((*credential.references(), credential.user)):
        yield whole.at_key(
            path, "lets nobody in", "say environment:, files:, headers: or password:"
        )


def steps(whole: Whole) -> Iterator[Problem]:
    """A step's target is there, fits its kind, and has a credential for what it does."""
    for runbook in whole.runbooks.values():
        for step in runbook.steps:
            if step.on is not None:
                yield from _named(whole, runbook, step, step.on)
            elif step.kind in {"sql", "promql"}:
                yield from _unnamed(whole, runbook, step)


def _named(whole: Whole, runbook: Runbook, step: Step, name: str) -> Iterator[Problem]:
    if not whole.known.has(name, "targets"):
        remedy = suggestion(name, whole.known.of("targets"), what="in targets")
        yield whole.at_step(runbook, step, f"there is no target {name!r}", remedy, "on")
    target = whole.sections.targets.get(name)
    if target is None:
        return
    fitting = FITTING.get(step.kind)
    if fitting is not None and target.kind not in fitting:
        told = (
            f"a step of kind {step.kind} cannot be done on {name}, which is of kind {target.kind}"
        )
        remedy = f"name a target of kind {' or '.join(sorted(fitting))}"
        yield whole.at_step(runbook, step, told, remedy, "on")
    if step.effect == "change" and target.change is None and target.read is not None:
        told = f"it changes something, and {name} has a credential for reading only"
        yield whole.at_step(runbook, step, told, "add change: to the target, or effect=read", "on")
    hidden = {*target.environment, *_variables(target.read), *_variables(target.change)}
    for variable in sorted(hidden & runbook.params.keys()):
        told = f"{name} sets {variable} itself, and the parameter of that name would be hidden"
        yield whole.at_step(runbook, step, told, "give the parameter another name", "on")


def checks(whole: Whole) -> Iterator[Problem]:
    """What a check asks is of a kind that it can ask, and lets it in.

    Which kinds these are the model of the check's kind says: a property ``target_kinds``, and
    ``target_variable`` where programs find what they need in a variable of the target.
    """
    for id, check in whole.sections.checks.items():
        name = getattr(check.spec, "on", None)
        target = whole.sections.targets.get(name) if isinstance(name, str) else None
        if target is None:
            continue
        path: Path = ("checks", id, "on")
        fitting: frozenset[str] = getattr(check.spec, "target_kinds", frozenset())
        variable: str | None = getattr(check.spec, "target_variable", None)
        if fitting and target.kind not in fitting:
            told = f"a check of kind {check.kind} cannot ask {name}, which is of kind {target.kind}"
            yield whole.problem(path, told, f"name a target of kind {_or(fitting)}")
        elif variable and variable not in {*target.environment, *files_of(target)}:
            told = f"{name} does not say where its {variable} is, which this check reads"
            yield whole.problem(path, told, "add it to the target, in files: under read:")


def files_of(target: Target) -> Mapping[str, str]:
    """The files that whoever reads gets, by their variables."""
    return target.read.files if target.read is not None else {}


def _or(kinds: Iterable[str]) -> str:
    return " or ".join(sorted(kinds))


def _variables(credential: Credential | None) -> set[str]:
    return {*credential.environment, *credential.files} if credential is not None else set()


def _unnamed(whole: Whole, runbook: Runbook, step: Step) -> Iterator[Problem]:
    fitting = FITTING[step.kind]
    if not whole.has_all("targets"):
        return
    found = sorted(id for id, one in whole.sections.targets.items() if one.kind in fitting)
    if step.kind == "promql" and len(found) == 1:
        return
    kinds = " or ".join(sorted(fitting))
    remedy = f"add on={found[0]}" if found else f"add a target of kind {kinds}, and on= with its id"
    yield whole.at_step(runbook, step, f"nothing says on which {kinds} target", remedy)
