"""One text of a book in its one form, or the problems for which it stays as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from opsbook.book import yamlpos
from opsbook.book.form import layout, page, proof
from opsbook.book.problems import Problem

_ODD_BREAK: Final = re.compile("[\x85\u2028\u2029]")
"""Line ends to a YAML parser and to no editor."""


@dataclass(frozen=True, slots=True)
class Formed:
    """The text as it should be; with problems it is what it was."""

    text: str
    problems: tuple[Problem, ...] = ()


def formed(source: str, file: str) -> Formed:
    """Lay out the text of a file, by the ending of its name: ``.md`` or YAML."""
    text = source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    found = page.formed(text, file, _yaml) if file.endswith(".md") else _yaml(text, file, 1)
    return Formed(source, found) if isinstance(found, tuple) else Formed(found)


def _yaml(text: str, file: str, first_line: int) -> str | tuple[Problem, ...]:
    """YAML laid out, proved to say what it said."""
    if problems := yamlpos.read(text, file, first_line=first_line).problems:
        return tuple(problems)
    if odd := _ODD_BREAK.search(text):
        before = text[: odd.start()].split("\n")
        told = f"this is a line end that no editor shows (U+{ord(odd[0]):04X})"
        line = first_line + len(before) - 1
        return (Problem(file, line, len(before[-1]) + 1, told, "remove it"),)
    after = layout.lay_out(text)
    if why := proof.difference(text, after, file):
        told = f"this file is left as it is, since laying it out would change it: {why}"
        return (Problem(file, first_line, 1, told, "write its unusual part more plainly"),)
    return after
