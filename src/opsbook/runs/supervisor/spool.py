"""A step's output, bounded: the first bytes in a file, the last ones in a ring.

The head goes to output.bin as it comes (no output, no file); what follows goes round in memory and
is put behind it at the end, with a line between that says how many bytes are missing. Refused:
keeping everything (a step in a loop fills the disk of the machine that is meant to repair others),
keeping only the head (the error is at the end), a file per piece. The price: a keeper that is
killed takes the ring with it; what a server had been told live, it still has.

Readers hold an offset and ask. Nothing is queued for them, so a reader that sleeps costs no memory
and cannot hold the step back: what was overwritten meanwhile is reported to it as skipped.
"""

from __future__ import annotations

import os

from . import protocol


class Spool:
    """All that is kept of one step's output."""

    def __init__(self, folder: int, limit: int) -> None:
        self._folder = folder
        self._file = -1
        self._head = limit // 2
        self._tail = limit - self._head
        self._ring = bytearray()
        self.seen = 0
        self.fault = ""

    @property
    def dropped(self) -> int:
        """How many bytes of output are not kept."""
        return max(0, self.seen - self._head - self._tail)

    def append(self, data: bytes) -> None:
        """Take what the step has written. Never fails: a full disk ends the head, not the step."""
        room = self._head - self.seen
        if room > 0:
            kept = self._write(data[:room])
            self.seen += kept
            if self.fault:
                self._head = self.seen
            data = data[kept:]
        if data:
            self._go_round(data)

    def read(self, offset: int, most: int) -> tuple[int, bytes]:
        """How many bytes from `offset` on are lost, and up to `most` bytes that follow them."""
        if offset < self._head:
            if self._file < 0:
                return 0, b""
            return 0, os.pread(self._file, min(most, self._head - offset), offset)
        first = max(self._head, self.seen - self._tail)
        skipped = max(0, min(first, self.seen) - offset)
        offset += skipped
        count = min(most, self.seen - offset)
        if count <= 0:
            return skipped, b""
        start = (offset - self._head) % self._tail
        ring = memoryview(self._ring)
        data = bytes(ring[start : start + count])
        return skipped, data + bytes(ring[: count - len(data)])

    def finish(self) -> None:
        """Put the tail behind the head. After this nothing more is appended; reading goes on."""
        if self.seen <= self._head:
            return
        _, tail = self.read(self._head + self.dropped, self._tail)
        self._write((protocol.left_out(self.dropped) if self.dropped else b"") + tail)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._file >= 0:
            os.close(self._file)

    def _go_round(self, data: bytes) -> None:
        if not self._ring:
            self._ring = bytearray(self._tail)
        self.seen += max(0, len(data) - self._tail)
        data = data[-self._tail :]
        start = (self.seen - self._head) % self._tail
        fits = min(len(data), self._tail - start)
        self._ring[start : start + fits] = data[:fits]
        self._ring[: len(data) - fits] = data[fits:]
        self.seen += len(data)

    def _write(self, data: bytes) -> int:
        """How much of it reached the file; the reason for less is in `fault`."""
        written = 0
        try:
            if self._file < 0:  # only now: most steps that are only looked at say nothing
                flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
                self._file = os.open(protocol.OUTPUT_FILE, flags, 0o600, dir_fd=self._folder)
            while written < len(data):
                written += os.write(self._file, memoryview(data)[written:])
        except OSError as error:
            self.fault = f"output.bin is not complete: {error.strerror}"
        return written
