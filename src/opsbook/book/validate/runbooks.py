"""Runbooks: the roles their steps wait for, the checks they look at, whose they are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from opsbook.book import params, waits
from opsbook.book.problems import Problem, suggestion
from opsbook.book.runbook import Runbook, Step
from opsbook.book.validate.whole import Whole


def owners(whole: Whole) -> Iterator[Problem]:
    """A runbook's owner is a person or a team."""
    for id, runbook in whole.runbooks.items():
        if runbook.owner is not None and not whole.known.has(runbook.owner, "people", "teams"):
            remedy = suggestion(
                runbook.owner, whole.known.of("people", "teams"), what="in people and teams"
            )
            told = f"there is no person or team {runbook.owner!r}"
            yield whole.problem(("runbooks", id, "owner"), told, remedy)


def steps(whole: Whole) -> Iterator[Problem]:
    """Whatever a step names is there."""
    for runbook in whole.runbooks.values():
        for step in runbook.steps:
            if step.roles:
                yield from _roles(whole, runbook, step)
            if step.to:
                yield from _told(whole, runbook, step)
            if step.kind == "check":
                yield from _checked(whole, runbook, step, step.check)
            if step.kind == "wait":
                yield from _awaited(whole, runbook, step)
            if step.kind == "run":
                yield from _called(whole, runbook, step)
            if "OPSBOOK_FILES" in step.body:
                yield from _files(whole, runbook, step)


def _roles(whole: Whole, runbook: Runbook, step: Step) -> Iterator[Problem]:
    for role in step.roles:
        if not whole.known.has(role, "roles"):
            remedy = suggestion(role, whole.known.of("roles"), what="in roles")
            yield whole.at_step(runbook, step, f"there is no role {role!r}", remedy, "by")
    if not step.roles or not whole.roles_are_readable:
        return
    if not all(whole.known.has(role, "roles") for role in step.roles):
        return
    people = whole.sections.people.values()
    have = sum(any(role in person.roles for role in step.roles) for person in people)
    named = " or ".join(repr(role) for role in step.roles)
    if have == 0:
        told = f"nobody has the role {named}, so that the run would wait for ever"
        yield whole.at_step(runbook, step, told, "give the role to somebody in people:", "by")
    elif have < step.need:
        told = f"needs {step.need} people with the role {named}, and {have} has it"
        remedy = "give the role to more people, or lower need="
        yield whole.at_step(runbook, step, told, remedy, "need")


def _told(whole: Whole, runbook: Runbook, step: Step) -> Iterator[Problem]:
    audience = ("people", "teams", "channels")
    for name in step.to:
        if not whole.known.has(name, *audience):
            remedy = suggestion(name, whole.known.of(*audience), what="in people, teams, channels")
            told = f"there is no person, team or channel {name!r}"
            yield whole.at_step(runbook, step, told, remedy, "to")


def _checked(whole: Whole, runbook: Runbook, step: Step, name: str) -> Iterator[Problem]:
    if name.startswith("$"):
        name = name[1:].strip("{}")
        if name not in runbook.params:
            remedy = suggestion(name, runbook.params, what="its parameters")
            yield whole.at_step(runbook, step, f"there is no parameter {name!r}", remedy)
    elif not whole.known.has(name, "checks"):
        remedy = suggestion(name, whole.known.of("checks"), what="in checks")
        yield whole.at_step(runbook, step, f"there is no check {name!r}", remedy)


def _awaited(whole: Whole, runbook: Runbook, step: Step) -> Iterator[Problem]:
    """The window or the check that a step waits for is there."""
    try:
        awaited = waits.parse(step.body)
    except ValueError:
        return  # reported with the page
    if isinstance(awaited, waits.CheckIsOk):
        yield from _checked(whole, runbook, step, awaited.check)
    elif isinstance(awaited, waits.Opening) and not whole.known.has(awaited.window, "windows"):
        remedy = suggestion(awaited.window, whole.known.of("windows"), what="in windows")
        yield whole.at_step(runbook, step, f"there is no window {awaited.window!r}", remedy)


def _called(whole: Whole, runbook: Runbook, step: Step) -> Iterator[Problem]:
    """A runbook that runs another gives it what it needs, and does not come back to itself."""
    if not whole.known.has(step.runbook, "runbooks"):
        remedy = suggestion(step.runbook, whole.known.of("runbooks"), what="in runbooks")
        yield whole.at_step(runbook, step, f"there is no runbook {step.runbook!r}", remedy)
        return
    called = whole.runbooks.get(step.runbook)
    if called is None:
        return
    for name, value in step.arguments.items():
        if name not in called.params:
            remedy = suggestion(name, called.params, what="its parameters")
            told = f"{called.id} has no parameter {name!r}"
            yield whole.at_step(runbook, step, told, remedy)
        elif not value.startswith("$") and (fault := params.fault_of(called.params[name], value)):
            told = f"{name}: {fault}"
            yield whole.at_step(runbook, step, told, params.accepted(called.params[name]))
        else:
            yield from _secrecy(whole, runbook, step, called, name)
    for name, param in called.params.items():
        if name not in step.arguments and param.must_be_given:
            told = f"{called.id} cannot start: its parameter {name!r} is not filled"
            yield whole.at_step(runbook, step, told, f"add the line {name}: with a value")
    if _comes_back(whole, runbook.id, step.runbook):
        told = f"{called.id} leads back to {runbook.id}, so that it would never end"
        yield whole.at_step(runbook, step, told, "remove one of the run steps of this ring")


def _secrecy(
    whole: Whole, runbook: Runbook, step: Step, called: Runbook, name: str
) -> Iterator[Problem]:
    """A secret stays one on its way into another runbook, and is none that the book holds."""
    value = step.arguments[name]
    variable = re.sub(r"^\$\{?|\}$", "", value) if value.startswith("$") else None
    hidden = called.params[name].secret
    if variable is None and hidden:
        told = f"{name}: the parameter of {called.id} is secret, and its value would stand here"
        yield whole.at_step(runbook, step, told, "give it a variable: $name")
    given = runbook.params.get(variable or "")
    saved = next((one for one in runbook.steps if variable and one.save == variable), None)
    secret = (given is not None and given.secret) or (saved is not None and saved.secret)
    if secret and not hidden:
        told = f"{name}: {variable} is secret, and the parameter of {called.id} is not"
        yield whole.at_step(runbook, step, told, "write secret: true at that parameter")


def _comes_back(whole: Whole, home: str, first: str) -> bool:
    """Whether running `first` would sooner or later run `home`."""
    seen: set[str] = set()
    waiting = [first]
    while waiting:
        at = waiting.pop()
        if at == home:
            return True
        if at in seen or at not in whole.runbooks:
            continue
        seen.add(at)
        waiting += [one.runbook for one in whole.runbooks[at].steps if one.kind == "run"]
    return False


FILE = re.compile(r"\$(?:OPSBOOK_FILES|\{OPSBOOK_FILES\})/([\w.-]+(?:/[\w.-]+)*)")


def _files(whole: Whole, runbook: Runbook, step: Step) -> Iterator[Problem]:
    """Files that the step names as ``$OPSBOOK_FILES/name`` are in the book."""
    known = whole.known.of("files")
    for named in FILE.finditer(step.body):
        name = f"files/{named[1]}"
        if name not in known and not any(one.startswith(f"{name}/") for one in known):
            remedy = suggestion(name, known, what="the book has")
            line = step.line + 1 + step.body.count("\n", 0, named.start())
            told = f"step {step.key}: there is no file {name!r} in the book"
            yield Problem(runbook.file, line, 1, told, remedy)
