"""Server-sent events of the API: written with ids, so that a broken stream is taken up again.

A follower that lost its connection asks for what came after the last id it saw (``Last-Event-ID``,
or ``after=``) and misses nothing. How many streams there may be, their heartbeat, their length and
their end when the server stops are the pages' own rules (`opsbook.web.live`). Each look is sent
only while the token is good and the follower may read it: somebody who is shut out hears no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import StreamingResponse

from opsbook.access import Principal
from opsbook.base.hub import Hub
from opsbook.web.api.callers import still
from opsbook.web.api.models import Shape
from opsbook.web.api.wired import wired
from opsbook.web.live import BEAT, HEARTBEAT, LIFE, Ended, Streams


class Stream(StreamingResponse):
    """What a streaming route answers with, for the description of the interface."""

    media_type = "text/event-stream"


@dataclass(frozen=True)
class Seen:
    """What one look found: events to send; whether there is ``more`` at once, or never again."""

    events: list[str]
    more: bool = False
    over: bool = False


def event(kind: str, data: Shape, number: int | None = None) -> str:
    """Write one event; ``number`` is set where a follower can go on from it."""
    identity = f"id: {number}\n" if number is not None else ""
    return f"{identity}event: {kind}\ndata: {data.model_dump_json()}\n\n"


def resumed(request: Request) -> int | None:
    """Return the id after which a broken stream goes on, if the client names one."""
    last = request.headers.get("last-event-id", "")
    return int(last) if last.isascii() and last.isdigit() and len(last) < 19 else None


Resumed = Annotated[int | None, Depends(resumed)]


def answer(
    request: Request, who: Principal, hub: Hub, topic: str, look: Callable[[], Awaitable[Seen]]
) -> StreamingResponse:
    """Stream what ``look`` finds, each time the topic is touched."""
    streams: Streams = request.app.state.kept.streams
    app = wired(request)

    async def good() -> bool:
        return await app.database.read(lambda tx: still(tx, app.clock.now(), request))

    return streams.answer(who.actor, _looking(streams, hub, topic, look, good))


async def _looking(
    streams: Streams, hub: Hub, topic: str, look: Callable[[], Awaitable[Seen]],
    good: Callable[[], Awaitable[bool]],
) -> AsyncIterator[str]:  # fmt: skip
    loop = asyncio.get_running_loop()
    ends = loop.time() + LIFE
    listener = hub.subscribe(topic.__eq__)
    try:
        while loop.time() < ends:
            seen = await look()
            if not await good():
                return
            for one in seen.events:
                yield one
            if seen.over:
                return
            while not seen.more and not await streams.first(listener.changed(), HEARTBEAT):
                yield BEAT
    except Ended:
        return
    finally:
        listener.close()
