"""Fields that name something else in the book: typed by what they name, found again by a walk.

A model says ``service: ServiceId`` and that is all: that the service exists is checked, with
"did you mean", by walking every model along its types (`opsbook.book.walk`). A new section that
names an old one needs no rule of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from opsbook.book.fields import Argument, Id, Part, Whole


@dataclass(frozen=True, slots=True)
class Refers:
    """Marks a field whose value is the id of an element of one of `sections`."""

    what: str
    sections: tuple[str, ...]


ServiceId = Annotated[Id, Refers("service", ("services",))]
PersonId = Annotated[Id, Refers("person", ("people",))]
TeamId = Annotated[Id, Refers("team", ("teams",))]
OwnerId = Annotated[Id, Refers("person or team", ("people", "teams"))]
AudienceId = Annotated[Id, Refers("person, team or channel", ("people", "teams", "channels"))]
ListenerId = Annotated[
    Id, Refers("person, team, channel or webhook", ("people", "teams", "channels", "webhooks"))
]
TargetId = Annotated[Id, Refers("target", ("targets",))]
ReceiverId = Annotated[Id, Refers("receiver", ("receivers",))]
IntakeId = Annotated[Id, Refers("intake", ("intakes",))]
RoleId = Annotated[Id, Refers("role", ("roles",))]
RotationId = Annotated[Id, Refers("rotation", ("rotations",))]
ChannelId = Annotated[Id, Refers("channel", ("channels",))]
EscalationId = Annotated[Id, Refers("policy", ("escalation",))]
CheckId = Annotated[Id, Refers("check", ("checks",))]
SeverityId = Annotated[Id, Refers("severity", ("severities",))]
StageId = Annotated[Id, Refers("stage", ("lifecycle",))]
HoursId = Annotated[Id, Refers("set of hours", ("hours",))]
TimesId = Annotated[Id, Refers("set of hours or time interval", ("hours", "time_intervals"))]
RunbookId = Annotated[Id, Refers("runbook", ("runbooks",))]
ChangeKindId = Annotated[Id, Refers("change kind", ("change_kinds",))]
WindowId = Annotated[Id, Refers("window", ("windows",))]
BackupId = Annotated[Id, Refers("backup", ("backups",))]
QuotaId = Annotated[Id, Refers("quota", ("quotas",))]
CourseId = Annotated[Id, Refers("course", ("courses",))]
DrillId = Annotated[Id, Refers("drill", ("drills",))]


class Start(Part):
    """A runbook to start, with what its parameters get."""

    runbook: RunbookId
    """The runbook's id."""
    params: Mapping[Id, Argument] = Field(default_factory=dict)
    """Values for its parameters."""


class Approval(Part):
    """Whose yes is needed: so many different people who have the role."""

    by: RoleId
    """The role that may give it."""
    need: Whole = Field(default=1, ge=1, le=20)
    """How many different people have to."""
    when: str | None = Field(default=None, max_length=400)
    """When this approval is needed, in words; always, if left out."""
