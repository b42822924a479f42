"""YAML as it is written here: block style, short lists in one line, comments above elements.

The same writer serves books and the files of Prometheus and Alertmanager. Those are read by YAML
1.1, for which ``no``, ``1:30`` and ``0755`` are no texts, so that whatever is not plainly a word is
put in quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

MARK: Final = "# opsbook: "
"""How a comment begins that `notes` reads back."""

_WIDTH: Final = 100
_PLAIN: Final = re.compile(r"[A-Za-z_가-힣][\w가-힣./@-]*( [\w가-힣./@-]+)*")
_DURATION: Final = re.compile(r"(\d+(ms|[smhdw]))+")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"})
_UNPRINTABLE: Final = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Noted:
    """A value with what is said above it: as a comment for people, or as a note for a reader."""

    value: Any
    note: Mapping[str, Any] | None = None
    comment: str = ""


def written(value: Mapping[str, Any], *, head: str = "") -> str:
    """Return a map as a YAML text; `head` is a comment at its top."""
    lines = [f"# {line}".rstrip() for line in head.splitlines()]
    if lines:
        lines.append("")
    if not value:
        lines.append("{}")
    for n, (key, one) in enumerate(value.items()):
        if n and lines[-1]:
            lines.append("")
        lines += _entry(key, one, "")
    return "\n".join(lines) + "\n"


def notes(text: str) -> dict[int, dict[str, Any]]:
    """Return the notes of a text by the line (from 1) of the element they stand above.

    Whatever looks like a note and cannot be read is a comment like any other.
    """
    found: dict[int, dict[str, Any]] = {}
    for n, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped.startswith(MARK):
            continue
        try:
            note = json.loads(stripped.removeprefix(MARK))
        except (ValueError, RecursionError):
            continue
        if isinstance(note, dict):
            found[n + 1] = note
    return found


def scalar(value: Any) -> str:
    """Return one value as it is written."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    text = str(value)
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not text.endswith(".")
    if plain or _DURATION.fullmatch(text):
        return text
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _entry(key: str, value: Any, indent: str) -> Iterator[str]:
    value, above = _above(value, indent)
    yield from above
    name = f"{indent}{scalar(key)}:"
    if (line := _in_one_line(value)) is not None and len(name) + len(line) < _WIDTH:
        yield f"{name} {line}"
    elif isinstance(value, str):
        yield f"{name} {_text(value, indent)}"
    elif isinstance(value, Mapping):
        yield name
        for inner, one in value.items():
            yield from _entry(inner, one, indent + "  ")
    else:
        yield name
        for one in value:
            yield from _item(one, indent + "  ")


def _item(value: Any, indent: str) -> Iterator[str]:
    value, above = _above(value, indent)
    yield from above
    if isinstance(value, Mapping) and value:
        lines = [line for key, one in value.items() for line in _entry(key, one, indent + "  ")]
        first = next(n for n, line in enumerate(lines) if not line.lstrip().startswith("#"))
        # A comment on the first key would stand between the dash and it.
        yield from (line[2:] for line in lines[:first])
        yield f"{indent}- {lines[first].lstrip()}"
        yield from lines[first + 1 :]
    elif (line := _in_one_line(value)) is not None:
        yield f"{indent}- {line}"
    else:
        yield f"{indent}- {_text(str(value), indent)}"


def _above(value: Any, indent: str) -> tuple[Any, list[str]]:
    if not isinstance(value, Noted):
        return value, []
    lines = [f"{indent}# {line}" for line in value.comment.splitlines()]
    if value.note is not None:
        told = json.dumps(value.note, ensure_ascii=False)
        lines.append(f"{indent}{MARK}{_UNPRINTABLE.sub(_escaped, told)}")
    return value.value, lines


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _in_one_line(value: Any) -> str | None:
    if isinstance(value, Mapping):
        return None if value else "{}"
    if isinstance(value, str):
        return None if "\n" in value else scalar(value)
    if not isinstance(value, Sequence):
        return scalar(value)
    if any(isinstance(one, (Mapping, Noted, list, tuple)) for one in value):
        return None
    line = f"[{', '.join(map(scalar, value))}]"
    return line if len(line) <= _WIDTH - 20 or not value else None


def _text(value: str, indent: str) -> str:
    """A text of several lines as a block where that keeps it, else in quotes."""
    lines = value.split("\n")
    keeps = all(line == line.rstrip() for line in lines) and not lines[0].startswith((" ", "\t"))
    body = value.rstrip("\n")
    if not keeps or "\r" in value or "\t" in value or _UNPRINTABLE.search(value) or not body:
        return scalar(value)
    if re.search(r"[\x00-\x08\x0b-\x1f]", value) or "\n" not in value:
        return scalar(value)
    ends = len(value) - len(body)
    if ends > 1:
        return scalar(value)
    block = "".join(f"\n{indent}  {line}" if line else "\n" for line in body.split("\n"))
    return f"|{'' if ends else '-'}{block}"
