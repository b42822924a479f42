"""Lines of values, drawn on the server as SVG: a spark beside a value, a chart on a check's page.

SVG from the server needs no script, prints, and carries no inline style (the policy forbids it):
colours and widths are the style sheet's, by class. Numbers are drawn where they are, with gaps
where there was no value: a line through missing data would show what nobody saw. The limit is
always inside the picture, so that "how far from it" is seen and not calculated.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markupsafe import Markup, escape

from opsbook.base.quantities import Band, QuantityError, format_quantity
from opsbook.web import scales

SPARK: Final = (120, 28)
CHART: Final = (720, 220)

Read = Callable[[float, str], str]
"""How a value is written, in the visitor's language."""


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


@dataclass(frozen=True)
class Stretch:
    """What the looks of one stretch come to; without a state nobody looked."""

    at: datetime
    least: float | None
    mean: float | None
    p95: float | None
    most: float | None
    state: str
    unit: str = ""


@dataclass(frozen=True)
class Area:
    """A band: from `low` to `high` (open where there is none), in which tone, and how it reads."""

    low: float | None
    high: float | None
    tone: str
    label: str

    @property
    def ends(self) -> list[float]:
        """The values it begins and ends at."""
        return [end for end in (self.low, self.high) if end is not None]


def areas(
    bands: Iterable[tuple[str, Band | None]], unit: str, read: Read = format_quantity
) -> list[Area]:
    """Return the bands in the unit of the values; what cannot compare is left out.

    One that means everything but a value has no side, and is drawn as the line of that value.
    """
    found = []
    for tone, band in bands:
        if band is None:
            continue
        with contextlib.suppress(QuantityError):
            low: float | None = band.limit.in_unit(unit)
            high = low
            label = f"{band.op} {read(band.limit.value, band.limit.unit)}"
            if band.upto is not None:
                high = band.upto.in_unit(unit)
                end = read(band.upto.value, band.upto.unit)
                label = f"{label.partition(' ')[2]} – {end}"
            elif band.op in {">", ">="}:
                high = None
            elif band.op in {"<", "<="}:
                low = None
            found.append(Area(low, high, tone, label))
    return found


def limits(
    bands: Iterable[tuple[str, Band | None]], unit: str, read: Read = format_quantity
) -> list[Limit]:
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
                label = f"{op} {read(end.value, end.unit)}"
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
    points: Sequence[Stretch], bands: Sequence[Area], since: datetime, until: datetime,
    unit: str, marks: Sequence[tuple[datetime, str]], label: str, read: Read = format_quantity,
) -> Markup:  # fmt: skip
    """Return the large picture of a check's past.

    The mean and the p95 as lines, what lies between the least and the most as an area, the bands
    with their words, and below the values a strip of the worst state of each stretch. A band that
    is too far away to be drawn beside the values is named at the edge it lies behind.
    """
    if not points:
        return Markup("")
    width, height = CHART
    seen = [v for one in points for v in (one.least, one.most) if v is not None]
    ends = [end for band in bands for end in band.ends]
    near = scales.within(seen, ends)
    frame = Frame((width, height - 28), since, until, seen + near, pad=8)
    parts = [_area(frame, one) for one in bands]
    for number in scales.ticks(frame.low, frame.high, unit):
        y = frame.y(number)
        parts.append(f'<line class="grid" x1="8" x2="{width - 8}" y1="{y}" y2="{y}"/>')
        if y < frame.height - 20:
            word = escape(read(number, unit))
            parts.append(f'<text class="scale" x="8" y="{y + 12}">{word}</text>')
    for at, said in marks:
        x = frame.x(at)
        if not 24 < x < width - 24:
            continue
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="8" y2="{height - 36}"/>')
        parts.append(f'<text class="scale mid" x="{x}" y="{height - 4}">{escape(said)}</text>')
    parts += _named(frame, bands, near)
    parts += _range(frame, points)
    for name in ("p95", "mean"):
        path = _path(frame, [(one.at, getattr(one, name)) for one in points])
        parts += [f'<path class="line {name}" d="{path}"/>'] * bool(path)
    parts += _strip(frame, points, until, height - 30)
    return _svg(CHART, "chart", label, parts)


def _named(frame: Frame, bands: Sequence[Area], near: Sequence[float]) -> list[str]:
    """Draw the ends of bands with their words; what lies outside is named with where it lies."""
    found: list[str] = []
    outside: dict[str, list[str]] = {}
    for band in bands:
        inside = [end for end in band.ends if end in near]
        found += [_limit_line(frame, Limit(end, band.tone, band.label)) for end in inside]
        if not inside:
            outside.setdefault("↑" if band.ends[0] > frame.high else "↓", []).append(band.label)
            continue
        y = frame.y(inside[0])
        found.append(_word(frame, y - 4 if y > 20 else y + 12, band.label))
    for arrow, labels in outside.items():
        y = 12.0 if arrow == "↑" else float(frame.height - 12)
        found.append(_word(frame, y, f"{arrow} {' · '.join(labels)}"))
    return found


def _word(frame: Frame, y: float, said: str) -> str:
    return f'<text class="scale end" x="{frame.width - 8}" y="{y}">{escape(said)}</text>'


def _area(frame: Frame, band: Area) -> str:
    top = frame.y(band.high) if band.high is not None else frame.pad
    bottom = frame.y(band.low) if band.low is not None else frame.height - frame.pad
    place = (
        f'x="8" width="{frame.width - 16}" y="{top}" height="{max(0.0, round(bottom - top, 1))}"'
    )
    return f'<rect class="area {escape(band.tone)}" {place}/>'


def _range(frame: Frame, points: Sequence[Stretch]) -> list[str]:
    """One outline for each unbroken stretch: along the most, and back along the least."""
    found = []
    upper: list[str] = []
    lower: list[str] = []
    for one in [*points, None]:
        if one is not None and one.least is not None and one.most is not None:
            x = frame.x(one.at)
            upper.append(f"{x} {frame.y(one.most)}")
            lower.append(f"{x} {frame.y(one.least)}")
            continue
        if len(upper) > 1:
            found.append(f'<path class="range" d="M{" L".join(upper + lower[::-1])} Z"/>')
        upper, lower = [], []
    return found


def _strip(frame: Frame, points: Sequence[Stretch], until: datetime, y: float) -> list[str]:
    """One bar for each time that a state went on; nothing where nobody looked."""
    found = []
    begun: Stretch | None = None
    for one, end in [*((one, one.at) for one in points), (None, min(until, _after(points)))]:
        if begun is not None and one is not None and one.state == begun.state:
            continue
        if begun is not None and begun.state:
            x = frame.x(begun.at)
            width = max(1.0, round(frame.x(end) - x, 1))
            tone = escape(begun.state)
            found.append(f'<rect class="bar {tone}" x="{x}" y="{y}" width="{width}" height="6"/>')
        begun = one
    return found


def _after(points: Sequence[Stretch]) -> datetime:
    """Return when the last stretch is over: as long as the one before it, as far as is known."""
    last = points[-1].at
    return last + (last - points[-2].at) if len(points) > 1 else last


def _values(points: Sequence[Point], lines: Sequence[Limit]) -> list[float]:
    seen = [one.value for one in points if one.value is not None]
    return seen + [line.value for line in lines] if seen else [line.value for line in lines]


def _limit_line(frame: Frame, line: Limit) -> str:
    y = frame.y(line.value)
    ends = f'x1="0" x2="{frame.width}" y1="{y}" y2="{y}"'
    return f'<line class="limit {escape(line.tone)}" {ends}/>'


def _paths(frame: Frame, points: Sequence[Point]) -> list[str]:
    """Return the line of a spark, and a dot for each look that brought no value."""
    path = _path(frame, [(one.at, one.value) for one in points])
    gaps = [
        f'<circle class="dot nodata" cx="{frame.x(one.at)}" cy="{frame.height - 3}" r="1.5"/>'
        for one in points
        if one.value is None
    ]
    return [f'<path class="line" d="{path}"/>'] * bool(path) + gaps


def _path(frame: Frame, values: Iterable[tuple[datetime, float | None]]) -> str:
    """One line for each unbroken stretch; a stretch of one value is a short dash, not nothing."""
    stretches: list[list[str]] = [[]]
    for at, value in values:
        if value is None:
            stretches.append([])
        else:
            stretches[-1].append(f"{frame.x(at)} {frame.y(value)}")
    told = [
        f"M{' L'.join(stretch)}{' h1' if len(stretch) == 1 else ''}"
        for stretch in stretches
        if stretch
    ]
    return " ".join(told)


def _svg(size: tuple[int, int], kind: str, label: str, parts: Sequence[str]) -> Markup:
    width, height = size
    return Markup(  # noqa: S704  every value is a number or escaped
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )
