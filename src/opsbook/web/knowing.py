"""What the pipeline knows of alerts now, for pages and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Protocol

from opsbook.alerts import Dispatcher
from opsbook.alerts.pipeline import muting
from opsbook.alerts.pipeline.memory import Memory
from opsbook.alerts.pipeline.model import Alert
from opsbook.alerts.pipeline.muting import Quiet
from opsbook.base.clock import Clock
from opsbook.base.lease import Lease
from opsbook.base.loops import Loops

LOOP: Final = "alerts"


class Knower(Protocol):
    """What of the application knows of alerts."""

    @property
    def clock(self) -> Clock: ...
    @property
    def lease(self) -> Lease: ...
    @property
    def loops(self) -> Loops: ...
    @property
    def dispatcher(self) -> Dispatcher: ...


async def memory_of(app: Knower) -> Memory:
    """Return what is known of alerts, with everything that was accepted before this was asked."""
    loops = app.loops
    deciding = app.lease.held and LOOP in loops.loops
    return await app.dispatcher.known(
        app.clock.now(), deciding=deciding, wake=lambda: loops.wake(LOOP)
    )


def quiet(memory: Memory, alert: Alert, now: datetime, behind: Mapping[str, str]) -> Quiet | None:
    """Return why nobody is told of an alert now; ``None`` where one of its routes tells somebody.

    An alert is kept quiet for each route by itself, by the hours of one and not of another.
    """
    if alert.book not in memory.books or alert.over(now):
        return None
    look = memory.look(alert.book, now, behind)
    nodes = memory.routings[alert.book].root.taken_by(alert.labels)
    found = [muting.quiet(alert, node, look) for node in nodes]
    return found[0] if found and all(found) else None
