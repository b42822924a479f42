"""Who listens to a keeper: the server that asked for the step, and whoever comes to keeper.sock.

The step comes first. Nothing here waits: a socket that is full is left alone until it has room, and
its reader is then served from the spool at its own offset, or told how much it has missed. One
piece at most is pending per visitor, so an audience of sleepers has a price known in advance.
"""

from __future__ import annotations

import os
import select
import socket
import struct

from . import protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .spool import Spool

MOST_VISITORS = 16
_CREDENTIALS = struct.Struct("3i")


class Visitor:
    """One connection, and how far it has been told."""

    def __init__(self, sock: socket.socket, frames: protocol.Frames, offset: int | None) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.offset = offset
        self.done = False
        self.frames = frames
        self._pending = memoryview(b"")

    def send(self, frame: bytes) -> None:
        """Append a small frame to what is pending."""
        self._pending = memoryview(bytes(self._pending) + frame)

    def pump(self, spool: Spool, last_word: bytes) -> bool:
        """Send as much as fits now; False when the connection is broken."""
        try:
            while True:
                while self._pending:
                    self._pending = self._pending[self.sock.send(self._pending) :]
                frame = self._next(spool, last_word)
                if not frame:
                    return True
                self._pending = memoryview(frame)
        except BlockingIOError:
            return True
        except OSError:
            return False

    @property
    def interest(self) -> int:
        """What to poll the socket for."""
        return select.POLLIN | (select.POLLOUT if self._pending else 0)

    @property
    def served(self) -> bool:
        """Everything has been said to it."""
        return self.done and not self._pending

    def _next(self, spool: Spool, last_word: bytes) -> bytes:
        if self.offset is None or self.done:
            return b""
        skipped, data = spool.read(self.offset, protocol.PIECE)
        self.offset += skipped + len(data)
        frame = protocol.message(say="dropped", bytes=skipped) if skipped else b""
        if data:
            frame += protocol.output(data)
        elif last_word:
            self.done = True
            frame += last_word
        return frame


class Audience:
    """All visitors of one keeper, and the door they come through."""

    def __init__(self, listener: socket.socket, poll: select.poll, spool: Spool) -> None:
        self._listener = listener
        self._poll = poll
        self._spool = spool
        self._visitors: dict[int, Visitor] = {}
        self.last_word = b""
        poll.register(listener, select.POLLIN)

    def __len__(self) -> int:
        return len(self._visitors)

    @property
    def served(self) -> bool:
        """Everybody has been told everything."""
        return all(visitor.served for visitor in self._visitors.values())

    def is_only(self, sock: socket.socket) -> bool:
        """Whether this connection is there, and no other."""
        return list(self._visitors) == [sock.fileno()]

    def welcome(
        self, sock: socket.socket, frames: protocol.Frames, offset: int | None = None
    ) -> Visitor:
        """Take a connection in. It is told nothing until it says from which offset on."""
        visitor = Visitor(sock, frames, offset)
        self._visitors[sock.fileno()] = visitor
        self._poll.register(sock, visitor.interest)
        return visitor

    def attend(self, descriptor: int) -> list[dict[str, Any]]:
        """Deal with a socket that is ready; what its visitor wants done."""
        if descriptor == self._listener.fileno():
            self._open_door()
            return []
        visitor = self._visitors.get(descriptor)
        if visitor is None:
            return []  # dismissed while its event was on the way
        wishes = self._hear(visitor)
        if descriptor in self._visitors:
            self._pump(visitor)
        return wishes

    def pump(self) -> None:
        """Bring everybody up to date."""
        for visitor in list(self._visitors.values()):
            self._pump(visitor)

    def close(self, staying: socket.socket) -> None:
        """Shut the door and send everybody home but one, whose connection goes on."""
        self._listener.close()
        for visitor in self._visitors.values():
            if visitor.sock is not staying:
                visitor.sock.close()

    def _open_door(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        told = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, user, _ = _CREDENTIALS.unpack(told)
        if user not in (0, os.geteuid()) or len(self._visitors) >= MOST_VISITORS:
            sock.close()
        else:
            self.welcome(sock, protocol.Frames(protocol.MOST_FROM_VISITOR))

    def _hear(self, visitor: Visitor) -> list[dict[str, Any]]:
        wishes: list[dict[str, Any]] = []
        try:
            data = visitor.sock.recv(protocol.PIECE)
            if not data:
                self._dismiss(visitor)
            for _, body in visitor.frames.feed(data):
                wishes.append(said := protocol.read_message(body))
                if said.get("do") == "hello":
                    visitor.offset = max(0, int(said.get("offset", 0)))
        except BlockingIOError:
            pass
        except (OSError, ValueError, TypeError, protocol.BadFrame):
            self._dismiss(visitor)
        return wishes

    def _pump(self, visitor: Visitor) -> None:
        if visitor.pump(self._spool, self.last_word):
            self._poll.modify(visitor.sock, visitor.interest)
        else:
            self._dismiss(visitor)

    def _dismiss(self, visitor: Visitor) -> None:
        if self._visitors.pop(visitor.sock.fileno(), None):
            self._poll.unregister(visitor.sock)
            visitor.sock.close()
