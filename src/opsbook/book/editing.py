"""Changing one value in a YAML text and nothing else: comments and layout stay, byte for byte.

A reader that writes the whole file anew would be shorter and would take people's comments, quotes
and line breaks with it; so the text is cut open at the value's own place. What comes out is read
again, and has to say exactly what was wanted: where an anchor, a wrapped value or an odd layout
makes a change in one place another in a second, it is refused and somebody edits the text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import yaml

from opsbook.base.errors import Invalid
from opsbook.book import yamlpos
from opsbook.book.positions import Path, dotted

Value = str | Sequence[str] | Mapping[str, str]
"""What can be written: a text (numbers, durations and bands are texts to a form), a list, a map."""

LARGEST: Final = 256 * 1024
"""Characters of a file that is edited so; a longer one takes seconds to cut open."""


class CannotEdit(Invalid):
    """This value cannot be changed by itself; edit the file as text."""


class _Cut(NamedTuple):
    start: int
    end: int
    text: str


def value_at(data: Any, path: Path) -> Any:
    """Return what stands at a path of read data, or None."""
    for step in path:
        inside = isinstance(data, list) and isinstance(step, int) and 0 <= step < len(data)
        if not inside and not (isinstance(data, Mapping) and step in data):
            return None
        data = data[step]
    return data


def put(text: str, file: str, path: Path, value: Value) -> str:
    """Return the text with this value at a path; a missing last part of the path is added.

    Raises:
        CannotEdit: with the reason; the text is as it was.
    """
    data = _data(text, file)
    wanted = _plain(value)
    if value_at(data, path) == wanted:
        return text
    return _proven(text, file, _replacing(_node(text, file), path, value, text, file), path, wanted)


def append(text: str, file: str, path: Path, value: Mapping[str, str]) -> str:
    """Return the text with one more map at the end of the list at a path, which may be missing.

    Raises:
        CannotEdit: with the reason; the text is as it was.
    """
    before = value_at(_data(text, file), path)
    wanted = [*(before or []), _plain(value)]
    root = _node(text, file)
    node = _at(root, path)
    if node is None:
        cuts = _adding(root, path, f"[{_flow(value)}]", text, file)
    elif not isinstance(node, yaml.SequenceNode):
        raise _refused(file, path, "is no list")
    elif node.flow_style:
        cuts = [_into_flow(node, _flow(value), text)]
    else:
        column = node.start_mark.column
        cuts = [_line_after(_end(node.value[-1]), " " * column + f"- {_flow(value)}", text)]
    return _proven(text, file, cuts, path, wanted)


# ---- where ------------------------------------------------------------------------------------


def _data(text: str, file: str) -> Any:
    if len(text) > LARGEST:
        raise CannotEdit(f"{file} is too long to change by a form.", remedy="Edit it as text.")
    reading = yamlpos.read(text, file)
    if reading.problems:
        raise CannotEdit(
            f"{file} cannot be read as it is: {reading.problems[0]}", remedy="Edit it as text."
        )
    return json.loads(json.dumps(reading.data))  # what an alias shares must not be shared here


def _node(text: str, file: str) -> yaml.Node | None:
    try:
        # The Python parser, since its marks count characters and not bytes.
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise CannotEdit(f"{file} cannot be cut open: {error}", remedy="Edit it as text.") from None


def _at(node: yaml.Node | None, path: Path) -> yaml.Node | None:
    for step in path:
        node = _unwrapped(node)
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step] if step < len(node.value) else None
        else:
            return None
    return _unwrapped(node)


def _unwrapped(node: yaml.Node | None) -> yaml.Node | None:
    """A value that says where it came from stands in a map of its own, under ``value``."""
    if isinstance(node, yaml.MappingNode):
        keys = {key.value: value for key, value in node.value}
        if "value" in keys and ("assumed" in keys or "ref" in keys):
            found: yaml.Node = keys["value"]
            return found
    return node


def _end(node: yaml.Node) -> int:
    """Where the last thing of a node ends; a block's own mark is past comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


# ---- what is written ---------------------------------------------------------------------------


def _replacing(
    root: yaml.Node | None, path: Path, value: Value, text: str, file: str
) -> list[_Cut]:
    node = _at(root, path)
    if node is None:
        return _adding(root, path, _flow(value), text, file)
    if isinstance(node, yaml.ScalarNode):
        if node.style in {"|", ">"} or not isinstance(value, str):
            raise _refused(file, path, "is written as a text of several lines")
        start, end = node.start_mark.index, node.end_mark.index
        return [_Cut(start, end, (" " if start == end else "") + _scalar(value, node.style))]
    if isinstance(node, yaml.SequenceNode) and not isinstance(value, str | Mapping):
        return _listed(node, value, text, path, file)
    raise _refused(file, path, "is written in a way that a form does not change")


def _listed(
    node: yaml.SequenceNode, value: Sequence[str], text: str, path: Path, file: str
) -> list[_Cut]:
    """Put other texts in the places of a list; more and fewer come and go at its end."""
    start, end = node.start_mark.index, node.end_mark.index
    if node.flow_style and "#" not in text[start:end] and "\n" not in text[start:end]:
        return [_Cut(start, end, _flow(value))]
    if node.flow_style or not value:
        raise _refused(file, path, "is a list over several lines")
    if not all(isinstance(one, yaml.ScalarNode) for one in node.value):
        raise _refused(file, path, "is a list of more than names")
    cuts = [
        _Cut(old.start_mark.index, old.end_mark.index, _scalar(new, old.style))
        for old, new in zip(node.value, value, strict=False)
        if old.value != new
    ]
    for old in node.value[len(value) :]:
        first = text.rfind("\n", 0, old.start_mark.index) + 1
        last = text.find("\n", old.end_mark.index) + 1 or len(text)
        around = text[first : old.start_mark.index] + text[old.end_mark.index : last]
        if around.strip() != "-":
            raise _refused(file, path, "has a comment beside what would be removed")
        cuts.append(_Cut(first, last, ""))
    more = value[len(node.value) :]
    if more:
        margin = " " * node.start_mark.column
        lines = "\n".join(f"{margin}- {_scalar(one)}" for one in more)
        cuts.append(_line_after(_end(node.value[-1]), lines, text))
    return cuts


def _adding(root: yaml.Node | None, path: Path, written: str, text: str, file: str) -> list[_Cut]:
    """Add a key that is missing, with the keys above it that are missing too."""
    depth = next(n for n in range(len(path), -1, -1) if _at(root, path[:n]) is not None or n == 0)
    parent, missing = _at(root, path[:depth]), [str(one) for one in path[depth:]]
    if not isinstance(parent, yaml.MappingNode) or not missing:
        raise _refused(file, path, "has no place in the file")
    for key in reversed(missing[1:]):
        written = f"{{{_scalar(key)}: {written}}}"
    entry = f"{_scalar(missing[0])}: {written}"
    if parent.flow_style:
        return [_into_flow(parent, entry, text)]
    column = parent.value[0][0].start_mark.column
    return [_line_after(_end(parent), " " * column + entry, text)]


def _into_flow(node: yaml.CollectionNode, entry: str, text: str) -> _Cut:
    at = node.end_mark.index - 1
    inside = text[node.start_mark.index + 1 : at].rstrip()
    if not inside:
        return _Cut(at, at, entry)
    return _Cut(at, at, f" {entry}" if inside.endswith(",") else f", {entry}")


def _line_after(end: int, line: str, text: str) -> _Cut:
    """A new line below the one that ends, with its comment, at or after a place."""
    stop = "\r\n" if "\r\n" in text else "\n"
    line = line.replace("\n", stop)
    if end and text[end - 1] == "\n":
        return _Cut(end, end, line + stop)
    at = text.find("\n", end)
    if at < 0:
        return _Cut(len(text), len(text), stop + line)
    return _Cut(at + 1, at + 1, line + stop)


def _scalar(value: str, style: str | None = None) -> str:
    """A text as YAML: quoted as it was, or plainly where that says the same, or in quotes."""
    if style == "'" and "\n" not in value:
        return "'" + value.replace("'", "''") + "'"
    reading = yamlpos.read(f"[{{k: {value}}}]", "value")
    if style != '"' and not reading.problems and reading.data == [{"k": value}]:
        return value
    return json.dumps(value, ensure_ascii=False)


def _flow(value: Value) -> str:
    if isinstance(value, str):
        return _scalar(value)
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{_scalar(key)}: {_scalar(one)}" for key, one in value.items()) + "}"
        )
    return "[" + ", ".join(_scalar(one) for one in value) + "]"


# ---- proof ------------------------------------------------------------------------------------


def _proven(text: str, file: str, cuts: list[_Cut], path: Path, wanted: Any) -> str:
    """The text with the cuts, once it says what was wanted and otherwise what it said before."""
    changed = text
    for cut in sorted(cuts, reverse=True):
        changed = changed[: cut.start] + cut.text + changed[cut.end :]
    expected = _data(text, file)
    _set(expected, path, wanted)
    reading = yamlpos.read(changed, file)
    if reading.problems or reading.data != expected:
        raise _refused(file, path, "cannot be changed without changing something else")
    return changed


def _set(data: Any, path: Path, value: Any) -> None:
    for step in path[:-1]:
        data = data.setdefault(step, {}) if isinstance(data, dict) else data[step]
    data[path[-1]] = value


def _plain(value: Value) -> Any:
    if isinstance(value, str):
        return value
    return dict(value) if isinstance(value, Mapping) else list(value)


def _refused(file: str, path: Path, why: str) -> CannotEdit:
    return CannotEdit(f"{dotted(path)} in {file} {why}.", remedy="Edit it as text.")
