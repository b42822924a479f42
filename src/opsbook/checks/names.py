"""Looking up names without letting a resolver that hangs delay anybody.

Every look asks the system afresh: a cache here would hide that a name has moved, and the system has
one of its own. What is shared is a look-up under way, so that fifty checks of one host are one
question. asyncio's own way was refused, since it asks on the few threads it uses for everything
else, and a handful of dead resolvers would stop those.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import time
from dataclasses import dataclass
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from opsbook.base.clock import Clock
from opsbook.checks.threads import StillHanging, Threads

Address = tuple[socket.AddressFamily, tuple[Any, ...]]
PATIENCE_S = 5.0
NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


@dataclass(frozen=True, slots=True)
class _Asked:
    task: asyncio.Task[list[Address]]
    began: float
    since: str


class Names(AbstractResolver):
    """The resolver of every check: for our own connections and, as an aiohttp one, for HTTP."""

    def __init__(self, clock: Clock, threads: Threads) -> None:
        self.clock = clock
        self.threads = threads
        self._asked: dict[str, _Asked] = {}

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Return where `host` is, with `port`; an address needs no question.

        Raises:
            socket.gaierror: the name is not known, or the resolver did not answer.
            StillHanging: the same question has been unanswered for longer than `PATIENCE_S`.
        """
        if (numeric := _numeric(host, port)) is not None:
            return [numeric]
        asked = self._asked.get(host)
        if asked is None:
            now = self.clock.now()
            work = self.threads.run(f"name:{host}", now, lambda: _ask(host, 0, 0))
            asked = _Asked(asyncio.create_task(work), time.monotonic(), f"{now:%H:%M:%S} UTC")
            self._asked[host] = asked
            asked.task.add_done_callback(lambda task: self._answered(host, task))
        elif time.monotonic() - asked.began > PATIENCE_S:
            raise StillHanging(f"the name {host} has been looked up since {asked.since}")
        found = await asyncio.shield(asked.task)
        return [(family, (place[0], port, *place[2:])) for family, place in found]

    def _answered(self, host: str, task: asyncio.Task[list[Address]]) -> None:
        self._asked.pop(host, None)
        if not task.cancelled():
            task.exception()  # seen, even if nobody waits any longer

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Answer aiohttp, in its words."""
        return [
            ResolveResult(
                hostname=host, host=place[0], port=port, family=found, proto=0, flags=NUMERIC
            )
            for found, place in await self.addresses(host, port)
            if family in {socket.AF_UNSPEC, found}
        ]

    async def close(self) -> None:
        """Stop waiting for answers."""
        for asked in self._asked.values():
            asked.task.cancel()


@functools.lru_cache(maxsize=4096)
def _numeric(host: str, port: int) -> Address | None:
    """Return an address that is written as one. No resolver was asked, so it may be kept."""
    try:
        return _ask(host, port, NUMERIC)[0]
    except socket.gaierror:
        return None


def _ask(host: str, port: int, flags: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError:  # a label of more than 63 letters, or of none
        raise socket.gaierror(socket.EAI_NONAME, "no name that could be asked for") from None
    return [(family, place) for family, _, _, _, place in found]
