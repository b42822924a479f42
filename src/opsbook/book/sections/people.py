"""``people``, ``roles``, ``teams``, ``rotations``, ``escalation``, ``channels``: who is called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from opsbook.book.fields import Duration, Flag, Language, Moment, Named, Part, Zone
from opsbook.book.refs import ChannelId, OwnerId, PersonId, RoleId, RotationId
from opsbook.book.texts import Text
from opsbook.book.times import HoursText

Level = Literal["read", "write", "admin"]
LEVELS: tuple[Level, ...] = get_args(Level)
SECRET = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/.+")


@dataclass(frozen=True, slots=True)
class Permission:
    """``area:level``; the area ``*`` is every area, and a level includes the ones below it."""

    area: str
    level: Level

    @classmethod
    def of(cls, value: Any) -> Permission:
        """Read ``incidents:write`` or ``*:admin``."""
        if isinstance(value, Permission):
            return value
        area, _, written = str(value).partition(":")
        level: Level | None = next((one for one in LEVELS if one == written), None)
        if not re.fullmatch(r"\*|[a-z][a-z0-9_-]*", area) or level is None:
            raise PydanticCustomError(
                "permission",
                "{value} is not a permission; write area:level with the level read, write or "
                'admin, such as "incidents:write" or "*:admin"',
                {"value": repr(value)},
            )
        return cls(area, level)

    def allows(self, area: str, level: Level) -> bool:
        """Whether this permission is enough for `level` in `area`."""
        return self.area in {"*", area} and LEVELS.index(self.level) >= LEVELS.index(level)

    def __str__(self) -> str:
        return f"{self.area}:{self.level}"


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a person is reached besides the inbox: an Apprise URL, or a reference to one.

    A URL that carries a password belongs in the environment, not in git: ``secret: env:NAME``.
    """

    url: str | None = None
    secret: str | None = None

    @classmethod
    def of(cls, value: Any) -> Contact:
        """Read an Apprise URL or ``{secret: "env:NAME"}``."""
        if isinstance(value, Contact):
            return value
        if isinstance(value, str) and re.match(r"[a-z][a-z0-9+.-]*://\S", value, re.IGNORECASE):
            return cls(url=value)
        if isinstance(value, dict) and set(value) == {"secret"}:
            secret = str(value["secret"])
            if SECRET.fullmatch(secret):
                return cls(secret=secret)
        raise PydanticCustomError(
            "contact",
            "is not a contact; write an Apprise URL such as mailto://…, or a reference such as "
            "{secret: env:NAME} or {secret: file:/path}",
        )

    def __str__(self) -> str:
        return self.url or f"secret: {self.secret}"


def _contact(contact: Contact) -> str | dict[str, str]:
    return contact.url if contact.url is not None else {"secret": contact.secret or ""}


PermissionText = Annotated[
    Permission,
    BeforeValidator(Permission.of),
    PlainSerializer(str),
    WithJsonSchema({"type": "string"}),
]
ContactText = Annotated[
    Contact,
    BeforeValidator(Contact.of),
    PlainSerializer(_contact),
    WithJsonSchema({"type": ["string", "object"]}),
]


class Person(Named):
    """Somebody with a name; `contacts` are tried together, the web inbox is always one more."""

    name: Text
    """What people call them."""
    title: Text | None = None
    """What they do."""
    account: str | None = Field(default=None, min_length=1, max_length=128)
    """The name to sign in with; the id if left out."""
    roles: tuple[RoleId, ...] = ()
    """What they may do."""
    contacts: tuple[ContactText, ...] = ()
    """Where a page reaches them besides the inbox: Apprise URLs, or references to one."""
    language: Language | None = None
    """The language of their pages."""

    @property
    def login(self) -> str:
        """The account this person signs in with: the person's id unless the book says otherwise."""
        return self.account or self.id


class Team(Named):
    """People who share a duty, in the order of `on_duty` or by a rotation."""

    title: Text | None = None
    """What people call it."""
    description: Text | None = None
    """What it looks after."""
    members: tuple[PersonId, ...] = Field(min_length=1)
    """Who belongs to it."""
    on_duty: tuple[PersonId, ...] = ()
    """The first is on duty, the others stand in, in order; the members' order if left out."""
    rotation: RotationId | None = None
    """Who is on duty instead, by the calendar."""
    channel: ChannelId | None = None
    """Where the team is told."""


class Layer(Part):
    """People who take turns. Where two layers hold at once, the later one in the book counts."""

    people: tuple[PersonId, ...] = Field(min_length=1)
    """Who takes turns, in order."""
    shift: Duration = timedelta(weeks=1)
    """How long a turn is."""
    starts: Moment
    """When the first person's first turn began; hand-overs are at this time of day."""
    until: Moment | None = None
    """When it ends; a day alone means its end. Never, if left out."""
    only: HoursText | None = None
    """The hours this layer holds in; always, if left out."""
    timezone: Zone | None = None
    """The zone of its hours and hand-overs; the rotation's if left out. Duty follows the sun so."""


class Override(Part):
    """Somebody instead of whoever would be on duty."""

    from_: Moment = Field(alias="from")
    """From when."""
    to: Moment
    """Until when; a day alone means its end."""
    person: PersonId
    """Who is on duty then."""
    reason: Text | None = None
    """Why."""


class Rotation(Named):
    """Who is on duty when, by turns."""

    title: Text | None = None
    """What people call it."""
    timezone: Zone | None = None
    """The zone of its hand-overs; the book's if left out."""
    layers: tuple[Layer, ...] = Field(min_length=1)
    """The turns; a later layer stands above an earlier one."""
    overrides: tuple[Override, ...] = ()
    """Exceptions, which stand above every layer."""


class EscalationLevel(Part):
    """Whom to page once this much time has passed without an acknowledgement.

    `after` counts from the start of the incident, not from the level before.
    """

    after: Duration = timedelta(0)
    """Counted from the start of the incident."""
    page: tuple[OwnerId, ...] = Field(min_length=1)
    """Persons, and teams whose person on duty is meant."""


class Escalation(Named):
    """A policy: levels in order. `repeat` starts again that long after the last level."""

    title: Text | None = None
    """What people call it."""
    levels: tuple[EscalationLevel, ...] = Field(min_length=1)
    """Who is paged, and when."""
    repeat: Duration | None = None
    """When nobody has answered, everybody is paged again this long after the last level."""


class Channel(Named):
    """A place where many are told at once: a chat channel, a mailing list, a status page."""

    title: Text
    """What people call it."""
    description: Text | None = None
    """What is told there."""
    to: ContactText
    """An Apprise URL, or a reference to one."""
    public: Flag = False
    """Whether people outside of the organisation read it."""
