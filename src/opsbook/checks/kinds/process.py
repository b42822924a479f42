"""``process``: does it run, how often, and what does it use up?

Processes are found by the `name` of their program, by a `command` line that matches, by a
`pid_file`, by their `user`, or by several of these together. What is looked for and does not run is
critical: a process check is about something that has to be there. ``instances: 0`` is for what must
not run, with a band over the count.

Of several, memory, files and processor time are those of all of them, and the age is that of the
oldest, since servers start and end the processes below them as they please. 100 % of ``cpu`` is one
core, as in ``top``; the first look has none before it to compare with and watches for a moment.
What belongs to another user (its open files) only root may count.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from opsbook.book.fields import Part, Whole
from opsbook.checks import own, patterns, procs
from opsbook.checks.fields import AbsolutePath, complaint
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import CannotLook, Reading
from opsbook.checks.procs import Process

PROC = Path("/proc")
LEAST_S: Final = 0.2
UNITS: Final[Mapping[str, str]] = {
    "count": "", "memory": "bytes", "cpu": "%", "age": "s", "files": "",
}  # fmt: skip
Name = Annotated[str, Field(min_length=1, max_length=200)]


class ProcessCheck(Part):
    """Which processes are meant, and what of them to measure."""

    name: Name | None = None
    command: patterns.Pattern | None = None
    pid_file: AbsolutePath | None = None
    user: Name | None = None
    measure: Literal["count", "memory", "cpu", "age", "files"] = "count"
    instances: Whole = Field(default=1, ge=0, le=100_000)

    @property
    def value_unit(self) -> str:
        """Of what is measured."""
        return UNITS[self.measure]

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if not (self.name or self.command or self.pid_file or self.user):
            raise complaint(
                "does not say which processes are meant; write name:, command:, pid_file: or user:"
            )
        return self


@dataclass(frozen=True, slots=True)
class Seen:
    """The processes that are meant, at a moment of a clock that nobody sets."""

    at: float
    processes: tuple[Process, ...]

    def busy_since(self, before: Seen) -> float | None:
        """How many cores they kept busy between the two looks, in percent of one core.

        One that was not there before has used all it has since then.
        """
        passed = self.at - before.at
        if passed < LEAST_S:
            return None
        was = {(one.pid, one.started): one.busy_s for one in before.processes}
        spent = sum(one.busy_s - was.get((one.pid, one.started), 0.0) for one in self.processes)
        return max(0.0, 100 * spent / passed)


async def observe(spec: ProcessCheck, context: Context) -> Reading:
    """Look through /proc, on a thread."""
    data = own.data_of(context)
    seen = await context.blocking(lambda: look(spec, data))
    if spec.measure == "cpu" and len(seen.processes) >= max(1, spec.instances):
        return await _busy(spec, context, seen, data)
    return await context.blocking(lambda: measured(spec, seen))


async def _busy(spec: ProcessCheck, context: Context, seen: Seen, data: Path | None) -> Reading:
    before: Seen | None = context.memory.get("seen")
    share = seen.busy_since(before) if before is not None else None
    if share is None:
        await asyncio.sleep(min(1.0, context.timeout.total_seconds() / 3))
        before, seen = seen, await context.blocking(lambda: look(spec, data))
        share = seen.busy_since(before)
    context.memory["seen"] = seen
    if share is None:
        raise CannotLook("too little time lies between two looks; give the check a longer timeout")
    return Reading(share, "%", f"{_told(seen.processes)}; 100 % is one core")


def look(spec: ProcessCheck, data: Path | None = None) -> Seen:
    """Find the processes that are meant, the oldest first; raises CannotLook."""
    uid = procs.uid_of(spec.user) if spec.user is not None else None
    if spec.pid_file is not None:
        given = _pid(spec.pid_file, data)
        listed = procs.one(PROC, given) if given is not None else None
        found = [listed] if listed is not None else []
    else:
        found = list(procs.all_of(PROC))
    meant = [one for one in found if _is_meant(spec, one, uid)]
    return Seen(_now(), tuple(sorted(meant, key=lambda one: (one.started, one.pid))))


def measured(spec: ProcessCheck, seen: Seen) -> Reading:
    """Return what is asked of the processes that were seen; raises CannotLook."""
    count = len(seen.processes)
    told = _told(seen.processes)
    short = count < spec.instances
    if spec.measure == "count":
        wanted = f", and there should be at least {spec.instances}" if short else ""
        return Reading(count, "", f"{told}{wanted}", "critical" if short else None)
    if short:
        return Reading(message=f"{told}, and there should be {spec.instances}", state="critical")
    if not count:
        raise CannotLook(f"{told}: there is nothing to measure")
    if spec.measure == "age":
        oldest = seen.processes[0]
        return Reading(oldest.age(), "s", f"{told}; the oldest is {oldest.pid}")
    return Reading(_sum(spec.measure, seen.processes), spec.value_unit, told)


def _sum(measure: str, processes: tuple[Process, ...]) -> int:
    whole = 0
    for one in processes:
        try:
            whole += one.resident() if measure == "memory" else one.files()
        except PermissionError:
            raise CannotLook(
                f"process {one.pid} belongs to another user, and only root may count its files"
            ) from None
        except (OSError, ValueError, IndexError):  # gone by now
            continue
    return whole


def _is_meant(spec: ProcessCheck, one: Process, uid: int | None) -> bool:
    try:
        if uid is not None and one.uid() != uid:
            return False
        if spec.name is not None and not _is_called(one, spec.name):
            return False
        if spec.command is None:
            return True
        words = patterns.encoded(one.words())
        return bool(words) and patterns.compiled(spec.command).search(words) is not None
    except (OSError, ValueError):  # gone by now
        return False


def _is_called(one: Process, name: str) -> bool:
    """By the kernel's name for it, or by the last part of its first word.

    The kernel keeps 15 characters, and a program may call itself otherwise.
    """
    if one.name == name:
        return True
    program = one.words().split(b" ", 1)[0].decode(errors="replace")
    return os.path.basename(program).rstrip(":") == name  # noqa: PTH119  a word, and no path of ours


def _pid(path: str, data: Path | None) -> int | None:
    """The number in a file; none where the file is gone, as it is after an orderly stop."""
    if not os.path.lexists(path) and os.path.isdir(os.path.dirname(path)):  # noqa: PTH112, PTH120
        return None
    text = own.beginning(path, data, 64)[0].split(b"\n", 1)[0].strip()
    if not text.isdigit() or len(text) > 9:
        raise CannotLook(f"{path} does not begin with the number of a process")
    return int(text)


def _told(processes: tuple[Process, ...]) -> str:
    if not processes:
        return "no such process runs"
    numbers = ", ".join(str(one.pid) for one in processes[:5])
    more = ", …" if len(processes) > 5 else ""
    if len(processes) == 1:
        return f"process {numbers} ({processes[0].name}) runs"
    return f"{len(processes)} processes run: {numbers}{more}"


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


KIND = Kind("process", ProcessCheck, observe)
