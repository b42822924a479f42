"""What keeps an open page fresh: streams that say *that* something changed.

A page names the topics it shows and the count of changes it was rendered at; the stream answers at
once when it is behind already, so nothing falls between rendering and listening. The page then asks
for itself again and puts the new parts in place of the old: one way to render, one way to be
allowed, and a stream that carries no data it could show to the wrong person.

Streams are many and long, so they are bounded: in number altogether and for one session, and in
life (a stream that ends is asked for again, and the session is looked at anew). They end at once
when the server stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

from starlette.responses import StreamingResponse

from opsbook.base.hub import Hub
from opsbook.web.errors import TooOften

HEARTBEAT: Final = 15.0
LIFE: Final = 900.0
"""Seconds between signs of life, and until a stream is ended so that its session is checked."""
MOST: Final = 400
MOST_EACH: Final = 16
REMEMBERED: Final = 4_000

Result = TypeVar("Result")


class Changes:
    """How often anything changed so far, and at which count each topic did last."""

    def __init__(self, hub: Hub) -> None:
        self.boot = secrets.token_hex(4)
        self.count = 0
        self._last: dict[str, int] = {}
        self._forgotten = 0
        hub.subscribe(self._heard)

    @property
    def mark(self) -> str:
        """What a page remembers: this process, and the count it was rendered at."""
        return f"{self.boot}.{self.count}"

    def behind(self, mark: str, topics: Topics) -> bool:
        """Tell whether any of the topics changed since a page with this mark was rendered."""
        boot, _, count = mark.partition(".")
        if boot != self.boot or not count.isdigit() or int(count) < self._forgotten:
            return True
        return any(at > int(count) for topic, at in self._last.items() if topic in topics)

    def _heard(self, topic: str) -> bool:
        """Note a topic; as a listener it wants nothing delivered."""
        self.count += 1
        self._last.pop(topic, None)
        self._last[topic] = self.count
        if len(self._last) > REMEMBERED:
            oldest = next(iter(self._last))
            self._forgotten = self._last.pop(oldest)
        return False


class Topics:
    """The topics a page asked for, bounded and as plain words."""

    def __init__(self, text: str) -> None:
        self.wanted = frozenset(text[:400].split()[:20])

    def __contains__(self, topic: str) -> bool:
        """Whether the page shows this topic; ``runs`` also hears of ``run:5``'s list only."""
        return topic in self.wanted


class Streams:
    """Every open stream of this server."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()
        self._open: Counter[str] = Counter()

    def close(self) -> None:
        """End every stream now; the server is stopping."""
        self._closing.set()

    def answer(self, who: str, events: AsyncIterator[str]) -> StreamingResponse:
        """Serve a stream of events to one session.

        Raises:
            TooOften: the session, or everybody together, has too many streams open.
        """
        if self._open[who] >= MOST_EACH or self._open.total() >= MOST:
            raise TooOften("Too many live pages are open.", remedy="Close some tabs.")
        return StreamingResponse(
            self._counted(who, events),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _counted(self, who: str, events: AsyncIterator[str]) -> AsyncIterator[bytes]:
        self._open[who] += 1
        try:
            yield b"retry: 2000\n\n"
            async for event in events:
                yield event.encode()
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]

    async def first(self, wanted: Awaitable[Result], within: float) -> Result | None:
        """Return what is awaited, or ``None`` after ``within`` seconds or when closing.

        Raises:
            Ended: every stream is being closed.
        """
        task = asyncio.ensure_future(wanted)
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait((task, closing), timeout=within, return_when=asyncio.FIRST_COMPLETED)
            if self._closing.is_set():
                raise Ended
            return task.result() if task.done() else None
        finally:
            closing.cancel()
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


class Ended(Exception):
    """The stream is over."""


def event(kind: str, data: Any) -> str:
    """Write one server-sent event; data is JSON, which has no line breaks of its own."""
    return f"event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


BEAT: Final = ": beat\n\n"


async def changes(
    streams: Streams, hub: Hub, topics: Topics, is_behind: Callable[[], bool]
) -> AsyncIterator[str]:
    """Yield a ``change`` event, naming topics, whenever one of them changed."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + LIFE
    listener = hub.subscribe(topics.__contains__)
    try:
        if is_behind():
            yield event("change", [])
        while loop.time() < ends:
            changed = await streams.first(listener.changed(), HEARTBEAT)
            yield event("change", changed) if changed else BEAT
    except Ended:
        return
    finally:
        listener.close()
