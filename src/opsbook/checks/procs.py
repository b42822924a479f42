"""The processes of this machine, as /proc shows them (proc(5)).

Every number of a process is read at its own moment, and any process may be gone by then: what
vanishes while it is looked at was never there. A zombie does not run and is not counted.
"""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opsbook.checks.model import CannotLook

TICKS: Final = os.sysconf("SC_CLK_TCK")
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_DEAD: Final = frozenset("ZXx")
_MOST_WORDS: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Process:
    """One process. `started` is in seconds since the machine's start, and tells numbers apart that
    were given twice; `busy_s` is what it has used of a processor so far.
    """

    pid: int
    name: str
    started: float
    busy_s: float
    folder: Path

    def words(self) -> bytes:
        """Its command line, the words parted by spaces; empty for a thread of the kernel."""
        with (self.folder / "cmdline").open("rb") as file:
            return file.read(_MOST_WORDS).rstrip(b"\0").replace(b"\0", b" ")

    def uid(self) -> int:
        """Whose rights it has."""
        for line in (self.folder / "status").read_text(errors="replace").splitlines():
            if line.startswith("Uid:"):
                return int(line.split()[2])
        raise FileNotFoundError

    def resident(self) -> int:
        """Memory that it holds, in bytes; what several share is counted for each."""
        return int((self.folder / "statm").read_text().split()[1]) * PAGE

    def files(self) -> int:
        """Descriptors that it has open."""
        return len(os.listdir(self.folder / "fd"))  # noqa: PTH208  names are all there is to count

    def age(self) -> float:
        """Seconds since it was started."""
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - self.started)


def all_of(proc: Path) -> Iterator[Process]:
    """Every process that runs.

    Raises:
        CannotLook: those of others are hidden here, so that none of them could be said to be gone.
    """
    if not (proc / "1" / "stat").exists():
        raise CannotLook(
            f"{proc} does not show the processes of others (hidepid): let Opsbook see them"
        )
    for entry in os.scandir(proc):
        if entry.name.isdecimal() and (found := one(proc, int(entry.name))) is not None:
            yield found


def one(proc: Path, pid: int) -> Process | None:
    """The process of this number, if it runs."""
    folder = proc / str(pid)
    try:
        raw = (folder / "stat").read_bytes()
    except OSError:
        return None
    # The name stands in brackets, and may itself contain brackets and spaces.
    begin, end = raw.find(b"("), raw.rfind(b")")
    fields = raw[end + 2 :].split()
    if begin < 0 or len(fields) < 20 or fields[0].decode() in _DEAD:
        return None
    name = raw[begin + 1 : end].decode(errors="replace")
    busy = (int(fields[11]) + int(fields[12])) / TICKS
    return Process(pid, name, int(fields[19]) / TICKS, busy, folder)


def uid_of(user: str) -> int:
    """The number of a user; raises CannotLook for one that this machine does not know."""
    if user.isdecimal():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise CannotLook(f"this machine has no user {user!r}") from None
