"""The book: every section validated, every runbook read, immutable, with its revision.

`Sections` is what the YAML files hold together; its fields are the top-level keys, so a new section
is one field here and one file in `sections/`. `Book` is what the rest of Opsbook is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, Field

from opsbook.base.errors import Bug
from opsbook.book.fields import Id, Language, Named, Part, Status, Zone
from opsbook.book.files import Revision
from opsbook.book.positions import Positions
from opsbook.book.runbook import Runbook
from opsbook.book.sections.about import Retention, SelfApproval
from opsbook.book.sections.alerts import Rule
from opsbook.book.sections.checks import COMMON_FIELDS, Check
from opsbook.book.sections.incidents import Severity
from opsbook.book.sections.people import Escalation, PermissionText, Person, Team
from opsbook.book.sections.routines import Routine
from opsbook.book.sections.services import Service
from opsbook.book.texts import Text
from opsbook.calendar.schedule import Schedule

Element = TypeVar("Element", bound=Named)


def _named(value: Any) -> Any:
    """Give each element of a section the id it stands under."""
    if not isinstance(value, dict):
        return value
    return {
        key: {**inner, "id": key} if isinstance(inner, dict) else inner
        for key, inner in value.items()
    }


Listed = Annotated[Mapping[Id, Element], BeforeValidator(_named)]


class Sections(Part):
    """Everything that may stand at the top of a book's YAML files."""

    id: Id
    title: Text
    timezone: Zone
    languages: tuple[Language, ...] = Field(default=("ko", "en"), min_length=1)
    owner: Id | None = None
    status: Status = "active"
    self_approval: SelfApproval = "forbid"
    retention: Retention = Retention()
    services: Listed[Service] = Field(default_factory=dict)
    people: Listed[Person] = Field(default_factory=dict)
    roles: Mapping[Id, tuple[PermissionText, ...]] = Field(default_factory=dict)
    teams: Listed[Team] = Field(default_factory=dict)
    escalation: Listed[Escalation] = Field(default_factory=dict)
    checks: Listed[Check] = Field(default_factory=dict)
    rules: Listed[Rule] = Field(default_factory=dict)
    severities: Listed[Severity] = Field(default_factory=dict)
    routines: Listed[Routine] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the upper packages teach the loader: the kinds of checks and of steps there are.

    A check kind is the model of its own fields (a subclass of `Part`, so that unknown keys are
    refused), which may have a property ``value_unit``. A step kind is the language of a fence.
    """

    check_kinds: Mapping[str, type[BaseModel]]
    step_kinds: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for kind, model in self.check_kinds.items():
            if model.model_config.get("extra") != "forbid":
                raise Bug(f"The model of check kind {kind} must forbid extra fields.")
            if taken := (COMMON_FIELDS | {"id", "spec"}) & (set(model.model_fields) - {"ref"}):
                raise Bug(f"Check kind {kind} takes {sorted(taken)}, which every check has.")


class Book(Sections):
    """A loaded book. `files` are what it was read from, enough to load this revision again."""

    runbooks: Mapping[str, Runbook]
    files: Mapping[str, str] = Field(repr=False)
    revision: Revision
    positions: Positions = Field(repr=False)

    def where(self, *path: str | int) -> str:
        """Where an element was written, as ``file:line``: ``where("rules", "disk-full")``.

        Falls back on the nearest enclosing element that has a place; an empty text for none.
        """
        return self.positions.where(path)

    def schedule(self, routine: str) -> Schedule:
        """The routine's schedule in the zone that holds for it."""
        entry = self.routines[routine]
        return Schedule.parse(entry.schedule, ZoneInfo(entry.timezone or self.timezone))

    def escalation_of(self, rule: str) -> Escalation | None:
        """The policy an alert of this rule escalates by; None means it pages nobody."""
        entry = self.rules[rule]
        policy = entry.escalation or self.severities[entry.severity].escalation
        return self.escalation[policy] if policy is not None else None

    def person_of(self, login: str) -> str | None:
        """The id of the person who signs in with this account."""
        return next((id for id, person in self.people.items() if person.login == login), None)

    @classmethod
    def bind(
        cls,
        sections: Sections,
        runbooks: Mapping[str, Runbook],
        files: Mapping[str, str],
        revision: Revision,
        positions: Positions,
    ) -> Book:
        """Put validated parts together, and close the maps against later writing."""
        closed: dict[str, Any] = {
            name: MappingProxyType(value) if isinstance(value, dict) else value
            for name, value in sections
        }
        return cls.model_construct(
            **closed,
            runbooks=MappingProxyType(dict(runbooks)),
            files=MappingProxyType(dict(files)),
            revision=revision,
            positions=positions,
        )
