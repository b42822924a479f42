"""``backups``: what is kept, how often, for how long, and the test that proves it comes back."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from opsbook.base import quantities
from opsbook.book.fields import Duration, Flag, Part, Whole, Zone, refusing
from opsbook.book.refs import BackupId, CheckId, ServiceId, Start
from opsbook.book.sections.elements import Element
from opsbook.book.texts import Text
from opsbook.book.times import ScheduleText

Kind = Literal["full", "incremental", "log", "snapshot", "export", "replica", "offline"]
FOREVER: Literal["forever"] = "forever"


def _keep(value: Any) -> timedelta | str:
    if value == FOREVER:
        return FOREVER
    try:
        return quantities.parse_duration(value)
    except ValueError:
        raise ValueError(
            f"{value!r} is no time to keep something; write a duration such as 30d, or forever"
        ) from None


def _kept(value: timedelta | str) -> str:
    return value if isinstance(value, str) else quantities.format_duration(value)


KeepText = Annotated[
    timedelta | Literal["forever"],
    BeforeValidator(refusing(_keep)),
    PlainSerializer(_kept),
    WithJsonSchema({"type": "string"}),
]


class RestoreTest(Part):
    """How it is shown that the backup comes back."""

    schedule: ScheduleText
    """When it is tried."""
    start: Start | None = None
    """The runbook that restores into a safe place and looks."""
    rto: Duration | None = None
    """How long it may take; the backup's own, if left out."""
    expects: tuple[Text, ...] = ()
    """What must be true of what came back, in words."""


class Backup(Element):
    """A policy: one thing that is backed up in one way."""

    of: Text
    """What is backed up."""
    service: ServiceId | None = None
    """The service it belongs to."""
    kind: Kind = "full"
    """What sort of backup it is; a replica and an offline copy are named for what they are."""
    method: Text | None = None
    """The tool or the way it is made."""
    schedule: ScheduleText | None = None
    """When it is made; none for what is copied continuously or by hand."""
    timezone: Zone | None = None
    """The zone it is meant in; the book's if left out."""
    start: Start | None = None
    """The runbook that makes it."""
    check: CheckId | None = None
    """The check that shows its age or its size."""
    base: BackupId | None = None
    """The backup that this one adds to, without which it is worth nothing."""
    to: Text | None = None
    """Where it is kept."""
    encrypted: Flag = False
    """Whether it is encrypted where it is kept."""
    keep: KeepText | None = None
    """How long it is kept: a duration, or forever."""
    at_least: Whole = Field(default=1, ge=1, le=100_000)
    """How many are kept whatever their age."""
    rpo: Duration | None = None
    """How much work may be lost at most."""
    rto: Duration | None = None
    """How long a restore may take."""
    restore_test: RestoreTest | None = None
    """How it is shown that it comes back."""
