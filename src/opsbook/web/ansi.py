"""What a step writes, as HTML: a terminal's colours and rewritten lines, and nothing that deceives.

Output is the one text on a page that anybody on any machine may have composed, so the rule is to
show what is there. Colours become classes (the policy of pages allows no inline style), hues only:
the style sheet picks what can be read on this background, in light and in dark. Nothing hides
text: black on black, concealed, the size of nothing, an address behind other words, characters
that turn the reading direction round. A sequence that is not understood is left out, one that does
not end is shown.

Of a line that is rewritten (carriage return, backspace, erase in line) the last state counts, as on
a terminal; that is what makes a progress bar one line. Moves across lines are not followed: a log
has no screen. The text as it was written is behind the download link.

A page gets output in pieces. `Rendering` carries what one piece leaves open into the next: the
style, half a sequence, and the last line, which may still be rewritten. That line stands in an
element of its own (``class="open"``) at the end; what the next piece gives takes its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from markupsafe import Markup, escape

LONGEST_LINE: Final = 4000
"""Characters of an unfinished line that can still be rewritten; what is longer is settled."""
MOST_RUNS: Final = 64
"""Changes of style in such a line: to rewrite it costs as much as there are of them."""
LONGEST_SEQUENCE: Final = 2000

HUES: Final = ("red", "green", "yellow", "blue", "magenta")
# Cyan is shown as blue. Black and white are the text's own colour: which of them can be read
# depends on the background.
_BASIC: Final = ("", "red", "green", "yellow", "blue", "magenta", "blue", "")
_ON: Final = {1: "bold", 2: "faint", 4: "underline", 7: "inverse"}
_OFF: Final = {22: ("bold", "faint"), 24: ("underline",), 27: ("inverse",)}

# Turned direction, no width, or read by programs only; the joiners stay, emoji are made with them.
DECEIVING: Final = (
    "\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028\u2029\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\U000e0000-\U000e0fff"
)
_TOKEN: Final = re.compile(
    rf"(?P<text>[^\x00-\x08\x0a-\x1f\x7f-\x9f{DECEIVING}]+)"
    rf"|(?P<deceiving>[{DECEIVING}])"
    r"|\x1b\[(?P<params>[0-?]*)[ -/]*(?P<final>[@-~])"
    rf"|\x1b\](?P<command>[^\x00-\x1f\x7f]{{0,{LONGEST_SEQUENCE}}}+)(?:\x07|\x1b\\)"
    rf"|\x1b[PX^_][^\x00-\x1f\x7f]{{0,{LONGEST_SEQUENCE}}}+\x1b\\"
    r"|\x1b[ -/]*[0-OQ-WYZ\\`-~]"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
)
# The beginning of a sequence, with nothing behind it.
_UNFINISHED: Final = re.compile(
    r"\x1b(?:\[[0-?]*+[ -/]*+|[\]PX^_][^\x00-\x1f\x7f]*+\x1b?|[ -/]*+)\Z"
)

Run = tuple[str, str]
"""Some text and its classes."""


class Rendering:
    """One attempt's output, in pieces."""

    def __init__(self) -> None:
        self._rest = ""
        self._line: list[Run] = []
        self._length = 0
        self._column: int | None = None  # None: at the end of the line
        self._said: set[str] = set()
        self._hue = self._ground = ""
        self._classes = ""
        self._link = ""

    def feed(self, text: str, *, last: bool = False) -> Markup:
        """Take a piece; what takes the place of the open line, and ends with the new one.

        Half a sequence at its end waits for the other half, unless this is the last piece.
        """
        text = self._rest + text
        self._rest = ""
        if last:
            return self._rendered(text)
        if found := _UNFINISHED.search(text, max(0, len(text) - LONGEST_SEQUENCE)):
            text, self._rest = text[: found.start()], found.group()
        return self._rendered(text)

    def _rendered(self, text: str) -> Markup:
        done: list[Run] = []
        for token in _TOKEN.finditer(text):
            kind = token.lastgroup
            if kind == "text":
                self._write(token.group(), self._classes)
            elif kind == "deceiving":
                self._write(f"U+{ord(token.group()):04X}", "inverse")
            elif kind == "final":
                self._obey(token["params"], token["final"])
            elif kind == "command":
                self._name_link(token["command"])
            elif kind == "control":
                self._control(token.group(), done)
            if len(self._line) > MOST_RUNS or self._length > LONGEST_LINE:
                self._settle(done)
        if not self._line:
            return _html(done)
        return _html(done) + Markup('<span class="open">{}</span>').format(_html(self._line))

    def _settle(self, done: list[Run], end: str = "") -> None:
        done += [*self._line, (end, "")]
        self._line = []
        self._length = 0
        self._column = None

    def _control(self, character: str, done: list[Run]) -> None:
        if character == "\n":
            self._settle(done, "\n")
        elif not self._line:
            return
        elif character == "\r":
            self._column = 0
        elif character == "\b":
            self._column = max(0, (self._length if self._column is None else self._column) - 1)

    def _write(self, text: str, classes: str) -> None:
        if self._column is None:
            self._length += len(text)
            if self._line and self._line[-1][1] == classes:
                text = self._line.pop()[0] + text
            self._line.append((text, classes))
            return
        before, after = _cut(self._line, self._column)
        _, after = _cut(after, len(text))
        self._line = [*before, (text, classes), *after]
        self._column = self._column + len(text) if after else None
        self._length = sum(len(text) for text, _ in self._line)

    def _obey(self, params: str, final: str) -> None:
        if final == "m" and params[:1] not in ("<", "=", ">", "?"):
            self._style(_codes(params[:200]))
        elif final == "K" and self._column is not None:
            before, after = _cut(self._line, self._column)
            if params in ("", "0"):
                self._line, self._length, self._column = before, self._column, None
            elif params == "1":
                self._line = [(" " * self._column, ""), *after]
            elif params == "2":
                self._line, self._length, self._column = [], 0, None

    def _style(self, codes: list[int]) -> None:
        """Colours and the like (SGR). What hides text, and blinking, is not followed."""
        at = 0
        while at < len(codes):
            code = codes[at]
            at += 1
            if code == 0:
                self._said.clear()
                self._hue = self._ground = ""
            elif code in _ON:
                self._said.add(_ON[code])
            elif code in _OFF:
                self._said.difference_update(_OFF[code])
            elif code in (38, 48):
                hue, at = _of_many(codes, at)
                self._colour(hue, ground=code == 48)
            elif 30 <= code <= 37 or 40 <= code <= 47:
                self._colour(_BASIC[code % 10], ground=code >= 40)
            elif 90 <= code <= 97 or 100 <= code <= 107:
                self._colour("grey" if code == 90 else _BASIC[code % 10], ground=code >= 100)
            elif code in (39, 49):
                self._colour("", ground=code == 49)
        # On a ground, or inverse, the text keeps the one colour that can be read there.
        colour = self._hue if not self._ground and "inverse" not in self._said else ""
        ground = f"on-{self._ground}" if self._ground and "inverse" not in self._said else ""
        self._classes = " ".join(filter(None, (*sorted(self._said), colour, ground)))

    def _colour(self, hue: str, *, ground: bool) -> None:
        if ground:
            self._ground = "" if hue == "grey" else hue
        else:
            self._hue = hue

    def _name_link(self, command: str) -> None:
        """An address behind words (OSC 8) is written out after them."""
        kind, _, rest = command.partition(";")
        if kind != "8":
            return
        address = rest.partition(";")[2]
        if self._link and self._link != address:
            shown = "".join(text for text, _ in self._line)
            if self._link not in shown:
                self._write(f" ({self._link})", "faint")
        self._link = re.sub(f"[{DECEIVING}]", "\N{REPLACEMENT CHARACTER}", address)


def render(text: str) -> Markup:
    """Render output that is there as a whole, or as far as it has come."""
    return Rendering().feed(text, last=True)


def _html(runs: Iterable[Run]) -> Markup:
    parts: list[str] = []
    last, pending = "", ""
    for text, classes in [*runs, ("", "\0")]:
        if classes == last:
            pending += text
            continue
        if pending:
            shown = str(escape(pending))
            parts.append(f'<span class="{last}">{shown}</span>' if last else shown)
        last, pending = classes, text
    return Markup("".join(parts))  # noqa: S704  every part is escaped, the classes are ours


def _cut(line: list[Run], column: int) -> tuple[list[Run], list[Run]]:
    """A line in two, before and from a column on."""
    before: list[Run] = []
    for at, (text, classes) in enumerate(line):
        if len(text) > column:
            head, tail = text[:column], text[column:]
            return [*before, *([(head, classes)] if head else [])], [
                (tail, classes),
                *line[at + 1 :],
            ]
        before.append((text, classes))
        column -= len(text)
    return before, []


def _codes(params: str) -> list[int]:
    """The numbers of a style. Those with colons are brought into the form with semicolons."""
    codes: list[int] = []
    for part in params.split(";"):
        numbers = [int(one) if one.isdecimal() else 0 for one in part.split(":")]
        if numbers[0] in (38, 48) and len(numbers) > 2:
            codes += [*numbers[:2], *(numbers[-3:] if numbers[1] == 2 else numbers[2:3])]
        elif numbers[0] == 4 and len(numbers) > 1:
            codes.append(4 if numbers[1] else 24)
        else:
            codes.append(numbers[0])
    return codes


def _of_many(codes: list[int], at: int) -> tuple[str, int]:
    """The hue of one of 256, or of all colours, and where its numbers end."""
    kind = codes[at] if at < len(codes) else 0
    if kind == 5:
        number = codes[at + 1] if at + 1 < len(codes) else 0
        return _of_256(number), at + 2
    if kind == 2:
        red, green, blue = (*codes[at + 1 : at + 4], 0, 0, 0)[:3]
        return _nearest(red, green, blue), at + 4
    return "", at + 1


def _of_256(number: int) -> str:
    if number < 16:
        return "grey" if number == 8 else _BASIC[number % 8]
    if number > 231:
        return "grey" if 236 <= number <= 250 else ""
    levels = (0, 95, 135, 175, 215, 255)
    cube = number - 16
    return _nearest(levels[cube // 36], levels[cube // 6 % 6], levels[cube % 6])


def _nearest(red: int, green: int, blue: int) -> str:
    """The hue of a colour in steps of 60°; of one that hardly has any, whether it is a grey."""
    low, high = min(red, green, blue), max(red, green, blue)
    if high - low < 48:
        return "grey" if 64 <= high <= 192 else ""
    if high == red:
        sixth = (green - blue) / (high - low) % 6
    elif high == green:
        sixth = (blue - red) / (high - low) + 2
    else:
        sixth = (red - green) / (high - low) + 4
    return ("red", "yellow", "green", "blue", "blue", "magenta")[round(sixth) % 6]
