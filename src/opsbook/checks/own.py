"""Opening files for a look, but for those that hold this server's own secrets.

The server may read more than whoever writes a book. Whether a file contains a text is one bit, and
bits can be asked for one after the other: a check must not become a way to the key that seals the
database, to its tokens, or to the environment of a process. Of the server's data folder only the
log and what steps keep in their work folder can be read; of /proc nothing that belongs to a single
process. Other files that this server may read can be asked about, which the reference says.

What is judged is what was opened, by the name that the kernel gives it: a link that is turned
between the question and the opening changes nothing.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from opsbook.checks.kind import Context
from opsbook.checks.model import CannotLook

LOG: Final = "opsbook.log"
WORK: Final = "work"
_OF_A_PROCESS: Final = re.compile(r"/proc/(\d+)/")


def data_of(context: Context) -> Path | None:
    """Return the folder whose secrets must not be read."""
    return context.lent.data if context.lent is not None else None


def opened(path: str, data: Path | None) -> int:
    """Return a descriptor of a regular file, for reading; whoever calls closes it.

    Raises:
        CannotLook: it is not there, cannot be read, is no regular file, or is this server's own.
    """
    try:  # without O_NONBLOCK, a pipe in the file's place would hold the thread
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise CannotLook(f"{path}: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise CannotLook(f"{path} is no regular file")
        if _is_own(os.readlink(f"/proc/self/fd/{handle}"), data):  # noqa: PTH115
            raise CannotLook(f"{path} is this server's own, and is not read for checks")
    except BaseException:
        os.close(handle)
        raise
    return handle


def beginning(path: str, data: Path | None, most: int) -> tuple[bytes, bool]:
    """Return the first `most` bytes of a file, and whether there are more; raises CannotLook."""
    handle = opened(path, data)
    with os.fdopen(handle, "rb", buffering=0) as file:
        parts: list[bytes] = []
        left = most + 1
        try:
            while left and (part := file.read(left)):
                parts.append(part)
                left -= len(part)
        except OSError as error:
            raise CannotLook(f"{path} cannot be read: {error.strerror}") from None
    whole = b"".join(parts)
    return whole[:most], len(whole) > most


def _is_own(name: str, data: Path | None) -> bool:
    if _OF_A_PROCESS.match(name):
        return True
    if data is None:
        return False
    folder = os.path.realpath(data)
    if not name.startswith(f"{folder}/"):
        return False
    rest = name.removeprefix(f"{folder}/")
    return not (rest == LOG or rest.startswith((f"{LOG}.", f"{WORK}/")))
