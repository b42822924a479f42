"""A check's past: which stretch of it is looked at, its points, and the links that lead further.

What the server draws and what the script draws are made from the same points, so that both show the
same. A stretch without looks is a gap: how far two points may lie apart before it is one follows
from their neighbours, since the further back, the coarser is what was kept.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from opsbook.base.database import Transaction
from opsbook.base.quantities import Band
from opsbook.book.sections.checks import Check
from opsbook.checks.history import Point, history
from opsbook.web import charts, readings, words
from opsbook.web.charts import Stretch
from opsbook.web.i18n import N_, Speech

POINTS: Final = 400
SHORTEST: Final = timedelta(minutes=2)
LONGEST: Final = timedelta(days=800)
WORST: Final = ("critical", "warning", "nodata", "ok")
GAP: Final = 2.5
"""How many times the usual distance two points lie apart at most, without a gap between them."""

# How far back, with marks every; and what it is called.
SPANS: Final = {
    "hour": (timedelta(hours=1), N_("last hour")),
    "day": (timedelta(days=1), N_("last day")),
    "week": (timedelta(days=7), N_("last week")),
    "month": (timedelta(days=30), N_("last month")),
    "year": (timedelta(days=365), N_("last year")),
}
MARKS: Final = (
    timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1),
    timedelta(hours=3), timedelta(hours=6), timedelta(days=1), timedelta(days=7),
)  # fmt: skip


@dataclass(frozen=True)
class Range:
    """What is looked at: one of `SPANS` up to now, or, without a `span`, from then to then."""

    since: datetime
    until: datetime
    span: str = ""

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.until - self.since

    @property
    def query(self) -> str:
        """What asks for it again."""
        if self.span:
            return f"?span={self.span}"
        return f"?since={self.since.timestamp():.0f}&until={self.until.timestamp():.0f}"


def asked(now: datetime, span: str, since: int | None, until: int | None) -> Range:
    """Return what an address asks for; times are seconds since 1970, and a wish beyond reason fits.

    Somebody zooms by dragging, so no wish is refused: too short, too long or to come is moved.
    """
    if since is None or until is None:
        span = span if span in SPANS else "hour"
        return Range(now - SPANS[span][0], now, span)
    latest = int(now.timestamp()) + 1
    end = min(max(until, 0), latest)
    begin = min(max(since, end - int(LONGEST.total_seconds()), 0), end)
    if end - begin < SHORTEST.total_seconds():
        begin = max(0, end - int(SHORTEST.total_seconds()))
        end = begin + int(SHORTEST.total_seconds())
    return Range(datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC))


def further(now: datetime, seen: Range) -> list[tuple[str, Range]]:
    """Return where to go from here: earlier, later where there is something, closer and wider."""
    half, quarter = seen.length / 2, seen.length / 4
    found = [(N_("Earlier"), Range(seen.since - half, seen.until - half))]
    if seen.until < now - timedelta(seconds=2):
        found.append((N_("Newer"), Range(seen.since + half, min(seen.until + half, now))))
    if seen.length > 2 * SHORTEST:
        found.append((N_("Closer"), Range(seen.since + quarter, seen.until - quarter)))
    if seen.length < LONGEST / 2:
        wider = Range(seen.since - half, min(seen.until + half, now))
        found.append((N_("Wider"), wider))
    return found


def read(tx: Transaction, book: str, check: Check, seen: Range) -> list[Stretch]:
    """Return the stretches of a check's past, with empty ones where nothing was seen."""
    points = history(tx, book, check.id, seen.since, seen.until, POINTS)
    shown = [_stretch(one) for one in points]
    least = max(check.every, seen.length / POINTS)
    return with_gaps(shown, least)


def _stretch(one: Point) -> Stretch:
    state = next((name for name in WORST if one.states.get(name)), "nodata")
    return Stretch(one.at, one.least, one.mean, one.p95, one.most, state, one.unit)


def with_gaps(points: Sequence[Stretch], least: timedelta) -> list[Stretch]:
    """Put an empty stretch between points that lie further apart than those around them."""
    away = [(b.at - a.at) / timedelta(seconds=1) for a, b in pairwise(points)]
    found: list[Stretch] = []
    for n, one in enumerate(points):
        found.append(one)
        if n == len(away):
            break
        usual = max(median(away[max(0, n - 5) : n + 6]), least.total_seconds())
        if away[n] > GAP * usual:
            found.append(Stretch(one.at + timedelta(seconds=usual), None, None, None, None, ""))
    return found


def drawn(
    speech: Speech, check: Check, points: Sequence[Stretch], seen: Range, unit: str,
    zone: ZoneInfo, title: str,
) -> Markup:  # fmt: skip
    """Return the picture that needs no script; empty where nothing was seen."""
    label = speech.say("%(title)s, %(span)s", title=title, span=said(speech, seen, zone))
    return charts.chart(
        points, areas(speech, check, unit), seen.since, seen.until, unit, marks(seen, zone), label,
        words.reader(speech),
    )  # fmt: skip


def said(speech: Speech, seen: Range, zone: ZoneInfo) -> str:
    """Return a range in words."""
    if seen.span:
        return speech.say(SPANS[seen.span][1])
    begin, end = seen.since.astimezone(zone), seen.until.astimezone(zone)
    same = "%H:%M" if begin.date() == end.date() else "%Y-%m-%d %H:%M"
    return f"{begin:%Y-%m-%d %H:%M} – {end:{same}}"


def areas(speech: Speech, check: Check, unit: str) -> list[charts.Area]:
    """Return what is worth a warning and what is critical, in the unit of the values."""
    bands: list[tuple[str, Band | None]] = [
        ("warning", check.bands.warning),
        ("critical", check.bands.critical),
    ]
    return charts.areas(bands, unit, words.reader(speech))


def marks(seen: Range, zone: ZoneInfo) -> list[tuple[datetime, str]]:
    """Return the moments below a chart, on full steps of the book's own clock, six or so."""
    step = next((one for one in MARKS if seen.length / one <= 8), None)
    here = seen.since.astimezone(zone)
    at = here.replace(hour=0, minute=0, second=0, microsecond=0)
    if step is None:
        return _months(at, seen, zone)
    at += step * ((here - at) // step + 1)
    found = []
    while at < seen.until:
        midnight = (at.hour, at.minute) == (0, 0)
        found.append((at, f"{at.month}/{at.day}" if midnight else f"{at:%H:%M}"))
        at += step
    return found


def _months(at: datetime, seen: Range, zone: ZoneInfo) -> list[tuple[datetime, str]]:
    every = max(1, seen.length // timedelta(days=240))
    month = at.year * 12 + at.month
    found = []
    while (at := datetime(month // 12, month % 12 + 1, 1, tzinfo=zone)) < seen.until:
        if (at.month - 1) % every == 0:
            found.append((at, f"{at.year}/{at.month}" if at.month == 1 else f"{at.month}/{at.day}"))
        month += 1
    return found


def numbers(
    speech: Speech, check: Check, points: Sequence[Stretch], seen: Range, unit: str, zone: ZoneInfo
) -> Markup:
    """Return what the script draws, as the content of a block of data."""
    names = ("least", "mean", "p95", "most")
    values: dict[str, Any] = {
        "at": [round(one.at.timestamp(), 3) for one in points],
        **{name: [_short(getattr(one, name)) for one in points] for name in names},
        "state": [one.state for one in points],
        "since": seen.since.timestamp(),
        "until": seen.until.timestamp(),
        "unit": unit,
        "zone": zone.key,
        "areas": [
            {"low": one.low, "high": one.high, "tone": one.tone, "label": one.label}
            for one in areas(speech, check, unit)
        ],
        "words": {
            "mean": speech.say("mean"), "p95": "p95", "between": speech.say("least to most"),
            **{name: speech.say(words.CHECK[name].word) for name in WORST},
            "units": {name: speech.say(said, n="{}") for name, said in words.TIMES.items()},
        },
    }  # fmt: skip
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704  JSON that closes no element


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def unit_of(check: Check, status: dict[str, Any] | None, points: Sequence[Stretch]) -> str:
    """Return the unit of a check's values: as last seen, else as the book says."""
    seen = next((one.unit for one in reversed(points) if one.unit), "")
    return (status["unit"] if status else "") or seen or check.value_unit or ""


def path(book: str, check: str, seen: Range) -> str:
    """Return where a range of a check's past is."""
    return readings.path(book, check) + seen.query
