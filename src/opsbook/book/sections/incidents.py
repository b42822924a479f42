"""``severities``, ``lifecycle``, ``incident_kinds``, ``communication``: how an incident goes."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from opsbook.book.fields import IDLE, Duration, Named, Part
from opsbook.book.refs import (
    AudienceId,
    CheckId,
    EscalationId,
    HoursId,
    RoleId,
    RunbookId,
    SeverityId,
)
from opsbook.book.texts import Text
from opsbook.book.times import ScheduleText


class Notice(Part):
    """Who is told of an incident besides those who are paged, and when."""

    to: tuple[AudienceId, ...] = Field(min_length=1)
    """Persons, teams, channels."""
    after: Duration = timedelta(0)
    """How long after the start, if it is still open then."""
    every: Duration | None = None
    """Again this often while it is open."""
    digest: ScheduleText | None = None
    """Told together with others at these times, instead of at once."""


class Severity(Named):
    """One line of the severity table. The order in the book is the order of weight, worst first.

    Without an `escalation` an incident of this severity is recorded and shown, and pages nobody.
    """

    title: Text
    """What people call it."""
    description: Text | None = None
    """How to recognise it."""
    acknowledge_within: Duration | None = None
    """By when somebody must have said "I am on it"."""
    resolve_within: Duration | None = None
    """By when it must be over."""
    clock: Annotated[HoursId | None, IDLE] = None
    """The hours in which these times run; always, if left out."""
    escalation: EscalationId | None = None
    """Whom it pages; nobody, if left out."""
    tells: Annotated[tuple[Notice, ...], IDLE] = ()
    """Who else is told, and when."""
    review: Annotated[Literal["required", "optional"], IDLE] = "optional"
    """Whether an incident of this severity must be reviewed."""
    review_within: Annotated[Duration | None, IDLE] = None
    """By when the review must be written."""


Requirement = Literal[
    "severity", "assignee", "impact", "note", "cause", "change", "checks", "review"
]


class Stage(Named):
    """One stage of an incident; the order in the book is the order they are gone through."""

    title: Text
    """What people call it."""
    description: Text | None = None
    """What is done in it."""
    requires: tuple[Requirement, ...] = ()
    """What must be there before it can be left."""
    within: Duration | None = None
    """By when, from the start of the incident, it must have been left."""


class IncidentKind(Named):
    """A kind of trouble: how it shows, and what is done about it, in order."""

    title: Text
    """What people call it."""
    description: Text | None = None
    """What there is to know about it."""
    symptoms: tuple[Text, ...] = ()
    """How it shows, in words."""
    checks: tuple[CheckId, ...] = ()
    """The checks that show it."""
    runbooks: tuple[RunbookId, ...] = ()
    """What is done about it, in this order."""


class Communication(Named):
    """Something that is said to people while an incident goes on."""

    title: Text
    """What it is: a first word to the users, an update, the end."""
    severities: tuple[SeverityId, ...] = ()
    """For incidents of these; all, if left out."""
    to: tuple[AudienceId, ...] = Field(min_length=1)
    """Who is told."""
    after: Duration = timedelta(0)
    """How long after the start."""
    every: Duration | None = None
    """Again this often until it is over."""
    text: Text | None = None
    """What is said."""
    approval: RoleId | None = None
    """Whose yes it needs first."""
