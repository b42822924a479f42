"""A control group for each keeper and what it starts, where that is permitted.

Marks and sessions can be shed on purpose (see `proctree`); a control group cannot be left without
the right to write into another one. So it proves what they only make likely: that nothing of a
step runs any more after its keeper has died. It also bounds processes and memory, where the
administrator has handed down those controllers.

One group for a keeper and its steps, one after the other, rather than one for each step: a process
that changes its group waits for every processor to pass by (up to 10 ms, measured), while one that
is born in it pays nothing. Which step the group is at stands in an attribute of its folder.

*Permitted* means: version 2 of control groups, and either the group of this process (or the one
above it) is handed over by systemd (`Delegate=yes`, which marks its folder), or this process is in
the outermost group that it can see, where nobody else keeps order. Everywhere else a manager owns
the tree, and a folder that it does not know of may be removed or emptied by it at any time.

Limits need one thing more: a group that hands down controllers may hold no process itself. With
systemd that is `DelegateSubgroup=server` beside `Delegate=yes`.
"""

# The helper process does without pathlib.
# ruff: noqa: PTH102, PTH106, PTH120, PTH123, PTH208

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = "opsbook-"
MOST_PROCESSES = 4096
SHARE_OF_MEMORY = 0.75
"""What steps leave to the server and the machine when one of them takes all it can."""
_MARKS = ("trusted.delegate", "user.delegate")
_AT = "user.opsbook"


class Groups:
    """Where groups are made. `home` is where this process is, and goes back to."""

    def __init__(self, home: str, above: str) -> None:
        self.home = home
        self.above = above
        self.limited = False

    def enter(self, name: str) -> Group | None:
        """Make a group and go into it; None where that does not work out."""
        folder = f"{self.above}/{NAME}{name}"
        try:
            os.mkdir(folder, 0o755)
        except OSError:
            return None
        if self.limited:
            _put(f"{folder}/pids.max", str(MOST_PROCESSES))
            _put(f"{folder}/memory.max", str(_memory()))
        if not _put(f"{folder}/cgroup.procs", "0"):
            remove(folder)
            return None
        return Group(folder, self.home)

    def sweep(self) -> None:
        """Remove the groups of keepers that have died. One with a process in it stays."""
        try:
            names = os.listdir(self.above)
        except OSError:
            return
        for name in names:
            if name.startswith(NAME):
                remove(f"{self.above}/{name}")


class Group:
    """The group that this process is in, with all that it starts."""

    def __init__(self, folder: str, home: str) -> None:
        self.folder = folder
        self._home = home

    def at(self, scratch: str) -> bool:
        """Note which step it is at; False where no note can be made: then it proves nothing."""
        try:
            os.setxattr(self.folder, _AT, os.fsencode(scratch))
        except OSError:
            return False
        return True

    def leave(self) -> None:
        """Go back to where this process came from, and remove the group."""
        if _put(f"{self._home}/cgroup.procs", "0"):
            remove(self.folder)


def permitted(root: str = "/") -> Groups | None:
    """Where groups may be made. `root` is where /proc and the tree of groups are looked for."""
    mount, outermost = _mount(root)
    own = _own(root)
    if mount is None or own is None or not own.startswith(outermost):
        return None
    below = own[len(outermost) :].strip("/")
    home = f"{root.rstrip('/')}{mount}/{below}".rstrip("/")
    if not below:
        return _usable(home, home)
    for above in (home, os.path.dirname(home)):
        if _delegated(above) and (groups := _usable(home, above)):
            return groups
    return None


def members(folder: str, scratch: str) -> list[int]:
    """The processes in a group, if it is at this step; nothing where that is not so any more."""
    try:
        if os.fsdecode(os.getxattr(folder, _AT)) != scratch:
            return []
        with open(f"{folder}/cgroup.procs", encoding="ascii") as file:
            return [int(line) for line in file]
    except (OSError, ValueError):
        return []


def kill(folder: str, scratch: str) -> None:
    """Kill everything in a group at one stroke, its keeper included, if it is at this step."""
    if os.getpid() not in (found := members(folder, scratch)) and found:
        _put(f"{folder}/cgroup.kill", "1")


def remove(folder: str) -> None:
    """Remove a group; one with a process in it stays."""
    try:
        os.rmdir(folder)
    except OSError:
        return


def _usable(home: str, above: str) -> Groups | None:
    if not os.access(f"{above}/cgroup.procs", os.W_OK) or not os.access(above, os.W_OK):
        return None
    groups = Groups(home, above)
    wanted = {"pids", "memory"}
    if above != home and wanted <= _words(f"{above}/cgroup.controllers"):
        groups.limited = _put(f"{above}/cgroup.subtree_control", "+pids +memory")
    return groups


def _delegated(folder: str) -> bool:
    for mark in _MARKS:
        try:
            if os.getxattr(folder, mark) == b"1":
                return True
        except OSError:
            continue
    return False


def _mount(root: str) -> tuple[str | None, str]:
    """Where the tree is mounted, and which group of the whole tree is its top there."""
    for line in _lines(f"{root}/proc/self/mountinfo"):
        fields = line.split()
        if "-" in fields and fields[fields.index("-") + 1] == "cgroup2":
            return fields[4], fields[3].rstrip("/")
    return None, ""


def _own(root: str) -> str | None:
    for line in _lines(f"{root}/proc/self/cgroup"):
        if line.startswith("0::"):
            return line[3:]
    return None


def _lines(path: str) -> Iterable[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
    except OSError:
        return ()


def _words(path: str) -> set[str]:
    return {word for line in _lines(path) for word in line.split()}


def _memory() -> int:
    return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * SHARE_OF_MEMORY)


def _put(path: str, text: str) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY)
    except OSError:
        return False
    try:
        os.write(descriptor, text.encode())
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
