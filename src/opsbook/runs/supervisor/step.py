"""A step as the server sees it: one socket to its keeper.

The socket is read by the loop's own readiness callbacks, not through a transport: a transport costs
as much again as the rest of the conversation, and this way is the same on asyncio and on uvloop.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from opsbook.base.errors import Bug
from opsbook.runs.supervisor import protocol, record
from opsbook.runs.supervisor.model import MEBIBYTE, Outcome, SpawnError

MOST_UNREAD = 4 * MEBIBYTE
_AT_ONCE = 256 * 1024


class Step:
    """A running or just ended step.

    Output is for one reader. Who reads slowly, or not at all, finds the newest MOST_UNREAD bytes
    and a line in place of the older ones; the bounded whole is in `output_file` after the end.
    `offset` counts the bytes given to the reader or passed over: a server that stores it beside
    the output can go on from there through `find`.
    """

    def __init__(
        self,
        attempt_id: str,
        scratch: Path,
        sock: socket.socket,
        *,
        offset: int = 0,
        release: Callable[[socket.socket], None] | None = None,
    ) -> None:
        sock.setblocking(False)
        self.attempt_id = attempt_id
        self.scratch = scratch
        self.offset = offset
        self.dropped = 0
        self._sock = sock
        self._release = release
        self._again = False
        self._loop = asyncio.get_running_loop()
        self._frames = protocol.Frames(protocol.MOST_FROM_SERVER)
        self._unread: collections.deque[bytes | int] = collections.deque()  # int: so many missing
        self._unread_size = 0
        self._news = asyncio.Event()
        self._sending = asyncio.Lock()
        self._closed = False
        self._start: asyncio.Future[bool] = self._loop.create_future()
        self._outcome: asyncio.Future[Outcome] = self._loop.create_future()
        self._loop.add_reader(sock, self._on_readable)

    @property
    def output_file(self) -> Path:
        """The kept output: head, a line that says what is missing, tail. Whole after the end."""
        return self.scratch / protocol.OUTPUT_FILE

    async def chunks(self) -> AsyncIterator[bytes]:
        """Output as it comes, until the end. Missing parts are told by a line in their place."""
        while True:
            while self._unread:
                piece = self._next_unread()
                yield protocol.left_out(piece) if isinstance(piece, int) else piece
            if self._closed or self._outcome.done():
                return
            self._news.clear()
            await self._news.wait()

    async def outcome(self) -> Outcome:
        """How it ended. `lost`, and at once, when its keeper has died without saying so."""
        return await asyncio.shield(self._outcome)

    async def terminate(self) -> None:
        """Ask for its end: TERM, the grace time, KILL. The outcome tells when that is done."""
        await self.send(protocol.message(do="terminate"))

    async def acknowledge(self) -> None:
        """The outcome is in the journal: the keeper need not bring it to the disk, and may go on.

        Where the keeper is fit for another step, its connection goes back to whom it came from.
        """
        if not self._outcome.done():
            raise Bug("A step was acknowledged before its outcome was known: this is a bug.")
        await self.send(protocol.message(do="acknowledge"))
        if self._again and self._release and not self._closed:
            self._closed = True
            self._loop.remove_reader(self._sock)
            self._news.set()
            self._release(self._sock)
        self.close()

    def close(self) -> None:
        """Stop following; the step is not touched by it. Who waits for the outcome is cancelled."""
        self._let_go()
        self._outcome.cancel()

    async def started(self, within: float) -> bool | None:
        """True once it runs, False when its keeper died first, None when nothing was heard.

        A refusal is raised as SpawnError.
        """
        done, _ = await asyncio.wait([self._start], timeout=within)
        return self._start.result() if done else None

    async def send(self, frame: bytes) -> None:
        """Say something to the keeper; to one that is gone, nothing."""
        async with self._sending:
            try:
                if not self._closed:
                    await self._loop.sock_sendall(self._sock, frame)
            except OSError:
                pass
            finally:
                if self._closed:
                    self._sock.close()

    def _on_readable(self) -> None:
        try:
            data = self._sock.recv(_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        try:
            for kind, body in self._frames.feed(data):
                if kind == protocol.OUTPUT:
                    self._keep(body)
                else:
                    self._hear(protocol.read_message(body))
        except protocol.BadFrame:
            data = b""
        if not data:
            self._let_go()
            if not self._outcome.done():
                self._outcome.set_result(self._recorded())

    def _let_go(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._sock)
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        if not self._sending.locked():
            self._sock.close()
        if not self._start.done():
            self._start.set_result(False)
        self._news.set()

    def _hear(self, said: dict[str, Any]) -> None:
        match said.get("say"):
            case "started" if not self._start.done():
                self._start.set_result(True)
            case "refused" if not self._start.done():
                self._start.set_exception(SpawnError(str(said.get("problem"))))
            case "dropped":
                self._unread.append(int(said["bytes"]))
                self._news.set()
            case "outcome" if not self._outcome.done():
                self._again = said.get("again") is True
                self._outcome.set_result(Outcome.read(said) or self._recorded())
                self._news.set()

    def _keep(self, data: bytes) -> None:
        self._unread.append(data)
        self._unread_size += len(data)
        missing = 0
        while self._unread_size > MOST_UNREAD:
            oldest = self._unread.popleft()
            missing += oldest if isinstance(oldest, int) else len(oldest)
            self._unread_size -= 0 if isinstance(oldest, int) else len(oldest)
        if missing:
            self._unread.appendleft(missing)
        self._news.set()

    def _next_unread(self) -> bytes | int:
        first = self._unread.popleft()
        if isinstance(first, int):
            self.offset += first
            self.dropped += first
            return first
        parts, size = [first], len(first)
        while self._unread and isinstance(more := self._unread[0], bytes):
            if size + len(more) > _AT_ONCE:
                break
            parts.append(more)
            size += len(more)
            self._unread.popleft()
        self._unread_size -= size
        self.offset += size
        return b"".join(parts)

    def _recorded(self) -> Outcome:
        """What the scratch folder tells, now that nobody answers."""
        told = Outcome.read(record.read(f"{self.scratch}/{protocol.OUTCOME_FILE}"))
        if told:
            return told
        known = record.read(f"{self.scratch}/{protocol.PID_FILE}") or {}
        return Outcome.lost(
            self.attempt_id,
            float(known.get("started_at", time.time())),
            "its keeper is gone and has left no outcome; processes of the step may still run",
        )
