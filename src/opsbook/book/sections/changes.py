"""``change_kinds``, ``windows``, ``freezes``: what must be asked for, and when it may happen."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from opsbook.book.fields import Duration, Flag, Moment, Named, Part, Whole, Zone
from opsbook.book.refs import Approval, AudienceId, ChangeKindId, RunbookId, ServiceId, WindowId
from opsbook.book.sections.elements import Element
from opsbook.book.texts import Text
from opsbook.book.times import ScheduleText

Wish = Literal["required", "preferred", "optional"]


class Undoing(Part):
    """What must be known about the way back before a change of this kind may begin."""

    plan: Wish = "required"
    """Whether there must be a rollback."""
    tested: Wish = "optional"
    """Whether it must have been rehearsed."""
    automated: Wish = "optional"
    """Whether it must run by itself."""


class ChangeKind(Element):
    """A kind of change: whose yes it needs, how long ahead it is announced, when it may happen."""

    approvals: tuple[Approval, ...] = ()
    """Whose yes it needs; every one of these."""
    notice: Duration | None = None
    """How long ahead it must be asked for."""
    tells: tuple[AudienceId, ...] = ()
    """Who is told, as soon as it is asked for."""
    windows: tuple[WindowId, ...] = ()
    """When it may happen; at any time, if left out."""
    emergency: Flag = False
    """Whether it may go past notice, windows and freezes."""
    before: RunbookId | None = None
    """The checklist that must have been gone through first."""
    after: RunbookId | None = None
    """The checklist that is gone through afterwards."""
    rollback: Undoing = Undoing()
    """What must be known about the way back."""
    review_within: Duration | None = None
    """By when it must be reviewed; no review, if left out."""


class Window(Named):
    """When changes may happen."""

    title: Text
    """What people call it."""
    description: Text | None = None
    """What it is for."""
    schedule: ScheduleText
    """When it opens."""
    timezone: Zone | None = None
    """The zone it is meant in; the book's if left out."""
    length: Duration
    """How long it stays open."""
    per_month: Whole | None = Field(default=None, ge=1, le=31)
    """How often a month it may be used; as often as it opens, if left out."""
    services: tuple[ServiceId, ...] = ()
    """For these services; all, if left out."""


class Freeze(Named):
    """When changes may not happen."""

    title: Text
    """Why."""
    from_: Moment = Field(alias="from")
    """From when."""
    to: Moment
    """Until when; a day alone means its end."""
    timezone: Zone | None = None
    """The zone it is meant in; the book's if left out."""
    allows: tuple[ChangeKindId, ...] = ()
    """Kinds of change that may happen all the same."""
    services: tuple[ServiceId, ...] = ()
    """For these services; all, if left out."""
