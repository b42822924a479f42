"""``host``: how full and how busy is the machine Opsbook runs on?

``disk`` is the percentage that ``df`` counts: used of what an ordinary user could use, so that the
blocks kept for root do not hide a disk that is full for everybody else. ``memory`` is what is not
available (`MemAvailable`: the kernel's own estimate, caches that can be given up not counted).
``load`` is the one-minute load average for each core: 1.0 means every core is busy. ``inodes`` is
the percentage of file entries in use: a disk can be full with space left.

In a container with a memory limit below the machine's memory, the limit is what runs out, and is
what is measured. The load average is always the whole machine's, as are the cores it is divided by.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from opsbook.base.quantities import format_quantity
from opsbook.book.fields import Part
from opsbook.checks.fields import AbsolutePath
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import CannotLook, Reading

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")


class Host(Part):
    """What to measure; `path` is a folder on the disk that is meant (disk and inodes)."""

    metric: Literal["disk", "memory", "load", "inodes"]
    path: AbsolutePath = "/"

    @property
    def value_unit(self) -> str:
        """A percentage; the load is a plain number."""
        return "" if self.metric == "load" else "%"


async def observe(spec: Host, context: Context) -> Reading:
    """Ask the kernel; on a thread, since a dead mount may never answer."""
    return await context.blocking(lambda: measured(spec))


def measured(spec: Host) -> Reading:
    """Return the reading.

    Raises:
        CannotLook: the kernel does not say (another system than Linux, no such folder).
    """
    try:
        match spec.metric:
            case "disk":
                return disk(spec.path)
            case "inodes":
                return inodes(spec.path)
            case "memory":
                return memory(PROC, CGROUP)
            case "load":
                return load(PROC, os.cpu_count() or 1)
    except OSError as error:
        where = error.filename or spec.path
        raise CannotLook(f"{where}: {error.strerror or error}") from None


def disk(path: str) -> Reading:
    """Space in use, in percent of what an ordinary user could use."""
    found = os.statvfs(path)
    used = (found.f_blocks - found.f_bfree) * found.f_frsize
    free = found.f_bavail * found.f_frsize
    if not used + free:
        raise CannotLook(f"{path} is on a file system without blocks")
    return Reading(100 * used / (used + free), "%", f"{path}: {_bytes(free)} free")


def inodes(path: str) -> Reading:
    """File entries in use, in percent."""
    found = os.statvfs(path)
    used = found.f_files - found.f_ffree
    if not used + found.f_favail:
        raise CannotLook(f"{path} is on a file system that does not count its entries")
    return Reading(100 * used / (used + found.f_favail), "%", f"{path}: {found.f_favail:,} free")


def memory(proc: Path, cgroup: Path) -> Reading:
    """Memory in use, in percent of the machine's, or of the container's limit when smaller."""
    facts = _table(proc / "meminfo")
    try:
        total, available = facts["MemTotal:"] * 1024, facts["MemAvailable:"] * 1024
    except KeyError as error:
        raise CannotLook(f"{proc / 'meminfo'} has no {error.args[0]}") from None
    limited = _limited(cgroup)
    if limited is None or limited[0] >= total:
        share = 100 * (total - available) / total
        return Reading(share, "%", f"{_bytes(available)} of {_bytes(total)} available")
    limit, used = limited
    free = _bytes(max(0, limit - used))
    return Reading(100 * used / limit, "%", f"{free} of the container's {_bytes(limit)} available")


def load(proc: Path, cores: int) -> Reading:
    """The one-minute load average for each core."""
    words = (proc / "loadavg").read_text().split()
    told = f"load {', '.join(words[:3])} on {cores} core{'s' if cores > 1 else ''}"
    return Reading(float(words[0]) / cores, "", told)


def _limited(cgroup: Path) -> tuple[int, int] | None:
    """The container's memory limit and what is in use of it, caches that can be given up aside."""
    for folder, limit, usage, cache in (
        (cgroup, "memory.max", "memory.current", "inactive_file"),  # version 2
        (
            cgroup / "memory",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_inactive_file",
        ),
    ):
        try:
            most = int((folder / limit).read_text())
            used = int((folder / usage).read_text())
            given_up = _table(folder / "memory.stat").get(cache, 0)
        except (OSError, ValueError):  # no such file, or "max"
            continue
        if most > 0:
            return most, max(0, used - given_up)
    return None


def _table(file: Path) -> dict[str, int]:
    """A file of names and numbers, one pair a line."""
    rows = (line.split() for line in file.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) >= 2 and row[1].isdigit()}


def _bytes(count: int) -> str:
    return format_quantity(count, "bytes")


KIND = Kind("host", Host, observe)
