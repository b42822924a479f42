"""The small JSON files in a scratch folder: whole or absent, never half.

Written beside and renamed, which is what keeps a reader from seeing half a file. Not fsynced on
the way: a page in the cache survives the death of every process, and a machine that crashes makes
the attempt interrupted whatever the file says, since the journal, which *is* synced, has no outcome
yet. `settle` makes a record durable for the one case where nobody has taken the news over: the
server is away and may stay away for long. It costs nothing there, because nobody is waiting.
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST = 1024 * 1024


def write(folder: int, name: str, fields: dict[str, Any]) -> None:
    """Put a record into an open folder, replacing an older one in a single step."""
    beside = f".{name}"
    data = json.dumps(fields).encode()
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=folder)
    try:
        if os.write(descriptor, data) != len(data):
            raise OSError(f"{name} could be written only in part; the disk may be full")
    finally:
        os.close(descriptor)
    os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)


def read(path: str) -> dict[str, Any] | None:
    """A record, or None where there is none.

    An empty or torn file counts as none: that is how a crash of the machine may leave it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fields = json.loads(os.read(descriptor, _MOST))
    except ValueError:
        return None
    finally:
        os.close(descriptor)
    return fields if isinstance(fields, dict) else None


def settle(folder: int, name: str) -> None:
    """Bring a record and its name to the disk."""
    descriptor = os.open(name, os.O_RDONLY, dir_fd=folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.fsync(folder)
