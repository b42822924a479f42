"""Wakes people up sooner; carries nothing that would be lost if nobody listened.

A committed transaction names the topics it touched (``incident:12``, ``checks``). Subscribers are
told *that* something changed and read the rows themselves, so a missed message costs a moment and
never a fact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable


class Subscription:
    """One listener: a set of topics that changed since it last looked."""

    def __init__(self, hub: Hub, accepts: Callable[[str], bool]) -> None:
        self._hub = hub
        self.accepts = accepts
        self._changed: dict[str, None] = {}
        self._wake = asyncio.Event()

    def tell(self, topic: str) -> None:
        """Note a changed topic; repeats are folded into one, so a slow listener stays small."""
        self._changed[topic] = None
        self._wake.set()

    async def changed(self) -> list[str]:
        """Wait for a change and return every topic touched since the last call, oldest first."""
        await self._wake.wait()
        self._wake.clear()
        topics, self._changed = list(self._changed), {}
        return topics

    def close(self) -> None:
        """Stop listening."""
        self._hub.leave(self)


class Hub:
    """Who listens to which topics, within this process."""

    def __init__(self) -> None:
        self._listeners: set[Subscription] = set()
        self._calls: list[tuple[Callable[[str], bool], Callable[[], None]]] = []

    def subscribe(self, accepts: Callable[[str], bool] = lambda _: True) -> Subscription:
        """Listen to every topic that ``accepts`` says yes to."""
        listener = Subscription(self, accepts)
        self._listeners.add(listener)
        return listener

    def on(self, prefix: str, call: Callable[[], None]) -> None:
        """Call ``call`` whenever a topic beginning with ``prefix`` changes (to wake a loop)."""
        self._calls.append((lambda topic: topic.startswith(prefix), call))

    def leave(self, listener: Subscription) -> None:
        """Forget a listener."""
        self._listeners.discard(listener)

    def touch(self, topics: Iterable[str]) -> None:
        """Tell everyone concerned; runs on the event loop's thread."""
        for topic in topics:
            for listener in self._listeners:
                if listener.accepts(topic):
                    listener.tell(topic)
            for accepts, call in self._calls:
                if accepts(topic):
                    call()
