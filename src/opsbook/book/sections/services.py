"""``services``: what is operated, what it is made of, where it answers, what it depends on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from opsbook.book.fields import Flag, Listed, Named, Part, Port, Whole
from opsbook.book.refs import ChannelId, ServiceId
from opsbook.book.sections.elements import Element
from opsbook.book.texts import Text

Kind = Literal[
    "deployment", "statefulset", "daemonset", "cronjob", "job", "container", "unit", "process"
]


class Workload(Part):
    """What runs a component, and where it is found."""

    kind: Kind = "deployment"
    """The kind of thing: a Kubernetes object, a container, a systemd unit, a process."""
    name: str = Field(min_length=1, max_length=253)
    """Its name there."""
    namespace: str | None = Field(default=None, max_length=253)
    """The Kubernetes namespace, or the compose project."""
    container: str | None = Field(default=None, max_length=253)
    """The container meant, where there are several."""
    selector: str | None = Field(default=None, max_length=1000)
    """A label selector that finds its pods."""


class Component(Named):
    """A part of a service."""

    title: Text | None = None
    """What people call it."""
    description: Text | None = None
    """What it does."""
    count: Whole | None = Field(default=None, ge=0, le=1_000_000)
    """How many of it there should be."""
    workload: Workload | None = None
    """What runs it."""


class Endpoint(Named):
    """Where a service answers."""

    title: Text | None = None
    """What people call it."""
    url: str | None = Field(default=None, min_length=1, max_length=2000)
    """Its address, if it is a web address."""
    host: str | None = Field(default=None, min_length=1, max_length=253)
    """Its host, if it is none."""
    port: Port | None = None
    """Its port."""
    public: Flag = False
    """Whether it can be reached from the internet."""


class Service(Element):
    """Something people rely on, of one's own or somebody else's."""

    external: Flag = False
    """Whether others run it: a provider's interface that one's own services need."""
    components: Listed[Component] = Field(default_factory=dict)
    """What it is made of."""
    endpoints: Listed[Endpoint] = Field(default_factory=dict)
    """Where it answers."""
    depends_on: tuple[ServiceId, ...] = ()
    """The services it needs."""
    channel: ChannelId | None = None
    """Where its people are told."""
    support: tuple[Text, ...] = ()
    """How to reach those who help with it, in words."""
