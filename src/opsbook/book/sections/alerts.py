"""``rules``, ``routing``, ``inhibitions``: when it is an alert, who is told, what keeps quiet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from opsbook.book.fields import IDLE, Argument, ConditionText, Duration, Flag, Id, Named, Part
from opsbook.book.refs import (
    AudienceId,
    CheckId,
    EscalationId,
    HoursId,
    OwnerId,
    RunbookId,
    SeverityId,
)
from opsbook.book.sections.checks import Check
from opsbook.book.texts import Text

LABEL = "label:"
LABEL_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Rule(Named):
    """An alert rule.

    ``for`` (in Python `for_`) is how long the condition must hold before the alert fires, and
    `resolve_after` how long it must be gone before the alert is resolved. `escalation` overrides
    the severity's. A value of `params` is a literal or ``label:NAME``, taken from the alert.
    """

    title: Text | None = None
    """What people call it; the summary if left out."""
    check: CheckId
    """The check it looks at."""
    when: ConditionText
    """warning (or worse), critical, nodata, or a band of its own such as "> 90%"."""
    for_: Duration = Field(default=timedelta(0), alias="for")
    """How long that must hold before the alert fires."""
    resolve_after: Duration = timedelta(0)
    """How long it must be gone before the alert is over."""
    severity: SeverityId
    """How bad it is."""
    summary: Text
    """What the person who is paged reads first."""
    description: Text | None = None
    """What it means, and what it does to people."""
    owner: OwnerId | None = None
    """The person or team it belongs to."""
    escalation: EscalationId | None = None
    """Whom it pages, instead of the severity's policy."""
    acknowledge_within: Annotated[Duration | None, IDLE] = None
    """By when somebody must have answered, instead of the severity's time."""
    analyse_within: Annotated[Duration | None, IDLE] = None
    """By when it must be understood."""
    runbook: RunbookId | None = None
    """What is started at once; only its reading steps run by themselves."""
    params: Mapping[Id, Argument] = Field(default_factory=dict)
    """Values for the runbook's parameters: literals, or label:NAME."""
    labels: Mapping[str, Argument] = Field(default_factory=dict)
    """What its alerts carry besides book, rule, check, severity and service."""

    def labels_of(self, book: str, check: Check) -> dict[str, str]:
        """The labels an alert of this rule carries, which `params` may take values from.

        The book's own labels win over the five that every alert has only in being refused: see
        `validate`. One place makes them, so that what validation promised is what an alert has.
        """
        labels = {**self.labels, "book": book, "rule": self.id, "check": self.check}
        labels["severity"] = self.severity
        if check.service is not None:
            labels["service"] = check.service
        return labels

    def arguments(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The runbook's parameters from this rule and an alert's labels.

        A label the alert does not carry leaves its parameter out, for the parameter's own default
        or for the runbook's own refusal. The values are untrusted: `runbook.check_params` is next.
        """
        given: dict[str, str] = {}
        for name, value in self.params.items():
            if not value.startswith(LABEL):
                given[name] = value
            elif (label := value.removeprefix(LABEL)) in labels:
                given[name] = labels[label]
        return given


OWN_LABELS = frozenset({"book", "rule", "check", "severity", "service"})


class Route(Part):
    """Where alerts go that carry these labels; the first route that matches takes them."""

    match: Mapping[str, Argument] = Field(default_factory=dict)
    """Labels that an alert must carry, such as {severity: P1}; all alerts, if left out."""
    to: tuple[AudienceId, ...] = ()
    """Who is told; as the route around it, if left out."""
    as_: Literal["incident", "notify"] = Field(default="incident", alias="as")
    """Whether it opens an incident and pages, or only tells."""
    goes_on: Flag = Field(default=False, alias="continue")
    """Whether the routes after this one look at it too."""
    active: HoursId | None = None
    """The hours in which it tells; always, if left out."""
    mute: HoursId | None = None
    """Hours in which it keeps quiet."""
    group_by: tuple[str, ...] = ()
    """Labels by which alerts are told together."""
    group_wait: Duration | None = None
    """How long to wait for more of a group before it is told."""
    group_interval: Duration | None = None
    """How long until what is new in a group is told."""
    repeat_interval: Duration | None = None
    """How long until what goes on is told again."""
    routes: tuple[Route, ...] = ()
    """Routes for some of its alerts."""


class Inhibition(Named):
    """While an alert of one kind fires, those of another are kept quiet."""

    title: Text | None = None
    """Why."""
    while_: Mapping[str, Argument] = Field(alias="while", min_length=1)
    """Labels of the alert that fires."""
    mutes: Mapping[str, Argument] = Field(min_length=1)
    """Labels of the alerts that are kept quiet."""
    equal: tuple[str, ...] = ()
    """Labels that must be the same on both."""
