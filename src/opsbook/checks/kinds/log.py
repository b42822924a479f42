"""``log``: how many lines of a file matched a pattern during the last while?

What is counted is what was *appended* during the window. Times written in the lines are not read:
there is no end to the ways programs write them, and a clock in a log is somebody else's. Each look
counts the complete lines that came since the look before, and the value is the sum over the looks
of the window; its edge is therefore as exact as the interval between looks.

The first look starts at the end of the file, and what is remembered is in memory: after a restart
the count begins again from nothing, and the message says since when it has been counting. A file
that appears later is read from its beginning.

Rotation: the old file is held open until its last lines have been read, then the new one is read
from its beginning (same path, other inode). A file that has become shorter was truncated and is
read from its beginning; one that was truncated and has already grown past the old place cannot be
told from one that only grew, so rotate by renaming where that matters.

A look reads at most `MOST_BYTES`; of more, the newest, and the message says how much was passed
over. Scanning is the regular expression engine's work over large pieces of text, with one step in
Python for each line that matched and none for those that did not.
"""

from __future__ import annotations

import os
import re
import stat
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta

from opsbook.book.fields import Duration, Part, Regex, regular
from opsbook.checks.fields import AbsolutePath
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import CannotLook, Reading

MOST_BYTES = 32 * 1024 * 1024
PIECE = 256 * 1024
"""How much is searched at once; other threads wait that long, and a line is cut that is longer."""


class Log(Part):
    """A file, a pattern (Python's `re`; ``^`` and ``$`` are a line's) and a window of time."""

    path: AbsolutePath
    pattern: Regex
    window: Duration = timedelta(minutes=5)

    @property
    def value_unit(self) -> str:
        """A plain number of lines."""
        return ""


async def observe(spec: Log, context: Context) -> Reading:
    """Read on from where the look before ended; on a thread."""
    if "follower" not in context.memory:
        context.memory["follower"] = Follower(spec.path, spec.pattern, context.now)
    follower: Follower = context.memory["follower"]
    return await context.blocking(lambda: follower.look(context.now, spec.window))


class Follower:
    """One file, how far it has been read, and what was found when."""

    def __init__(self, path: str, pattern: str, now: datetime) -> None:
        self.path = path
        self.began = now
        self._pattern = regular(pattern, re.MULTILINE)
        self._open: _Open | None = None
        self._looked = False
        self._found: deque[tuple[datetime, int]] = deque()
        self._lock = threading.Lock()

    def look(self, now: datetime, window: timedelta) -> Reading:
        """Count what was appended since the last look, and sum up the window.

        Raises:
            CannotLook: the file is not there, cannot be read or is no regular file.
        """
        with self._lock:
            passed_over = self._read_on(now)
            while self._found and self._found[0][0] <= now - window:
                self._found.popleft()
            count = sum(found for _, found in self._found)
        told = f"{count} line{'' if count == 1 else 's'} matched"
        if now - self.began < window:
            told += f" since {self.began:%H:%M:%S} UTC, when counting began"
        if passed_over:
            told += f"; {passed_over:,} bytes passed over, more than one look reads"
        return Reading(count, "", told)

    def _read_on(self, now: datetime) -> int:
        """Read every complete new line; return how many bytes were passed over."""
        before, first = self._open, not self._looked
        self._looked = True
        count = passed_over = 0
        try:
            after = _opened(self.path)
        except CannotLook:
            if before is not None:  # moved away, and no new one yet: its last lines still count
                count, passed_over = self._count(before, last=True)
                self._open = None
                self._note(now, count)
            raise
        if before is None:
            after.at = after.size() if first else 0
        elif before.inode == after.inode:
            after.at = before.at if after.size() >= before.at else 0
            before.close()
        else:
            count, passed_over = self._count(before, last=True)
            before.close()
        self._open = after
        more, skipped = self._count(after)
        self._note(now, count + more)
        return passed_over + skipped

    def _note(self, now: datetime, count: int) -> None:
        if count:
            self._found.append((now, count))

    def _count(self, file: _Open, *, last: bool = False) -> tuple[int, int]:
        """Return the matching lines and the bytes passed over, and leave the place behind them."""
        skipped = max(0, file.size() - file.at - MOST_BYTES)
        file.at += skipped
        return sum(matching_lines(self._pattern, text) for text in file.pieces(last)), skipped


def matching_lines(pattern: re.Pattern[str], text: str) -> int:
    """Return how many lines of `text` have a match; a match over several lines counts as one."""
    count, at = 0, 0
    while at < len(text) and (match := pattern.search(text, at)) is not None:
        count += 1
        at = text.find("\n", max(match.start(), match.end() - 1)) + 1 or len(text)
    return count


class _Open:
    """An open file and a place in it. Closed when forgotten, however that comes about."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.close = weakref.finalize(self, os.close, handle)
        found = os.fstat(handle)
        self.regular = stat.S_ISREG(found.st_mode)
        self.inode = (found.st_dev, found.st_ino)
        self.at = 0

    def size(self) -> int:
        return os.fstat(self._handle).st_size

    def pieces(self, last: bool) -> Iterator[str]:
        """Whole lines from `at` to the end, in pieces.

        A line that has not ended waits for the next look, unless it fills a piece or this is the
        `last` look at the file.
        """
        end = min(self.size(), self.at + MOST_BYTES)
        while self.at < end:
            piece = os.pread(self._handle, min(PIECE, end - self.at), self.at)
            whole = piece.rfind(b"\n") + 1
            if (last and self.at + len(piece) >= end) or (not whole and len(piece) == PIECE):
                whole = len(piece)
            if not whole:
                return
            self.at += whole
            yield piece[:whole].decode("utf-8", "replace")


def _opened(path: str) -> _Open:
    try:  # without O_NONBLOCK, a pipe in the file's place would hold the thread
        file = _Open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError as error:
        raise CannotLook(f"{path}: {error.strerror}") from None
    if not file.regular:
        file.close()
        raise CannotLook(f"{path} is no regular file")
    return file


KIND = Kind("log", Log, observe)
