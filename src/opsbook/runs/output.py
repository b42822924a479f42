"""What a step writes, on its way to the journal: decoded, masked, bounded, a few pieces a second.

The first HEAD bytes are stored as they come; of what follows, the last TAIL bytes are kept in
memory and stored at the end, behind a line that says how much is missing. (The supervisor bounds
its own copy the same way, so that memory and disk are safe before anything arrives here.) The price
is the supervisor's too: a server that dies takes the tail with it, and gets it from the supervisor
again.

`raw` counts the step's own bytes that the stored pieces stand for. Bytes that are not decided yet,
half a character or what may become a secret, are not among them: whoever goes on from `raw` repeats
nothing and misses nothing.

Wherever something is missing, the text before may end in half a secret and the text behind begin
with the other half: neither would be found. So what may be the beginning of one is left out before
a gap, and as much as the longest may be behind it.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from opsbook.runs.masking import Masker

HEAD: Final = 1024 * 1024
TAIL: Final = 256 * 1024
# How the supervisor says that something is missing.
_GAP: Final = re.compile(rb"\n\[opsbook: \d+ bytes left out here\]\n")
# What stands for a byte that is no UTF-8; and a NUL, which PostgreSQL does not store.
_UNFIT: Final = dict.fromkeys([0, *range(0xDC80, 0xDD00)], "\N{REPLACEMENT CHARACTER}")


@dataclass(slots=True)
class Pieces:
    """Text that can be stored: pieces by where they begin, and how far in the raw output."""

    texts: list[tuple[int, str]] = field(default_factory=list)
    raw: int = 0


class Recorder:
    """One attempt's output. `start` and `raw` are where an earlier server has left off."""

    def __init__(
        self, secrets: Iterable[str], *, start: int = 0, raw: int = 0, head: int = HEAD,
        tail: int = TAIL,
    ) -> None:  # fmt: skip
        self._secrets = tuple(secrets)
        self._masker = Masker(self._secrets)
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._end = start
        self._room = max(0, head - start)
        self._keep = tail
        self._pending: list[str] = []
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._missing = 0
        self._lost = 0
        self._skip = 0
        self._fed = raw
        self.raw = raw

    @property
    def waiting(self) -> bool:
        """Whether there is text to be stored."""
        return bool(self._pending)

    @property
    def dropped(self) -> int:
        """How many bytes of output are in no piece."""
        return self._missing + self._lost

    def feed(self, data: bytes) -> None:
        """Take some of the step's output."""
        first, *further = _GAP.split(data)
        self._take(first)
        for line, part in zip(_GAP.findall(data), further, strict=True):
            self._gap(line)
            self._take(part)

    def _take(self, data: bytes) -> None:
        """Take a part without a gap."""
        if self._room > 0:
            part, data = data[: self._room], data[self._room :]
            self._room -= len(part)
            self._fed += len(part)
            skipped, part = part[: self._skip], part[self._skip :]
            self._skip -= len(skipped)
            self._lost += len(skipped)
            self._add(self._masker.feed(self._decoder.decode(part)))
            self.raw = self._fed - self._undecided()
        if data:
            self._to_tail(data)

    def _gap(self, line: bytes) -> None:
        if self._room <= 0:
            self._to_tail(line)
            return
        self._fed += len(line)
        self._lost += self._undecided()
        self._masker = Masker(self._secrets)
        self._decoder.reset()
        self._skip = self._masker.longest
        self._add(line.decode())
        self.raw = self._fed

    def take(self) -> Pieces:
        """Return what can be stored by now; it is the caller's from here on."""
        text = "".join(self._pending)
        self._pending.clear()
        if not text:
            return Pieces([], self.raw)
        at = self._end
        self._end += len(text.encode())
        return Pieces([(at, text)], self.raw)

    def close(self) -> Pieces:
        """Return all that is left: nothing more is written."""
        if not self._tail_size and not self._missing:
            rest = self._masker.feed(self._decoder.decode(b"", True))
            self._add(rest + self._masker.close())
            self.raw = self._fed
            return self.take()
        data = b"".join(self._tail)
        first, *further = _GAP.split(data)
        if self._missing:
            self._missing += self._undecided()
            text, lost = self._behind_a_gap(first, last=not further)
            self._missing += lost
            self._add(f"\n[opsbook: {self._missing} bytes left out here]\n{text}")
        else:  # it has just fitted: the text goes on without a gap
            self._lost += min(self._skip, len(first))
            self._add(self._masker.feed(self._decoder.decode(first[self._skip :], True)))
            self._lost += self._undecided() if further else 0
            self._add("" if further else self._masker.close())
        for at, (line, part) in enumerate(zip(_GAP.findall(data), further, strict=True), 1):
            text, lost = self._behind_a_gap(part, last=at == len(further))
            self._lost += lost
            self._add(line.decode() + text)
        self.raw = self._fed + self._tail_size
        return self.take()

    def _undecided(self) -> int:
        """How many bytes may still become a character or a secret."""
        held = len(self._masker.held.encode("utf-8", "surrogateescape"))
        return held + len(self._decoder.getstate()[0])

    def _behind_a_gap(self, data: bytes, *, last: bool) -> tuple[str, int]:
        """What may be shown of a part behind a gap, and how many bytes may not.

        Another gap follows it if it is not the `last`.
        """
        masker = Masker(self._secrets)
        cut = masker.longest
        line = data.find(b"\n", cut, cut + 4096)
        cut = min(len(data), line + 1 if line >= 0 else cut)
        text = masker.feed(data[cut:].decode("utf-8", "surrogateescape"))
        if last:
            return text + masker.close(), cut
        return text, cut + len(masker.held.encode("utf-8", "surrogateescape"))

    def _add(self, text: str) -> None:
        if text:
            self._pending.append(text.translate(_UNFIT))

    def _to_tail(self, data: bytes) -> None:
        self._tail.append(data)
        self._tail_size += len(data)
        while self._tail_size - len(self._tail[0]) >= self._keep:
            gone = self._tail.popleft()
            self._tail_size -= len(gone)
            self._missing += len(gone)
        over = self._tail_size - self._keep
        if over > 0:
            self._tail[0] = self._tail[0][over:]
            self._tail_size -= over
            self._missing += over
