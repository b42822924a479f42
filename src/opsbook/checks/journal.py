"""Entries of the system's journal, counted as they come: `journalctl -o json` with a cursor.

The first look asks for the whole window, since the journal keeps the time of each entry; the looks
after it ask for what followed the last entry they saw. The cursor is in memory: after a restart the
window is asked for again, and nothing is missed. Times are the journal's own (when it received the
entry), which is this machine's clock.

Only units, identifiers and priorities narrow down what the journal hands out; the pattern is
matched here, by RE2, since journalctl's own ``--grep`` is another language and may take for ever.

Source: journalctl(1), systemd.journal-fields(7).
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from opsbook.checks import patterns
from opsbook.checks.kind import Context
from opsbook.checks.model import CannotLook, Reading
from opsbook.checks.printing import printed

MOST_BYTES: Final = 8 * 1024 * 1024
PROGRAM: Final = "journalctl"
FIELDS: Final = "MESSAGE,__REALTIME_TIMESTAMP,__CURSOR"


class Journal:
    """What one check has seen of the journal: how far it is, and what was found when."""

    def __init__(
        self, units: Sequence[str], identifiers: Sequence[str], priority: str | None, pattern: str
    ) -> None:
        self._narrowed = (
            *(f"--unit={unit}" for unit in units),
            *(f"--identifier={name}" for name in identifiers),
            *((f"--priority={priority}",) if priority is not None else ()),
        )
        self._pattern = patterns.compiled(pattern, lines=True) if pattern else None
        self._cursor = ""
        self._found: deque[tuple[datetime, int]] = deque()

    async def look(self, context: Context, window: timedelta) -> Reading:
        """Read on, and sum up the window.

        Raises:
            CannotLook: the journal cannot be read here.
        """
        begin = context.now - window
        place = f"--after-cursor={self._cursor}" if self._cursor else _since(begin)
        try:
            told = await printed(
                PROGRAM, "--output=json", f"--output-fields={FIELDS}", "--no-pager", "--quiet",
                *self._narrowed, place, most=MOST_BYTES,
            )  # fmt: skip
        except CannotLook:  # perhaps for a cursor of a journal that is gone: begin anew
            self._cursor = ""
            self._found.clear()
            raise
        await context.blocking(lambda: self._take(told.output, context.now))
        while self._found and self._found[0][0] <= begin:
            self._found.popleft()
        count = sum(found for _, found in self._found)
        what = "matched" if self._pattern is not None else "came"
        message = f"{count} entr{'y' if count == 1 else 'ies'} {what}"
        if told.more:
            message += "; there are more, which the next look reads"
        return Reading(count, "", message)

    def _take(self, output: bytes, now: datetime) -> None:
        """Count whole lines; one that was cut off is read again by the next look."""
        counted: dict[datetime, int] = {}
        for line in output[: output.rfind(b"\n") + 1].splitlines():
            try:
                entry: dict[str, Any] = json.loads(line)
                stamp = int(entry["__REALTIME_TIMESTAMP"])
                self._cursor = str(entry["__CURSOR"])
            except (ValueError, KeyError, TypeError):
                continue
            if self._pattern is None or self._pattern.search(_message(entry)) is not None:
                at = min(now, datetime.fromtimestamp(stamp // 1_000_000, UTC))
                counted[at] = counted.get(at, 0) + 1
        self._found.extend(sorted(counted.items()))


def _message(entry: dict[str, Any]) -> bytes:
    """The text of an entry; the journal gives bytes that are no text as a list of numbers."""
    message = entry.get("MESSAGE")
    if isinstance(message, list):
        try:
            return patterns.encoded(bytes(message))
        except (ValueError, TypeError):
            return b""
    return message.encode(errors="replace") if isinstance(message, str) else b""


def _since(moment: datetime) -> str:
    return f"--since=@{moment.timestamp():.0f}"
