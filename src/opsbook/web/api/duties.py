"""The shapes of duty in the interface."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from opsbook.web.api.models import Shape

Id = Annotated[str, Field(min_length=1, max_length=200)]


class OnDuty(Shape):
    """Whom a team calls at a moment: the first and who stands in; who comes next, and when."""

    book: str
    team: str
    title: str
    rotation: str | None
    on_duty: list[str]
    why: str | None
    next: str | None
    next_at: datetime | None


class OnCall(Shape):
    """Every team's duty at one moment."""

    at: datetime
    teams: list[OnDuty]


class ShiftOut(Shape):
    """Somebody is called first.

    ``why``: agreed, override, layer; or ``nobody's hours``: nobody planned to be there.
    """

    start: datetime
    end: datetime
    person: str
    why: str


class GapOut(Shape):
    """Nobody planned to be on duty; `person` is called all the same."""

    book: str
    rotation: str
    start: datetime
    end: datetime
    person: str


class ClashOut(Shape):
    """One person is called first by two rotations at once."""

    book: str
    person: str
    rotations: list[str]
    start: datetime
    end: datetime


class AheadOut(Shape):
    """What is wrong with duty in the time to come."""

    until: datetime
    gaps: list[GapOut]
    clashes: list[ClashOut]


class ExceptionOut(Shape):
    """Somebody instead of whoever would be on duty, agreed on the page."""

    id: int
    book: str
    rotation: str
    person: str
    starts_at: datetime
    ends_at: datetime
    reason: str
    made_by: str
    swap_id: int | None


class SwapOut(Shape):
    """A question from one person to another: take this time, perhaps for one of yours."""

    id: int
    book: str
    rotation: str
    giver: str
    taker: str
    starts_at: datetime
    ends_at: datetime
    back_starts_at: datetime | None
    back_ends_at: datetime | None
    reason: str
    state: str


class Shifts(Shape):
    """A rotation's shifts, what was agreed about them, and the swaps that wait for an answer."""

    book: str
    rotation: str
    shifts: list[ShiftOut]
    exceptions: list[ExceptionOut]
    swaps: list[SwapOut]


class NewException(Shape):
    """Somebody is to be called first for a time."""

    book: Id
    rotation: Id
    person: Id
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    reason: str = Field(default="", max_length=2_000)


class NewSwap(Shape):
    """`giver` asks `taker` to take a time; ``back_…`` is what they take in return."""

    book: Id
    rotation: Id
    giver: Id
    taker: Id
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    back_starts_at: AwareDatetime | None = None
    back_ends_at: AwareDatetime | None = None
    reason: str = Field(default="", max_length=2_000)
