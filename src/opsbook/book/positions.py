"""Where each element of a book was written, so that a problem or a page can point at it.

Nearly no place is ever asked for: a good book needs none of its 100,000 to be loaded, and a page
asks for those it shows. So what is kept is where to look (which file's `Found` knows of which part
of the book), and a file's places are worked out when the first of them is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

Path = tuple[str | int, ...]


class Mark(NamedTuple):
    """A place in a file of the book; lines and columns count from 1."""

    file: str
    line: int
    column: int


def dotted(path: Iterable[str | int]) -> str:
    """A path as people write it: ``checks.disk.bands``, ``escalation.main.levels[0]``."""
    written = ""
    for part in path:
        written += f"[{part}]" if isinstance(part, int) else f".{part}" if written else str(part)
    return written


class Found(NamedTuple):
    """The deepest known part of a path: how many of its steps, and the places of key and value."""

    depth: int
    key: Mark | None
    value: Mark | None


NOWHERE = Found(0, None, None)


class Places(Protocol):
    """Something that knows places by path."""

    def find(self, path: Path) -> Found:
        """What is known of `path`, or else of the nearest thing around it."""


class Positions:
    """Places by path (``("checks", "disk", "every")``), for keys and for values apart.

    `keys` and `values` are those said here one by one. `parts` say which other places know what
    lies under a path, and how many of its first steps they do not count; of two paths that both
    lead to one place, the longer is believed.
    """

    __slots__ = ("keys", "parts", "values")

    def __init__(self) -> None:
        self.keys: dict[Path, Mark] = {}
        self.values: dict[Path, Mark] = {}
        self.parts: dict[Path, list[tuple[Places, int]]] = {}

    def value(self, path: Sequence[str | int]) -> Mark | None:
        """The place of the value at `path`, or of the nearest thing around it."""
        found = self.find(tuple(path))
        return (found.value or found.key) if found.depth else None

    def key(self, path: Sequence[str | int]) -> Mark | None:
        """The place of the key at `path`, or of the nearest thing around it."""
        found = self.find(tuple(path))
        return (found.key or found.value) if found.depth else None

    def where(self, path: Sequence[str | int]) -> str:
        """``file:line`` of the element at `path`, or an empty text where nothing is known."""
        mark = self.key(path)
        return f"{mark.file}:{mark.line}" if mark is not None else ""

    def adopt(self, other: Places, *, under: Path = ()) -> None:
        """Take over all that `other` knows, now and later, as being under `under` here."""
        self.parts.setdefault(under, []).append((other, len(under)))

    def believe(self, other: Places, about: Path) -> None:
        """Take over what `other` knows of `about` and below, in place of what was known of it."""
        self.parts[about] = [(other, 0)]

    def find(self, path: Path) -> Found:
        """What is known of `path`, or else of the nearest thing around it."""
        there = self._in_parts(path)
        for end in range(len(path), max(there.depth, 1) - 1, -1):
            here = path[:end]
            key, value = self.keys.get(here), self.values.get(here)
            if end == there.depth:
                return Found(end, key or there.key, value or there.value)
            if key is not None or value is not None:
                return Found(end, key, value)
        return there

    def _in_parts(self, path: Path) -> Found:
        if not self.parts:
            return NOWHERE
        for end in range(len(path), -1, -1):
            best = NOWHERE
            for places, fewer in self.parts.get(path[:end], ()):
                depth, key, value = places.find(path[fewer:])
                if (key or value) and depth + fewer >= max(end, best.depth):
                    best = Found(depth + fewer, key, value)
            if best.key or best.value:
                return best
        return NOWHERE


class FilePlaces:
    """The places of everything in one file, worked out from its text when first asked for.

    `survey` gives a tree: a dict or list for each map and list of the file, of pairs (places,
    what is inside it or None), and the places as one number, so that a file of 400,000 values
    stays small.
    """

    __slots__ = ("_root", "_survey", "file", "offset")

    def __init__(self, file: str, offset: int, survey: Callable[[], Any]) -> None:
        self.file, self.offset = file, offset
        self._survey: Callable[[], Any] | None = survey
        self._root: Any = None

    def find(self, path: Path) -> Found:
        """What is known of `path`, or else of the nearest thing around it."""
        if self._survey is not None:
            self._root, self._survey = self._survey(), None
        if self._root is None:
            return NOWHERE
        places, inside = self._root
        depth = 0
        for step in path:
            below = _step(inside, step)
            if below is None:
                break
            places, inside = below
            depth += 1
        return Found(depth, self._mark(places >> _KEY_AT), self._mark(places & _ONE))

    def _mark(self, place: int) -> Mark | None:
        if not place:
            return None
        return Mark(self.file, (place >> _COLUMN_BITS) + self.offset, place & _COLUMNS)


_COLUMN_BITS = 24
_COLUMNS = (1 << _COLUMN_BITS) - 1
_KEY_AT = 2 * _COLUMN_BITS
_ONE = (1 << _KEY_AT) - 1


def packed(line: int, column: int) -> int:
    """A place as one number; lines and columns count from 0 here, as parsers do."""
    return ((line + 1) << _COLUMN_BITS) | min(column + 1, _COLUMNS)


def of_key(place: int) -> int:
    """A packed place as that of a key, to be joined with its value's by ``|``."""
    return place << _KEY_AT


def line_of_key(entry: Any) -> int:
    """The line, from 1, of the key of an entry in a tree of places."""
    place: int = entry if isinstance(entry, int) else entry[0]
    return place >> _KEY_AT >> _COLUMN_BITS


def _step(inside: Any, step: str | int) -> tuple[int, Any] | None:
    """What lies one step further in a tree of places; a bare number is a leaf."""
    if isinstance(inside, dict):
        below = inside.get(step)
    elif isinstance(inside, list) and isinstance(step, int) and 0 <= step < len(inside):
        below = inside[step]
    else:
        return None
    if below is None:
        return None
    return (below, None) if isinstance(below, int) else below


class Moved:
    """The places of values that stood one step deeper in the file than they do in the book.

    `wrapped` are their paths in the book; in `places` each has one more step, `step`, after it. The
    key of such a value is still the one it stands under, and its own place is the deeper one.
    """

    __slots__ = ("_places", "_step", "_wrapped")

    def __init__(self, places: Places, wrapped: Collection[Path], step: str) -> None:
        self._places, self._wrapped, self._step = places, wrapped, step

    def find(self, path: Path) -> Found:
        """What is known of `path`, or else of the nearest thing around it."""
        written: Path = ()
        steps: list[int] = []
        for end in range(1, len(path) + 1):
            written += (path[end - 1],)
            steps.append(len(written))
            if path[:end] in self._wrapped:
                written += (self._step,)
        depth, key, value = self._places.find(written)
        reached = sum(1 for step in steps if step <= depth)
        if reached and depth > steps[reached - 1]:
            key = self._places.find(written[: steps[reached - 1]]).key
        return Found(reached, key, value)
