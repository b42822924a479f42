"""How much a step has put into its folders: its home, and the one it shares with other steps.

Looking is cheap until there is something to see. The free space of the file system is asked for,
one system call; only when that has shrunk by a sixteenth of the limit, or nobody has looked for a
minute, are the folders walked through. In the home everything counts, in the shared folder what has
come since the step began, whoever wrote it: two steps that fill it side by side are both ended.
Files that were deleted and are still open count for the home.

What this does not hold: a step may write elsewhere, as far as its user may (/tmp, a backup disk),
and it may pass the limit by what the disk takes in a tenth of a second. Quotas of the file system
are the means against that.
"""

# The helper process does without pathlib.
# ruff: noqa: PTH116

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SHARE = 16
MOST_FILES = 200_000
EVERY = 1.0
EVERY_WHILE_GROWING = 0.1
ANYWAY = 60.0
GRACE = 0.5
_BLOCK = 512
_MEBIBYTE = 1024 * 1024


class Untellable(Exception):
    """A tree that cannot be measured: the sentence says why."""


class Space:
    """The watch on the folders of one step. `tree` names the processes of the step."""

    def __init__(
        self, home: str, shared: str, limit: int, now: float, tree: Callable[[], Iterable[int]]
    ) -> None:
        self._home = home
        self._shared = shared
        self._limit = limit
        self._tree = tree
        self._at_first: tuple[int, int] | None = None
        self._free = self._room()
        self._anyway = now + ANYWAY
        self.next = now + EVERY / 2

    def look(self, now: float) -> str:
        """Why the step has to be ended; empty while it keeps within its limits."""
        if now < self.next:
            return ""
        room = self._room()
        shrunk = self._free[0] - room[0] > self._limit // SHARE
        crowded = self._free[1] - room[1] > MOST_FILES // SHARE
        if not shrunk and not crowded and now < self._anyway:
            self.next = now + EVERY
            return ""
        self._free, self._anyway = room, now + ANYWAY
        self.next = now + EVERY_WHILE_GROWING
        try:
            return self._verdict()
        except Untellable as problem:
            return str(problem)

    def _verdict(self) -> str:
        size, files = measured(self._home)
        size += unlinked(self._tree(), self._home)
        if told := self._exceeded("its own folder", size, files):
            return told
        if not self._shared:
            return ""
        size, files = measured(self._shared)
        if self._at_first is None:
            self._at_first = size, files
        before = self._at_first
        return self._exceeded("$OPSBOOK_WORK", size - before[0], files - before[1])

    def _exceeded(self, where: str, size: int, files: int) -> str:
        if size > self._limit:
            return (
                f"it put {size / _MEBIBYTE:.0f} MiB into {where}, "
                f"and {self._limit / _MEBIBYTE:.0f} MiB is the most a step may put there"
            )
        if files > MOST_FILES:
            return (
                f"it put {files} files into {where}, and {MOST_FILES} is the most a step may put "
                "there"
            )
        return ""

    def _room(self) -> tuple[int, int]:
        """Free bytes and free inodes where the folders are."""
        free = inodes = 0
        for folder in {self._home, self._shared} - {""}:
            try:
                found = os.statvfs(folder)
            except OSError:
                continue
            free += found.f_bfree * found.f_frsize
            inodes += found.f_ffree
        return free, inodes


def measured(folder: str) -> tuple[int, int]:
    """The bytes on disk and the number of files below a folder; no link is followed.

    Raises:
        Untellable: it nests its folders deeper than a path can say.
    """
    size = files = 0
    left = [folder]
    while left and files <= 2 * MOST_FILES:
        try:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    files += 1
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                    about = entry.stat(follow_symlinks=False)
                    size += about.st_blocks * _BLOCK
        except OSError as error:
            if isinstance(error.filename, str) and len(os.fsencode(error.filename)) > 4000:
                told = f"it nests folders in {folder} so deep that nobody can tell their size"
                raise Untellable(told) from error
    return size, files


def unlinked(tree: Iterable[int], beside: str) -> int:
    """The bytes of files without a name, on the file system of a folder, that a tree has open."""
    found: dict[int, int] = {}
    try:
        device = os.stat(beside).st_dev
    except OSError:
        return 0
    for pid in tree:
        try:
            names = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208
        except OSError:
            continue
        for name in names:
            try:
                about = os.stat(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if stat.S_ISREG(about.st_mode) and not about.st_nlink and about.st_dev == device:
                found[about.st_ino] = about.st_blocks * _BLOCK
    return sum(found.values())
