"""What there is to look at when the sections are tied together, and how to speak of it."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from opsbook.book import walk
from opsbook.book.drill import Drill
from opsbook.book.fields import ID_PATTERN
from opsbook.book.model import Sections
from opsbook.book.positions import Mark, Path, Positions, dotted
from opsbook.book.problems import Problem, suggestion
from opsbook.book.runbook import Runbook, Step


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
        ids, unsure = self.ids, self.unsure
        return any(name in ids.get(section, ()) or section in unsure for section in sections)

    def of(self, *sections: str) -> frozenset[str]:
        """The ids that the sections have for certain."""
        return frozenset().union(*(self.ids.get(section, frozenset()) for section in sections))


@dataclass(frozen=True)
class Whole:
    """All there is to look at, and how to speak of it."""

    sections: Sections
    runbooks: Mapping[str, Runbook]
    drills: Mapping[str, Drill]
    known: Known
    positions: Positions
    left_out: Mapping[str, Any] = field(default_factory=dict)
    """What could not be read, as it is written: elements by section and id, or whole sections."""
    unread: Sequence[walk.Found] = ()
    """What names something in fields of a check's kind that could not be read."""

    @functools.cached_property
    def marked(self) -> list[walk.Found]:
        """Every value of the sections that names something, fields of a check's kind included.

        What a kind's fields are no type of ours says; they stand in the book beside the others.
        """
        found = walk.marked(self.sections)
        for id, check in self.sections.checks.items():
            found += walk.marked(check.spec, ("checks", id))
        return found

    @functools.cached_property
    def left_out_names(self) -> list[walk.Found]:
        """What names something in elements that have another mistake.

        Whoever mends that one is not to find the next in the same line. A text that could be no
        name at all is reported as that.
        """
        found = [*walk.named(Sections, self.left_out), *self.unread]
        checks = self.left_out.get("checks")
        for id, check in checks.items() if isinstance(checks, Mapping) else ():
            spec = check.get("spec") if isinstance(check, Mapping) else None
            if isinstance(spec, BaseModel):
                found += walk.marked(spec, ("checks", id))
        return [one for one in found if re.match(ID_PATTERN, str(one.value))]

    def problem(self, path: Path, message: str, remedy: str = "") -> Problem:
        mark = self.positions.value(path) or Mark("book.yaml", 1, 1)
        return Problem(*mark, f"{dotted(path)}: {message}", remedy)

    def at_key(self, path: Path, message: str, remedy: str = "") -> Problem:
        mark = self.positions.key(path) or Mark("book.yaml", 1, 1)
        return Problem(*mark, f"{dotted(path)}: {message}", remedy)

    def at_step(
        self, runbook: Runbook, step: Step, message: str, remedy: str = "", attribute: str = ""
    ) -> Problem:
        """A problem with a step, at one of its attributes where that is said."""
        path: Path = ("runbooks", runbook.id, "steps", step.key, attribute)
        mark = self.positions.key(path) if attribute else None
        told = f"step {step.key}: {message}"
        return Problem(*(mark or Mark(runbook.file, step.line, 1)), told, remedy)

    def has_all(self, section: str) -> bool:
        """Whether everything that the section holds could be read."""
        if section in self.known.unsure:
            return False
        read: Mapping[str, object] = getattr(self.sections, section)
        return self.known.of(section) == read.keys()

    def missing(self, path: Path, name: str | None, section: str, what: str) -> Iterator[Problem]:
        """A problem if `name` is said and there is no such thing."""
        if name is not None and not self.known.has(name, section):
            remedy = suggestion(name, self.known.of(section), what=f"in {section}")
            yield self.problem(path, f"there is no {what} {name!r}", remedy)

    def holders(self, role: str) -> int:
        """How many people have the role."""
        return sum(role in person.roles for person in self.sections.people.values())

    @functools.cached_property
    def roles_are_readable(self) -> bool:
        """Whether all roles are known, so that "nobody has it" is no echo of a misspelling."""
        people = self.sections.people.values()
        return self.has_all("people") and all(
            self.known.has(role, "roles") for one in people for role in one.roles
        )
