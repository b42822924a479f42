"""How much is enough: ``scaling limits forecasts quotas load_tests slos``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from opsbook.book.fields import BandText, Duration, Flag, Part, QuantityText, Whole, refusing
from opsbook.book.refs import Approval, CheckId, RoleId, ServiceId, Start
from opsbook.book.sections.elements import Element
from opsbook.book.texts import Text
from opsbook.book.times import ScheduleText


def _step(value: Any) -> str:
    text = str(value).replace(" ", "")
    if not re.fullmatch(r"[+-][1-9]\d{0,5}%?", text):
        raise ValueError(f"{value!r} is no step; write it with its sign, such as +20% or -1")
    return text


StepText = Annotated[str, BeforeValidator(refusing(_step))]


class Move(Part):
    """One direction of scaling."""

    when: BandText
    """The values that call for it."""
    for_: Duration = Field(default=timedelta(0), alias="for")
    """How long they must last."""
    by: StepText
    """How far: +20% or -1, in quotes; at least one, whole ones."""


class Scaling(Element):
    """How many of something there should be, and what moves that number."""

    service: ServiceId | None = None
    """What is scaled."""
    check: CheckId
    """The value that is looked at."""
    least: Whole = Field(default=1, ge=0, le=100_000)
    """Never fewer than this."""
    most: Whole = Field(ge=1, le=100_000)
    """Never more than this."""
    up: Move | None = None
    """When there should be more."""
    down: Move | None = None
    """When fewer will do."""
    pause: Duration = timedelta(minutes=5)
    """How long to wait after a move before the next one."""
    start: Start | None = None
    """The runbook that moves it."""
    approval: RoleId | None = None
    """Whose yes a move needs; none, if left out."""


class Limit(Element):
    """Something that can be used up, and what is done before it is."""

    service: ServiceId | None = None
    """What would suffer."""
    check: CheckId
    """The value that is looked at."""
    warn: BandText
    """When something should be done."""
    limit: QuantityText | None = None
    """Where it is used up."""
    step: QuantityText | None = None
    """By how much it is enlarged."""
    ceiling: QuantityText | None = None
    """How large it may become at most."""
    start: Start | None = None
    """The runbook that enlarges it or cleans up."""
    approval: RoleId | None = None
    """Whose yes that needs; none, if left out."""


class Forecast(Element):
    """A value whose way is followed into the future."""

    check: CheckId
    """The value that is followed."""
    limit: BandText
    """What it must not reach."""
    from_: Duration = Field(default=timedelta(days=28), alias="from")
    """How much of the past is looked at."""
    horizon: Duration = timedelta(days=90)
    """How far ahead it is looked."""
    warn_before: Duration = timedelta(days=30)
    """How long before the limit somebody should know."""
    schedule: ScheduleText | None = None
    """When it is calculated; daily, if left out."""


class Quota(Element):
    """How much somebody may use: a class of it, which people or namespaces are given."""

    default: Flag = False
    """Whether it is given without being asked for."""
    limits: Mapping[str, QuantityText] = Field(min_length=1)
    """Each resource and how much of it, such as {requests.cpu: 2, limits.memory: 8Gi}."""
    approvals: tuple[Approval, ...] = ()
    """Whose yes it needs."""
    expires_after: Duration | None = None
    """How long it holds; for good, if left out."""


class LoadTest(Element):
    """Load that a service must bear."""

    service: ServiceId
    """What is loaded."""
    rate: QuantityText | None = None
    """Requests per time, such as 50/s."""
    users: Whole | None = Field(default=None, ge=1, le=1_000_000)
    """How many at once."""
    length: Duration = timedelta(minutes=5)
    """How long it lasts."""
    latency: BandText | None = None
    """The p95 latency that it must keep to."""
    errors: BandText | None = None
    """The share of errors that it must keep to."""
    start: Start | None = None
    """The runbook that does it."""


Measure = Literal[
    "availability", "errors", "average", "p50", "p90", "p95", "p99", "maximum", "value"
]


class Slo(Element):
    """What people may rely on, over a time: a target and, below it, the least that will do."""

    service: ServiceId
    """What is measured."""
    check: CheckId | None = None
    """The check that measures it."""
    measure: Measure
    """What is calculated from the check's observations."""
    target: BandText
    """What should be reached, such as ">= 99.9%" or "< 500ms"."""
    minimum: BandText | None = None
    """The least that will do; the target, if left out."""
    over: Duration = timedelta(days=30)
    """The time it is calculated over."""
    notes: Text | None = None
    """How it is measured, in words."""
