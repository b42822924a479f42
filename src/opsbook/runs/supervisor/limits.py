"""What a step may not have more of, and what it may not become.

Set on the keeper, which hands it down: nothing runs between the fork and the exec of a step, where
a limit of its own would have to be set.

*Core files* are not written: they would hold whatever secrets the program was given. *Privileges*
cannot be gained (`no_new_privs`) where the step runs as `nobody`: nobody gives that user rights,
so a setuid program can only be a way out. A user that somebody chose for the steps may have been
given rights on purpose (`sudo systemctl restart` in sudoers), so it keeps them. *Processes* of the
steps' user are counted together by the kernel; the limit stops a fork bomb before the machine
does, at the price that the other steps of that moment cannot fork either. Root and the server's
own user are not limited so: the count would take in everything else that user runs.

*Memory* has no limit of its own here. RLIMIT_AS counts reserved addresses, not memory: Java, Go and
whatever maps a big file reserve far more than they ever touch, and would fail on a machine that has
room for them. Instead the kernel is told which processes to end first when memory runs out: the
step's, never the server's. Where a cgroup is permitted its limits apply as well (see `cgroup`).

*File size* is not limited either: RLIMIT_FSIZE counts every file anywhere, and a backup is one big
file. What a step may put into its own folders is watched instead (see `space`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .launch import Launched

NOBODY = 65534
FIRST_TO_GO = b"1000"
TRIES = 5
PAUSE = 0.0005
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_AS_FOUND = resource.getrlimit(resource.RLIMIT_NPROC)
_libc = ctypes.CDLL(None, use_errno=True)


def hide() -> None:
    """Let no process of this user look into this one: not by ptrace, not at /proc/PID/environ.

    A program that is executed from here can be looked at again, so this holds for keepers and the
    helper process, and not for steps.
    """
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def take_on(order: dict[str, Any]) -> None:
    """Take on the limits of the step that is about to be started."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if order["user"] == NOBODY and _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot renounce new privileges")
    if (
        os.geteuid() == 0
    ):  # whom this limit does not bind; the step, once it is another user, it does
        most = order["processes"]
        soft, hard = _AS_FOUND
        if order["user"]:
            soft = hard = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError):  # in some containers root lowers it and never raises
            resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))


def first_to_go(launch: Callable[[], Launched]) -> Launched:
    """Start something that the kernel ends before others when memory is short.

    Said of this process and taken back, since a child inherits it: said of the child, it comes too
    late for what that one has started by then. But who hides (see `hide`) and is not root may not
    say it of itself; there it is said of the child.
    """
    before = _score("self", FIRST_TO_GO)
    try:
        launched = launch()
    finally:
        if before:
            _score("self", before)
    tries = 0 if before else TRIES
    while tries and not _score(str(launched.pid), FIRST_TO_GO):
        tries -= 1  # its descriptors are closed, which is our sign, a moment before it is its own
        time.sleep(PAUSE)
    return launched


def _score(pid: str, value: bytes) -> bytes:
    """Set how readily the kernel ends a process; what it was before, empty if that is refused."""
    try:
        descriptor = os.open(f"/proc/{pid}/oom_score_adj", os.O_RDWR)
    except OSError:
        return b""
    try:
        before = os.read(descriptor, 16)
        os.pwrite(descriptor, value, 0)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return before
