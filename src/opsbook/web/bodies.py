"""Bodies that senders hand in: how large, for how long, and how much of all of them at one time.

Belongs here: what has to be bounded before it is known what a body holds. What is in them is the
intakes' (`opsbook.web.doors`, `opsbook.web.alertmanager`).

A server that takes bodies from everybody can be kept from taking any: by many that are never
finished, or by one that unpacks to more work than it was to send. So there is a room for bodies,
and whoever takes up most of it for the longest makes way. An honest body is gone in a moment
and never weighs much; one that is held on purpose weighs more with every second. A bound per sender
would not do instead: behind a proxy all of them have one address.

Whoever has shown a token has a room apart from those who show it in the body alone, so that these
cannot keep the others waiting.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import Final

from starlette.types import Receive

from opsbook.alerts.intake.kind import Later
from opsbook.base.errors import OpsbookError

LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a body, packed or not."""
LARGEST_UNPROVEN: Final = 1024 * 1024
"""Bytes of a body that itself has to show that it may come in. PagerDuty takes half of it."""
MOST_HELD: Final = 128 * 1024 * 1024
"""Bytes of all bodies that are being received at one time."""
MOST_HELD_UNPROVEN: Final = 32 * 1024 * 1024
LEFT_OVER: Final = 7 / 8
"""How full a room is after somebody had to make way: not every further part is to look for one."""
LONGEST_BODY_S: Final = 30.0
MOST_MEMBERS: Final = 1000
"""Of a packed body. A sender has one; one that packs line by line has some."""
PIECE: Final = 64 * 1024
"""Bytes that are unpacked at once: what is left over of them is copied at the end of a member."""

Headers = list[tuple[bytes, bytes]]


class Wrong(OpsbookError):
    """A request that is no letter; `headers` go into the answer."""

    def __init__(self, status: int, message: str, remedy: str = "", headers: Headers | None = None):
        super().__init__(message, remedy=remedy)
        self.code = status
        self.headers = headers or []


class Gone(Exception):
    """The sender has hung up."""


class Room:
    """What bodies being received may take up together, in bytes, and each of them at most."""

    def __init__(self, most: int, largest: int) -> None:
        self.most = most
        self.largest = largest
        self.taken = 0
        self._bodies: set[Held] = set()

    def add(self, body: Held, size: int) -> None:
        """Let a body grow. Where that is too much, the heaviest make way, this one among them."""
        self._bodies.add(body)
        body.size += size
        self.taken += size
        if self.taken > self.most:
            self._make_way()

    def free(self, body: Held) -> None:
        """Give back what a body takes up; a second time does nothing."""
        if body in self._bodies:
            self._bodies.remove(body)
            self.taken -= body.size

    def _make_way(self) -> None:
        now = asyncio.get_running_loop().time()
        for one in sorted(self._bodies, key=lambda body: body.weight(now), reverse=True):
            self.free(one)
            one.drop(now)
            if self.taken <= self.most * LEFT_OVER:
                return


class Held:
    """A body while it comes in."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.size = 0
        self.dropped = False
        self._began = 0.0
        self._timeout: asyncio.Timeout | None = None

    def weight(self, now: float) -> tuple[float, int]:
        """Return what it costs the others: its bytes times the seconds since it began."""
        return self.size * (now - self._began), self.size

    def drop(self, now: float) -> None:
        """End the wait for the rest of it."""
        self.dropped = True
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(now)

    async def body(self, receive: Receive) -> bytes:
        """Return the whole body; raises Wrong, Later or Gone."""
        self._began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(LONGEST_BODY_S) as self._timeout:
                parts = await self._parts(receive)
        except TimeoutError:
            if self.dropped:
                raise _crowded() from None
            told = f"The body took longer than {LONGEST_BODY_S:g} s to arrive."
            raise Wrong(408, told) from None
        finally:
            self._timeout = None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _parts(self, receive: Receive) -> list[bytes]:
        parts: list[bytes] = []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            part = message.get("body", b"")
            if self.size + len(part) > self.room.largest:
                raise too_large(self.room.largest)
            self.room.add(self, len(part))
            if self.dropped:
                raise _crowded()
            parts.append(part)
            if not message.get("more_body", False):
                return parts

    def let_go(self) -> None:
        """Make room for others."""
        self.room.free(self)


def unpacked(body: bytes, largest: int = LARGEST) -> bytes:
    """Return what a body packed with gzip holds; never more than `largest`, whatever it claims.

    Neither is it more work than that: a gzip may have any number of members, each of which costs
    something even where nothing is in it.
    """
    found = bytearray()
    whole, at, members = memoryview(body), 0, 0
    try:
        while at < len(whole):
            members += 1
            if members > MOST_MEMBERS:
                told = f"The body is a gzip of more than {MOST_MEMBERS:,} members."
                raise Wrong(400, told, "Pack it as a whole.")
            member = zlib.decompressobj(31)
            while not member.eof:
                piece = whole[at : at + PIECE]
                if not piece:
                    raise Wrong(400, "The body is cut off: it is no whole gzip.")
                found += member.decompress(piece, largest + 1 - len(found))
                at += len(piece) - len(member.unused_data) - len(member.unconsumed_tail)
                if len(found) > largest:
                    raise too_large(largest)
    except zlib.error:
        raise Wrong(400, "The body is said to be packed with gzip, and is not.") from None
    return bytes(found)


def too_large(largest: int = LARGEST) -> Wrong:
    """Return the refusal of a body that is larger than may be."""
    remedy = "Send fewer alerts at once."
    return Wrong(413, f"The body is larger than {largest // 1024 // 1024} MiB.", remedy)


def _crowded() -> Later:
    return Later("Too much is coming in at once.")
