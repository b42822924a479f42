"""What ties the sections together: every reference names something that is there and can answer.

Each rule is one function from the whole book to its problems. They see whatever was readable, with
`Known` holding also the ids of elements that were not: a check with a wrong interval is reported
once, as that, and not again by everything that names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from opsbook.book import params
from opsbook.book.complaints import dotted
from opsbook.book.model import Sections
from opsbook.book.positions import Mark, Path, Positions
from opsbook.book.problems import Problem, suggestion
from opsbook.book.runbook import Runbook, Step
from opsbook.book.sections.alerts import LABEL, LABEL_NAME, OWN_LABELS
from opsbook.book.sections.checks import Check
from opsbook.calendar import Schedule, ScheduleError


@dataclass(frozen=True, slots=True)
class Known:
    """Which ids there are in each section, those of unreadable elements included.

    `unsure` are sections of which nothing, or not everything, could be read: whatever is said to be
    in them is believed.
    """

    ids: Mapping[str, frozenset[str]]
    unsure: Collection[str] = ()

    def has(self, name: str, *sections: str) -> bool:
        """Whether one of the sections has the id, or might."""
        return any(name in self.of(section) or section in self.unsure for section in sections)

    def of(self, *sections: str) -> frozenset[str]:
        """The ids that the sections have for certain."""
        return frozenset().union(*(self.ids.get(section, frozenset()) for section in sections))


@dataclass(frozen=True, slots=True)
class Whole:
    """All there is to look at, and how to speak of it."""

    sections: Sections
    runbooks: Mapping[str, Runbook]
    known: Known
    positions: Positions

    def problem(self, path: Path, message: str, remedy: str = "") -> Problem:
        mark = self.positions.value(path) or Mark("book.yaml", 1, 1)
        return Problem(*mark, f"{dotted(path)}: {message}", remedy)

    def at_key(self, path: Path, message: str, remedy: str = "") -> Problem:
        mark = self.positions.key(path) or Mark("book.yaml", 1, 1)
        return Problem(*mark, f"{dotted(path)}: {message}", remedy)

    def at_step(self, runbook: Runbook, step: Step, message: str, remedy: str = "") -> Problem:
        return Problem(runbook.file, step.line, 1, f"step {step.key}: {message}", remedy)

    def missing(self, path: Path, name: str | None, section: str, what: str) -> Iterator[Problem]:
        """A problem if `name` is said and there is no such thing."""
        if name is not None and not self.known.has(name, section):
            remedy = suggestion(name, self.known.of(section), what=f"in {section}")
            yield self.problem(path, f"there is no {what} {name!r}", remedy)


def references(
    sections: Sections,
    runbooks: Mapping[str, Runbook],
    known: Known,
    positions: Positions,
) -> list[Problem]:
    """Every problem between the sections."""
    whole = Whole(sections, runbooks, known, positions)
    return [problem for rule in RULES for problem in rule(whole)]


def _owners(whole: Whole) -> Iterator[Problem]:
    owned: list[tuple[Path, str | None]] = [(("owner",), whole.sections.owner)]
    for section in ("services", "rules", "routines"):
        elements = getattr(whole.sections, section)
        owned += [((section, id, "owner"), element.owner) for id, element in elements.items()]
    owned += [(("runbooks", id, "owner"), runbook.owner) for id, runbook in whole.runbooks.items()]
    for path, owner in owned:
        if owner is not None and not whole.known.has(owner, "people", "teams"):
            remedy = suggestion(owner, whole.known.of("people", "teams"), what="people and teams")
            yield whole.problem(path, f"there is no person or team {owner!r}", remedy)


def _people(whole: Whole) -> Iterator[Problem]:
    logins: dict[str, str] = {}
    for id, person in whole.sections.people.items():
        for n, role in enumerate(person.roles):
            yield from whole.missing(("people", id, "roles", n), role, "roles", "role")
        if person.login in logins:
            told = f"{logins[person.login]} already signs in as {person.login!r}"
            yield whole.problem(("people", id, "account"), told, "give each person an account")
        logins.setdefault(person.login, id)


def _teams(whole: Whole) -> Iterator[Problem]:
    for id, team in whole.sections.teams.items():
        if id in whole.known.of("people"):
            told = "a person has the same id, so that nobody could tell who is paged"
            yield whole.at_key(("teams", id), told, "rename one of the two")
        for n, member in enumerate(team.members):
            yield from whole.missing(("teams", id, "members", n), member, "people", "person")
        for n, member in enumerate(team.on_duty):
            path: Path = ("teams", id, "on_duty", n)
            yield from whole.missing(path, member, "people", "person")
            both = {member, *team.members}
            if member not in team.members and whole.known.of("people") >= both:
                told = f"{member!r} is on duty and no member"
                yield whole.problem(path, told, "add the person to members")


def _escalation(whole: Whole) -> Iterator[Problem]:
    for id, policy in whole.sections.escalation.items():
        for n, level in enumerate(policy.levels):
            path: Path = ("escalation", id, "levels", n)
            if n and level.after <= policy.levels[n - 1].after:
                told = "comes no later than the level before"
                yield whole.problem((*path, "after"), told, "let after grow from level to level")
            for m, name in enumerate(level.page):
                if not whole.known.has(name, "people", "teams"):
                    told = f"there is no person or team {name!r}, so that the page ends nowhere"
                    both = whole.known.of("people", "teams")
                    remedy = suggestion(name, both, what="people and teams")
                    yield whole.problem((*path, "page", m), told, remedy)
        if policy.repeat is not None and not policy.repeat:
            told = "would page without a pause"
            yield whole.problem(("escalation", id, "repeat"), told, "write a time such as 30m")


def _checks(whole: Whole) -> Iterator[Problem]:
    for id, check in whole.sections.checks.items():
        path: Path = ("checks", id)
        yield from whole.missing((*path, "service"), check.service, "services", "service")
        if not check.every:
            yield whole.problem((*path, "every"), "would never pause", "write a time such as 1m")
        elif check.timeout > check.every:
            told = "its timeout is longer than its interval, so that looks would pile up"
            yield whole.problem((*path, "timeout"), told, "lower timeout: or raise every:")
        for name in ("warning", "critical"):
            band = getattr(check.bands, name)
            if band is not None and not _fits(check, band.fits):
                yield whole.problem((*path, "bands", name), *_misfit(check, str(band)))


def _fits(check: Check, fits: Callable[[str], bool]) -> bool:
    return check.value_unit is None or fits(check.value_unit)


def _misfit(check: Check, band: str) -> tuple[str, str]:
    unit = check.value_unit or "plain numbers"
    return f"{band!r} cannot be compared with a value in {unit}", "use the value's own unit"


def _rules(whole: Whole) -> Iterator[Problem]:
    for id, rule in whole.sections.rules.items():
        path: Path = ("rules", id)
        yield from whole.missing((*path, "check"), rule.check, "checks", "check")
        yield from whole.missing((*path, "severity"), rule.severity, "severities", "severity")
        yield from whole.missing((*path, "escalation"), rule.escalation, "escalation", "policy")
        yield from whole.missing((*path, "runbook"), rule.runbook, "runbooks", "runbook")
        check = whole.sections.checks.get(rule.check)
        band = rule.when.band
        if check is not None and band is not None and not _fits(check, band.fits):
            yield whole.problem((*path, "when"), *_misfit(check, str(band)))
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
            yield from _filled(whole, path, runbook, rule.params, labels)


def _routines(whole: Whole) -> Iterator[Problem]:
    for id, routine in whole.sections.routines.items():
        path: Path = ("routines", id)
        try:
            Schedule.parse(routine.schedule, routine.timezone or whole.sections.timezone)
        except ScheduleError as error:
            message, _, remedy = str(error).partition("; ")
            yield whole.problem((*path, "schedule"), message, remedy)
        yield from whole.missing((*path, "runbook"), routine.runbook, "runbooks", "runbook")
        if routine.runbook in whole.runbooks:
            yield from _filled(whole, path, whole.runbooks[routine.runbook], routine.params, None)


def _filled(
    whole: Whole,
    path: Path,
    runbook: Runbook,
    given: Mapping[str, str],
    labels: Collection[str] | None,
) -> Iterator[Problem]:
    """Whether `given` starts the runbook; `labels` are the alert's, None where there is none."""
    for name, value in given.items():
        here = (*path, "params", name)
        param = runbook.params.get(name)
        if param is None:
            remedy = suggestion(name, runbook.params, what="its parameters")
            yield whole.at_key(here, f"{runbook.id} has no parameter {name!r}", remedy)
        elif value.startswith(LABEL):
            label = value.removeprefix(LABEL)
            if labels is None:
                yield whole.problem(
                    here, "a routine has no alert to take labels from", "write the value itself"
                )
            elif label not in labels:
                remedy = suggestion(label, labels, what="its labels")
                yield whole.problem(here, f"the alert has no label {label!r}", remedy)
        elif fault := params.fault_of(param, value):
            yield whole.problem(here, fault, params.accepted(param))
    for name, param in runbook.params.items():
        if name not in given and param.must_be_given and param.label not in (labels or ()):
            told = f"{runbook.id} cannot start: its parameter {name!r} is not filled"
            yield whole.problem((*path, "runbook"), told, f"add {name}: under params:")


def _severities(whole: Whole) -> Iterator[Problem]:
    for id, severity in whole.sections.severities.items():
        path: Path = ("severities", id, "escalation")
        yield from whole.missing(path, severity.escalation, "escalation", "policy")


def _steps(whole: Whole) -> Iterator[Problem]:
    for runbook in whole.runbooks.values():
        for step in runbook.steps:
            if step.by is not None:
                yield from _role(whole, runbook, step, step.by)
            if step.kind == "check":
                yield from _checked(whole, runbook, step)


def _role(whole: Whole, runbook: Runbook, step: Step, role: str) -> Iterator[Problem]:
    if not whole.known.has(role, "roles"):
        remedy = suggestion(role, whole.known.of("roles"), what="in roles")
        yield whole.at_step(runbook, step, f"there is no role {role!r}", remedy)
    elif _roles_are_readable(whole) and not any(
        role in person.roles for person in whole.sections.people.values()
    ):
        told = f"nobody has the role {role!r}, so that the run would wait for ever"
        yield whole.at_step(runbook, step, told, "give the role to somebody in people:")


def _roles_are_readable(whole: Whole) -> bool:
    """Whether everybody's roles are known, so that "nobody has it" is no echo of a misspelling."""
    people = whole.sections.people
    if "people" in whole.known.unsure or whole.known.of("people") != set(people):
        return False
    return all(whole.known.has(role, "roles") for one in people.values() for role in one.roles)


def _checked(whole: Whole, runbook: Runbook, step: Step) -> Iterator[Problem]:
    name = step.check
    if name.startswith("$"):
        name = name[1:].strip("{}")
        if name not in runbook.params:
            remedy = suggestion(name, runbook.params, what="its parameters")
            yield whole.at_step(runbook, step, f"there is no parameter {name!r}", remedy)
    elif not whole.known.has(name, "checks"):
        remedy = suggestion(name, whole.known.of("checks"), what="in checks")
        yield whole.at_step(runbook, step, f"there is no check {name!r}", remedy)


RULES: tuple[Callable[[Whole], Iterator[Problem]], ...] = (
    _owners,
    _people,
    _teams,
    _escalation,
    _checks,
    _rules,
    _severities,
    _routines,
    _steps,
)
"""One line for each; a new section brings its rule here."""
