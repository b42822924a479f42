"""The small JSON files in a scratch folder: whole or absent, never half.

Written beside and renamed, which is what keeps a reader from seeing half a file. Not fsynced on
the way: a page in the cache survives the death of every process, and a machine that crashes makes
the attempt interrupted whatever the file says, since the journal, which *is* synced, has no outcome
yet. `settle` makes a record durable for the one case where nobody has taken the news over: the
server is away and may stay away for long. It costs nothing there, because nobody is waiting.
"""

from __future__ import annotations

import errno
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST = 1024 * 1024


def draft(folder: int, name: str, fields: dict[str, Any]) -> int:
    """A record that nobody can see yet; its place on the disk is taken. `publish` it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    descriptor = os.open(f".{name}", flags, 0o600, dir_fd=folder)
    try:
        _put(descriptor, name, fields)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def publish(folder: int, name: str, descriptor: int, fields: dict[str, Any]) -> None:
    """Complete a draft and give it its name, replacing an older record in a single step."""
    try:
        _put(descriptor, name, fields)
    finally:
        os.close(descriptor)
    os.rename(f".{name}", name, src_dir_fd=folder, dst_dir_fd=folder)


def write(folder: int, name: str, fields: dict[str, Any]) -> None:
    """Put a record into an open folder."""
    descriptor = draft(folder, name, fields)
    os.close(descriptor)
    os.rename(f".{name}", name, src_dir_fd=folder, dst_dir_fd=folder)


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


def _put(descriptor: int, name: str, fields: dict[str, Any]) -> None:
    data = json.dumps(fields).encode()
    if os.pwrite(descriptor, data, 0) != len(data):
        raise OSError(errno.ENOSPC, f"{name} could be written only in part")
    os.ftruncate(descriptor, len(data))
