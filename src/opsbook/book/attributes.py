"""Attributes of fences, headings and tasks: ``{#id .class key=value key="two words" flag}``.

Two more forms are read, because runbooks written for Runme should run as they are: ``{name=x}`` and
JSON, ``{"name": "x"}``. Everything written is kept, known or not, so that nothing is lost when a
runbook is written back.

Braces also occur in sentences (``Set {name}``, ``jsonpath='{.spec}'``), so those at the end of a
heading or a task count only when they begin as attributes do. Braces that begin so and never end
are a fault and not a sentence: ``## Undo {.rollback of=x`` taken for words would run the undoing as
a step like any other. A backslash before the brace makes it a word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

LONGEST: Final = 4096
"""Characters at the end of a heading or a task in which its attributes are looked for."""

_ITEM: Final = re.compile(
    r"""(?:\#(?P<id>[^\s{}"'=]+)|\.(?P<cls>[^\s{}"'=]+)
        |(?P<key>[^\s{}"'=.#][^\s{}"'=]*)
         (?:=(?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|(?P<bare>[^\s{}"']+)))?
    )(?:\s+|$)""",
    re.VERBOSE | re.DOTALL,
)
_BRACES: Final = re.compile(r"""\{(?:[^{}"']|"(?:[^"\\]|\\.)*"|'[^']*')*\}""", re.DOTALL)
_BEGINS: Final = re.compile(r"""(?<!\\)\{(?=\s*(?:[#.][^\s{}"'=]|"[^"\n]*"\s*:|[^\s{}"'=]+=))""")
_OPENS: Final = re.compile(r"(?<![\\`$])\{")
_JSON: Final = re.compile(r'\{\s*"')
_MORE: Final = "there is more after the closing brace"


class AttributeFault(ValueError):
    """A text in braces that cannot be read; `at` is the offset of the trouble in it."""

    def __init__(self, message: str, at: int = 0, remedy: str = "") -> None:
        super().__init__(message)
        self.at = at
        self.remedy = remedy or 'write {#id key=value other="two words"}'


@dataclass(frozen=True, slots=True)
class Attributes:
    """What was written in braces; `values` keeps the order and has every key, known or not.

    `places` has the offset of each in the braces, by key; of the id as ``#``, of classes as
    ``.class``.
    """

    id: str | None = None
    classes: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    def __bool__(self) -> bool:
        return bool(self.id or self.classes or self.values)


def parse(text: str) -> Attributes:
    """Read one braced text, braces included; raises AttributeFault."""
    before = len(text) - len(text.lstrip())
    inner = text.strip()
    if len(inner) > LONGEST:
        told = f"they are {len(inner)} characters long"
        raise AttributeFault(told, before, f"write at most {LONGEST} characters")
    try:
        return _json(inner) if _JSON.match(inner) else _items(inner)
    except AttributeFault as fault:
        fault.at += before
        raise


def _items(text: str) -> Attributes:
    whole = _BRACES.match(text)
    if whole is None:
        raise _broken(text)
    if whole.end() < len(text):
        raise AttributeFault(_MORE, whole.end(), "let the braces come last")
    id: str | None = None
    classes: list[str] = []
    values: dict[str, str] = {}
    places: dict[str, int] = {}
    end = len(text) - 1
    at = end - len(text[1:end].lstrip())
    while at < end:
        item = _ITEM.match(text, at, end)
        if item is None:
            word = text[at:end].split(maxsplit=1)[0]
            told = "has no value" if word[1:].endswith("=") else "is no attribute"
            raise AttributeFault(f"{word[:60]!r} {told}", at)
        if item["id"] is not None:
            if id is not None:
                raise AttributeFault("there are two #ids", at, "leave one of them")
            id, places["#"] = item["id"], at
        elif item["cls"] is not None:
            classes.append(item["cls"])
            places[f".{item['cls']}"] = at
        elif item["key"] in values:
            raise AttributeFault(f"{item['key']!r} is written twice", at, "leave one of the two")
        else:
            values[item["key"]], places[item["key"]] = _value(item), at
        at = item.end()
    return Attributes(id, tuple(classes), values, places)


def _broken(text: str) -> AttributeFault:
    """Why braces do not end: a quote before them, or nothing that closes them."""
    at = 1
    while item := _ITEM.match(text, at):
        at = item.end()
    if quote := re.compile("[\"']").search(text, at):
        return AttributeFault("the quote is not closed", quote.start(), "close it, or remove it")
    if text.endswith("}") and (inner := text.find("{", 1)) > 0:
        return AttributeFault("there are braces in the braces", inner, "put the value in quotes")
    return AttributeFault("the brace is not closed")


def split_trailing(text: str) -> tuple[str, str]:
    """A heading's or task's text, and the braces at its end if they are meant as attributes.

    Braces that begin as attributes and are never closed are given back as well: `parse` says what
    is wrong with them.
    """
    text = text.rstrip()
    if "{" not in text:
        return text.strip(), ""
    for found in _BEGINS.finditer(text, max(0, len(text) - LONGEST)):
        end = _end(text, found.start())
        if end is None or end == len(text):
            return text[: found.start()].strip(), text[found.start() :]
    return text.strip(), ""


def loose(text: str) -> Iterator[tuple[int, str, Attributes]]:
    """Braces in a sentence that can be read as attributes: offset, text, and what they would say.

    They are words, and whoever asks looks for those that were hardly meant as words. What is
    escaped or stands in a code span is a word for certain. One that is not closed is read as if.
    """
    for found in _OPENS.finditer(text, max(0, len(text) - LONGEST)):
        whole = _BRACES.match(text, found.start())
        if whole is None and "{" in text[found.end() :]:
            continue
        written = whole[0] if whole else text[found.start() :]
        try:
            yield found.start(), written, parse(written if whole else f"{written}}}")
        except AttributeFault:
            continue


def _end(text: str, start: int) -> int | None:
    """Where the braces that begin at `start` end; None if they are never closed."""
    if _JSON.match(text, start):
        try:
            return _DECODER.raw_decode(text, start)[1]
        except (ValueError, RecursionError):
            pass
    found = _BRACES.match(text, start)
    return found.end() if found is not None else None


def _value(item: re.Match[str]) -> str:
    if item["double"] is not None:
        return re.sub(r"\\(.)", r"\1", item["double"], flags=re.DOTALL)
    for form in ("single", "bare"):
        if item[form] is not None:
            return item[form]
    return "true"


_DECODER: Final = json.JSONDecoder()


def _json(text: str) -> Attributes:
    read: list[list[tuple[str, Any]]] = []

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        read.append(pairs)  # the outermost map comes last
        return dict(pairs)

    values: dict[str, str] = {}
    places: dict[str, int] = {}
    at = 0
    try:
        _, end = json.JSONDecoder(object_pairs_hook=note).raw_decode(text)
        for key, value in read[-1]:
            at = max(text.find(f'"{key}"', at), at)
            if key in values:
                raise AttributeFault(f"{key!r} is written twice", at, "leave one of the two")
            values[key], places[key] = _text(value), at
    except json.JSONDecodeError as error:
        told = f"the braces hold no JSON: {error.msg}"
        raise AttributeFault(told, error.pos, 'write {"name": "x", "other": "y"}') from None
    except RecursionError:
        raise AttributeFault("the braces hold JSON that is nested too deeply") from None
    if text[end:].strip():
        raise AttributeFault(_MORE, end, "let the braces come last")
    return Attributes(None, (), values, places)


def _text(value: Any) -> str:
    """A JSON value as the text that the other forms would have; a nested one stays JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
