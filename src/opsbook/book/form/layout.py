"""YAML laid out anew: two blanks a level, lists one level below their key, one blank after a colon.

The scanner's tokens say where everything stands; only what is between them is changed, so words,
order and comments stay by construction. A single-quoted text becomes a double-quoted one where it
holds nothing that the two read differently. Long lines are left long and wrapped ones wrapped.

Lines and columns count from 0 here, as the scanner's do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

STEP: Final = 2
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_HEADER: Final = re.compile(r"[|>](?P<marks>[-+0-9]*)")

_INVISIBLE: Final = (
    yaml.BlockMappingStartToken, yaml.BlockSequenceStartToken, yaml.BlockEndToken
)  # fmt: skip
_FLOW_START: Final = (yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken)
_FLOW_END: Final = (yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


def lay_out(text: str) -> str:
    """`text` in its one form; it must be YAML, with line feeds alone as line ends, and no BOM."""
    return _Layout(text).done()


def tokens(text: str) -> Iterator[Any]:
    """The scanner's tokens of a text that can be scanned."""
    yield from yaml.scan(text, Loader=_LOADER)


@dataclass(slots=True)
class _Block:
    """An open block: where it stands, where it will stand, and what the parser's indent is."""

    old: int
    new: int
    parser_old: int
    is_list: bool = False
    is_indentless: bool = False


@dataclass(slots=True)
class _Gap:
    """Lines without a token: blank ones and comments, waiting to learn what comes after them."""

    begin: int
    blocks: list[tuple[int, int]]
    shift: int | None
    floor: int
    after_block_scalar: bool


@dataclass(slots=True)
class _Layout:
    text: str
    lines: list[str] = field(default_factory=list)
    out: list[str] = field(default_factory=list)
    blocks: list[_Block] = field(default_factory=list)
    depth: int = 0
    shift: int = 0
    at: tuple[int, int] = (0, 0)
    before: Any = None
    gap: _Gap | None = None
    kept: int = 0
    """Lines up to here are a text's own, though they may be blank."""

    def done(self) -> str:
        self.lines = self.text.split("\n")
        self.at = (-1, 0)
        for token in tokens(self.text):
            if isinstance(token, yaml.StreamStartToken):
                continue
            if token.start_mark.line > self.at[0] and self.gap is None:
                self._open_gap()
            if isinstance(token, yaml.StreamEndToken):
                break
            self._take(token)
        self._close_gap(len(self.lines), None, 0)
        while len(self.out) > self.kept and not self.out[-1]:
            self.out.pop()
        return "".join(f"{line}\n" for line in self.out)

    def _take(self, token: Any) -> None:
        self._arrange(token)
        start, end = token.start_mark, token.end_mark
        explicit = isinstance(token, yaml.KeyToken) and end.column > start.column
        if isinstance(token, _INVISIBLE) or (isinstance(token, yaml.KeyToken) and not explicit):
            return
        first = start.line > self.at[0]
        if first:
            column = self._column(token)
            self._close_gap(start.line, start.column, column)
            self.out.append(" " * column)
        else:
            self.out[-1] += self._between(token)
        if isinstance(token, _FLOW_START):
            self.depth += 1
            if self.depth == 1:
                self.shift = len(self.out[-1]) - start.column
        elif isinstance(token, _FLOW_END):
            self.depth -= 1
        if isinstance(token, yaml.ScalarToken) and token.style in {"|", ">"}:
            self._block_scalar(token)
        else:
            self._words(token)
        self.before = token

    def _arrange(self, token: Any) -> None:
        """Open and close blocks as the token says."""
        if self.depth:
            return
        top = self.blocks[-1] if self.blocks else None
        column = token.start_mark.column
        new = top.new + STEP if top else 0
        match token:
            case yaml.BlockMappingStartToken():
                self.blocks.append(_Block(column, new, column))
            case yaml.BlockSequenceStartToken():
                self.blocks.append(_Block(column, new, column, is_list=True))
            case yaml.BlockEntryToken() if top is not None and not top.is_list:
                # A list at the column of its own key has no start token, and no end token either.
                self.blocks.append(_Block(column, new, top.parser_old, True, True))
            case yaml.KeyToken() | yaml.ValueToken() if top is not None and top.is_indentless:
                self.blocks.pop()
            case yaml.BlockEndToken():
                if top is not None and top.is_indentless:
                    self.blocks.pop()
                self.blocks.pop()

    def _column(self, token: Any) -> int:
        """Where a line begins whose first token this is."""
        if self.depth:
            column: int = token.start_mark.column
            return max(column + self.shift, self._floor())
        top = self.blocks[-1] if self.blocks else None
        if top is None or isinstance(token, (yaml.DocumentStartToken, yaml.DocumentEndToken)):
            return 0
        begins = isinstance(token, yaml.BlockEntryToken if top.is_list else yaml.ValueToken)
        if begins or isinstance(token, yaml.KeyToken) or self._is_key(token):
            return top.new
        return top.new + STEP

    def _is_key(self, token: Any) -> bool:
        """Whether this first token of a line stands where its block mapping's keys stand."""
        top = self.blocks[-1]
        return not top.is_list and token.start_mark.column == top.old

    def _floor(self) -> int:
        return self.blocks[-1].new + STEP if self.blocks else 0

    def _between(self, token: Any) -> str:
        """The blanks between two tokens of one line."""
        if isinstance(self.before, yaml.ValueToken):
            return " "
        if isinstance(token, (yaml.FlowEntryToken, yaml.ValueToken, *_FLOW_END)):
            return ""
        return "" if isinstance(self.before, _FLOW_START) else " "

    def _words(self, token: Any) -> None:
        """The token itself; the further lines of a wrapped text stand one level in."""
        start, end = token.start_mark, token.end_mark
        if start.line == end.line:
            self.out[-1] += _requoted(token, self.lines[start.line][start.column : end.column])
        else:
            self.out[-1] += _trimmed(self.lines[start.line][start.column :])
            for line in range(start.line + 1, end.line + 1):
                raw = self.lines[line]
                raw = raw[: end.column] if line == end.line else _trimmed(raw)
                inner = raw.lstrip(" \t")
                column = self._floor()
                if self.depth:
                    column = max(len(raw) - len(inner) + self.shift, column)
                self.out.append(" " * column + inner if inner else "")
        self.at = (end.line, end.column)

    def _block_scalar(self, token: Any) -> None:
        start, end = token.start_mark, token.end_mark
        header = self.lines[start.line][start.column :].rstrip()
        marks = matched["marks"] if (matched := _HEADER.match(header)) else ""
        stop = end.line if end.column == 0 else end.line + 1
        body = self.lines[start.line + 1 : stop]
        digits = "".join(mark for mark in marks if mark.isdigit())
        parent_old = self.blocks[-1].parser_old if self.blocks else 0
        parent_new = self.blocks[-1].new if self.blocks else 0
        if digits:
            old, new = parent_old + int(digits), parent_new + int(digits)
        else:
            worded = next((line for line in body if line.strip(" ")), "")
            old = len(worded) - len(worded.lstrip(" "))
            old = old if worded else max(map(len, body), default=0)
            new = parent_new + STEP if self.blocks else STEP
        if stop == len(self.lines) and body and body[-1][old:]:
            # Without a line end the last line has none in its value either, and will now get one.
            plain = "".join(mark for mark in marks if mark not in "+-")
            header = f"{header[0]}{plain}-{header[1 + len(marks) :]}"
        self.out[-1] += header
        if "+" not in marks:
            while body and not body[-1][old:]:
                body.pop()
        self.out += [" " * new + line[old:] if line[old:] else "" for line in body]
        self.at = (start.line + len(body), 0)
        self.kept = len(self.out)

    def _open_gap(self) -> None:
        """End the line that the last token stands on, and remember what stands here."""
        line, column = self.at
        scalar = isinstance(self.before, yaml.ScalarToken) and self.before.style in {"|", ">"}
        if line >= 0 and not scalar:
            self.out[-1] += _tail(self.lines[line][column:])
        blocks = [(block.old, block.new) for block in self.blocks]
        shift = self.shift if self.depth else None
        self.gap = _Gap(line + 1, blocks, shift, self._floor(), scalar)

    def _close_gap(self, end: int, next_old: int | None, next_new: int) -> None:
        gap, self.gap = self.gap, None
        if gap is None:
            return
        for line in self.lines[gap.begin : end]:
            words = line.strip()
            if words:
                column = _comment_column(line, gap, next_old, next_new)
                self.out.append(" " * column + words)
            elif self.out and self.out[-1].strip():
                self.out.append("")
        if not any(self.out):
            self.out.clear()


def _comment_column(line: str, gap: _Gap, next_old: int | None, next_new: int) -> int:
    """A comment belongs to what follows where it is aligned with it, else to what is open there."""
    column = len(line) - len(line.lstrip())
    if gap.shift is not None:
        return max(column + gap.shift, gap.floor)
    if column == next_old:
        return next_new
    around = [block for block in gap.blocks if block[0] <= column]
    if not around:
        return 0
    old, new = around[-1]
    # One level in would be inside the text that ends above it.
    return new if column == old or gap.after_block_scalar else new + STEP


def _tail(rest: str) -> str:
    """What stands after the last token of a line: nothing, or a comment as far away as it was."""
    words = rest.strip()
    return " " * max(len(rest) - len(rest.lstrip()), 1) + words if words else ""


def _trimmed(line: str) -> str:
    """A line without the blanks at its end, unless a backslash makes them part of a text."""
    bare = line.rstrip(" \t")
    return line if bare.endswith("\\") else bare


def _requoted(token: Any, written: str) -> str:
    if not isinstance(token, yaml.ScalarToken) or token.style != "'":
        return written
    value: str = token.value
    safe = value.isprintable() and not set(value) & set("\"'\\")
    return f'"{value}"' if safe else written


def comments(text: str) -> Sequence[str]:
    """Every comment of a text, in order."""
    lines = text.split("\n")
    for token in tokens(text):
        start, end = token.start_mark, token.end_mark
        if not isinstance(token, yaml.ScalarToken) or start.line == end.line:
            if isinstance(token, yaml.ScalarToken):
                _blank(lines, start.line, start.column, end.column)
            continue
        first = start.column
        if token.style in {"|", ">"}:
            _blank(lines, start.line, first, first + 1)
        else:
            _blank(lines, start.line, first, len(lines[start.line]))
        for line in range(start.line + 1, end.line):
            lines[line] = ""
        if end.line < len(lines):
            _blank(lines, end.line, 0, end.column)
    return [line[line.index("#") :].rstrip() for line in lines if "#" in line]


def _blank(lines: list[str], line: int, first: int, last: int) -> None:
    lines[line] = lines[line][:first] + " " * (last - first) + lines[line][last:]
