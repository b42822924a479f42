"""The helper process: it forks keepers, and does nothing else.

The server hands over one end of a socket pair; what is to run comes through that socket, to the
keeper, and is never read here. So nothing that a step says can make this process grow or break it,
and a server that loses it loses nothing but the time to start another.

It stays small on purpose. A fork copies the page tables of everything a process has touched, and a
server that carries an asyncio loop, a database and a web framework takes many times as long to
fork, and would hand its descriptors and secrets to the child.

When the server goes away the control socket ends and this process leaves; the keepers stay.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import time

from . import cgroup, keeper, limits, proctree, protocol

PAUSE = 0.05


def main() -> None:
    """Serve the control socket, which is descriptor 0, until the server has gone."""
    control = socket.socket(fileno=0)
    boot = proctree.boot()
    groups = cgroup.permitted()
    if groups:
        groups.sweep()
    limits.hide()
    _forget_inherited_signals()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are buried by the kernel
    gc.collect()
    gc.disable()
    gc.freeze()  # a collection would write to every object, and so copy every page in each fork
    while True:
        _, handed, _, _ = socket.recv_fds(control, 1, 1)
        if not handed:
            return
        _fork(control, socket.socket(fileno=handed[0]), boot, groups)


def _fork(
    control: socket.socket, server: socket.socket, boot: str, groups: cgroup.Groups | None
) -> None:
    pid = -1
    while pid < 0:
        try:
            pid = os.fork()
        except OSError:  # out of processes or memory: tried again for as long as the server waits
            if protocol.hung_up(server):
                break
            time.sleep(PAUSE)
    if pid == 0:
        try:
            os.dup2(1, 0)
            control.detach()
            keeper.main(server, boot, groups)
        except BaseException:  # noqa: BLE001 - the edge of the process
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(0)
    server.close()


def _forget_inherited_signals() -> None:
    """What the server ignores or holds back (nohup, a shell's job control) is no step's concern.

    What Python itself ignores stays so: without that, a reader that leaves in mid-sentence would
    kill the keeper. `subprocess` gives these two back to the step.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
