"""Catching what a library says about one attempt, and keeping it from every log.

Libraries that send log hosts, addresses and requests. Each attempt runs in a thread of its own, so
the thread tells whose words they are; they are kept in memory, for the reason that is shown, and go
no further.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

MOST: Final = 200
LONGEST: Final = 2_000
NOISY: Final = ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry", "requests")


@dataclass
class Heard:
    """What was said during one attempt: all of it, and what was said as a warning or worse."""

    everything: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Hearing(logging.Handler):
    """The one who listens. Apprise's own logger stops here; others only while an attempt runs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._attempts: dict[int, Heard] = {}
        apprise = logging.getLogger("apprise")
        apprise.addHandler(self)
        apprise.setLevel(logging.DEBUG)
        apprise.propagate = False
        for name in NOISY:
            logging.getLogger(name).addFilter(self._swallow)

    @contextlib.contextmanager
    def listen(self) -> Iterator[Heard]:
        """Catch what this thread says until the end of the block."""
        me = threading.get_ident()
        self._attempts[me] = heard = Heard()
        try:
            yield heard
        finally:
            self._attempts.pop(me, None)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what belongs to an attempt of ours; what else Apprise says is nobody's."""
        heard = self._attempts.get(record.thread or 0)
        if heard is None or len(heard.everything) >= MOST:
            return
        try:
            text = " ".join(record.getMessage().split())[:LONGEST]
        except (TypeError, ValueError):  # a library's broken format string
            text = str(record.msg)[:LONGEST]
        heard.everything.append(text)
        if record.levelno >= logging.WARNING:
            heard.warnings.append(text)

    def _swallow(self, record: logging.LogRecord) -> bool:
        self.emit(record)
        return record.thread not in self._attempts

    def close(self) -> None:
        """Stop listening."""
        logging.getLogger("apprise").removeHandler(self)
        for name in NOISY:
            logging.getLogger(name).removeFilter(self._swallow)
        super().close()
