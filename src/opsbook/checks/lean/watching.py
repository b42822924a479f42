"""Many sockets behind one of the event loop's watches.

Event loops pay for each socket that they begin and cease to watch: two to five system calls and a
handle, a third of what a look costs. Here one epoll of our own is watched by the event loop for as
long as that runs, and a socket costs one call: closing it ends the watch.

Told once for each change (edge-triggered), so whoever is called sends and reads until it would
block. A call too many does no harm, and happens: what was told of a socket may reach the next one
that got its number. Linux alone has epoll, and Opsbook runs on Linux.
"""

from __future__ import annotations

import asyncio
import select
import socket
import weakref
from collections.abc import Callable
from typing import Any

Called = Callable[[], None]


class Watch:
    """The sockets of one event loop, and who is called when something can be done with one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._called: dict[int, Called] = {}
        self._epoll = select.epoll()
        self._all = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
        loop.add_reader(self._epoll.fileno(), self._ready)

    def add(self, connection: socket.socket, called: Called) -> None:
        """Call `called` after each change; it must let nothing escape."""
        place = connection.fileno()
        self._epoll.register(place, self._all)
        self._called[place] = called

    def remove(self, connection: socket.socket) -> None:
        """Call nobody any more; the socket is closed right after."""
        del self._called[connection.fileno()]

    def _ready(self) -> None:
        for place, _ in self._epoll.poll(0):
            called = self._called.get(place)
            if called is not None:  # else one before it in this round has ended it
                called()


_OF: weakref.WeakKeyDictionary[Any, Watch] = weakref.WeakKeyDictionary()


def of(loop: asyncio.AbstractEventLoop) -> Watch:
    """Return the watch of an event loop, made at its first use and gone with it."""
    found = _OF.get(loop)
    if found is None:
        found = _OF[loop] = Watch(loop)
    return found
