"""One step under watch, from its record to its outcome.

One loop over one poll. The exit of the main process is seen through its pidfd at once, whoever else
holds the output pipe. Every wait has an end: those of `deadlines`, then DRAIN_WITHIN for the pipe
and LINGER for the last word.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import time

from . import launch, limits, proctree, protocol, record
from .audience import Audience
from .deadlines import Deadlines
from .offspring import Offspring
from .space import GRACE, Space
from .spool import Spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

SHOW_EVERY = 0.05
DRAIN_WITHIN = 0.2
LINGER = 2.0
PIPE_SIZE = 256 * 1024


class Watch:
    """One step. `enter`, `begin`, `watch`, `finish`, `close`, in this order."""

    def __init__(self, order: dict[str, Any], folder: int, listener: socket.socket) -> None:
        self.clean = False
        self.next_order: dict[str, Any] | None = None
        self._order = order
        self._folder = folder
        self._poll = select.poll()
        self._spool = Spool(folder, order["output_limit"])
        self._audience = Audience(listener, self._poll, self._spool)
        self._launched: launch.Launched | None = None
        self._offspring = Offspring(None)
        self._record: dict[str, Any] = {}
        self._draft = -1
        self._notes: list[str] = []
        self._shown, self._show_at = 0, 0.0
        self._drained = self._acknowledged = False
        self._started_at, self._began = time.time(), time.monotonic()
        self._deadlines = Deadlines(order, self._began)
        self._space = Space(
            f"{order['scratch']}/{protocol.HOME_FOLDER}",
            order["env"].get(protocol.WORK, ""),
            order["disk_limit"],
            self._began,
            lambda: self._offspring.pids(),  # noqa: PLW0108  it is another one by then
        )

    def enter(self, about: dict[str, Any]) -> None:
        """Have the record as good as written, so that a full disk is met before anything runs.

        It is published with the step's own number in it. Should the keeper die in between, the
        claim on the folder says that something may run, and the marks in its environment what.
        """
        mine = {"attempt_id": self._order["attempt_id"], "started_at": self._started_at}
        self._record = about | mine
        self._draft = record.draft(self._folder, protocol.PID_FILE, self._record)

    def begin(self, server: socket.socket, frames: protocol.Frames) -> None:
        """Let the step run, complete the record, and only then tell the server."""
        try:
            self._follow(limits.first_to_go(lambda: launch.Launched(self._order)))
        except launch.CannotStart as problem:
            self._spool.append(f"opsbook: {problem}\n".encode("utf-8", "surrogateescape"))
            self._offspring.status = problem.code << 8  # as waitpid would say it
            self._drained = True
        record.publish(self._folder, protocol.PID_FILE, self._draft, self._record)
        visitor = self._audience.welcome(server, frames, 0)
        visitor.send(protocol.message(say="started", child=self._offspring.main))
        self._audience.pump()

    def watch(self) -> None:
        """Until the main process is gone; after a TERM, until its tree is, or its grace is over."""
        while True:
            now = time.monotonic()
            if reason := self._deadlines.reason(now, attended=len(self._audience) > 0):
                self.stop(*reason)
            elif told := "" if self._deadlines.verdict else self._space.look(now):
                self.stop("failed", told, GRACE)
            if self._deadlines.over(now, self._ended, self._offspring.none_left):
                return
            if not self._ended and self._deadlines.kill(now):
                self._offspring.signal(signal.SIGKILL)
            patience = self._deadlines.patience(now, self._ended)
            if not self._deadlines.verdict:
                patience = max(0.0, min(patience, self._space.next - now))
            if self._spool.seen > self._shown:
                patience = max(0.0, min(patience, self._show_at - now))
            for descriptor, _ in self._poll.poll(patience * 1000):
                self._attend(descriptor)
            self._offspring.bury_orphans()
            self._show(time.monotonic())

    def finish(self, server: socket.socket, may_stay: bool) -> None:
        """Leave nothing running, write the outcome, tell it."""
        ended_at, duration = time.time(), time.monotonic() - self._began
        killed, alive = self._offspring.clear()
        if alive:
            self._notes.append(f"{alive} processes of the step could not be ended")
        self._drain()
        self._spool.finish()
        if self._spool.fault:
            self._notes.append(self._spool.fault)
        outcome = {
            "attempt_id": self._order["attempt_id"],
            **self._ending(),
            "started_at": self._started_at,
            "ended_at": ended_at,
            "duration_s": duration,
            "bytes_seen": self._spool.seen,
            "bytes_dropped": self._spool.dropped,
            "leftovers_killed": killed,
        }
        written = self._write(outcome)
        again = may_stay and written and not alive and self._audience.is_only(server)
        told = outcome | {"note": "; ".join(self._notes), "again": again}
        self._audience.last_word = protocol.message(say="outcome", **told)
        self._linger()
        self.clean = again and self._acknowledged
        if written and not self._acknowledged:
            record.settle(self._folder, protocol.OUTCOME_FILE)

    def close(self, staying: socket.socket) -> None:
        """Give back all that belonged to this step; one connection is kept for the next."""
        self._audience.close(staying)
        self._spool.close()
        os.close(self._folder)
        if self._launched:
            self._launched.close()

    def stop(self, verdict: str, note: str, grace: float | None = None) -> None:
        """TERM to the whole tree, escaped processes included. The first reason given stands."""
        if self._deadlines.verdict or self._ended:
            return
        self._deadlines.end(verdict, time.monotonic(), grace)
        self._notes.append(note)
        self._offspring.signal(signal.SIGTERM)
        self._offspring.signal(signal.SIGCONT)  # a stopped process would never see the TERM

    @property
    def _ended(self) -> bool:
        return self._offspring.status is not None

    def _follow(self, launched: launch.Launched) -> None:
        self._launched = launched
        self._offspring = Offspring(launched.pid)
        its = proctree.look(launched.pid)
        self._record |= {
            "child": launched.pid,
            "child_started": its.started if its else 0,
            "session": launched.pid,
        }
        self._poll.register(launched.output, select.POLLIN)
        self._poll.register(launched.exit, select.POLLIN)

    def _attend(self, descriptor: int) -> None:
        if self._launched and descriptor == self._launched.output:
            self._read(descriptor)
        elif self._launched and descriptor == self._launched.exit:
            self._poll.unregister(descriptor)
            self._offspring.bury_main()
        else:
            for wish in self._audience.attend(descriptor):
                self._grant(wish)

    def _grant(self, wish: dict[str, Any]) -> None:
        match wish.get("do"):
            case "terminate":
                self.stop("killed", "it was told to end")
            case "acknowledge" if self._audience.last_word:
                self._acknowledged = True
            case "run" if self._acknowledged:
                self.next_order = wish

    def _read(self, pipe: int) -> None:
        """Take one piece of output, or note that there will be no more."""
        try:
            data = os.read(pipe, protocol.PIECE)
        except BlockingIOError:
            return
        if not data:
            self._drained = True
            self._poll.unregister(pipe)
            return
        if len(data) == protocol.PIECE and self._spool.seen == 0:
            # Only for who fills the pipe: the kernel gives all pipes of a user one allowance.
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        self._spool.append(data)

    def _show(self, now: float) -> None:
        if self._spool.seen > self._shown and now >= self._show_at:
            self._audience.pump()
            self._shown, self._show_at = self._spool.seen, now + SHOW_EVERY

    def _drain(self) -> None:
        """What is still in the pipe. With the tree gone its end comes at once."""
        if not self._launched or self._drained:
            return
        until = time.monotonic() + DRAIN_WITHIN
        poll = select.poll()
        poll.register(self._launched.output, select.POLLIN)
        while not self._drained and (left := until - time.monotonic()) > 0:
            if poll.poll(left * 1000):
                self._read(self._launched.output)
        if not self._drained:
            self._poll.unregister(self._launched.output)

    def _ending(self) -> dict[str, Any]:
        status = self._offspring.status
        code = None if status is None else os.waitstatus_to_exitcode(status)
        return {
            "outcome": self._deadlines.verdict or ("succeeded" if code == 0 else "failed"),
            "exit_code": code if code is not None and code >= 0 else None,
            "signal": -code if code is not None and code < 0 else None,
        }

    def _write(self, outcome: dict[str, Any]) -> bool:
        full = outcome | {"note": "; ".join(self._notes)}
        try:
            record.write(self._folder, protocol.OUTCOME_FILE, full)
        except OSError as error:
            self._notes.append(f"outcome.json could not be written: {error.strerror or error}")
            return False
        return True

    def _linger(self) -> None:
        """Until the news is taken over, briefly."""
        until = time.monotonic() + LINGER
        self._audience.pump()
        while len(self._audience) and not (self._acknowledged and self._audience.served):
            left = until - time.monotonic()
            if left <= 0:
                break
            for descriptor, _ in self._poll.poll(left * 1000):
                self._attend(descriptor)
