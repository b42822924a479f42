"""``intakes``, ``heartbeats``: doors for alerts from outside, and a sign of life to the outside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import Field

from opsbook.book.fields import Argument, Duration, Flag, Part, Whole
from opsbook.book.refs import ServiceId, SeverityId
from opsbook.book.sections.elements import Element
from opsbook.book.sections.webhooks import SECRET_FORM, AddressText

IntakeKind = Literal[
    "alertmanager", "webhook", "grafana", "sentry", "cloudwatch", "newrelic", "pagerduty", "json"
]
"""``alertmanager`` is the API a Prometheus speaks to, ``webhook`` what an Alertmanager sends."""

SecretText = Annotated[str, Field(pattern=SECRET_FORM)]
JSON_PATH_FORM: Final = r"^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+|\[\d{1,4}\])*$"
FieldPath = Annotated[str, Field(pattern=JSON_PATH_FORM, max_length=400)]


class Fields(Part):
    """Where an intake of the kind json finds what, as paths such as ``alert.tags[0]``."""

    each: FieldPath | None = None
    """The list of alerts; the body itself is one alert or a list of them, if left out."""
    name: FieldPath
    """What the alert is called; becomes the label alertname."""
    status: FieldPath | None = None
    """Whether it fires or is over; it fires, if left out."""
    resolved: tuple[str, ...] = ("resolved", "ok", "closed", "normal")
    """The values of status that mean it is over, in any case of letters."""
    firing: tuple[str, ...] | None = None
    """The values that mean it fires, others being refused; any but the resolved, if left out."""
    severity: FieldPath | None = None
    """How bad it is, in the sender's words; becomes the label severity."""
    summary: FieldPath | None = None
    """What is wrong, in a sentence."""
    description: FieldPath | None = None
    """More about it."""
    starts_at: FieldPath | None = None
    """When it began: RFC 3339, or seconds or milliseconds since 1970."""
    ends_at: FieldPath | None = None
    """When it ended."""
    link: FieldPath | None = None
    """Where to look at it."""
    labels: Mapping[str, FieldPath] = Field(default_factory=dict)
    """Further labels, and where they are; what tells its alerts apart."""


class Intake(Element):
    """A door for alerts from outside: who hands them in, what they must know, what they become."""

    kind: IntakeKind
    """Who speaks: alertmanager (Prometheus and its like), webhook (an Alertmanager), grafana, …"""
    token: SecretText | None = None
    """What the sender must know, as env:NAME or file:/path; for sentry the client's secret."""
    topics: tuple[str, ...] = ()
    """For cloudwatch: the SNS topics (their ARNs) that are taken."""
    severities: Mapping[str, SeverityId] = Field(default_factory=dict)
    """What the sender's words for severity stand for here, such as {critical: P1}."""
    severity: SeverityId | None = None
    """How bad it is where no word says so; the mildest that pages somebody, if left out."""
    service: ServiceId | None = None
    """What its alerts are about, where they do not say so themselves."""
    labels: Mapping[str, Argument] = Field(default_factory=dict)
    """Added to each of its alerts, where the sender has not set them."""
    fields: Fields | None = None
    """For json: where to find what."""
    resolve_after: Duration = timedelta(minutes=5)
    """When an alert that the sender neither ends nor repeats is over."""
    at_most: Whole = Field(default=60_000, ge=1, le=10_000_000)
    """How many alerts a minute are taken; more are refused, and the sender tries again."""
    default: Flag = False
    """Whether it is what answers under /api/v2, without a name in the path."""


class Heartbeat(Element):
    """An address elsewhere that is told regularly that Opsbook lives; its silence is the alarm."""

    url: AddressText
    """Where it is told: https://…, or a reference if the address itself is a secret."""
    every: Duration = timedelta(minutes=1)
    """How often."""
    loopback: Flag = False
    """Whether it may lead to the machine that Opsbook runs on."""
