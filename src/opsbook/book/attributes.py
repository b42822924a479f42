"""Attributes of fences, headings and tasks: ``{#id .class key=value key="two words"}``.

Two more forms are read, because runbooks written for Runme should run as they are: ``{name=x}`` and
JSON, ``{"name": "x"}``. Everything written is kept, known or not, so that nothing is lost when a
runbook is written back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_ITEM = re.compile(
    r"""\s*(?:\#(?P<id>[^\s{}"'=]+)|\.(?P<cls>[^\s{}"'=]+)
        |(?P<key>[^\s{}"'=.#][^\s{}"'=]*)
         (?:=(?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|(?P<bare>[^\s{}"']+)))?
    )(?=\s|$)""",
    re.VERBOSE,
)
_TRAILING = re.compile(r"""(\{(?:[^{}"']|"(?:[^"\\]|\\.)*"|'[^']*')*\})\s*$""")


class AttributeFault(ValueError):
    """A text in braces that cannot be read; `at` is the offset of the trouble in it."""

    def __init__(self, message: str, at: int = 0) -> None:
        super().__init__(message)
        self.at = at


@dataclass(frozen=True, slots=True)
class Attributes:
    """What was written in braces; `values` keeps the order and has every key, known or not."""

    id: str | None = None
    classes: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.id or self.classes or self.values)


def parse(text: str) -> Attributes:
    """Read one braced text, braces included; raises AttributeFault."""
    inner = text.strip()
    if not (inner.startswith("{") and inner.endswith("}")):
        raise AttributeFault("the brace is not closed")
    if re.match(r'\{\s*"', inner):
        return _json(inner)
    inner = inner[1:-1]
    id: str | None = None
    classes: list[str] = []
    values: dict[str, str] = {}
    at = 0
    while inner[at:].strip():
        item = _ITEM.match(inner, at)
        if item is None:
            raise AttributeFault(f"{inner[at:].split()[0]!r} is no attribute", at + 1)
        if item["id"] is not None:
            if id is not None:
                raise AttributeFault("there are two #ids", at + 1)
            id = item["id"]
        elif item["cls"] is not None:
            classes.append(item["cls"])
        elif item["key"] in values:
            raise AttributeFault(f"{item['key']!r} is written twice", at + 1)
        else:
            values[item["key"]] = _value(item)
        at = item.end()
    return Attributes(id, tuple(classes), values)


def split_trailing(text: str) -> tuple[str, str]:
    """A heading's or task's text, and the braces at its end if they are meant as attributes.

    ``## Set {name}`` is a heading about a name; ``## Undo {.rollback of=x}`` has attributes: braces
    count when they hold an id, a class, a pair or JSON.
    """
    found = _TRAILING.search(text)
    if found is None or not re.match(r"""\{\s*[#."]|\{[^{}]*=""", found[1]):
        return text.strip(), ""
    return text[: found.start()].strip(), found[1]


def _value(item: re.Match[str]) -> str:
    if item["double"] is not None:
        return re.sub(r"\\(.)", r"\1", item["double"])
    for form in ("single", "bare"):
        if item[form] is not None:
            return item[form]
    return "true"


def _json(text: str) -> Attributes:
    try:
        pairs = json.loads(text)
    except ValueError as error:
        raise AttributeFault(f"the braces hold no JSON: {error}") from None
    except RecursionError:
        raise AttributeFault("the braces hold JSON that is nested too deeply") from None
    values = {
        str(key): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in pairs.items()
    }
    return Attributes(None, (), values)
