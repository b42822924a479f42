"""What the pipeline knows of alerts now, for pages and for programs."""

from __future__ import annotations

from typing import Final

from opsbook.alerts.pipeline.memory import Memory
from opsbook.web.served import Served

LOOP: Final = "alerts"


async def memory_of(app: Served) -> Memory:
    """Return what is known of alerts, with everything that was accepted before this was asked."""
    loops = app.loops
    deciding = app.lease.held and LOOP in loops.loops
    return await app.dispatcher.known(
        app.clock.now(), deciding=deciding, wake=lambda: loops.wake(LOOP)
    )
