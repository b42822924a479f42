"""``people``, ``roles``, ``teams`` and ``escalation``: who there is and who is called, in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from opsbook.book.fields import Duration, Id, Language, Named, Part
from opsbook.book.texts import Text

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
    account: str | None = Field(default=None, min_length=1, max_length=128)
    roles: tuple[Id, ...] = ()
    contacts: tuple[ContactText, ...] = ()
    language: Language | None = None

    @property
    def login(self) -> str:
        """The account this person signs in with: the person's id unless the book says otherwise."""
        return self.account or self.id


class Team(Named):
    """People who share a duty. The first of `on_duty` is on duty, the others stand in, in order."""

    title: Text | None = None
    members: tuple[Id, ...] = Field(min_length=1)
    on_duty: tuple[Id, ...] = ()


class EscalationLevel(Part):
    """Whom to page once this much time has passed without an acknowledgement.

    `after` counts from the start of the incident, not from the level before.
    """

    after: Duration = timedelta(0)
    page: tuple[Id, ...] = Field(min_length=1)


class Escalation(Named):
    """A policy: levels in order. `repeat` starts again that long after the last level."""

    title: Text | None = None
    levels: tuple[EscalationLevel, ...] = Field(min_length=1)
    repeat: Duration | None = None
