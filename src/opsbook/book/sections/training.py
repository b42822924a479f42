"""``courses`` and ``world``: what operators learn, and what a drill's sandbox imitates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from opsbook.book.fields import Argument, Duration, Listed, Named, Port
from opsbook.book.refs import DrillId, RoleId, RunbookId, ServiceId
from opsbook.book.sections.elements import Element
from opsbook.book.texts import Text


class Course(Element):
    """Something that is learnt, with the time it takes."""

    length: Duration | None = None
    """How long it takes."""
    topics: tuple[Text, ...] = ()
    """What it is about."""
    audience: tuple[RoleId, ...] = ()
    """Who should have taken it."""
    runbooks: tuple[RunbookId, ...] = ()
    """The runbooks that it explains."""
    drills: tuple[DrillId, ...] = ()
    """The drills that go with it."""
    repeat_every: Duration | None = None
    """How often it is taken again; once, if left out."""


class Fault(Named):
    """Something that can be made to go wrong in the sandbox."""

    title: Text
    """What goes wrong."""
    does: Mapping[str, Argument] = Field(min_length=1)
    """How, in the words of the stand-in's kind: {status: 500}, {delay: 3s}."""


class StandIn(Named):
    """What the sandbox must imitate for this book."""

    title: Text | None = None
    """What people call it."""
    kind: Literal["http", "kubernetes", "postgresql", "redis", "prometheus", "smtp", "command"]
    """What it is an imitation of."""
    service: ServiceId | None = None
    """The service it stands in for."""
    port: Port | None = None
    """The port that it answers on; any free one, if left out."""
    command: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    """For the kind command: the program's name on the path of steps."""
    answers: Mapping[str, Argument] = Field(default_factory=dict)
    """What it answers when nothing is wrong, in the words of its kind."""
    faults: Listed[Fault] = Field(default_factory=dict)
    """What can be made to go wrong with it."""
