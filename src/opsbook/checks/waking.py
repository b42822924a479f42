"""Looking at a check at once when its job has reported, instead of at its next turn.

The loop ``pings``. What was committed names the check; several reports of one job before its turn
are one look. On another server's database the report is seen at the check's own interval.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime

from opsbook.base.errors import NotFound
from opsbook.base.hub import Hub
from opsbook.checks.model import Observation
from opsbook.checks.pings import TOPIC


class Waking:
    """Listens to `hub` and has `look` called with the book and the check that was reported to."""

    def __init__(self, look: Callable[[str, str], Awaitable[Observation]], hub: Hub) -> None:
        self._look = look
        self._told = hub.subscribe(lambda topic: topic.startswith(TOPIC))

    async def tick(self, now: datetime) -> None:
        """Look at every check that was reported to since the last tick."""
        topics: list[str] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                topics = await self._told.changed()
        for topic in topics:
            book, _, check = topic.removeprefix(TOPIC).partition("/")
            with contextlib.suppress(NotFound):
                await self._look(book, check)
