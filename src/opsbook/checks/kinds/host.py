"""``host``: how full and how busy is the machine Opsbook runs on?

``disk`` is the percentage that ``df`` counts: used of what an ordinary user could use, so that the
blocks kept for root do not hide a disk that is full for everybody else. ``inodes`` is the
percentage of file entries in use: a disk can be full with space left. ``memory`` is what is not
available (`MemAvailable`: the kernel's own estimate, caches that can be given up not counted).
``swap`` is what is in use of it; a machine without any uses none. ``load`` is the load average for
each core: 1.0 means every core is busy. ``cpu`` is how busy the cores were since the look before
(see `opsbook.checks.cores`); the first look has none before it and watches for a moment.

In a container with a limit below the machine's (memory, swap, cpu), the limit is what runs out, and
is what is measured. The load average is always the whole machine's, as are the cores it is divided
by.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final, Literal

from opsbook.base.quantities import format_quantity
from opsbook.book.fields import Part
from opsbook.checks import cores
from opsbook.checks.fields import AbsolutePath
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import CannotLook, Reading

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")
Average = Literal["1m", "5m", "15m"]
_AVERAGES: Final[tuple[Average, ...]] = ("1m", "5m", "15m")


class Host(Part):
    """What to measure; `path` is a folder on the disk that is meant (disk and inodes)."""

    metric: Literal["cpu", "disk", "inodes", "load", "memory", "swap"]
    path: AbsolutePath = "/"
    average: Average = "1m"

    @property
    def value_unit(self) -> str:
        """A percentage; the load is a plain number."""
        return "" if self.metric == "load" else "%"


async def observe(spec: Host, context: Context) -> Reading:
    """Ask the kernel; on a thread, since a dead mount may never answer."""
    if spec.metric == "cpu":
        return await busy(context)
    return await context.blocking(lambda: measured(spec))


async def busy(context: Context) -> Reading:
    """Compare with what the look before has read; the first of them waits for something to compare.

    Raises:
        CannotLook: the counters do not move, or the kernel has none.
    """
    before: cores.Sample | None = context.memory.get("cpu")
    for pause in (0.0, min(1.0, context.timeout.total_seconds() / 3)):
        if pause:
            await asyncio.sleep(pause)
        now = await context.blocking(_sample)
        context.memory["cpu"] = now
        reading = cores.between(before, now) if before is not None else None
        if reading is not None:
            return reading
        before = now
    raise CannotLook("the processors' times did not move; give the check a longer timeout")


def _sample() -> cores.Sample:
    try:
        return cores.sample(PROC, CGROUP, os.cpu_count() or 1)
    except OSError as error:
        raise CannotLook(f"{error.filename}: {error.strerror or error}") from None


def measured(spec: Host) -> Reading:
    """Return the reading of everything that one moment shows.

    Raises:
        CannotLook: the kernel does not say (another system than Linux, no such folder).
    """
    try:
        match spec.metric:
            case "disk":
                return disk(spec.path)
            case "inodes":
                return inodes(spec.path)
            case "swap":
                return swap(PROC, CGROUP)
            case "load":
                return load(PROC, os.cpu_count() or 1, spec.average)
            case _:
                return memory(PROC, CGROUP)
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
    total, available = _facts(proc, "MemTotal:", "MemAvailable:")
    limited = _limited(cgroup)
    if limited is None or limited[0] >= total:
        share = 100 * (total - available) / total
        return Reading(share, "%", f"{_bytes(available)} of {_bytes(total)} available")
    limit, used = limited
    free = _bytes(max(0, limit - used))
    return Reading(100 * used / limit, "%", f"{free} of the container's {_bytes(limit)} available")


def swap(proc: Path, cgroup: Path) -> Reading:
    """Swap in use, in percent of the machine's, or of the container's limit when smaller."""
    total, free = _facts(proc, "SwapTotal:", "SwapFree:")
    try:
        limit = int((cgroup / "memory.swap.max").read_text())
        used = int((cgroup / "memory.swap.current").read_text())
    except (OSError, ValueError):  # no such file, or "max"
        limit, used = total, total - free
    whose = "the container's " if limit < total else ""
    if limit >= total:
        limit, used = total, total - free
    if not limit:
        return Reading(0.0, "%", f"there is no swap{' for the container' if whose else ''}")
    share = 100 * used / limit
    return Reading(share, "%", f"{_bytes(max(0, limit - used))} of {whose}{_bytes(limit)} free")


def load(proc: Path, count: int, average: Average = "1m") -> Reading:
    """A load average for each core."""
    words = (proc / "loadavg").read_text().split()
    told = f"load {', '.join(words[:3])} on {count} core{'s' if count > 1 else ''}"
    return Reading(float(words[_AVERAGES.index(average)]) / count, "", told)


def _facts(proc: Path, *names: str) -> list[int]:
    """Numbers of /proc/meminfo, in bytes."""
    found = _table(proc / "meminfo")
    for name in names:
        if name not in found:
            raise CannotLook(f"{proc / 'meminfo'} has no {name}")
    return [found[name] * 1024 for name in names]


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
