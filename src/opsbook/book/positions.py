"""Where each element of a book was written, so that a problem or a page can point at it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Path = tuple[str | int, ...]


class Mark(NamedTuple):
    """A place in a file of the book; lines and columns count from 1."""

    file: str
    line: int
    column: int


@dataclass(slots=True)
class Positions:
    """Places by path (``("checks", "disk", "every")``), for keys and for values apart."""

    keys: dict[Path, Mark] = field(default_factory=dict)
    values: dict[Path, Mark] = field(default_factory=dict)

    def value(self, path: Sequence[str | int]) -> Mark | None:
        """The place of the value at `path`, or of the nearest thing around it."""
        return self._nearest(path, self.values, self.keys)

    def key(self, path: Sequence[str | int]) -> Mark | None:
        """The place of the key at `path`, or of the nearest thing around it."""
        return self._nearest(path, self.keys, self.values)

    def where(self, path: Sequence[str | int]) -> str:
        """``file:line`` of the element at `path`, or an empty text where nothing is known."""
        mark = self.key(path)
        return f"{mark.file}:{mark.line}" if mark is not None else ""

    def adopt(self, other: Positions, *, under: Path = (), without: Collection[Path] = ()) -> None:
        """Take over all that `other` knows, as being under `under` here.

        `without` are sections and elements (paths of one or two steps) to leave out.
        """
        for mine, theirs in ((self.keys, other.keys), (self.values, other.values)):
            for path, mark in theirs.items():
                if not without or (path[:1] not in without and path[:2] not in without):
                    mine[under + path] = mark

    @staticmethod
    def _nearest(
        path: Sequence[str | int], first: dict[Path, Mark], second: dict[Path, Mark]
    ) -> Mark | None:
        for end in range(len(path), 0, -1):
            here = tuple(path[:end])
            mark = first.get(here) or second.get(here)
            if mark is not None:
                return mark
        return None
