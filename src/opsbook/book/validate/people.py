"""People, teams, rotations and escalation: whoever is called is there, and only once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time

from opsbook.base.quantities import format_duration
from opsbook.book import walk
from opsbook.book.positions import Path
from opsbook.book.problems import Problem
from opsbook.book.refs import Approval, Refers
from opsbook.book.validate.whole import Whole


def people(whole: Whole) -> Iterator[Problem]:
    """One account for one person."""
    logins: dict[str, str] = {}
    for id, person in whole.sections.people.items():
        if person.login in logins:
            told = f"{logins[person.login]} already signs in as {person.login!r}"
            yield whole.problem(("people", id, "account"), told, "give each person an account")
        logins.setdefault(person.login, id)


def names(whole: Whole) -> Iterator[Problem]:
    """Persons, teams and channels share the place where a page says whom it is for."""
    known = whole.known
    for section, others in (("teams", ("people",)), ("channels", ("people", "teams"))):
        for id in getattr(whole.sections, section):
            for other in others:
                if id in known.of(other):
                    what = {"people": "a person", "teams": "a team"}[other]
                    told = f"{what} has the same id, so that nobody could tell who is meant"
                    yield whole.at_key((section, id), told, "rename one of the two")


def teams(whole: Whole) -> Iterator[Problem]:
    """Whoever is on duty belongs to the team, and it is said in one way."""
    persons = whole.known.of("people")
    for id, team in whole.sections.teams.items():
        for n, member in enumerate(team.on_duty):
            if member not in team.members and persons >= {member, *team.members}:
                path: Path = ("teams", id, "on_duty", n)
                told = f"{member!r} is on duty and no member"
                yield whole.problem(path, told, "add the person to members")
        if team.rotation is None:
            continue
        if team.on_duty:
            told = "a rotation says who is on duty, and so does on_duty"
            yield whole.at_key(("teams", id, "on_duty"), told, "remove one of the two")
        rotation = whole.sections.rotations.get(team.rotation)
        turns = [layer.people for layer in rotation.layers] if rotation else []
        for person in dict.fromkeys(one for layer in turns for one in layer):
            if person not in team.members and persons >= {person, *team.members}:
                told = f"{person!r} takes turns in {team.rotation} and is no member"
                path = ("teams", id, "rotation")
                yield whole.problem(path, told, "add the person to members")


def rotations(whole: Whole) -> Iterator[Problem]:
    """Turns that end, and exceptions that begin before they end."""
    for id, rotation in whole.sections.rotations.items():
        for n, layer in enumerate(rotation.layers):
            if not layer.shift:
                path: Path = ("rotations", id, "layers", n, "shift")
                yield whole.problem(path, "a turn would never end", "write a time such as 7d")
        for n, override in enumerate(rotation.overrides):
            if ended_before(override.from_, override.to):
                path = ("rotations", id, "overrides", n, "to")
                told = f"{override.to} does not come after {override.from_}"
                yield whole.problem(path, told, "write a later time")


def ended_before(start: date, end: date) -> bool:
    """Whether a stretch between two days or moments has nothing in it; a day ends at its end."""
    first = start if isinstance(start, datetime) else datetime.combine(start, time.min)
    last = end if isinstance(end, datetime) else datetime.combine(end, time.max)
    return last <= first


def escalation(whole: Whole) -> Iterator[Problem]:
    """Levels grow, and nobody is paged without a pause."""
    for id, policy in whole.sections.escalation.items():
        for n, level in enumerate(policy.levels):
            path: Path = ("escalation", id, "levels", n)
            if n and level.after <= policy.levels[n - 1].after:
                told = f"{format_duration(level.after)} is no later than the level before"
                yield whole.problem((*path, "after"), told, "let after grow from level to level")
        if policy.repeat is not None and not policy.repeat:
            told = "would page without a pause"
            yield whole.problem(("escalation", id, "repeat"), told, "write a time such as 30m")


def approvals(whole: Whole) -> Iterator[Problem]:
    """Whoever must say yes is there, and there are enough of them."""
    for path, approval in walk.parts(whole.sections, Approval):
        yield from _enough(whole, (*path, "by"), approval.by, approval.need)
    for found in whole.marked:
        is_role = isinstance(found.mark, Refers) and found.mark.sections == ("roles",)
        if is_role and found.path[-1] == "approval":
            yield from _enough(whole, found.path, found.value, 1)


def _enough(whole: Whole, path: Path, role: str, need: int) -> Iterator[Problem]:
    if not whole.known.has(role, "roles") or not whole.roles_are_readable:
        return
    have = whole.holders(role)
    if have == 0:
        told = f"nobody has the role {role!r}, so that nobody could approve"
        yield whole.problem(path, told, "give the role to somebody in people:")
    elif have < need:
        told = f"needs {need} people with the role {role!r}, and {have} has it"
        yield whole.problem(path, told, "give the role to more people, or lower need:")
