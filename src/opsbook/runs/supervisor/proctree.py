"""Which processes belong to a step, found through /proc, and how they are ended.

Three traces are followed, because a process can shake off two of them without meaning to: descent
from the keeper (ends when the keeper dies), the step's session (left by `setsid`), and the marks in
the environment (lost by `env -i`, unreadable without the right to look). A process that sheds all
three on purpose is found where it is held in a control group (see `cgroup`), and nowhere else.

A process id alone says nothing about a moment later. Everything here compares start times (clock
ticks since boot, so a record also names its boot), and signals go through a pidfd whose process was
looked at after the descriptor was opened: a reused number can be mistaken by no signal.
"""

# The helper process does without pathlib.
# ruff: noqa: PTH116, PTH123, PTH208

from __future__ import annotations

import os
import signal
import time

from . import cgroup, protocol, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any

KILL_WITHIN = 5.0
_DEAD = "ZX"


class Proc:
    """One process as /proc told it at one moment."""

    __slots__ = ("group", "parent", "pid", "session", "started", "state")

    def __init__(self, pid: int, stat: bytes) -> None:
        # The command's name stands in brackets and may itself contain brackets and spaces.
        fields = stat[stat.rindex(b")") + 2 :].split()
        self.pid = pid
        self.state = fields[0].decode()
        self.parent, self.group, self.session = int(fields[1]), int(fields[2]), int(fields[3])
        self.started = int(fields[19])

    def __repr__(self) -> str:
        return f"Proc({self.pid}, parent={self.parent}, session={self.session}, {self.state})"


def look(pid: int) -> Proc | None:
    """The process that has this number now; a zombie counts as none."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        proc = Proc(pid, os.read(descriptor, 4096))
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)
    return None if proc.state in _DEAD else proc


def snapshot() -> dict[int, Proc]:
    """Every living process that may be seen from here."""
    seen = (look(int(name)) for name in os.listdir("/proc") if name.isdecimal())
    return {proc.pid: proc for proc in seen if proc}


def below(root: int, procs: dict[int, Proc]) -> list[Proc]:
    """The descendants of `root`, parents first."""
    children: dict[int, list[Proc]] = {}
    for proc in procs.values():
        children.setdefault(proc.parent, []).append(proc)
    found = list(children.get(root, ()))
    for proc in found:
        found += children.get(proc.pid, ())
    return found


def boot() -> str:
    """Which boot, and which process numbering, the numbers of a record belong to.

    A container that is started again shares the boot of its host and counts from 1 anew.
    """
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return f"{file.read().strip()}/{os.stat('/proc/self/ns/pid').st_ino}"


def send(proc: Proc, number: int) -> bool:
    """Signal this very process; False when it is gone, whoever has its number now."""
    try:
        descriptor = os.pidfd_open(proc.pid)
    except OSError:
        return False
    try:
        now = look(proc.pid)
        if now is None or now.started != proc.started:
            return False
        signal.pidfd_send_signal(descriptor, number)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def tree(attempt_id: str | None, scratch: Path) -> list[Proc]:
    """The living processes of an attempt: its keeper first, then all that the step has started.

    None stands for whichever attempt has this folder.
    """
    known = record.read(f"{scratch}/{protocol.PID_FILE}") or {}
    if known and known.get("boot") != boot():
        return []
    procs, keeper = _with_keeper(known, scratch)
    place = _place(str(scratch))
    roots = [procs[keeper]] if keeper else []
    if place:
        roots += [proc for proc in procs.values() if _is_marked(proc, attempt_id, place)]
    found = {proc.pid: proc for proc in roots}
    for root in roots:
        found.update((proc.pid, proc) for proc in below(root.pid, procs))
    found.update(_session(known.get("child", 0), known.get("child_started", 0), procs))
    held = cgroup.members(str(known.get("group", "")), str(scratch))
    found.update((pid, procs[pid]) for pid in held if pid in procs)
    # Whoever asks may itself have been started by a step: it is not what is meant.
    mine = _line_of_descent(procs)
    return [proc for pid, proc in found.items() if pid not in mine]


def kill_tree(attempt_id: str, scratch: Path) -> int:
    """End every process of an attempt and wait until it is gone; how many were killed.

    The keeper first, so that no outcome is written for what is being wiped out. Blocks for up to
    KILL_WITHIN seconds; what stands in an uninterruptible wait by then is still in `tree`.
    """
    killed: set[tuple[int, int]] = set()
    until = time.monotonic() + KILL_WITHIN
    known = record.read(f"{scratch}/{protocol.PID_FILE}") or {}
    group = str(known.get("group", ""))
    while living := tree(attempt_id, scratch):
        killed.update((proc.pid, proc.started) for proc in living if send(proc, signal.SIGKILL))
        if not _keeper_lives(known):  # then the group is at no other step, nor will be
            cgroup.kill(group, str(scratch))
        if time.monotonic() > until:
            break
        time.sleep(0.005)
    if group and not _keeper_lives(known):
        cgroup.remove(group)
    return len(killed)


def signal_groups(procs: Iterable[Proc], number: int) -> None:
    """Signal whole process groups: the kernel does it in one step, so no fork slips through."""
    for group in {proc.group for proc in procs} - {0, os.getpgrp()}:
        try:
            os.killpg(group, number)
        except (ProcessLookupError, PermissionError):
            continue


def _keeper_lives(known: dict[str, Any]) -> bool:
    its = look(known.get("keeper", 0))
    return its is not None and its.started == known.get("keeper_started")


def _with_keeper(known: dict[str, Any], scratch: Path) -> tuple[dict[int, Proc], int]:
    """All processes, and the keeper's number if it was at this step while they were looked at.

    The number alone would not do: a keeper goes on to other steps when this one is over, and what
    it has below it then is not ours to touch.
    """
    try:
        line = protocol.reach(str(scratch)) if known else None
    except OSError:
        line = None
    procs = snapshot()
    if line is None:
        return procs, 0
    with line:
        keeper = procs.get(known["keeper"])
        there = keeper is not None and keeper.started == known["keeper_started"]
        return procs, known["keeper"] if there and not protocol.hung_up(line) else 0


def _session(leader: int, started: int, procs: dict[int, Proc]) -> dict[int, Proc]:
    """The members of the step's session, unless its number is in other hands by now."""
    first = procs.get(leader)
    if not leader or (first and first.started != started):
        return {}
    return {
        proc.pid: proc
        for proc in procs.values()
        if proc.session == leader and proc.started >= started
    }


def _is_marked(proc: Proc, attempt_id: str | None, place: tuple[int, int]) -> bool:
    """Whether its environment names this attempt, in this folder."""
    try:
        descriptor = os.open(f"/proc/{proc.pid}/environ", os.O_RDONLY)
    except OSError:
        return False
    try:
        parts = []
        while part := os.read(descriptor, protocol.PIECE):
            parts.append(part)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    entries = b"".join(parts).split(b"\0")
    named = attempt_id is None or f"{protocol.ATTEMPT}={attempt_id}".encode() in entries
    mark = f"{protocol.SCRATCH}=".encode()
    places = [os.fsdecode(entry[len(mark) :]) for entry in entries if entry.startswith(mark)]
    return named and any(_place(path) == place for path in places)


def _place(folder: str) -> tuple[int, int] | None:
    """A folder by what it is, since a data folder may be spelled differently after a restart."""
    try:
        about = os.stat(folder)
    except (OSError, ValueError):
        return None
    return about.st_dev, about.st_ino


def _line_of_descent(procs: dict[int, Proc]) -> set[int]:
    line = set()
    pid = os.getpid()
    while pid and pid not in line:
        line.add(pid)
        pid = procs[pid].parent if pid in procs else 0
    return line
