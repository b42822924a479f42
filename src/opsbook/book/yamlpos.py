"""YAML with the place of every key and value: plain data for pydantic, positions for people.

The document is built from the parser's events, not from PyYAML's constructors or composer: those
turn ``no`` into False and ``1:30`` into 90, swallow duplicate keys, recurse without bound, and lose
the positions. Scalars are those of the YAML 1.2 core schema. Tags, several documents in one file,
merge keys and keys that are no text are refused: a book has one way to say a thing.

Whatever the text is, `read` returns; every fault is a `Problem` with its line and column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from opsbook.book.positions import Mark, Path, Positions
from opsbook.book.problems import Problem

MAX_DEPTH: Final = 40
MAX_VALUES: Final = 400_000
"""Values in one file, aliases counted as if they were written out."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE: Final = re.compile(
    r"(?P<null>~|null|Null|NULL|)"
    r"|(?P<bool>true|True|TRUE|false|False|FALSE)"
    r"|(?P<int>[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_WRONG_BYTE: Final = re.compile(r"[\ud800-\udfff]")
_MAX_DIGITS: Final = 40


class WrittenInt(int):
    """A whole number that keeps how it was written, where that differs (``007``, ``0x1F``)."""

    text: str

    def __str__(self) -> str:
        return self.text


class WrittenFloat(float):
    """A number that keeps how it was written, where that differs: version ``1.10`` is not 1.1."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True)
class Reading:
    """What a text came to: data (None for an empty one), the place of everything, and faults."""

    data: Any = None
    positions: Positions = field(default_factory=Positions)
    problems: list[Problem] = field(default_factory=list)


def read(text: str, file: str, *, first_line: int = 1) -> Reading:
    """Read one YAML text; `first_line` is where it starts in `file` (front matter starts at 2)."""
    text = text.removeprefix("\ufeff")
    reading = Reading()
    fault = unreadable(text, file, first_line)
    if fault is not None:
        reading.problems.append(fault)
        return reading
    builder = _Builder(file, first_line - 1, reading)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        reading.problems.append(_syntax(error, file, first_line, text))
    except yaml.YAMLError as error:
        reading.problems.append(Problem(file, first_line, 1, f"this is no YAML: {error}"))
    except _Refused as refused:
        reading.problems.append(refused.problem)
    return reading


def unreadable(text: str, file: str, first_line: int = 1) -> Problem | None:
    """The first character that no page of a book may have: a wrong byte, or a control character."""
    for pattern, what, remedy in (
        (_WRONG_BYTE, "this is not UTF-8", "save the file as UTF-8"),
        (_UNPRINTABLE, "this has a control character", "remove it"),
    ):
        if found := pattern.search(text):
            before = re.split(r"\r\n|\r|\n", text[: found.start()])
            code = ord(found[0])
            shown = f"byte 0x{code - 0xDC00:02X}" if 0xDC80 <= code <= 0xDCFF else f"U+{code:04X}"
            line, column = first_line + len(before) - 1, len(before[-1]) + 1
            return Problem(file, line, column, f"{what} ({shown})", remedy)
    return None


class _Refused(Exception):
    def __init__(self, problem: Problem) -> None:
        self.problem = problem


@dataclass(slots=True)
class _Open:
    """A collection that is being filled: its path, and for a map the key that waits."""

    value: dict[str, Any] | list[Any]
    path: Path | None
    anchor: str | None
    size_before: int
    key: str | None = None
    skip: bool = False


class _Builder:
    """Builds data from events with a stack of its own, so that depth is ours to bound."""

    def __init__(self, file: str, offset: int, reading: Reading) -> None:
        self.file, self.offset, self.reading = file, offset, reading
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
        path = self._path(event)
        value: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._count(event, 1)
        self.stack.append(_Open(value, path, event.anchor, self.size - 1))

    def _close(self) -> None:
        done = self.stack.pop()
        if done.anchor is not None:
            self.anchors[done.anchor] = (done.value, self.size - done.size_before)
        self._put(done.value)

    def _alias(self, event: yaml.AliasEvent) -> None:
        name = str(event.anchor)
        if self._wants_key():
            self._refuse(event, f"the alias *{name} stands where a key should", "write the key")
        if name not in self.anchors:
            self._refuse(
                event,
                f"the alias *{name} names no anchor that is complete before it",
                f"put &{name} before it, or write the value out",
            )
        value, size = self.anchors[name]
        self._count(event, size)
        self._path(event)
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
        self._path(event)
        value = self._value(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1)
        self._put(value)

    def _key(self, event: yaml.ScalarEvent) -> None:
        top, key, mark = self.stack[-1], event.value, self._mark(event)
        if not key.strip():
            self._fault(mark, "a key is empty", "write a key before the colon")
        top.skip = key in top.value
        if top.path is not None:
            first = self.reading.positions.keys.setdefault((*top.path, key), mark)
            if top.skip:
                told = f"the key {key!r} is already on line {first.line}"
                self._fault(mark, told, "remove one of the two")
        top.key = key

    def _value(self, event: yaml.ScalarEvent) -> Any:
        text: str = event.value
        matched = _CORE.fullmatch(text) if event.implicit[0] else None
        if matched is None:
            return text
        if len(text) > _MAX_DIGITS:
            self._fault(self._mark(event), "this number is too long", "put it in quotes")
            return 0
        return _core(matched)

    def _put(self, value: Any) -> None:
        if not self.stack:
            self.reading.data = value
            return
        top = self.stack[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is not None:
            if not top.skip:
                top.value[top.key] = value
            top.key = None

    def _path(self, event: yaml.NodeEvent) -> Path | None:
        """Where this event's value goes, its place remembered; None inside a key's second value."""
        path: Path | None = ()
        if self.stack:
            top = self.stack[-1]
            step = len(top.value) if isinstance(top.value, list) else top.key or ""
            path = None if top.skip or top.path is None else (*top.path, step)
        if path is not None:
            self.reading.positions.values[path] = self._mark(event)
        return path

    def _wants_key(self) -> bool:
        return (
            bool(self.stack)
            and isinstance(self.stack[-1].value, dict)
            and self.stack[-1].key is None
        )

    def _no_tag(self, event: yaml.NodeEvent) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            self._refuse(event, f"the tag {tag} is not accepted", "put texts in quotes instead")

    def _count(self, event: yaml.Event, more: int) -> None:
        self.size += more
        if self.size > MAX_VALUES:
            told = f"this file has more than {MAX_VALUES:,} values, aliases written out"
            self._refuse(event, told, "split it, or write less through aliases")

    def _mark(self, event: yaml.Event) -> Mark:
        at: Any = event.start_mark
        return Mark(self.file, at.line + 1 + self.offset, at.column + 1)

    def _fault(self, mark: Mark, message: str, remedy: str) -> None:
        self.reading.problems.append(Problem(*mark, message, remedy))

    def _refuse(self, event: yaml.Event, message: str, remedy: str) -> None:
        raise _Refused(Problem(*self._mark(event), message, remedy))


def _core(matched: re.Match[str]) -> Any:
    text = matched[0]
    match matched.lastgroup:
        case "bool":
            return text.lower() == "true"
        case "int":
            whole = int(text, 0) if text[:2] in {"0x", "0o"} else int(text)
            if str(whole) == text:
                return whole
            written = WrittenInt(whole)
            written.text = text
            return written
        case "float":
            number = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
            if repr(number) == text:
                return number
            kept = WrittenFloat(number)
            kept.text = text
            return kept
    return None


def _syntax(error: yaml.MarkedYAMLError, file: str, first_line: int, text: str) -> Problem:
    """A parser's complaint in a sentence, at the line where the reader should look."""
    mark = error.problem_mark or error.context_mark
    line, column = getattr(mark, "line", 0), getattr(mark, "column", 0)
    lines = re.split(r"\r\n|\r|\n", text)
    here = lines[line] if line < len(lines) else ""
    problem = str(error.problem or error.context or "this is no YAML")
    if "\t" in here[: len(here) - len(here.lstrip())]:
        column = here.index("\t")
        message, remedy = "a tab is used for indentation", "indent with spaces"
    elif "mapping values are not allowed" in problem:
        message = "a colon stands where no key can be"
        remedy = "put the text in quotes, or check the indentation of this line and the one above"
    elif "could not find expected ':'" in problem:
        message, remedy = "a colon is missing after a key", "write key: value"
    elif "did not find expected key" in problem or "expected <block end>" in problem:
        message, remedy = "the indentation does not fit the lines above", "align it with them"
    elif "while scanning a quoted scalar" in str(error.context):
        message, remedy = "a quoted text is not closed", "close the quote"
    elif "cannot start any token" in problem:
        message, remedy = "this character cannot start a value", "put the text in quotes"
    else:
        message = f"this is no YAML: {', '.join(_reasons(error))}"
        remedy = "check the quotes, brackets and indentation here"
    return Problem(file, line + first_line, column + 1, message, remedy)


def _reasons(error: yaml.MarkedYAMLError) -> Iterator[str]:
    for reason in (error.context, error.problem):
        if reason:
            yield str(reason)
