"""How answers look: glyphs, columns that line up for wide letters, times by age, JSON for scripts.

Terminals draw Hangul two cells wide, so columns are padded by cells and not by letters. Whatever
came from outside (a check's message, a step's output) is cleaned of control characters before it
reaches a terminal: a log line must not be able to move the cursor or rewrite what is above it.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from opsbook.base.quantities import format_quantity
from opsbook.cli import words

GLYPHS = {
    "ok": "●", "succeeded": "●", "resolved": "●", "approved": "●",
    "warning": "▲", "interrupted": "▲", "retry": "▲", "timeout": "■", "killed": "■",
    "critical": "■", "failed": "■", "open": "■", "rejected": "■", "firing": "■",
    "nodata": "◇",
    "cancelled": "‖", "skipped": "‖", "paused": "‖", "silenced": "‖", "inhibited": "‖",
    "muted": "‖", "behind": "‖",
    "inactive": "‖", "active": "‖", "expired": "●",
    "running": "◐", "intended": "◐", "acknowledged": "◐", "sending": "◐", "sent": "●",
    "waiting": "⏳", "queued": "○", "pending": "○", "new": "○",
}  # fmt: skip
COLORS = {"■": "red", "▲": "yellow", "◇": "magenta", "⏳": "cyan", "◐": "cyan"}
BARS = "▁▂▃▄▅▆▇█"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


def say(text: str = "") -> None:
    """Write one line for a person, at once even where nobody is at a terminal."""
    click.echo(text)
    sys.stdout.flush()


def write(text: str) -> None:
    """Write a text as it is, without a line's end of our own."""
    click.echo(text, nl=False)
    sys.stdout.flush()


def as_json(value: Any) -> None:
    """Write an answer for a script."""
    say(json.dumps(value, ensure_ascii=False, indent=2))


def as_json_line(value: Any) -> None:
    """Write one of many answers on a line of its own."""
    say(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


class Painted(str):
    """A text that we colored ourselves: the only kind that may bring terminal sequences."""

    __slots__ = ()


def paint(text: str, color: str | None) -> str:
    """Color a text; click drops it again where the output is no terminal or NO_COLOR is set."""
    return Painted(click.style(text, fg=color)) if color else text


def faint(text: str) -> str:
    """Set back what is there to be looked up and not to be read."""
    return Painted(click.style(text, dim=True)) if text else text


def glyph(state: str) -> str:
    """Return the sign of a state, colored only where somebody should look."""
    sign = GLYPHS.get(state, "○")
    return paint(sign, COLORS.get(sign))


def clean(text: str) -> str:
    """Drop terminal sequences and show other control characters as a dot."""
    return CONTROL.sub("·", ESCAPES.sub("", text.replace("\r\n", "\n")))


def cells(text: str) -> int:
    """Return how many columns a terminal needs for a text."""
    return sum(map(_cells, ESCAPES.sub("", text)))


def _cells(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in {"Cf", "Me", "Mn"}:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def shorten(text: str, width: int) -> str:
    """Cut a text to ``width`` columns; the sign at the end says that something is missing."""
    if cells(text) <= width:
        return text
    kept, used = [], 1
    for letter in text:
        used += _cells(letter)
        if used > width:
            break
        kept.append(letter)
    return "".join(kept).rstrip() + "…"


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()
) -> None:
    """Write rows in columns under their heads; at a terminal the last one is cut, not wrapped.

    ``right`` are the columns whose text ends at the same place: numbers with their unit.
    """
    _columns(list(heads), rows, set(right))


def rows(lines: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> None:
    """Write rows in columns as `table` does, where what they are is plain without heads."""
    _columns(None, lines, set(right))


def _columns(heads: list[str] | None, rows: Iterable[Sequence[str]], ends: set[int]) -> None:
    lines = [[clean_cell(text) for text in row] for row in rows]
    if not lines:
        return
    every = [heads, *lines] if heads is not None else lines
    widths = [max(cells(line[at]) for line in every) for at in range(len(lines[0]))]
    room = shutil.get_terminal_size().columns - sum(widths[:-1]) - 2 * (len(widths) - 1)
    if sys.stdout.isatty() and room >= 10:
        widths[-1] = min(widths[-1], room)
        for line in lines:
            line[-1] = shorten(line[-1], room)
    if heads is not None:
        say(faint(_line(heads, widths, ends)))
    for line in lines:
        say(_line(line, widths, ends))


def clean_cell(text: str) -> str:
    """Put a cell's text on one line."""
    return text if isinstance(text, Painted) else " ".join(clean(text).split())


def _line(line: Sequence[str], widths: Sequence[int], right: set[int]) -> str:
    padded = []
    for at, (text, width) in enumerate(zip(line, widths, strict=True)):
        gap = " " * (width - cells(text))
        padded.append(gap + text if at in right else text + gap)
    return "  ".join(padded).rstrip()


def sentence(entry: dict[str, Any]) -> str:
    """Return an audit entry as one line: what happened, and how a person's words begin."""
    begins = shorten(next(iter((entry["text"] or "").strip().splitlines()), ""), 120)
    return clean(" ".join(filter(None, (entry["sentence"], begins))))


def moment(text: str | None) -> datetime | None:
    """Read a time of the API."""
    return datetime.fromisoformat(text) if text else None


def span(length: timedelta) -> str:
    """Return a length of time in two units at most: ``40 s``, ``12 min``, ``3 h 12 min``."""
    seconds = int(abs(length.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} d"


def age(text: str | None, now: datetime | None = None) -> str:
    """Return how long ago a time of the API was, or how far away it still is."""
    at = moment(text)
    if at is None:
        return "never"
    past = (now or datetime.now(UTC)) - at
    return f"{span(past)} ago" if past >= timedelta(0) else f"in {span(past)}"


def left(text: str, now: datetime | None = None) -> str:
    """Return how much time is left until a time of the API, or by how much it is over."""
    until = (moment(text) or datetime.now(UTC)) - (now or datetime.now(UTC))
    form = words.LEFT if until >= timedelta(0) else words.OVER
    return form.format(time=span(until))


def clock_time(text: str | None) -> str:
    """Return a time of the API on this machine's clock, to the second."""
    at = moment(text)
    return at.astimezone().strftime("%m-%d %H:%M:%S") if at is not None else ""


def quantity(value: float | None, unit: str) -> str:
    """Return a measured value with its unit."""
    return "–" if value is None else format_quantity(value, unit)


def sparkline(values: Sequence[float | None]) -> str:
    """Draw values as a line of bars; a gap where nothing was seen."""
    seen = [value for value in values if value is not None]
    if not seen:
        return ""
    low, high = min(seen), max(seen)
    step = (high - low) / (len(BARS) - 1) or 1.0
    return "".join(" " if value is None else BARS[int((value - low) / step)] for value in values)
