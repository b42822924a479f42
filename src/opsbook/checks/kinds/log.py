"""``log``: how many lines matched a pattern during the last while?

`source` says where the lines are: a ``file``, the system's journal (``journald``), or a store that
counts them itself (``loki``, ``elasticsearch``); see `opsbook.checks.journal` and
`opsbook.checks.logstores`. What follows is about files.

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
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from opsbook.base.quantities import format_duration
from opsbook.book.fields import Duration, Part
from opsbook.checks import logstores, own, patterns
from opsbook.checks.asking import masked
from opsbook.checks.fields import AbsolutePath, WebAddress, complaint
from opsbook.checks.headers import Headers, references, resolved
from opsbook.checks.journal import Journal
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import CannotLook, Reading

MOST_BYTES = 32 * 1024 * 1024
PIECE = 256 * 1024
"""How much is searched at once; a line is cut that is longer."""

Source = Literal["file", "journald", "loki", "elasticsearch"]
NEEDS: Final[dict[Source, tuple[str, ...]]] = {
    "file": ("path", "pattern"),
    "journald": (),
    "loki": ("url", "query"),
    "elasticsearch": ("url", "query", "index"),
}
TAKES: Final[dict[Source, tuple[str, ...]]] = {
    "file": (),
    "journald": ("units", "identifiers", "priority", "pattern"),
    "loki": ("headers", "verify"),
    "elasticsearch": ("headers", "verify", "time_field"),
}
COMMON: Final = frozenset({"source", "window", "ref"})
Unit = Annotated[str, Field(pattern=r"^[A-Za-z0-9@:._\\*?-]{1,255}$")]


class Log(Part):
    """Where lines are, which of them count, and for how long."""

    source: Source = "file"
    path: AbsolutePath | None = None
    pattern: patterns.Pattern | None = None
    window: Duration = timedelta(minutes=5)
    units: tuple[Unit, ...] = ()
    identifiers: tuple[Unit, ...] = ()
    priority: (
        Literal["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"] | None
    ) = None
    url: WebAddress | None = None
    query: str | None = Field(default=None, min_length=1, max_length=4_000)
    index: str | None = Field(default=None, pattern=r"^[a-z0-9*.][a-z0-9*._,-]{0,254}$")
    time_field: str = Field(default="@timestamp", pattern=r"^[\w@.-]{1,200}$")
    headers: Headers = Field(default_factory=dict)
    verify: bool = True

    @property
    def value_unit(self) -> str:
        """A plain number of lines."""
        return ""

    def references(self) -> Iterator[str]:
        """The secrets that it refers to."""
        yield from references(self.headers)

    @model_validator(mode="after")
    def _fits_the_source(self) -> Self:
        fitting = {*NEEDS[self.source], *TAKES[self.source], *COMMON}
        missing = [name for name in NEEDS[self.source] if getattr(self, name) is None]
        fields = type(self).model_fields.items()
        foreign = sorted(
            name
            for name, field in fields
            if name not in fitting
            and getattr(self, name) != field.get_default(call_default_factory=True)
        )
        if missing:
            raise complaint(
                f"a log check of source {self.source} needs {_keys(missing)}; write "
                f"{'it' if len(missing) == 1 else 'them'}, or name another source:"
            )
        if foreign:
            raise complaint(
                f"{_keys(foreign)} mean{'s' if len(foreign) == 1 else ''} nothing for the source "
                f"{self.source}; leave {'it' if len(foreign) == 1 else 'them'} out"
            )
        if self.window < timedelta(seconds=1):
            raise complaint("a window is a second or longer; write a time such as 5m")
        return self


def _keys(names: list[str]) -> str:
    return " and ".join(f"{name}:" for name in names)


async def observe(spec: Log, context: Context) -> Reading:
    """Ask the source."""
    match spec.source:
        case "file":
            return await _file(spec, context)
        case "journald":
            return await _journal(spec, context)
    sent = await resolved(spec.headers, context)
    return await masked(_store(spec, context, sent.all), sent.hidden)


async def _store(spec: Log, context: Context, sent: Mapping[str, str]) -> Reading:
    url, query = spec.url or "", spec.query or ""
    if spec.source == "loki":
        count = await logstores.loki(context, url, query, spec.window, sent, verify=spec.verify)
    else:
        count = await logstores.elasticsearch(
            context, url, spec.index or "", query, spec.time_field, spec.window, sent,
            verify=spec.verify,
        )  # fmt: skip
    lines = f"{count:,.0f} line{'' if count == 1 else 's'}"
    return Reading(count, "", f"{lines} in the last {format_duration(spec.window)}")


async def _file(spec: Log, context: Context) -> Reading:
    """Read on from where the look before ended; on a thread."""
    if "follower" not in context.memory:
        data = own.data_of(context)
        context.memory["follower"] = Follower(
            spec.path or "", spec.pattern or "", context.now, data
        )
    follower: Follower = context.memory["follower"]
    return await context.blocking(lambda: follower.look(context.now, spec.window))


async def _journal(spec: Log, context: Context) -> Reading:
    if "journal" not in context.memory:
        context.memory["journal"] = Journal(
            spec.units, spec.identifiers, spec.priority, spec.pattern or ""
        )
    journal: Journal = context.memory["journal"]
    return await journal.look(context, spec.window)


class Follower:
    """One file, how far it has been read, and what was found when."""

    def __init__(self, path: str, pattern: str, now: datetime, data: Path | None = None) -> None:
        self.path = path
        self.began = now
        self._data = data
        self._pattern = patterns.compiled(pattern, lines=True)
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
            after = _Open(own.opened(self.path, self._data))
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


def matching_lines(pattern: Any, text: bytes) -> int:
    """Return how many lines of `text` have a match; a match over several lines counts as one."""
    count, at = 0, 0
    while at < len(text) and (match := pattern.search(text, at)) is not None:
        count += 1
        at = text.find(b"\n", max(match.start(), match.end() - 1)) + 1 or len(text)
    return count


class _Open:
    """An open file and a place in it. Closed when forgotten, however that comes about."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.close = weakref.finalize(self, os.close, handle)
        found = os.fstat(handle)
        self.inode = (found.st_dev, found.st_ino)
        self.at = 0

    def size(self) -> int:
        return os.fstat(self._handle).st_size

    def pieces(self, last: bool) -> Iterator[bytes]:
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
            yield patterns.encoded(piece[:whole])


KIND = Kind("log", Log, observe)
