"""What many looks come to: least, most, mean, p95, and how many were in each state. Pure.

A rollup stands for one span of time of one check. `count` is how many looks had a value, which is
what a mean is weighted by; how many looks there were is the sum of the states. Rollups of five
minutes and of an hour are made from the looks themselves, so both are exact.

Rollups put together are exact as well, but for the p95: from two p95s nobody can tell that of the
whole. The larger of the two is taken, which the whole never exceeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from opsbook.checks.recent import rank95, statistic

SECOND = 1_000_000
FIVE_MINUTES, HOUR = 300, 3600
SPANS = (FIVE_MINUTES, HOUR)
STATES = ("ok", "warning", "critical", "nodata")


class Seen(NamedTuple):
    """One look: its time in microseconds since 1970, as the database has it."""

    at: int
    state: str
    value: float | None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Rollup:
    """What the looks of one span come to; it begins at `start`, in microseconds since 1970."""

    start: int
    count: int
    ok: int
    warning: int
    critical: int
    nodata: int
    least: float | None
    most: float | None
    mean: float | None
    p95: float | None
    unit: str = ""


def floor(at: int, span_s: int) -> int:
    """Return the beginning of the span in which a time lies."""
    return at - at % (span_s * SECOND)


def spans(seen: Iterable[Seen], span_s: int) -> list[Rollup]:
    """Return what looks, in the order of time, come to in each span that has any."""
    return [of(start, list(some)) for start, some in groupby(seen, lambda s: floor(s.at, span_s))]


def of(start: int, seen: Sequence[Seen]) -> Rollup:
    """Return what at least one look comes to."""
    values = [one.value for one in seen if one.value is not None]
    states = [one.state for one in seen]
    return Rollup(
        start,
        len(values),
        ok=states.count("ok"),
        warning=states.count("warning"),
        critical=states.count("critical"),
        nodata=states.count("nodata"),
        least=min(values, default=None),
        most=max(values, default=None),
        mean=statistic("average", values) if values else None,
        p95=sorted(values)[rank95(len(values)) - 1] if values else None,
        unit=next((one.unit for one in reversed(seen) if one.value is not None), seen[-1].unit),
    )


def merged(one: Rollup, other: Rollup) -> Rollup:
    """Return what two rollups come to together; it begins where the first of them does."""
    count = one.count + other.count
    mean = one.mean if other.mean is None else other.mean
    if one.mean is not None and other.mean is not None:
        mean = one.mean + (other.mean - one.mean) * (other.count / count)
    return Rollup(
        min(one.start, other.start),
        count,
        one.ok + other.ok,
        one.warning + other.warning,
        one.critical + other.critical,
        one.nodata + other.nodata,
        least=min((v for v in (one.least, other.least) if v is not None), default=None),
        most=max((v for v in (one.most, other.most) if v is not None), default=None),
        mean=mean,
        p95=max((v for v in (one.p95, other.p95) if v is not None), default=None),
        unit=other.unit or one.unit,
    )
