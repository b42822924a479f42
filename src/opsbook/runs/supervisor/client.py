"""The server's side: starting steps, and finding them again.

At most once is the rule here too. Every way that a start can fail ends in one of two certainties:
`SpawnError` (nothing of the step has run, nor will) or a `Step` that can be followed. What makes it
certain is the claim on the scratch folder (see `scratch`): a server that stops waiting takes the
claim itself, and a keeper that comes too late finds the folder taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

from opsbook.runs.supervisor import proctree, protocol, record, scratch
from opsbook.runs.supervisor.model import (
    Finished,
    Found,
    Gone,
    Orphaned,
    Outcome,
    Running,
    SpawnError,
    StepRequest,
)
from opsbook.runs.supervisor.step import Step

START_WITHIN = 10.0
STOP_WITHIN = 2.0
FIND_WITHIN = 1.0
MOST_IDLE = 4
_PAUSE = 0.01
_MAIN = Path(__file__).resolve().with_name("__main__.py")


class Spawner:
    """The helper process, and the keepers that wait for their next step.

    The helper is started again whenever it is found dead. Up to MOST_IDLE keepers are kept for
    reuse, the last one used first; the others, and those that wait for too long, leave.
    `start_within` is how many seconds a step may wait to be taken before it is refused.
    """

    def __init__(self, *, start_within: float = START_WITHIN) -> None:
        self._start_within = start_within
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._idle: list[tuple[int | None, socket.socket]] = []

    @property
    def pid(self) -> int | None:
        """The helper's process id, for those who watch processes."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Have the helper ready, so that the first step does not pay for it."""
        self._ready()

    async def stop(self) -> None:
        """Let the helper and the idle keepers go. Steps run on: `Step.terminate` ends them."""
        process, self._process = self._process, None
        for sock in (*(sock for _, sock in self._idle), self._control):
            if sock:
                sock.close()
        self._idle.clear()
        self._control = None
        if process is None:
            return
        for _ in range(round(STOP_WITHIN / _PAUSE)):
            if process.poll() is not None:
                return
            await asyncio.sleep(_PAUSE)
        process.kill()

    async def spawn(self, request: StepRequest) -> Step:
        """Start a step. It runs when this returns; SpawnError means that nothing of it has run."""
        if problems := list(request.problems()):
            raise SpawnError(" ".join(problems))
        frame = protocol.message(do="run", **request.order())
        while sock := self._waiting(request.user):
            if step := await self._start(request, frame, sock):
                return step
        for _ in range(2):
            if step := await self._spawn(request, frame):
                return step
            self._give_up_helper()
        raise SpawnError(
            "The helper process that starts steps died twice in a row before it took this one.",
            remedy="Look for its message in the server's log, and for the kernel's in dmesg.",
        )

    async def _spawn(self, request: StepRequest, frame: bytes) -> Step | None:
        """By a new keeper. None when the helper was dead and nothing was asked of anyone."""
        ours, theirs = socket.socketpair()
        handed = False
        try:
            handed = await self._hand_over(theirs)
        finally:
            theirs.close()
            if not handed:
                ours.close()
        if not handed:
            return None
        return await self._start(request, frame, ours)

    async def _start(self, request: StepRequest, frame: bytes, sock: socket.socket) -> Step | None:
        """None when this keeper was dead, had not claimed the folder, and so never will.

        One that died with the claim may have let the step run: that is a step, and a lost one.
        """
        step = Step(
            request.attempt_id, request.scratch, sock, release=partial(self._keep, request.user)
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._start_within):
                await step.send(frame)
        heard = await step.started(self._start_within)
        if heard:
            return step
        if heard is None:
            return _step_or_refusal(step, self._start_within)
        claimed = (request.scratch / protocol.SOCKET_FILE).exists()
        return step if claimed else None

    def _keep(self, user: int | None, sock: socket.socket) -> None:
        self._idle.append((user, sock))
        if len(self._idle) > (MOST_IDLE if self._process else 0):
            self._idle.pop(0)[1].close()

    def _waiting(self, user: int | None) -> socket.socket | None:
        """A keeper whose steps ran as this user: what one has renounced for good, others need."""
        for at in range(len(self._idle) - 1, -1, -1):
            if self._idle[at][0] == user:
                return self._idle.pop(at)[1]
        return None

    async def _hand_over(self, sock: socket.socket) -> bool:
        """Give one end of a socket to the next keeper; False when there is no helper to take it."""
        until = asyncio.get_running_loop().time() + self._start_within
        control = self._ready()
        while True:
            try:
                socket.send_fds(control, [b"s"], [sock.fileno()])
            except BlockingIOError as error:  # hundreds are waiting to be taken
                if asyncio.get_running_loop().time() > until:
                    raise SpawnError(
                        f"The helper process {self.pid} has taken no step for "
                        f"{self._start_within:g} s: too many are waiting.",
                        remedy="Start fewer at once, or look at the load of this machine.",
                    ) from error
                await asyncio.sleep(_PAUSE)
            except OSError:
                return False
            else:
                return True

    def _ready(self) -> socket.socket:
        if self._control and self._process and self._process.poll() is None:
            return self._control
        self._give_up_helper()
        if not sys.platform.startswith("linux"):
            raise SpawnError(f"Steps run on Linux only, and this is {sys.platform}.")
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        # Nothing of the server's environment but what its Python may need to find its own library.
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-X", "utf8", str(_MAIN)],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env=kept,
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise SpawnError(f"The helper process cannot be started: {error}.") from error
        self._control = ours
        return ours

    def _give_up_helper(self) -> None:
        """For one that is dead, or all but: its socket says so before it can be waited for."""
        if self._control:
            self._control.close()
            self._control = None
        if self._process:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_WITHIN)
            self._process = None


async def find(folder: Path, offset: int = 0) -> Found:
    """What has become of the attempt that has this scratch folder. Ask after a restart.

    `offset` is how much of the output is already known (`Step.offset`). A keeper that answers is
    the first witness, the outcome on record the second; process ids are looked at only when both
    are missing. PermissionError: the keeper belongs to another user than this process.
    """
    until = asyncio.get_running_loop().time() + FIND_WITHIN
    while True:
        if outcome := _recorded(folder):
            return Finished(outcome)
        sock = protocol.reach(str(folder))
        known = record.read(f"{folder}/{protocol.PID_FILE}")
        if sock and known:
            step = Step(str(known["attempt_id"]), folder, sock, offset=offset)
            await step.send(protocol.message(do="hello", offset=offset))
            return Running(step)
        if sock is None:
            break
        keeper = _listening(sock)  # it is about to write pid.json
        sock.close()
        if asyncio.get_running_loop().time() > until:
            return Orphaned((keeper,))
        await asyncio.sleep(_PAUSE)
    if not (folder / protocol.SOCKET_FILE).exists():
        return Gone()
    attempt = str(known["attempt_id"]) if known else None
    left = await asyncio.to_thread(proctree.tree, attempt, folder)
    if outcome := _recorded(folder):  # written before its keeper stopped answering, after we looked
        return Finished(outcome)
    return Orphaned(tuple(proc.pid for proc in left)) if left else Gone()


def _recorded(folder: Path) -> Outcome | None:
    return Outcome.read(record.read(f"{folder}/{protocol.OUTCOME_FILE}"))


def _listening(sock: socket.socket) -> int:
    told = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(told[:4], sys.byteorder)


def _step_or_refusal(step: Step, waited: float) -> Step:
    """Nobody has answered in time: make sure that nothing will run, or follow what does."""
    claim = step.scratch / protocol.SOCKET_FILE
    try:
        step.scratch.mkdir(scratch.MODE, parents=True, exist_ok=True)
        claim.touch(0o600, exist_ok=False)
    except FileExistsError:
        return step
    except OSError:
        pass  # then a keeper, which is the same user, cannot claim it either
    step.close()
    raise SpawnError(
        f"No keeper took attempt {step.attempt_id} within {waited:g} s; it will not run.",
        remedy="Look at the load of this machine, and whether its memory or processes are used up.",
    )
