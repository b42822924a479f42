"""``book.yaml``: what the book is, whose it is, and what holds for all of it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from opsbook import calendar
from opsbook.book.fields import Day, Duration, Named, Part
from opsbook.book.texts import Text
from opsbook.book.times import HoursText

SelfApproval = Literal["forbid", "record"]
"""``record`` is how a team of one says so: approving one's own run is allowed and shown."""


class Retention(Part):
    """How long the book's records are kept; audit entries are not among them."""

    observations: Duration = timedelta(days=1)
    """What checks saw, look by look."""
    rollups_5m: Duration = timedelta(days=30)
    """What older looks come to in every five minutes."""
    rollups_1h: Duration = timedelta(days=730)
    """What older looks come to in every hour."""

    @property
    def spans(self) -> Mapping[int, timedelta]:
        """How long rollups are kept, by the seconds that each stands for; 0 is the look itself.

        What nobody wrote is at least as long as what is finer, since a chart would have a hole.
        """
        fine = max(self.rollups_5m, self.observations)
        return {0: self.observations, 300: fine, 3600: max(self.rollups_1h, fine)}


class Release(Part):
    """One line of the document's own history, as a guide carries it; revisions are kept anyway."""

    version: str = Field(min_length=1, max_length=60)
    """The version people gave it, in quotes."""
    date: Day | None = None
    """When it was written."""
    author: str | None = Field(default=None, max_length=200)
    """Who wrote it."""
    approved_by: str | None = Field(default=None, max_length=200)
    """Who approved it."""
    changes: Text | None = None
    """What changed."""


class Holidays(Part):
    """Which days are no working days besides weekends."""

    country: str | None = Field(default=None, pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")
    """The country whose public holidays hold, such as KR."""
    also: Mapping[Day, Text] = Field(default_factory=dict)
    """Days off of one's own, each with its name."""
    working: tuple[Day, ...] = ()
    """Public holidays that are worked on all the same."""

    @functools.cached_property
    def days(self) -> calendar.Days:
        """Which days are business days."""
        also = {day: dict(name.by_language) for day, name in self.also.items()}
        return calendar.Days(self.country or "", also, self.working)

    @model_validator(mode="after")
    def _known(self) -> Self:
        try:
            _ = self.days
        except ValueError as error:
            raise PydanticCustomError("holidays", "{why}", {"why": str(error)}) from None
        return self


class Hours(Named):
    """Hours of the week under a name, such as business hours."""

    title: Text | None = None
    """What people call them."""
    open: HoursText
    """Such as "weekdays 09:00-18:00" or "평일 09:00-18:00, 휴일 제외"."""
