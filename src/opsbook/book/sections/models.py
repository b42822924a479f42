"""``model_updates`` and ``data_quality``: new versions by phases, and rules over data."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from opsbook.book.fields import BandText, Duration, Named, Part
from opsbook.book.refs import Approval, CheckId, RunbookId, ServiceId, SeverityId, Start
from opsbook.book.sections.elements import Element
from opsbook.book.texts import Text
from opsbook.book.times import OffsetText, ScheduleText


class Gate(Part):
    """What must hold before it goes on."""

    check: CheckId
    """The value that is looked at."""
    band: BandText | None = None
    """What it must be; the check's own state must be ok, if left out."""
    for_: Duration | None = Field(default=None, alias="for")
    """How long it must hold."""


class Phase(Part):
    """What is done on one day, counted from the D-Day."""

    at: OffsetText
    """Such as D-7, D-Day, D+1."""
    title: Text
    """What people call it."""
    does: tuple[Text, ...] = ()
    """What is done, in words."""
    start: Start | None = None
    """The runbook that does it."""
    approvals: tuple[Approval, ...] = ()
    """Whose yes the next phase needs."""
    gates: tuple[Gate, ...] = ()
    """What must hold before the next phase."""


class ModelUpdate(Element):
    """How a new version of a model comes into use, from its arrival to the look back."""

    service: ServiceId | None = None
    """What serves the model."""
    phases: tuple[Phase, ...] = Field(min_length=1)
    """The days, in order."""
    rollback: RunbookId | None = None
    """The way back."""
    licences: tuple[str, ...] = ()
    """Licences that are accepted."""


Rule = Literal["not_null", "unique", "range", "outlier", "reference", "freshness", "rows", "sql"]


class DataRule(Named):
    """Something that must be true of data."""

    title: Text
    """What must be true."""
    description: Text | None = None
    """Why, and what it does to people if not."""
    service: ServiceId | None = None
    """Whose data it is."""
    source: str = Field(min_length=1, max_length=400)
    """The database, as a name that Opsbook's settings know."""
    table: str | None = Field(default=None, min_length=1, max_length=200)
    """The table."""
    column: str | None = Field(default=None, min_length=1, max_length=200)
    """The column."""
    rule: Rule
    """What is looked for."""
    band: BandText | None = None
    """The values that are good: of the column, of the number of rows, of the age."""
    sql: str | None = Field(default=None, min_length=1, max_length=20_000)
    """For the rule sql: a query that returns the rows that are wrong."""
    schedule: ScheduleText | None = None
    """When it is looked at."""
    severity: SeverityId | None = None
    """How bad it is when it is not true."""
    remedy: Start | None = None
    """The runbook that mends it."""
