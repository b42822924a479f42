"""Looking at a folder: cheaply each second, and reading it only when it is at rest.

A folder is read when two looks, a second apart, see the same (every file's size, times and inode),
and what was read counts only when that still holds behind the reading: an editor that is halfway
through saving is never believed. Some file systems tell times to two seconds only, so what has just
been read is read once more a little later. What was refused: inotify, which does not see network
and container mounts, and would need this care all the same.
"""

from __future__ import annotations

from typing import Final

from opsbook.book import revision_of
from opsbook.book.files import Signature, read_as_seen, signature
from opsbook.revisions.address import FolderAddress
from opsbook.revisions.reading import Look

ONCE_MORE: Final = 3


class FolderWatch:
    """What was seen of one folder, and what of it was judged. Its calls block: use a thread."""

    def __init__(self, address: FolderAddress) -> None:
        self.address = address
        self._seen: Signature | None = None
        self._judged: Signature | None = None
        self._looks_left = 0

    def look(self) -> Look | None:
        """Return what the folder holds, or ``None``: nothing new, or not at rest yet.

        Raises:
            BookError: it cannot be read; told once for the same state.
        """
        now = signature(self.address.path)
        if now == self._judged:
            self._looks_left -= 1
            return self._read(now) if self._looks_left == 0 else None
        if now != self._seen:
            self._seen = now
            return None
        self._looks_left = ONCE_MORE + 1
        return self._read(now)

    def read(self) -> Look | None:
        """Return what the folder holds now, judged before or not; ``None`` while it is written to.

        Raises:
            BookError: it cannot be read.
        """
        return self._read(signature(self.address.path))

    def forget(self) -> None:
        """Judge the folder anew at the next look."""
        self._judged = None

    def _read(self, seen: Signature) -> Look | None:
        self._seen = self._judged = seen
        files = read_as_seen(self.address.path, seen)
        if files is None:
            self._judged = None
            return None
        return Look(files, revision_of(files), self.address.origin)
