"""The running application as the pages see it.

`opsbook.app` stands above this package and hands itself in; this protocol says which of its parts
are used, so that the dependency stays one-way and a reader sees how wide it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from opsbook.alerts import Dispatcher
from opsbook.alerts.heartbeats import Heartbeats
from opsbook.alerts.intake.doors import Doors
from opsbook.base.clock import Clock
from opsbook.base.database import Database
from opsbook.base.hub import Hub
from opsbook.base.lease import Lease
from opsbook.base.loops import Loops
from opsbook.base.places import Places
from opsbook.book.library import Library
from opsbook.checks import Scheduler
from opsbook.revisions import Revisions


class Runner(Protocol):
    """What drives the runs."""

    @property
    def trouble(self) -> Mapping[int, str]:
        """Runs that cannot move on, and why."""


class Served(Protocol):
    """What the pages ask of the wired application."""

    @property
    def database(self) -> Database: ...
    @property
    def library(self) -> Library: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def hub(self) -> Hub: ...
    @property
    def loops(self) -> Loops: ...
    @property
    def lease(self) -> Lease: ...
    @property
    def places(self) -> Places: ...
    @property
    def scheduler(self) -> Scheduler: ...
    @property
    def engine(self) -> Runner: ...
    @property
    def dispatcher(self) -> Dispatcher: ...
    @property
    def doors(self) -> Doors: ...
    @property
    def hearts(self) -> Heartbeats: ...
    @property
    def url(self) -> str: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def revisions(self) -> Revisions: ...
