"""The book: every section validated, every runbook read, immutable, with its revision.

`Sections` is what the YAML files hold together; its fields are the top-level keys, so a new section
is one field here and one file in `sections/`. `Book` is what the rest of Opsbook is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from opsbook.base.errors import Bug
from opsbook.book import walk
from opsbook.book.assumed import Assumption
from opsbook.book.drill import Drill
from opsbook.book.fields import IDLE, Id, Language, Listed, Part, Status, Zone
from opsbook.book.files import Revision
from opsbook.book.positions import Path, Positions
from opsbook.book.problems import Problem
from opsbook.book.refs import OwnerId
from opsbook.book.runbook import Runbook
from opsbook.book.sections.about import Holidays, Hours, Release, Retention, SelfApproval
from opsbook.book.sections.alerts import Rule
from opsbook.book.sections.backups import Backup
from opsbook.book.sections.capacity import Forecast, Limit, LoadTest, Quota, Scaling, Slo
from opsbook.book.sections.changes import ChangeKind, Freeze, Window
from opsbook.book.sections.checks import COMMON_FIELDS, Check
from opsbook.book.sections.elements import Link
from opsbook.book.sections.incidents import Communication, IncidentKind, Severity, Stage
from opsbook.book.sections.intakes import Heartbeat, Intake
from opsbook.book.sections.models import DataRule, ModelUpdate
from opsbook.book.sections.people import (
    Channel,
    Escalation,
    PermissionText,
    Person,
    Rotation,
    Team,
)
from opsbook.book.sections.registers import Account, Certificate, Extensions, Secret
from opsbook.book.sections.reports import Dashboard, Report
from opsbook.book.sections.routines import Routine
from opsbook.book.sections.routing import Inhibition, Receiver, Route, TimeInterval
from opsbook.book.sections.services import Service
from opsbook.book.sections.targets import Target
from opsbook.book.sections.training import Course, StandIn
from opsbook.book.sections.webhooks import Webhook
from opsbook.book.texts import Text
from opsbook.calendar import Days, Schedule


class Sections(Part):
    """Everything that may stand at the top of a book's YAML files."""

    id: Id
    """Used in addresses and labels; it stays what it is once the book is in use."""
    title: Text
    """What people call the book."""
    description: Text | None = None
    """What it is for, and for whom."""
    version: str | None = Field(default=None, max_length=60)
    """The version people gave it, in quotes; what runs is told apart by its revision."""
    timezone: Zone
    """The zone that every schedule is meant in, such as Asia/Seoul."""
    languages: tuple[Language, ...] = Field(default=("ko", "en"), min_length=1)
    """The languages it is written in; the first is for what has no reader yet."""
    owner: OwnerId | None = None
    """The person or team it belongs to."""
    status: Status = "active"
    """draft: the book is loaded and shown, and does nothing."""
    self_approval: SelfApproval = "forbid"
    """record: a team of one may approve its own runs, and that is shown."""
    retention: Retention = Retention()
    """How long records are kept."""
    holidays: Holidays = Holidays()
    """Which days are no working days besides weekends."""
    history: tuple[Release, ...] = ()
    """The document's own history."""
    links: tuple[Link, ...] = ()
    """Further documents, and where to say what should be better."""
    glossary: Mapping[str, Text] = Field(default_factory=dict)
    """Words of the trade, explained."""

    services: Listed[Service] = Field(default_factory=dict)
    """What is operated."""
    targets: Listed[Target] = Field(default_factory=dict)
    """Where steps do their work, and with which credentials."""
    people: Listed[Person] = Field(default_factory=dict)
    """Who there is."""
    roles: Mapping[Id, tuple[PermissionText, ...]] = Field(default_factory=dict)
    """What each role may do, as area:level."""
    teams: Listed[Team] = Field(default_factory=dict)
    """People who share a duty."""
    rotations: Listed[Rotation] = Field(default_factory=dict)
    """Who is on duty when, by turns."""
    escalation: Listed[Escalation] = Field(default_factory=dict)
    """Who is paged, in which order."""
    channels: Listed[Channel] = Field(default_factory=dict)
    """Places where many are told at once."""
    webhooks: Listed[Webhook] = Field(default_factory=dict)
    """Programs elsewhere that are told what becomes of runs."""
    hours: Listed[Hours] = Field(default_factory=dict)
    """Hours of the week under a name."""
    time_intervals: Listed[TimeInterval] = Field(default_factory=dict)
    """Parts of the calendar under a name, in Alertmanager's form."""

    checks: Listed[Check] = Field(default_factory=dict)
    """What is looked at."""
    rules: Listed[Rule] = Field(default_factory=dict)
    """When it is an alert."""
    intakes: Listed[Intake] = Field(default_factory=dict)
    """Doors for alerts from outside."""
    routing: Route | None = None
    """Who is told of which alerts."""
    receivers: Listed[Receiver] = Field(default_factory=dict)
    """Who is told, under names that routes share."""
    inhibitions: Listed[Inhibition] = Field(default_factory=dict)
    """Which alerts are kept quiet while others fire."""
    heartbeats: Listed[Heartbeat] = Field(default_factory=dict)
    """Addresses elsewhere that are told regularly that Opsbook lives."""

    severities: Listed[Severity] = Field(default_factory=dict)
    """How bad it is, worst first."""
    lifecycle: Annotated[Listed[Stage], IDLE] = Field(default_factory=dict)
    """The stages an incident goes through, in order."""
    incident_kinds: Annotated[Listed[IncidentKind], IDLE] = Field(default_factory=dict)
    """Kinds of trouble, how they show, what is done about them."""
    communication: Annotated[Listed[Communication], IDLE] = Field(default_factory=dict)
    """What is said to people while an incident goes on."""

    routines: Listed[Routine] = Field(default_factory=dict)
    """What is done regularly."""
    change_kinds: Annotated[Listed[ChangeKind], IDLE] = Field(default_factory=dict)
    """Changes that must be asked for."""
    windows: Annotated[Listed[Window], IDLE] = Field(default_factory=dict)
    """When changes may happen."""
    freezes: Annotated[Listed[Freeze], IDLE] = Field(default_factory=dict)
    """When changes may not happen."""
    backups: Annotated[Listed[Backup], IDLE] = Field(default_factory=dict)
    """What is backed up, and how that is proven."""

    scaling: Annotated[Listed[Scaling], IDLE] = Field(default_factory=dict)
    """How many of something there should be."""
    limits: Annotated[Listed[Limit], IDLE] = Field(default_factory=dict)
    """What can be used up."""
    forecasts: Annotated[Listed[Forecast], IDLE] = Field(default_factory=dict)
    """Values that are followed into the future."""
    quotas: Annotated[Listed[Quota], IDLE] = Field(default_factory=dict)
    """How much somebody may use."""
    load_tests: Annotated[Listed[LoadTest], IDLE] = Field(default_factory=dict)
    """Load that services must bear."""
    slos: Annotated[Listed[Slo], IDLE] = Field(default_factory=dict)
    """What people may rely on."""

    accounts: Annotated[Listed[Account], IDLE] = Field(default_factory=dict)
    """Kinds of accounts and grants, and how they come and go."""
    extensions: Annotated[Extensions | None, IDLE] = None
    """What may be installed and what may not."""
    secrets: Annotated[Listed[Secret], IDLE] = Field(default_factory=dict)
    """Secrets, how old they may become, how they are replaced."""
    certificates: Annotated[Listed[Certificate], IDLE] = Field(default_factory=dict)
    """Certificates, and how they are renewed."""
    model_updates: Annotated[Listed[ModelUpdate], IDLE] = Field(default_factory=dict)
    """How new versions of models come into use."""
    data_quality: Annotated[Listed[DataRule], IDLE] = Field(default_factory=dict)
    """What must be true of data."""

    courses: Annotated[Listed[Course], IDLE] = Field(default_factory=dict)
    """What operators learn."""
    world: Annotated[Listed[StandIn], IDLE] = Field(default_factory=dict)
    """What the sandbox must imitate for this book."""
    reports: Annotated[Listed[Report], IDLE] = Field(default_factory=dict)
    """What is written regularly."""
    dashboards: Annotated[Listed[Dashboard], IDLE] = Field(default_factory=dict)
    """What is looked at together."""


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
    drills: Mapping[str, Drill]
    files: Mapping[str, str] = Field(repr=False)
    revision: Revision
    positions: Positions = Field(repr=False)
    assumed: Mapping[Path, Assumption] = Field(default_factory=dict)
    """What was said of single values: that they are assumed and why, or where they came from."""

    def where(self, *path: str | int) -> str:
        """Where an element was written, as ``file:line``: ``where("rules", "disk-full")``.

        Falls back on the nearest enclosing element that has a place; an empty text for none.
        """
        return self.positions.where(path)

    def schedule(self, routine: str) -> Schedule:
        """The routine's schedule in the zone that holds for it."""
        entry = self.routines[routine]
        zone = ZoneInfo(entry.timezone or self.timezone)
        return Schedule.parse(entry.schedule, zone, self.days)

    @property
    def days(self) -> Days:
        """Which days are business days for this book."""
        return self.holidays.days

    @property
    def idle(self) -> tuple[str, ...]:
        """What it says that nothing acts on yet: ``("backups", "rules.acknowledge_within")``."""
        return (*walk.idle_in(self), *(("drills",) if self.drills else ()))

    @property
    def remarks(self) -> tuple[Problem, ...]:
        """What its pages say that means nothing, in the order of the files; no mistakes."""
        pages: list[Runbook | Drill] = [*self.runbooks.values(), *self.drills.values()]
        return tuple(sorted(remark for page in pages for remark in page.remarks))

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
        drills: Mapping[str, Drill],
        files: Mapping[str, str],
        revision: Revision,
        positions: Positions,
        assumed: Mapping[Path, Assumption] = MappingProxyType({}),
    ) -> Book:
        """Put validated parts together, and close the maps against later writing."""
        closed: dict[str, Any] = {
            name: MappingProxyType(value) if isinstance(value, dict) else value
            for name, value in sections
        }
        return cls.model_construct(
            **closed,
            runbooks=MappingProxyType(dict(runbooks)),
            drills=MappingProxyType(dict(drills)),
            files=MappingProxyType(dict(files)),
            revision=revision,
            positions=positions,
            assumed=MappingProxyType(dict(assumed)),
        )
