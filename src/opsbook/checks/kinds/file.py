"""``file``: how old is a file, or how large? Age in seconds since its last change, size in bytes.

A missing file is missing data, not a failure: from here nobody can tell whether it was deleted or
lies on a disk that is not mounted. A rule that should fire on it says ``when: nodata``.
"""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from typing import Literal

from opsbook.book.fields import Part
from opsbook.checks.fields import AbsolutePath
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import CannotLook, Reading

AHEAD_S = 60.0


class File(Part):
    """A path, and what of it to measure. Links are followed."""

    path: AbsolutePath
    measure: Literal["age", "size"] = "age"

    @property
    def value_unit(self) -> str:
        """Seconds, or bytes."""
        return "s" if self.measure == "age" else "bytes"


async def observe(spec: File, context: Context) -> Reading:
    """Ask the file system; on a thread, since a dead mount may never answer."""
    return await context.blocking(lambda: measured(spec, context.now))


def measured(spec: File, now: datetime) -> Reading:
    """Return the file's age or size.

    Raises:
        CannotLook: the file is not there, or what was asked cannot be known.
    """
    try:
        found = os.stat(spec.path)  # noqa: PTH116  a Path is not needed for one call
    except OSError as error:
        raise CannotLook(f"{spec.path}: {error.strerror}") from None
    changed = datetime.fromtimestamp(found.st_mtime, UTC)
    if spec.measure == "size":
        if not stat.S_ISREG(found.st_mode):
            raise CannotLook(f"{spec.path} is no regular file, so its size says nothing")
        return Reading(found.st_size, "bytes", f"last changed {changed:%Y-%m-%d %H:%M:%S} UTC")
    age = (now - changed).total_seconds()
    if age < -AHEAD_S:  # such a file would be young, and green, until the clock has caught up
        raise CannotLook(f"{spec.path} was changed in the future ({changed:%Y-%m-%d %H:%M} UTC)")
    return Reading(max(age, 0.0), "s", f"last changed {changed:%Y-%m-%d %H:%M:%S} UTC")


KIND = Kind("file", File, observe)
