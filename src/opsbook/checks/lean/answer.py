"""Reading an HTTP/1.1 answer from bytes as they come; no connection, no clock.

As strict as is needed to know where the answer ends, and no stricter: what a visitor's browser
takes is an answer. So lines may end with a bare line feed, a header may be folded, a body may end
with the connection. What cannot be told apart is refused: two lengths that differ, a chunk without
a size.

Everything is bounded: the head by `MOST_HEAD`, the body by what the caller gives, and what chunks
put around it by `MOST_AROUND`. Where it has looked for an end it does not look again, so a
server that sends one byte at a time costs little more than one that sends all at once.

Source: RFC 9112.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from opsbook.base.errors import OpsbookError

MOST_HEAD: Final = 64 * 1024
MOST_AROUND: Final = 256 * 1024
MOST_LINE: Final = 4096
_STATUS: Final = re.compile(r"HTTP/1\.[0-9] ([1-9][0-9][0-9])(?: ([^\r\n]*))?\r?\Z")
_HEADER: Final = re.compile(r"^([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:([^\n]*)$", re.MULTILINE)
_AROUND: Final = " \t\r\0"
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\Z", re.DOTALL)
_BEGINNING: Final = b"HTTP/1."


class NoAnswer(OpsbookError):
    """What came back is no answer; the sentence goes on from the server's name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. `headers` are in their order, their names in small letters.

    `whole` is false where the body went on beyond what was read of it.
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    whole: bool

    def header(self, name: str) -> str | None:
        """Return the first header of this name, given in small letters."""
        return next((value for found, value in self.headers if found == name), None)


class Reader:
    """One answer, growing. `feed` it until it is done; `end` it where the connection ends."""

    __slots__ = (
        "_around", "_body", "_buffer", "_headers", "_how", "_left", "_most", "_no_body",
        "_reason", "_searched", "_status", "done", "whole",
    )  # fmt: skip

    def __init__(self, most: int, *, no_body: bool = False) -> None:
        """`no_body` says that the request was one whose answer has none (HEAD)."""
        self._most = most
        self._no_body = no_body
        self._buffer = bytearray()
        self._searched = 0
        self._body = bytearray()
        self._how = "head"
        self._left = 0
        self._around = 0
        self._status = 0
        self._reason = ""
        self._headers: tuple[tuple[str, str], ...] = ()
        self.done = False
        self.whole = True

    def feed(self, data: bytes) -> bool:
        """Read on; return whether the answer is complete. What comes after it is passed over.

        Raises:
            NoAnswer: this is no HTTP, or has no end that could be told.
        """
        if self._how == "head":
            self._buffer += data
            while self._how == "head" and self._head():
                pass
            if self._how == "head":
                return False
            data = bytes(self._buffer)
            self._buffer.clear()
        if not self.done and data:
            if self._how in {"chunks", "trailers"}:
                self._chunks(data)
            else:
                self._plain(data)
        return self.done

    def end(self) -> None:
        """The connection has ended; raises NoAnswer if the answer had not."""
        if self.done:
            return
        if self._how == "head":
            if not self._buffer and not self._status:
                raise NoAnswer("closed the connection without an answer")
            if self._buffer and not _begins_well(self._buffer):
                raise NoAnswer(f"does not speak HTTP: it said {_shown(self._buffer)}")
            raise NoAnswer("broke off in the middle of its answer")
        if self._how != "close":
            raise NoAnswer("broke off in the middle of its answer")
        self.done = True

    def answer(self) -> Answer:
        """Return the answer; only once it is done."""
        return Answer(self._status, self._reason, self._headers, bytes(self._body), self.whole)

    # ---- the head -------------------------------------------------------------------------------

    def _head(self) -> bool:
        """Read the head if it is there; `True` where another follows it (after a 100)."""
        buffer = self._buffer
        if not _begins_well(buffer):
            raise NoAnswer(f"does not speak HTTP: it said {_shown(buffer)}")
        ends, after = _blank_line(buffer, self._searched)
        if ends < 0 or ends > MOST_HEAD:
            self._searched = max(0, len(buffer) - 3)
            if len(buffer) > MOST_HEAD:
                raise NoAnswer(f"sends more than {MOST_HEAD // 1024} KiB of headers")
            return False
        first, _, rest = buffer[:ends].decode("latin-1").partition("\n")
        del buffer[:after]
        self._searched = 0
        begun = _STATUS.match(first)
        if begun is None:
            raise NoAnswer(f"does not speak HTTP: it said {_shown(first)}")
        self._status = int(begun[1])
        self._reason = (begun[2] or "").strip()
        self._headers = _headers(rest)
        if 100 <= self._status < 200 and self._status != 101:
            self._around += after
            if self._around > MOST_HEAD:
                raise NoAnswer(f"sends more than {MOST_HEAD // 1024} KiB of headers")
            return True
        self._around = 0
        self._frame()
        return False

    def _frame(self) -> None:
        """Decide how the end of the body is found (RFC 9112 §6.3)."""
        if self._no_body or self._status in {101, 204, 304}:
            self._how, self.done = "none", True
            return
        coding, length = "", None
        for name, value in self._headers:
            if name == "transfer-encoding":
                coding = f"{coding},{value}"
            elif name == "content-length":
                length = _length(value, length)
        if coding:
            last = coding.rpartition(",")[2].strip().lower()
            self._how = "chunks" if last == "chunked" else "close"
        elif length is not None:
            self._how, self._left = "length", length
            self.done = length == 0
        else:
            self._how = "close"

    # ---- the body -------------------------------------------------------------------------------

    def _plain(self, data: bytes) -> None:
        if self._how == "length":
            self._left -= len(data)
            if self._left < 0:
                data = data[: self._left]
            self.done = self._left <= 0
        self._keep(data)

    def _keep(self, data: bytes | memoryview) -> None:
        room = self._most - len(self._body)
        if len(data) > room:
            self._body += data[:room]
            self.whole, self.done = False, True
        else:
            self._body += data

    def _chunks(self, data: bytes) -> None:
        """Take chunks apart. `_left` is what is missing of one, and -1 for the line end after it.

        Between calls the buffer holds the beginning of a line at most.
        """
        self._around += len(data)
        if self._buffer:
            data = bytes(self._buffer) + data
            self._buffer.clear()
        self._apart(data)
        if not self.done and self._around - len(self._body) > MOST_AROUND:
            self.whole, self.done = False, True

    def _apart(self, data: bytes) -> None:
        view, at = memoryview(data), 0
        while at < len(data) and not self.done:
            if self._left > 0:
                piece = view[at : at + self._left]
                self._keep(piece)
                self._left -= len(piece)
                at += len(piece)
                if self._left == 0:
                    self._left = -1
                continue
            ends = data.find(b"\n", at)
            if ends < 0 or ends - at > MOST_LINE:
                if len(data) - at > MOST_LINE:
                    raise NoAnswer("sends a chunk whose size has no end")
                self._buffer += view[at:]
                return
            self._line(data[at:ends].removesuffix(b"\r"))
            at = ends + 1

    def _line(self, line: bytes) -> None:
        """A line of the chunked form: the end of a chunk, a size, or one after the last chunk."""
        if self._how == "trailers":
            self.done = not line
            return
        if self._left == -1:
            if line:
                raise NoAnswer(f"sends a chunk that is longer than its size: {_shown(line)}")
            self._left = 0
            return
        size = _SIZE.match(line)
        if size is None:
            raise NoAnswer(f"sends a chunk without a size: {_shown(line)}")
        self._left = int(size[1], 16)
        if self._left == 0:
            self._how = "trailers"


def _begins_well(buffer: bytes | bytearray) -> bool:
    return buffer.startswith(_BEGINNING) or _BEGINNING.startswith(bytes(buffer[: len(_BEGINNING)]))


def _blank_line(buffer: bytearray, since: int) -> tuple[int, int]:
    """Return where the head ends and where what follows begins; -1 where it does not end yet."""
    usual = buffer.find(b"\r\n\r\n", since)
    until = len(buffer) if usual < 0 else usual + 4
    bare = buffer.find(b"\n\n", since, until)
    mixed = buffer.find(b"\n\r\n", since, until)
    found = [(at, at + size) for at, size in ((usual, 4), (bare, 2), (mixed, 3)) if at >= 0]
    return min(found, default=(-1, -1))


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    """Read the lines after the first: all at once, or one by one if one is not as most are."""
    if not text:
        return ()
    usual = _HEADER.findall(text)
    if len(usual) == text.count("\n") + 1:
        return tuple([(name.lower(), value.strip(_AROUND)) for name, value in usual])
    found: list[tuple[str, str]] = []
    for line in text.split("\n"):
        if line[:1] in {" ", "\t"} and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip(_AROUND)}")
            continue
        header = _HEADER.match(line)
        if header is None:
            raise NoAnswer(f"does not speak HTTP: {_shown(line)} is no header")
        found.append((header[1].lower(), header[2].strip(_AROUND)))
    return tuple(found)


def _length(value: str, before: int | None) -> int:
    """Read a length, which some servers write twice, also in one line."""
    told = {one.strip() for one in value.split(",")}
    text = told.pop() if len(told) == 1 else ""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise NoAnswer(f"says that its answer is {value[:40]!r} bytes long")
    length = int(text)
    if before is not None and before != length:
        raise NoAnswer(f"says that its answer is both {before} and {length} bytes long")
    return length


def _shown(raw: bytes | bytearray | str) -> str:
    """The first line of what came, fit to be told."""
    text = raw[:60] if isinstance(raw, str) else raw[:60].decode("latin-1")
    return repr(text.split("\n", 1)[0].strip())
