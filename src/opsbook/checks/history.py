"""What a check saw over any length of time, as the points of a chart.

An observation is a row of its own, or counted in the rollups of its hour, and never both: so the
two are read side by side and need no line between them. Of the rollups, those of five minutes are
taken where they are still kept and fine enough to matter, those of an hour before that.

Rollups are put together by the database, since a year of hours is nine thousand rows that nobody
looks at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from opsbook.base.database import EPOCH, Transaction
from opsbook.checks.rollups import (
    FIVE_MINUTES,
    HOUR,
    SECOND,
    STATES,
    Rollup,
    Seen,
    floor,
    merged,
    of,
)
from opsbook.checks.tables import observation, rollup

MICRO = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Point:
    """What the looks of one stretch come to; `at` is the first of them, or its span's beginning.

    `count` is how many had a value, and `states` how many were in each state. `p95` is that of the
    looks where the stretch is one span, and at most too high where it is several (see `rollups`).
    """

    at: datetime
    count: int
    least: float | None
    mean: float | None
    p95: float | None
    most: float | None
    states: Mapping[str, int]
    unit: str


def history(
    tx: Transaction, book: str, check_id: str, since: datetime, until: datetime, points: int
) -> list[Point]:
    """Return about `points` stretches of a check's past that have looks in them, oldest first.

    Stretches are equally long, but for times of which only coarser spans are left: one point is
    never finer than what was kept.
    """
    first, last = (since - EPOCH) // MICRO, (until - EPOCH) // MICRO
    step = max(1, -(-(last - first) // max(1, points)))
    mine = (book, check_id)
    fine = _oldest(tx, mine) if step < HOUR * SECOND else None
    fine = last if fine is None else floor(fine + HOUR * SECOND - 1, HOUR)
    found: dict[tuple[int, int], Rollup] = {}
    for rows in (
        _rollups(tx, mine, HOUR, first, min(fine, last), step),
        _rollups(tx, mine, FIVE_MINUTES, max(first, fine), last, step),
        _looks(tx, mine, first, last, step),
    ):
        for key, one in rows:
            found[key] = merged(found[key], one) if key in found else one
    return [_point(one) for one in sorted(found.values(), key=lambda one: one.start)]


def _oldest(tx: Transaction, mine: tuple[str, str]) -> int | None:
    """Return when the oldest rollup of five minutes begins."""
    found: int | None = tx.execute(_OLDEST, _given(mine, FIVE_MINUTES)).scalar()
    return found


def _given(mine: tuple[str, str], span_s: int, **more: int) -> dict[str, Any]:
    return {"book": mine[0], "check": mine[1], "span": span_s, **more}


def _coarse(step: int, span_s: int) -> int:
    """Return a step that whole spans fit into."""
    span = span_s * SECOND
    return -(-step // span) * span


Keyed = list[tuple[tuple[int, int], Rollup]]


def _rollups(
    tx: Transaction, mine: tuple[str, str], span_s: int, first: int, last: int, step: int
) -> Keyed:
    """Put rollups of one span together that begin in a time, or reach into its beginning."""
    first = floor(first, span_s)
    if first >= last:
        return []
    step = _coarse(step, span_s)
    given = _given(mine, span_s, first=first, last=last - 1, step=step)
    rows: list[Any] = list(tx.execute(_TOGETHER, given))
    if not rows:
        return []
    unit = tx.execute(_UNIT, _given(mine, span_s)).scalar() or ""
    return [((step, row[0]), _rollup(row, max(first, row[0] * step), unit)) for row in rows]


def _rollup(row: Any, start: int, unit: str) -> Rollup:
    _, count, ok, warning, critical, nodata, least, most, mean, p95 = row
    # PostgreSQL sums whole numbers to ones of any length, which are no int here.
    return Rollup(
        start, int(count), int(ok), int(warning), int(critical), int(nodata),
        least, most, mean, p95, unit,
    )  # fmt: skip


def _looks(tx: Transaction, mine: tuple[str, str], first: int, last: int, step: int) -> Keyed:
    """Put observations together; here and not there, where a p95 takes a window for each row."""
    if step > HOUR * SECOND:
        step = _coarse(step, HOUR)
    elif step > FIVE_MINUTES * SECOND:
        step = _coarse(step, FIVE_MINUTES)
    given = {"book": mine[0], "check": mine[1], "first": first, "last": last}
    rows: list[Any] = list(tx.execute(_LOOKS, given))
    return [
        ((step, stretch), of(looks[0].at, looks))
        for stretch, some in groupby(rows, lambda row: row[0] // step)
        if (looks := [Seen(*row) for row in some])
    ]


def _point(one: Rollup) -> Point:
    states = {state: getattr(one, state) for state in STATES}
    at = EPOCH + MICRO * one.start
    return Point(at, one.count, one.least, one.mean, one.p95, one.most, states, one.unit)


_FIRST = sa.bindparam("first", type_=sa.BigInteger)
_LAST = sa.bindparam("last", type_=sa.BigInteger)
_START = sa.type_coerce(rollup.c.start, sa.BigInteger)
_COUNT = sa.func.sum(rollup.c.count)
_MINE = (
    (rollup.c.book == sa.bindparam("book"))
    & (rollup.c.check_id == sa.bindparam("check"))
    & (rollup.c.span_s == sa.bindparam("span"))
)
_OLDEST = sa.select(sa.func.min(_START)).where(_MINE)
_UNIT = sa.select(rollup.c.unit).where(_MINE).order_by(rollup.c.start.desc()).limit(1)
_TOGETHER = (
    sa.select(
        (_START // sa.bindparam("step", type_=sa.BigInteger)).label("stretch"),
        _COUNT,
        *(sa.func.sum(rollup.c[state]) for state in STATES),
        sa.func.min(rollup.c.least),
        sa.func.max(rollup.c.most),
        sa.func.sum(rollup.c.mean * rollup.c.count) / sa.func.nullif(_COUNT, 0),
        sa.func.max(rollup.c.p95),
    )
    .where(_MINE, _START.between(_FIRST, _LAST))
    .group_by("stretch")
)
_AT = sa.type_coerce(observation.c.at, sa.BigInteger)
_LOOKS = (
    sa.select(_AT, observation.c.state, observation.c.value, observation.c.unit)
    .where(
        observation.c.book == sa.bindparam("book"),
        observation.c.check_id == sa.bindparam("check"),
        _AT.between(_FIRST, _LAST),
    )
    .order_by(observation.c.at, observation.c.id)
)
"""Built once: to build a statement costs as much as to run it."""
