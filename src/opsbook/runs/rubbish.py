"""Scratch folders that nobody needs any more, removed when it disturbs nobody.

Not at once: ext4 leaves inodes that were deleted a short while ago alone, and to make a file in
their neighbourhood then takes twenty times as long (0.4 ms instead of 0.02, measured; a step makes
eight). A server that removed each folder behind its step would slow down all the steps after it.
So folders that hold next to nothing are kept until no run has moved for QUIET_S, or until there are
MOST of them; one with something in its home or with much output goes soon, since it may be large
and is nobody's business any more. What a step wrote goes soon in any case: it lies there as it was
written, secrets and all. A file that is emptied costs its neighbourhood nothing. What a stopped
server leaves is found by the next one's `start`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

LOOK_EVERY_S: Final = 1.0
QUIET_S: Final = 15.0
MOST: Final = 2000
LIGHT: Final = 64 * 1024
CREDENTIALS: Final = "credentials-"  # what `targets` writes for an attempt must not lie about
log = structlog.get_logger("opsbook.runs")


class Rubbish:
    """Folders to be removed. `moving` tells whether any run moves now."""

    def __init__(self, moving: Callable[[], bool]) -> None:
        self._moving = moving
        self._moved_at = time.monotonic()
        self._unseen: list[Path] = []
        self._light: list[Path] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, folder: Path) -> None:
        """Take a folder that is not needed any more."""
        self._unseen.append(folder)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Stop removing; what is left is small, and the next start finds it."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for folder in self._unseen:
            _empty(folder)

    async def _sweep(self) -> None:
        while self._unseen or self._light:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._moving():
                self._moved_at = time.monotonic()
            unseen, self._unseen = self._unseen, []
            self._light += await asyncio.to_thread(_remove_heavy, unseen)
            if len(self._light) > MOST or time.monotonic() - self._moved_at > QUIET_S:
                gone, self._light = self._light, []
                await asyncio.to_thread(remove, gone)


def _remove_heavy(folders: list[Path]) -> list[Path]:
    """Remove those that hold something, and return the others."""
    heavy = {folder for folder in folders if _holds_something(folder)}
    remove(list(heavy))
    light = [folder for folder in folders if folder not in heavy]
    for folder in light:
        _empty(folder)
    return light


def _empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        os.truncate(folder / "output.bin", 0)


def _holds_something(folder: Path) -> bool:
    try:
        if (folder / "output.bin").stat().st_size > LIGHT:
            return True
        return any((folder / "home").iterdir()) or any(folder.glob(f"{CREDENTIALS}*"))
    except OSError:
        return False


def remove(folders: list[Path]) -> None:
    """Remove folders whatever a step has made of them; blocks.

    `rm` walks with descriptors and keeps none open: folders nested by the thousand, which end
    Python's own way of removing in a RecursionError, cost it nothing. It is only asked then.
    """
    for folder in folders:
        with contextlib.suppress(RecursionError):
            shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            told = subprocess.run(
                ["rm", "-rf", "--one-file-system", "--", str(folder)],
                check=False, capture_output=True, text=True, errors="replace",
            )  # fmt: skip
            if told.returncode:
                log.warning(
                    "a folder cannot be removed", folder=str(folder), error=told.stderr[:500]
                )
