"""``routines``: calendar entries that start a runbook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from opsbook.book.fields import IDLE, Argument, Duration, Id, Zone
from opsbook.book.refs import RunbookId
from opsbook.book.sections.elements import Element
from opsbook.book.times import ScheduleText


class Routine(Element):
    """What is done regularly. Without a `timezone` the book's holds; `Book.schedule` has both."""

    schedule: ScheduleText
    """When: "every day 09:00", "매주 월요일 10:00", "first Sunday 02:00", "0 3 * * *"."""
    timezone: Zone | None = None
    """The zone it is meant in; the book's if left out."""
    runbook: RunbookId
    """What is done."""
    params: Mapping[Id, Argument] = Field(default_factory=dict)
    """Values for the runbook's parameters."""
    within: Annotated[Duration | None, IDLE] = None
    """By when, from its start, it must have been finished."""
