"""``file``: how old or how large is a file, how many are there, and what does it say?

With `path` one file is meant, with `glob` all that match: their number, or the newest of them, as
in a folder of backups. Age in seconds since its last change, size in bytes.

A missing file is missing data, not a failure: from here nobody can tell whether it was deleted or
lies on a disk that is not mounted. A rule that should fire on it says ``when: nodata``. Where no
file matches a glob, their number is 0, which a band can judge.

What the first `MOST_BYTES` of it say can be asked too: a text that must be there (`contains`), one
that must not (`lacks`), a pattern (`matches`), and a `number`, which is then the value. An answer
that is not what it should be is critical, whatever the value. What a file says is not repeated in
messages.
"""

from __future__ import annotations

import glob
import os
import stat
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from opsbook.base.quantities import format_quantity
from opsbook.book.fields import Part
from opsbook.checks import own, patterns
from opsbook.checks.fields import AbsolutePath, complaint
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import CannotLook, Reading

AHEAD_S = 60.0
MOST_BYTES: Final = 1024 * 1024
Measure = Literal["age", "size", "count", "number"]
Words = Annotated[str, Field(min_length=1, max_length=1000)]


class File(Part):
    """A path or a glob, what of it to measure, and what it should say. Links are followed."""

    path: AbsolutePath | None = None
    glob: AbsolutePath | None = None
    measure: Measure | None = None
    contains: Words | None = None
    lacks: Words | None = None
    matches: patterns.Pattern | None = None
    number: patterns.NumberPattern | None = None

    @property
    def measured(self) -> Measure:
        """What is measured: the number that is asked for, or the age if nothing is said."""
        return self.measure or ("number" if self.number is not None else "age")

    @property
    def value_unit(self) -> str | None:
        """Seconds, or bytes, or a number of files; of a number in a file only the book knows."""
        return {"age": "s", "size": "bytes", "count": ""}.get(self.measured)

    @property
    def asks_age(self) -> bool:
        """Whether the age is what is asked, and not only told beside what the file says."""
        return self.measure == "age" or (self.measured == "age" and not self.asks_content)

    @property
    def asks_content(self) -> bool:
        """Whether the file has to be read."""
        return any((self.contains, self.lacks, self.matches, self.number))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.path is None) == (self.glob is None):
            raise complaint("a file check looks at a path or at a glob; write exactly one of them")
        if self.measured == "count" and self.glob is None:
            raise complaint("a single file is not counted; write a glob: instead of the path:")
        if (self.measured == "number") != (self.number is not None):
            raise complaint(
                "measure: number and number: belong together; write the pattern of the number, or "
                "measure something else"
            )
        if self.glob is not None and "**" in self.glob:
            raise complaint("** would walk through everything below; write the folders, with *")
        return self


async def observe(spec: File, context: Context) -> Reading:
    """Ask the file system; on a thread, since a dead mount may never answer."""
    data = own.data_of(context)
    until = time.monotonic() + context.timeout.total_seconds()
    return await context.blocking(lambda: measured(spec, context.now, data, until))


def measured(
    spec: File, now: datetime, data: Path | None = None, until: float = float("inf")
) -> Reading:
    """Return what was asked of the file, or of the files.

    Raises:
        CannotLook: the file is not there, or what was asked cannot be known.
    """
    told, count = "", 1
    path = spec.path or ""
    if spec.glob is not None:
        count, path = _newest(spec.glob, until)
        told = f"{count:,} file{'' if count == 1 else 's'}"
        told += f", the newest {os.path.basename(path)}, " if path else ""  # noqa: PTH119
        if spec.measured == "count" and not path:
            return Reading(0, "", f"no file matches {spec.glob}")
        if not path:
            raise CannotLook(f"no file matches {spec.glob}")
    reading = _number(spec, path, data) if spec.measured == "number" else None
    if reading is None:
        reading = _measured(spec, path, now)
    if spec.measured == "count":
        reading = Reading(count, "", reading.message)
    wrong = _wrong(spec, path, data) if spec.asks_content and reading.state is None else ""
    if wrong:
        return Reading(reading.value, reading.unit, wrong, "critical")
    return Reading(reading.value, reading.unit, told + reading.message, reading.state)


def _measured(spec: File, path: str, now: datetime) -> Reading:
    try:
        found = os.stat(path)  # noqa: PTH116  a Path is not needed for one call
    except OSError as error:
        raise CannotLook(f"{path}: {error.strerror}") from None
    changed = datetime.fromtimestamp(found.st_mtime, UTC)
    told = f"last changed {changed:%Y-%m-%d %H:%M:%S} UTC"
    if spec.measured == "size":
        if not stat.S_ISREG(found.st_mode):
            raise CannotLook(f"{path} is no regular file, so its size says nothing")
        return Reading(found.st_size, "bytes", told)
    age = (now - changed).total_seconds()
    if spec.asks_age and age < -AHEAD_S:
        # Such a file would be young, and green, until the clock has caught up.
        raise CannotLook(f"{path} was changed in the future ({changed:%Y-%m-%d %H:%M} UTC)")
    return Reading(max(age, 0.0), "s", told)


def _number(spec: File, path: str, data: Path | None) -> Reading:
    text, more = own.beginning(path, data, MOST_BYTES)
    value = patterns.number(spec.number or "", patterns.encoded(text))
    if value is None:
        return Reading(message=f"no number was found in {path}{_only(more)}", state="critical")
    return Reading(value, "", f"read from {path}")


def _wrong(spec: File, path: str, data: Path | None) -> str:
    """What is wrong with what it says; an empty text if nothing is."""
    raw, more = own.beginning(path, data, MOST_BYTES)
    text = patterns.encoded(raw)
    if spec.contains is not None and spec.contains.encode() not in text:
        return f"{path} does not contain {spec.contains!r}{_only(more)}"
    if spec.lacks is not None and spec.lacks.encode() in text:
        return f"{path} contains {spec.lacks!r}"
    pattern = patterns.compiled(spec.matches, lines=True) if spec.matches is not None else None
    if pattern is not None and pattern.search(text) is None:
        return f"{path} does not match {spec.matches!r}{_only(more)}"
    return ""


def _only(more: bool) -> str:
    size = format_quantity(MOST_BYTES, "bytes")
    return f" (its first {size} were read)" if more else ""


def _newest(pattern: str, until: float) -> tuple[int, str]:
    """How many files match, and the one that was changed last.

    A thread cannot be stopped from outside: it stops by itself once nobody waits any more.
    """
    count, newest, changed = 0, "", float("-inf")
    for path in glob.iglob(pattern):  # noqa: PTH207  one name at a time, and no Path for each
        if time.monotonic() > until:
            raise CannotLook(f"more files match {pattern} than can be looked at in time")
        try:
            found = os.stat(path)  # noqa: PTH116
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode):
            count += 1
            if found.st_mtime > changed:
                newest, changed = path, found.st_mtime
    return count, newest


KIND = Kind("file", File, observe)
