"""How busy the processor was between two moments, of the machine or of the container we are in.

The machine's times are those of /proc/stat (proc(5)): of all the time there was, what was not idle
was busy. Waiting for a disk counts as idle, as it does in ``top``; time that the host of a virtual
machine took away (steal) counts as busy, since it was wanted and not had.

Where a control group allows less than the machine has (``cpu.max``), the allowance is what runs
out: the value is what the group used of it. Processors that a container may not use at all
(cpusets) are not known here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from opsbook.checks.model import CannotLook, Reading

TICKS = os.sysconf("SC_CLK_TCK")
LEAST_S = 0.2
"""Counters move a hundred times a second: over less than this a percentage would mean nothing."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a control group may use, in processors, and has used so far, in seconds."""

    cores: float
    used_s: float


@dataclass(frozen=True, slots=True)
class Sample:
    """The counters at a moment of a clock that nobody sets; `ticks` by /proc/stat's columns."""

    at: float
    ticks: tuple[int, ...]
    allowance: Allowance | None


def sample(proc: Path, cgroup: Path, cores: int) -> Sample:
    """Read the counters; raises CannotLook or OSError where the kernel has none."""
    first = (proc / "stat").read_text().split("\n", 1)[0].split()
    if len(first) < 5 or first[0] != "cpu":
        raise CannotLook(f"{proc / 'stat'} does not begin with the processors' times")
    allowance = _allowance(cgroup)
    if allowance is not None and allowance.cores >= cores:
        allowance = None
    return Sample(time.monotonic(), tuple(map(int, first[1:9])), allowance)


def between(before: Sample, after: Sample) -> Reading | None:
    """Return the share that was busy, in percent; `None` if too little time lies between."""
    passed = after.at - before.at
    if passed < LEAST_S:
        return None
    if before.allowance is not None and after.allowance is not None:
        used, cores = after.allowance.used_s - before.allowance.used_s, after.allowance.cores
        share = 100 * used / (passed * cores)
        told = f"of the {cores:g} cores that the container may use, over {_long(passed)}"
        return Reading(min(100.0, max(0.0, share)), "%", told)
    spent = [max(0, new - old) for old, new in zip(before.ticks, after.ticks, strict=False)]
    whole = sum(spent)
    if not whole:
        return None
    user, nice, system, idle, iowait, irq, softirq, steal = (*spent, *([0] * 8))[:8]

    def share_of(*some: int) -> str:
        return f"{100 * sum(some) / whole:.0f} %"

    told = (
        f"user {share_of(user, nice)}, system {share_of(system, irq, softirq)}, "
        f"iowait {share_of(iowait)}, steal {share_of(steal)}, over {_long(passed)}"
    )
    return Reading(100 * (whole - idle - iowait) / whole, "%", told)


def _long(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def _allowance(cgroup: Path) -> Allowance | None:
    try:  # version 2
        quota, period = (cgroup / "cpu.max").read_text().split()
        used = _words(cgroup / "cpu.stat")["usage_usec"] / 1_000_000
        return Allowance(int(quota) / int(period), used)
    except (OSError, ValueError, KeyError):  # no such file, or "max"
        pass
    try:
        quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text()
        period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text()
        used = int((cgroup / "cpuacct" / "cpuacct.usage").read_text()) / 1_000_000_000
    except (OSError, ValueError):
        return None
    return Allowance(int(quota) / int(period), used) if int(quota) > 0 else None


def _words(file: Path) -> Mapping[str, int]:
    rows = (line.split() for line in file.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2}
