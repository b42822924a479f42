"""YAML with the place of every key and value: plain data for pydantic, positions for people.

The document is built from the parser's events, not from PyYAML's constructors or composer: those
turn ``no`` into False and ``1:30`` into 90, swallow duplicate keys, recurse without bound, and lose
the positions. Scalars are those of the YAML 1.2 core schema. Tags, several documents in one file,
merge keys and keys that are no text are refused: a book has one way to say a thing.

Whatever the text is, `read` returns; every fault is a `Problem` with its line and column. A text
with nothing unusual in it takes the short way of `yamlquick`, and its places are looked up only if
somebody asks; any other is read here, event by event.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from opsbook.book import assumed, scalars, yamlfaults, yamlquick
from opsbook.book.assumed import Assumption
from opsbook.book.positions import FilePlaces, Path, Positions, line_of_key, of_key, packed
from opsbook.book.problems import Problem

MAX_DEPTH: Final = 40
MAX_VALUES: Final = 400_000
"""Values in one file, aliases counted as if they were written out."""
MAX_FAULTS: Final = 100
"""After so many in one file, it is told that there are more, and reading ends."""
_LONGEST_SHOWN: Final = 60

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_WRONG_BYTE: Final = re.compile(r"[\ud800-\udfff]")
_BREAKS_FOR_YAML_ALONE: Final = re.compile("[\x85\u2028\u2029]")

Locate = Callable[[Any], tuple[int, int]]
"""From a parser's mark to line and column, both counted from 0."""


@dataclass(slots=True)
class Reading:
    """What a text came to: data (None for an empty one), the place of everything, and faults.

    `assumed` are the values that stood in a map with ``assumed:`` or ``ref:``; in `data` they stand
    by themselves.
    """

    data: Any = None
    positions: Positions = field(default_factory=Positions)
    problems: list[Problem] = field(default_factory=list)
    assumed: Mapping[Path, Assumption] = field(default_factory=dict)


def read(text: str, file: str, *, first_line: int = 1) -> Reading:
    """Read one YAML text; `first_line` is where it starts in `file` (front matter starts at 2)."""
    text = text.removeprefix("\ufeff")
    reading = Reading()
    fault = unreadable(text, file, first_line)
    if fault is not None:
        reading.problems.append(fault)
        return reading
    try:
        reading.data, keys = yamlquick.read(
            text, _LOADER, max_depth=MAX_DEPTH, max_values=MAX_VALUES
        )
        places = FilePlaces(file, first_line - 1, lambda: _careful(text, file, first_line).root)
    except yamlquick.Unusual:
        careful = _careful(text, file, first_line)
        root, keys = careful.root, careful.keys
        reading.data, reading.problems = careful.data, careful.problems
        places = FilePlaces(file, first_line - 1, lambda: root)
    if not assumed.may_be_in(keys):
        reading.positions.adopt(places)
        return reading
    plain = assumed.unwrap(reading.data, places)
    reading.data, reading.assumed = plain.data, plain.found
    reading.problems += plain.problems
    reading.positions.adopt(plain.places)
    return reading


def unreadable(text: str, file: str, first_line: int = 1) -> Problem | None:
    """The first character that no page of a book may have: a wrong byte, or a control character."""
    for pattern, what, remedy in (
        (_WRONG_BYTE, "this is not UTF-8", "save the file as UTF-8"),
        (_UNPRINTABLE, "this has a control character", "remove it"),
    ):
        if found := pattern.search(text):
            before = yamlfaults.LINE_END.split(text[: found.start()])
            code = ord(found[0])
            shown = f"byte 0x{code - 0xDC00:02X}" if 0xDC80 <= code <= 0xDCFF else f"U+{code:04X}"
            line, column = first_line + len(before) - 1, len(before[-1]) + 1
            return Problem(file, line, column, f"{what} ({shown})", remedy)
    return None


def _careful(text: str, file: str, first_line: int) -> _Builder:
    builder = _Builder(file, first_line - 1, _locating(text))
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.YAMLError as error:
        builder.problems.append(yamlfaults.told(error, file, first_line, text, builder.locate))
    except _Refused as refused:
        builder.problems.append(refused.problem)
    return builder


def _locating(text: str) -> Locate:
    """How to read the parser's marks.

    YAML counts three characters as line ends that no editor does; where a text has one of them, the
    lines are counted anew from the mark's index.
    """
    if not _BREAKS_FOR_YAML_ALONE.search(text):
        return lambda mark: (mark.line, mark.column)
    starts = [0, *(end.end() for end in yamlfaults.LINE_END.finditer(text))]

    def locate(mark: Any) -> tuple[int, int]:
        line = bisect.bisect_right(starts, mark.index) - 1
        return line, mark.index - starts[line]

    return locate


class _Refused(Exception):
    def __init__(self, problem: Problem) -> None:
        self.problem = problem


@dataclass(slots=True)
class _Open:
    """A collection that is being filled: its places, and for a map the key that waits.

    `places` is None inside a key's second value, which goes nowhere.
    """

    value: dict[str, Any] | list[Any]
    places: Any
    anchor: str | None
    size_before: int
    key: str | None = None
    skip: bool = False


class _Builder:
    """Builds data from events with a stack of its own, so that depth is ours to bound.

    Beside the data grows the tree of places (see `FilePlaces`); `root` is what that ends as.
    """

    def __init__(self, file: str, offset: int, locate: Locate) -> None:
        self.file, self.offset, self.locate = file, offset, locate
        self.data: Any = None
        self.root: tuple[int, Any] | None = None
        self.problems: list[Problem] = []
        self.keys: dict[str, str] = {}
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.size = 0
        self.documents = 0

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close()
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    self._refuse(
                        event, "a second document starts here", "one file holds one document"
                    )

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        self._no_tag(event)
        if self._wants_key():
            self._refuse(event, "a list or map stands where a key should", "write a plain key")
        if len(self.stack) >= MAX_DEPTH:
            self._refuse(event, f"this is nested more than {MAX_DEPTH} levels deep", "flatten it")
        value: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._count(event, 1)
        places = self._place(event, type(value)())
        self.stack.append(_Open(value, places, event.anchor, self.size - 1))

    def _close(self) -> None:
        done = self.stack.pop()
        if done.anchor is not None:
            self.anchors[done.anchor] = (done.value, self.size - done.size_before)
        self._put(done.value)

    def _alias(self, event: yaml.AliasEvent) -> None:
        name, shown = str(event.anchor), _shown(event.anchor)
        if self._wants_key():
            self._refuse(event, f"the alias *{shown} stands where a key should", "write the key")
        if name not in self.anchors:
            self._refuse(
                event,
                f"the alias *{shown} names no anchor that is complete before it",
                f"put &{shown} before it, or write the value out",
            )
        value, size = self.anchors[name]
        self._count(event, size)
        self._place(event)
        self._put(value)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._no_tag(event)
        if control := _UNPRINTABLE.search(event.value):
            told = f"this text has a control character (U+{ord(control[0]):04X})"
            self._refuse(event, told, "remove the escape")
        if self._wants_key():
            self._key(event)
            return
        self._count(event, 1)
        self._place(event)
        value = self._value(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1)
        self._put(value)

    def _key(self, event: yaml.ScalarEvent) -> None:
        top, key = self.stack[-1], self.keys.setdefault(event.value, event.value)
        if not key.strip():
            self._fault(event, "a key is empty", "write a key before the colon")
        top.skip = key in top.value
        top.key = key
        if top.places is None:
            return
        first = top.places.setdefault(key, of_key(self._packed(event)))
        if top.skip:
            told = f"the key {_shown(key)!r} is already on line {line_of_key(first) + self.offset}"
            self._fault(event, told, "remove one of the two")

    def _value(self, event: yaml.ScalarEvent) -> Any:
        try:
            return scalars.plain(event.value) if event.implicit[0] else event.value
        except scalars.TooLong:
            self._fault(event, "this number is too long", "put it in quotes")
            return event.value

    def _put(self, value: Any) -> None:
        if not self.stack:
            self.data = value
            return
        top = self.stack[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is not None:
            if not top.skip:
                top.value[top.key] = value
            top.key = None

    def _place(self, event: yaml.NodeEvent, inside: Any = None) -> Any:
        """Remember where this event's value is, and give back the places that will be inside it."""
        place = self._packed(event)
        if not self.stack:
            self.root = (place, inside)
            return inside
        top = self.stack[-1]
        if top.places is None or top.skip:
            return None
        if isinstance(top.places, list):
            top.places.append(place if inside is None else (place, inside))
        else:
            place |= top.places[top.key]
            top.places[top.key] = place if inside is None else (place, inside)
        return inside

    def _wants_key(self) -> bool:
        return (
            bool(self.stack)
            and isinstance(self.stack[-1].value, dict)
            and self.stack[-1].key is None
        )

    def _no_tag(self, event: yaml.NodeEvent) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            self._refuse(
                event, f"the tag {_shown(tag)} is not accepted", "put texts in quotes instead"
            )

    def _count(self, event: yaml.Event, more: int) -> None:
        self.size += more
        if self.size > MAX_VALUES:
            told = f"this file has more than {MAX_VALUES:,} values, aliases written out"
            self._refuse(event, told, "split it, or write less through aliases")

    def _packed(self, event: yaml.Event) -> int:
        return packed(*self.locate(event.start_mark))

    def _fault(self, event: yaml.Event, message: str, remedy: str) -> None:
        line, column = self.locate(event.start_mark)
        place = line + 1 + self.offset, column + 1
        self.problems.append(Problem(self.file, *place, message, remedy))
        if len(self.problems) > MAX_FAULTS:
            told = f"there are more than {MAX_FAULTS} mistakes in this file"
            self.problems[-1] = Problem(self.file, *place, told, "mend those above first")
            raise _Refused(self.problems.pop())

    def _refuse(self, event: yaml.Event, message: str, remedy: str) -> None:
        self._fault(event, message, remedy)
        raise _Refused(self.problems.pop())


def _shown(name: Any) -> str:
    """A name as a sentence can hold it: a file may have one of five million letters."""
    text = str(name)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
