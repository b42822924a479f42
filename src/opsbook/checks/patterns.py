"""Patterns that look through what others wrote: RE2's, so that none can hold up the server.

Python's own engine may take for ever over a pattern like ``(a+)+$``, and nothing else in the
process runs meanwhile. RE2 takes time in proportion to the text, whatever the pattern. The price:
no look-ahead and no backreferences, and ``\\b``, ``\\w``, ``\\d`` know the letters of ASCII alone.
Where that last thing would silently change what a pattern finds (``\\b오류\\b`` finds nothing), the
pattern is refused when the book is loaded.

Patterns and texts are bytes in UTF-8 here: RE2 works on these, and a text would be translated anew
for every match. Source of the syntax: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import functools
import math
import re
from typing import Annotated, Any, Final

import re2
from pydantic import BeforeValidator, Field, WithJsonSchema

from opsbook.checks.fields import complaint

LONGEST: Final = 4_000
MOST_MEMORY: Final = 8 << 20
_EDGES: Final = re.compile(r"(?<!\\)(?:\\\\)*\\[bB]")


@functools.lru_cache(maxsize=1024)
def compiled(pattern: str, *, lines: bool = False) -> Any:
    """Return a pattern ready to search bytes; with `lines`, ``^`` and ``$`` are a line's.

    Raises:
        ValueError: it is none; with why, and what to do.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MOST_MEMORY
    whole = f"(?m){pattern}" if lines else pattern
    try:
        return re2.compile(whole.encode(), options)
    except (re2.error, UnicodeEncodeError) as error:
        told = error.args[0] if error.args else error
        told = told.decode(errors="replace") if isinstance(told, bytes) else told
        told = str(told).replace("(?m)", "", 1)
        shown = repr(pattern if len(pattern) <= 80 else f"{pattern[:79]}…")
        raise ValueError(
            f"{shown} is no regular expression of RE2: {told}; put a backslash before what is "
            "meant as it stands, and do without look-ahead and backreferences"
        ) from None


def encoded(data: bytes) -> bytes:
    """Return bytes as UTF-8, with U+FFFD for what is none: ``.`` matches no stray byte in RE2."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode(errors="replace").encode()
    return data


def number(pattern: str, data: bytes) -> float | None:
    """Return the number that a pattern's group found in a text, or `None`.

    A comma may part its thousands, and a comma alone may be its point.
    """
    found = compiled(pattern, lines=True).search(data)
    text = (found.group(1) or b"").decode(errors="replace").strip() if found else ""
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _read(value: Any) -> str:
    if not isinstance(value, str):
        raise complaint(f"{value!r} is not a pattern; write it in quotes")
    if not value.isascii() and _EDGES.search(value):
        raise complaint(
            f"{value!r} would find nothing beside letters that are not a to z, since \\b and \\B "
            "know no others; leave them out"
        )
    try:
        compiled(value, lines=True)
    except ValueError as error:
        raise complaint(str(error)) from None
    return value


def _with_one_group(value: Any) -> str:
    text = _read(value)
    groups = compiled(text, lines=True).groups
    if groups != 1:
        raise complaint(
            f"{text!r} has {groups} groups, and one has to say where the number is; put the "
            "number in the only brackets, such as 'free: ([0-9.]+)', and write others as (?:…)"
        )
    return text


_text: Final = WithJsonSchema({"type": "string"})
Pattern = Annotated[str, Field(max_length=LONGEST), BeforeValidator(_read), _text]
"""A regular expression of RE2."""
NumberPattern = Annotated[str, Field(max_length=LONGEST), BeforeValidator(_with_one_group), _text]
"""One with a group around a number."""
