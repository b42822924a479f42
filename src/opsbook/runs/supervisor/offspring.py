"""The keeper's children: all that a step has started, however it got away.

A child subreaper inherits every orphan below it, and that gives the end of a tree a plain sign: the
kernel says ECHILD to `waitpid` when nothing is left, and not before. /proc is read only to find
whom to signal.
"""

from __future__ import annotations

import os
import signal
import time

from . import proctree

CLEAR_WITHIN = 5.0


class Offspring:
    """What lives below this process. `main` is the step's first process, None if it never was."""

    def __init__(self, main: int | None) -> None:
        self.main = main
        self.status: int | None = None
        self.none_left = main is None

    def bury_main(self) -> None:
        """Its pidfd says that it has ended."""
        if self.main is not None and self.status is None:
            _, self.status = os.waitpid(self.main, 0)

    def bury_orphans(self) -> None:
        """Those that ended by themselves. The main process is left to its pidfd."""
        try:
            while True:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if found is None or (found.si_pid == self.main and self.status is None):
                    return
                os.waitpid(found.si_pid, 0)
        except ChildProcessError:
            self.none_left = True

    def pids(self) -> list[int]:
        """Who lives now."""
        return [proc.pid for proc in proctree.below(os.getpid(), proctree.snapshot())]

    def signal(self, number: int) -> None:
        """Signal everybody, in whatever session they are by now."""
        procs = proctree.snapshot()
        proctree.signal_groups(proctree.below(os.getpid(), procs), number)

    def clear(self) -> tuple[int, int]:
        """Kill what is left; how many that were, and how many withstood it."""
        self.bury_orphans()
        killed = 0
        until = time.monotonic() + CLEAR_WITHIN
        while not self.none_left and time.monotonic() < until:
            self.signal(signal.SIGKILL)
            time.sleep(0.001)
            killed += self._bury_the_killed()
        if self.none_left:
            return killed, 0
        return killed, len(proctree.below(os.getpid(), proctree.snapshot()))

    def _bury_the_killed(self) -> int:
        killed = 0
        try:
            while (found := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                pid, status = found
                if pid == self.main:
                    self.status = status
                else:
                    killed += os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        except ChildProcessError:
            self.none_left = True
        return killed
