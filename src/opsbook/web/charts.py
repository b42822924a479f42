"""Lines of values, drawn on the server as SVG: a spark beside a value, a chart on a check's page.

SVG from the server needs no script, prints, and carries no inline style (the policy forbids it):
colours and widths are the style sheet's, by class. Numbers are drawn where they are, with gaps
where there was no value: a line through missing data would show what nobody saw. The limit is
always inside the picture, so that "how far from it" is seen and not calculated.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markupsafe import Markup, escape

from opsbook.base.quantities import Band, QuantityError, format_quantity

SPARK: Final = (120, 28)
CHART: Final = (720, 200)
BAD: Final = frozenset({"warning", "critical", "nodata"})


@dataclass(frozen=True)
class Point:
    """One observation, or several put together: seconds are counted from the picture's left."""

    at: datetime
    value: float | None
    state: str


@dataclass(frozen=True)
class Limit:
    """A line to draw: where, in which tone, and how it reads."""

    value: float
    tone: str
    label: str


def limits(bands: Iterable[tuple[str, Band | None]], unit: str) -> list[Limit]:
    """Return the lines for bands, in the unit of the values; what cannot compare is left out."""
    found = []
    for tone, band in bands:
        if band is None:
            continue
        ends = [(band.op, band.limit)]
        if band.upto is not None:  # a range is drawn as the two lines it lies between
            ends = [(">=", band.limit), ("<=", band.upto)]
        for op, end in ends:
            with contextlib.suppress(QuantityError):
                label = f"{op} {format_quantity(end.value, end.unit)}"
                found.append(Limit(end.in_unit(unit), tone, label))
    return found


class Frame:
    """Turns moments and values into coordinates."""

    def __init__(
        self, size: tuple[int, int], since: datetime, until: datetime, values: Sequence[float],
        pad: int,
    ) -> None:  # fmt: skip
        self.width, self.height = size
        self.since, self.pad = since, pad
        self.seconds = max(1.0, (until - since).total_seconds())
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        low = min(low, 0.0) if low >= 0 and low <= high * 0.6 else low
        room = (high - low) or abs(high) or 1.0
        self.low, self.high = low - (0.0 if low == 0 else room * 0.08), high + room * 0.08

    def x(self, at: datetime) -> float:
        """Return the place of a moment, from the left."""
        share = (at - self.since).total_seconds() / self.seconds
        return round(min(max(share, 0.0), 1.0) * (self.width - 2 * self.pad) + self.pad, 1)

    def y(self, value: float) -> float:
        """Return the place of a value, from the top."""
        share = (value - self.low) / (self.high - self.low)
        inner = self.height - 2 * self.pad
        return round(self.height - self.pad - min(max(share, 0.0), 1.0) * inner, 1)


def spark(
    points: Sequence[Point], lines: Sequence[Limit], since: datetime, until: datetime, label: str
) -> Markup:
    """Return the small line of one check's last hour; empty when nothing was seen."""
    if not points:
        return Markup("")
    frame = Frame(SPARK, since, until, _values(points, lines), pad=3)
    parts = [*(_limit_line(frame, line) for line in lines), *_paths(frame, points)]
    last = next((one for one in reversed(points) if one.value is not None), None)
    if last is not None and last.value is not None:
        place = f'cx="{frame.x(last.at)}" cy="{frame.y(last.value)}"'
        parts.append(f'<circle class="dot {escape(last.state)}" {place} r="2.5"/>')
    return _svg(SPARK, "spark", label, parts)


def chart(
    points: Sequence[Point], lines: Sequence[Limit], since: datetime, until: datetime,
    unit: str, marks: Sequence[tuple[datetime, str]], label: str,
) -> Markup:  # fmt: skip
    """Return the large picture: values, limits with their words, a scale, and times below."""
    if not points:
        return Markup("")
    width, height = CHART
    frame = Frame((width, height - 20), since, until, _values(points, lines), pad=8)
    parts: list[str] = []
    for share in (0.0, 0.5, 1.0):
        number = frame.low + (frame.high - frame.low) * share
        y = frame.y(number)
        parts.append(f'<line class="grid" x1="8" x2="{width - 8}" y1="{y}" y2="{y}"/>')
        if share:
            read = escape(format_quantity(number, unit))
            parts.append(f'<text class="scale" x="8" y="{y + 12}">{read}</text>')
    for at, said in marks:
        x = frame.x(at)
        if not 24 < x < width - 24:
            continue
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="8" y2="{height - 28}"/>')
        parts.append(f'<text class="scale mid" x="{x}" y="{height - 4}">{escape(said)}</text>')
    for line in lines:
        parts.append(_limit_line(frame, line))
        y = frame.y(line.value)
        y = y - 4 if y > 20 else y + 12
        parts.append(f'<text class="scale end" x="{width - 8}" y="{y}">{escape(line.label)}</text>')
    parts += _paths(frame, points)
    return _svg(CHART, "chart", label, parts)


def _values(points: Sequence[Point], lines: Sequence[Limit]) -> list[float]:
    seen = [one.value for one in points if one.value is not None]
    return seen + [line.value for line in lines] if seen else [line.value for line in lines]


def _limit_line(frame: Frame, line: Limit) -> str:
    y = frame.y(line.value)
    ends = f'x1="0" x2="{frame.width}" y1="{y}" y2="{y}"'
    return f'<line class="limit {escape(line.tone)}" {ends}/>'


def _paths(frame: Frame, points: Sequence[Point]) -> list[str]:
    """One path per unbroken stretch; a stretch of one value is a short dash, not nothing."""
    stretches: list[list[str]] = [[]]
    for one in points:
        if one.value is None:
            stretches.append([])
        else:
            stretches[-1].append(f"{frame.x(one.at)} {frame.y(one.value)}")
    told = [
        f"M{' L'.join(stretch)}{' h1' if len(stretch) == 1 else ''}"
        for stretch in stretches
        if stretch
    ]
    gaps = [
        f'<circle class="dot nodata" cx="{frame.x(one.at)}" cy="{frame.height - 3}" r="1.5"/>'
        for one in points
        if one.value is None
    ]
    return [f'<path class="line" d="{" ".join(told)}"/>'] * bool(told) + gaps


def _svg(size: tuple[int, int], kind: str, label: str, parts: Sequence[str]) -> Markup:
    width, height = size
    return Markup(  # noqa: S704  every value is a number or escaped
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )
