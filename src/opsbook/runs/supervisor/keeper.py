"""The keeper: the process that sees a step through.

From the moment it has a step it depends on nobody. Its session is its own, so neither Ctrl-C in the
server's terminal nor a kill of the server's group reaches it. It is *child subreaper*: every orphan
below becomes its child, so a process that leaves the step's session by `setsid` and a double fork
is still a descendant, can be found, and is ended with the rest.

It has one step at a time. When that has ended without a trace (outcome written and acknowledged, no
child left, nobody else listening) the server may give it the next one over the same connection. A
fork of Python pays for every page it touches, one fault each, and in total more than the shell that
it then starts; a keeper that has paid once is worth keeping. Whatever was not entirely clean ends
with its keeper.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys

from . import cgroup, limits, proctree, protocol, scratch
from .offspring import Offspring
from .watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

IDLE_AT_MOST = 30.0
MOST_STEPS = 1000

_WHOEVER = 0  # no process has this number, so all are left-overs
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def main(server: socket.socket, boot: str, groups: cgroup.Groups | None) -> None:
    """Keep one step after the other, for as long as there are more and none leaves a trace."""
    _stand_apart()
    me = proctree.look(os.getpid())
    about = {"boot": boot, "keeper": os.getpid(), "keeper_started": me.started if me else 0}
    frames = protocol.Frames(protocol.MOST_FROM_SERVER)
    group = groups.enter(f"{about['keeper']}-{about['keeper_started']}") if groups else None
    try:
        _serve(server, frames, about, group)
    finally:
        if group:
            group.leave()


def _serve(
    server: socket.socket,
    frames: protocol.Frames,
    about: dict[str, Any],
    group: cgroup.Group | None,
) -> None:
    order = _receive(server, frames)
    for left in range(MOST_STEPS - 1, -1, -1):
        if order is None:
            return
        step = _keep(server, frames, order, about, group, may_stay=left > 0)
        if step is None or not step.clean:
            return
        order = step.next_order or _receive(server, frames)


def _keep(
    server: socket.socket,
    frames: protocol.Frames,
    order: dict[str, Any],
    about: dict[str, Any],
    group: cgroup.Group | None,
    may_stay: bool,
) -> Watch | None:
    """See one step through; None where there was none, or the keeper has failed it."""
    try:
        folder, listener = scratch.prepare(order)
        limits.take_on(order)
        step = Watch(order, folder, listener)
        held = {"group": group.folder} if group and group.at(order["scratch"]) else {}
        step.enter(about | held)
    except (scratch.Refusal, OSError) as error:
        server.sendall(protocol.message(say="refused", problem=str(error)))
        return None
    if protocol.hung_up(server):
        return None  # whoever asks `find` from now on is told Gone, and that stays true
    try:
        signal.signal(signal.SIGTERM, lambda *_: step.stop("killed", "its keeper was told to end"))
        step.begin(server, frames)
        step.watch()
        step.finish(server, may_stay)
    except BaseException:  # noqa: BLE001 - the edge: a step without its keeper must not run on
        Offspring(_WHOEVER).clear()
        log = os.open(protocol.LOG_FILE, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=folder)
        os.dup2(log, 2)
        sys.excepthook(*sys.exc_info())
        return None
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    step.close(server)
    return step


def _stand_apart() -> None:
    """Out of reach of what is meant for the server, and in line for every orphan below."""
    os.dup2(1, 2)
    os.setsid()
    os.umask(0o077)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        # A handler and not SIG_IGN, which the step would inherit. A server that is killed while it
        # is being told something must not take its step's keeper with it: hence SIGPIPE.
        signal.signal(number, lambda *_: None)
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become a child subreaper")
    _libc.prctl(_PR_SET_NAME, b"opsbook-keeper", 0, 0, 0)


def _receive(server: socket.socket, frames: protocol.Frames) -> dict[str, Any] | None:
    """The next order, or None when there will be none."""
    server.settimeout(IDLE_AT_MOST)
    try:
        while data := server.recv(protocol.PIECE):
            for _, body in frames.feed(data):
                return protocol.read_message(body)
    except (OSError, protocol.BadFrame):
        pass
    return None
