"""``{value: 5m, assumed: true, reason: …, ref: …}``: a value with a word about where it came from.

Wherever a YAML value may stand it may be written so: `assumed` for what a guide left open and
somebody decided (then `reason` says why, since the next reader will ask), `ref` for the place in
the guide that says it. The reader takes the value out before anything is validated, so that no
model knows of this form, and the book keeps what was said of it by path.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from opsbook.book.positions import Moved, Path, Places, dotted
from opsbook.book.problems import Problem, suggestion

KEYS: Final = frozenset({"value", "assumed", "reason", "ref"})
_WRAPPERS: Final = frozenset({"value", "ref"}), frozenset({"value", "ref", "reason"})
_LONGEST: Final = 400


@dataclass(frozen=True, slots=True)
class Assumption:
    """What a book says of one value; `reason` is an empty text unless it is `assumed`."""

    reason: str = ""
    assumed: bool = False
    ref: str | None = None


@dataclass(slots=True)
class Plain:
    """Data with every value standing by itself, its places, and what was said of the values."""

    data: Any
    places: Places
    found: dict[Path, Assumption] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def may_be_in(keys: Container[str]) -> bool:
    """Whether a text with these keys can hold such a value at all; nearly none does."""
    return "value" in keys and ("assumed" in keys or "ref" in keys)


def unwrap(data: Any, places: Places) -> Plain:
    """Take every value out of its map; `data` is left as it was, and is no such map itself."""
    taker = _Taker(places)
    plain = taker.inside(data, (), ())
    moved = Moved(places, taker.found.keys(), "value") if taker.found else places
    return Plain(plain, moved, taker.found, taker.problems)


class _Taker:
    """One walk over a file's data, which the reader has bounded in depth and size.

    `path` is where a value is in the book, `written` where it stands in the file.
    """

    def __init__(self, places: Places) -> None:
        self.places = places
        self.found: dict[Path, Assumption] = {}
        self.problems: list[Problem] = []

    def inside(self, value: Any, path: Path, written: Path) -> Any:
        """`value` with what is below it taken out; the same object where there is nothing."""
        if isinstance(value, dict):
            taken = {
                key: self.take(inner, (*path, key), (*written, key)) for key, inner in value.items()
            }
            return taken if any(taken[key] is not value[key] for key in taken) else value
        if isinstance(value, list):
            items = [self.take(inner, (*path, n), (*written, n)) for n, inner in enumerate(value)]
            return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
        return value

    def take(self, value: Any, path: Path, written: Path) -> Any:
        """`value` itself, or what stands in it if it is such a map."""
        if not _is_wrapped(value):
            return self.inside(value, path, written)
        self.found[path] = self._said(value, path, written)
        inner = value["value"]
        if _is_wrapped(inner):
            told = "a value cannot be wrapped twice"
            self._fault(path, (*written, "value"), told, "write everything in one map")
            return inner["value"]
        return self.inside(inner, path, (*written, "value"))

    def _said(self, value: Mapping[str, Any], path: Path, written: Path) -> Assumption:
        assumed, reason, ref = value.get("assumed"), value.get("reason"), value.get("ref")
        for key in value:
            if key not in KEYS:
                remedy = suggestion(key, KEYS, what="keys that may stand in it")
                told = f"a value with assumed: has no key {key!r}"
                self._fault(path, (*written, key), told, remedy)
        if "ref" in value and not _is_text(ref):
            told = f"ref should be text, of at most {_LONGEST} characters"
            self._fault(path, (*written, "ref"), told, "name the place in the guide, in quotes")
        if "assumed" in value and assumed is not True:
            told = "assumed can only be true"
            self._fault(path, (*written, "assumed"), told, "remove it, or write true and a reason:")
        elif "assumed" in value and "reason" not in value:
            told = "this is assumed, and nothing says why"
            self._fault(path, (*written, "assumed"), told, "add reason: with why it is this value")
        elif "assumed" in value and not _is_text(reason):
            told = f"reason should be text, of at most {_LONGEST} characters"
            self._fault(path, (*written, "reason"), told, "write why it is this value, in quotes")
        elif "reason" in value and "assumed" not in value:
            told = "there is a reason, and nothing is assumed"
            remedy = "add assumed: true, or remove reason:"
            self._fault(path, (*written, "reason"), told, remedy)
        return Assumption(
            reason if isinstance(reason, str) else "",
            assumed is True,
            ref if isinstance(ref, str) else None,
        )

    def _fault(self, path: Path, written: Path, message: str, remedy: str) -> None:
        found = self.places.find(written)
        mark = found.key or found.value
        if mark is not None:
            self.problems.append(Problem(*mark, f"{dotted(path)}: {message}", remedy))


def _is_wrapped(value: Any) -> bool:
    """A map of `value` and `ref` alone, or one that says `value` and `assumed`.

    Only the second may have a key too many: nothing else in a book is called assumed, while a value
    and a ref are also what a part of a book may have.
    """
    if not isinstance(value, dict) or "value" not in value:
        return False
    return "assumed" in value or value.keys() in _WRAPPERS


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= _LONGEST
