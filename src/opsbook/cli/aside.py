"""Telling without ever holding up the server.

A terminal can be stopped with Ctrl-S, a pipe may be read by nobody. A write to either blocks, and
in the event loop it would block checks and pages with it. What is told therefore goes through a
bounded queue to a thread: if nobody reads, lines are left out and counted, never waited for. (They
are in the audit; nothing is lost but the telling.)
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from opsbook.cli import words

if TYPE_CHECKING:
    from opsbook.app import App
    from opsbook.cli.console import Console

ROOM = 1_000
LAST_WORDS = 1.0


class Aside:
    """A console that is told from a thread of its own."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._lines: queue.Queue[Callable[[], None] | None] = queue.Queue(ROOM)
        self._left_out = 0
        self._thread = threading.Thread(target=self._tell, name="opsbook-tell", daemon=True)
        self._thread.start()

    def working(self, text: str) -> contextlib.AbstractContextManager[None]:
        """Show that something is being done; only before there is a server to hold up."""
        return self.console.working(text)

    def started(self, app: App) -> None:
        """Tell the start."""
        self._put(lambda: self.console.started(app))

    def event(self, entry: dict[str, Any]) -> None:
        """Tell one audit entry."""
        self._put(lambda: self.console.event(entry))

    def trouble(self, parked: dict[str, Any]) -> None:
        """Tell of an event that could not be handled yet."""
        self._put(lambda: self.console.trouble(parked))

    def told(self, text: str) -> None:
        """Tell that the server stops."""
        self._put(lambda: self.console.told(text))

    def close(self) -> bool:
        """Tell what is left; ``False`` when nobody reads it within a second."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
        self._thread.join(LAST_WORDS)
        return not self._thread.is_alive()

    def _put(self, line: Callable[[], None]) -> None:
        try:
            if self._left_out:
                text = words.UP_LEFT_OUT.format(n=self._left_out)
                self._lines.put_nowait(lambda: self.console.told(text))
                self._left_out = 0
            self._lines.put_nowait(line)
        except queue.Full:
            self._left_out += 1

    def _tell(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                line()
            except BrokenPipeError:  # who read has left; the server stays
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
