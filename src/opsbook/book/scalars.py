"""Plain YAML scalars as values: the YAML 1.2 core schema, with how a number was written kept.

``no`` is text and ``1:30`` is text; ``1.10`` is the number 1.1 and still reads back as 1.10, since
people write versions without quotes.
"""

from __future__ import annotations

import re
from typing import Any, Final

MAX_DIGITS: Final = 40
"""A number longer than this is somebody's account or key, and has to stand in quotes."""

STARTS: Final = frozenset("~nNtTfF+-.0123456789")
"""What a scalar that is no text begins with; a reader asks this before the pattern."""

_CORE: Final = re.compile(
    r"(?P<null>~|null|Null|NULL|)"
    r"|(?P<bool>true|True|TRUE|false|False|FALSE)"
    r"|(?P<int>[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)


class TooLong(ValueError):
    """This number is too long."""


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


def plain(text: str) -> Any:
    """What a scalar without quotes stands for; raises TooLong for a number nobody can mean."""
    if text and text[0] not in STARTS:
        return text
    matched = _CORE.fullmatch(text)
    if matched is None:
        return text
    if len(text) > MAX_DIGITS:
        raise TooLong
    match matched.lastgroup:
        case "bool":
            return text.lower() == "true"
        case "int":
            return _whole(text)
        case "float":
            return _number(text)
    return None


def _whole(text: str) -> int:
    whole = int(text, 0) if text[:2] in {"0x", "0o"} else int(text)
    if str(whole) == text:
        return whole
    written = WrittenInt(whole)
    written.text = text
    return written


def _number(text: str) -> float:
    number = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if repr(number) == text:
        return number
    kept = WrittenFloat(number)
    kept.text = text
    return kept
