"""``reports`` and ``dashboards``: what is looked back on, and what is looked at together."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from opsbook.book.fields import Part, Zone
from opsbook.book.refs import AudienceId, CheckId, RoleId
from opsbook.book.sections.elements import Element
from opsbook.book.texts import Text
from opsbook.book.times import ScheduleText

Content = Literal[
    "checks", "alerts", "incidents", "runs", "changes", "backups", "capacity", "slos", "audit"
]


class Report(Element):
    """Something that is written regularly from what Opsbook knows."""

    schedule: ScheduleText
    """When it is written."""
    timezone: Zone | None = None
    """The zone it is meant in; the book's if left out."""
    contents: tuple[Content, ...] = Field(min_length=1)
    """What it is about."""
    to: tuple[AudienceId, ...] = ()
    """Who gets it."""


class Panel(Part):
    """One picture of a dashboard."""

    check: CheckId
    """The values that are drawn."""
    title: Text | None = None
    """What it shows; the check's title, if left out."""


class Dashboard(Element):
    """Values that are looked at together."""

    panels: tuple[Panel, ...] = Field(min_length=1)
    """What is drawn, in order."""
    audience: tuple[RoleId, ...] = ()
    """Whom it is for."""
