"""What many looks come to: pure, and as the server puts the old ones together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from opsbook.alerts.rules import CONSUMER
from opsbook.base import events
from opsbook.base.database import EPOCH, Database, Transaction
from opsbook.book.library import Library
from opsbook.checks import Observation, history, retention, rollups, store
from opsbook.checks.retention import READERS, Forgetting
from opsbook.checks.rollups import FIVE_MINUTES, HOUR, SECOND, STATES, Rollup, Seen
from opsbook.checks.tables import observation, rollup
from tests.checks.making import Watch, book

MINUTES = timedelta(minutes=1)
HOURS = timedelta(hours=1)
DAYS = timedelta(days=1)

LOOKS = st.builds(
    Seen,
    st.integers(0, 4 * 3600 * SECOND),
    st.sampled_from(STATES),
    st.none() | st.floats(-1e9, 1e9),
    st.just("ms"),
)
SEEN = st.lists(LOOKS, min_size=1, max_size=120).map(
    lambda looks: sorted(looks, key=lambda one: one.at)
)


def together(some: Sequence[Rollup]) -> Rollup:
    whole = some[0]
    for one in some[1:]:
        whole = rollups.merged(whole, one)
    return whole


@given(SEEN)
def test_rollups_put_together_are_the_rollup_of_all_their_looks(looks: list[Seen]) -> None:
    whole = rollups.of(rollups.floor(looks[0].at, FIVE_MINUTES), looks)
    parts = rollups.spans(looks, FIVE_MINUTES)
    assert all(one.start % (FIVE_MINUTES * SECOND) == 0 for one in parts)
    for order in (parts, parts[::-1]):
        found = together(order)
        assert replace(found, mean=None, p95=None) == replace(whole, mean=None, p95=None)
        assert (found.mean is None) == (whole.mean is None)
        if whole.mean is not None and found.mean is not None:
            assert found.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-6)
        if whole.p95 is not None and found.p95 is not None:
            assert whole.p95 <= found.p95 <= (whole.most or found.p95)


@given(SEEN)
def test_a_rollup_is_what_its_looks_say(looks: list[Seen]) -> None:
    found = rollups.of(0, looks)
    values = [one.value for one in looks if one.value is not None]
    counted = Counter(one.state for one in looks)
    assert {state: getattr(found, state) for state in STATES} == {s: counted[s] for s in STATES}
    assert found.count == len(values)
    if values:
        assert (found.least, found.most) == (min(values), max(values))
        assert found.mean == pytest.approx(fmean(values), abs=1e-6)
        assert found.p95 in values
    else:
        assert (found.least, found.most, found.mean, found.p95) == (None,) * 4


# ---- in the database ----------------------------------------------------------------------------


def seen(at: datetime, value: float | None, check: str = "disk", of: str = "shop") -> Observation:
    state = "nodata" if value is None else "critical" if value > 90 else "ok"
    return Observation(of, check, at, state, value, "%", 1.5, "")  # type: ignore[arg-type]


async def write(database: Database, looks: Sequence[Observation], *, read: bool = True) -> None:
    def work(tx: Transaction) -> None:
        store.keep(tx, looks)
        newest = tx.scalar(sa.select(sa.func.max(observation.c.id)))
        if read:
            for reader in READERS:
                events.move(tx, reader, newest)

    await database.write(work)


async def left(database: Database) -> list[dict[str, Any]]:
    return await database.read(lambda tx: store.after(tx, 0, 1_000_000))


async def rolled(database: Database, span: int = HOUR, check: str = "disk") -> list[dict[str, Any]]:
    mine = (rollup.c.span_s == span) & (rollup.c.check_id == check)
    query = sa.select(rollup).where(mine).order_by(rollup.c.start)
    return await database.read(lambda tx: tx.rows(query))


def forgetting(database: Database, now: datetime, **kept: str) -> Forgetting:
    disk = {"kind": "host", "metric": "disk"}
    watch = Watch(database, now, book({"disk": disk}, retention=kept))
    return Forgetting(database, watch.library, batch=50)


async def test_old_looks_become_rollups_of_five_minutes_and_of_an_hour(
    database: Database, now: datetime
) -> None:
    start = now - 30 * HOURS
    looks = [seen(start + n * MINUTES, float(n % 100)) for n in range(30 * 60)]
    looks[7] = seen(start + 7 * MINUTES, None)
    await write(database, looks)
    due = await forgetting(database, now).tick(now)
    assert due == now + HOURS
    rows = await left(database)
    assert [row["at"] for row in (rows[0], rows[-1])] == [now - DAYS, now - MINUTES]
    hourly, fine = await rolled(database), await rolled(database, FIVE_MINUTES)
    assert [row["start"] for row in hourly] == [start + n * HOURS for n in range(6)]
    assert [row["start"] for row in fine] == [start + 5 * n * MINUTES for n in range(72)]
    assert {name: hourly[0][name] for name in ("count", "ok", "critical", "nodata", "unit")} == {
        "count": 59, "ok": 59, "critical": 0, "nodata": 1, "unit": "%",
    }  # fmt: skip
    assert (hourly[0]["least"], hourly[0]["most"], hourly[0]["p95"]) == (0.0, 59.0, 57.0)
    assert hourly[0]["mean"] == pytest.approx((sum(range(60)) - 7) / 59)
    assert (fine[1]["count"], fine[1]["nodata"], fine[1]["least"]) == (4, 1, 5.0)


async def test_each_look_is_counted_once_however_often_and_late_it_is_done(
    database: Database, now: datetime
) -> None:
    start = now - 40 * DAYS
    looks = [seen(start + 7 * n * MINUTES, float(n)) for n in range(1000)]
    await write(database, looks)
    keeping = forgetting(database, now, rollups_5m="90d")
    for n in range(3):
        await keeping.tick(now + n * HOURS)
    assert await left(database) == []
    for span in (FIVE_MINUTES, HOUR):
        rows = await rolled(database, span)
        assert sum(row["count"] for row in rows) == 1000
        assert sum(row["mean"] * row["count"] for row in rows) == pytest.approx(sum(range(1000)))


async def test_a_look_that_is_written_late_is_added_to_its_hour(
    database: Database, now: datetime
) -> None:
    at = now - 30 * HOURS
    keeping = forgetting(database, now)
    await write(database, [seen(at, 10.0), seen(at + 31 * MINUTES, 20.0)])
    await keeping.tick(now)
    await write(database, [seen(at + MINUTES, 95.0)])
    await keeping.tick(now)
    (hour,) = await rolled(database)
    assert (hour["count"], hour["critical"], hour["least"], hour["most"]) == (3, 1, 10.0, 95.0)
    assert hour["mean"] == pytest.approx(125 / 3)
    fine = await rolled(database, FIVE_MINUTES)
    assert [row["count"] for row in fine] == [2, 1]


async def test_what_rules_have_not_seen_yet_is_not_taken_from_them(
    database: Database, now: datetime
) -> None:
    start = now - 30 * HOURS
    keeping = forgetting(database, now)
    await write(database, [seen(start + n * MINUTES, 1.0) for n in range(90)])
    await write(database, [seen(start + n * MINUTES, 2.0) for n in range(90, 240)], read=False)
    await keeping.tick(now)
    rows = await left(database)
    assert rows[0]["at"] == start + HOURS
    assert len(rows) == 180
    await database.write(lambda tx: events.move(tx, READERS[0], rows[-1]["id"]))
    await keeping.tick(now)
    assert await left(database) == []
    assert [row["count"] for row in await rolled(database)] == [60, 60, 60, 60]


def test_the_readers_that_are_waited_for_are_those_there_are() -> None:
    assert READERS == (CONSUMER,)


async def test_a_second_server_that_does_the_same_counts_nothing_twice(
    database: Database, now: datetime
) -> None:
    await write(database, [seen(now - 30 * HOURS + n * MINUTES, 1.0) for n in range(60)])
    before = retention.hour(now - DAYS)
    for _ in range(2):
        await database.write(lambda tx: retention.roll(tx, "shop", "disk", before))
    (hour,) = await rolled(database)
    assert hour["count"] == 60


async def test_a_roll_that_is_undone_leaves_everything_as_it_was(
    database: Database, now: datetime
) -> None:
    await write(database, [seen(now - 30 * HOURS + n * MINUTES, 1.0) for n in range(60)])

    def work(tx: Transaction) -> None:
        retention.roll(tx, "shop", "disk", retention.hour(now - DAYS))
        raise RuntimeError("the power is gone")

    with pytest.raises(RuntimeError):
        await database.write(work)
    assert len(await left(database)) == 60
    assert await rolled(database) == []


async def test_each_book_has_its_own_times_and_one_that_is_gone_the_usual(
    database: Database, now: datetime
) -> None:
    looks = [seen(now - n * HOURS, 1.0) for n in range(1, 40)]
    await write(database, looks + [replace(one, book="gone") for one in looks])
    await forgetting(database, now, observations="10h").tick(now)
    counted = Counter(row["book"] for row in await left(database))
    assert counted == {"shop": 10, "gone": 24}


async def test_rollups_go_when_their_own_time_is_over(database: Database, now: datetime) -> None:
    await write(database, [seen(now - n * DAYS, 1.0) for n in range(2, 800, 10)])
    await forgetting(database, now).tick(now)
    fine, hourly = await rolled(database, FIVE_MINUTES), await rolled(database)
    assert min(row["start"] for row in fine) >= now - 30 * DAYS
    assert min(row["start"] for row in hourly) >= now - 730 * DAYS
    assert (len(fine), len(hourly)) == (3, 73)
    nothing = Library(database, Watch(database, now).library.vocabulary)
    await Forgetting(database, nothing).tick(now + 2000 * DAYS)
    assert await rolled(database) == []


async def test_an_hour_of_more_looks_than_fit_is_still_one_hour(
    sqlite_database: Database, now: datetime
) -> None:
    start = now - 30 * HOURS
    await write(sqlite_database, [seen(start + n * MINUTES / 4, 1.0) for n in range(480)])
    await forgetting(sqlite_database, now).tick(now)
    assert [row["count"] for row in await rolled(sqlite_database)] == [240, 240]


# ---- as points of a chart -----------------------------------------------------------------------


async def points(
    database: Database, since: datetime, until: datetime, count: int
) -> list[history.Point]:
    return await database.read(lambda tx: history.history(tx, "shop", "disk", since, until, count))


async def test_a_chart_has_the_same_totals_before_and_after_looks_were_put_together(
    database: Database, now: datetime
) -> None:
    start = now - 50 * HOURS
    await write(database, [seen(start + n * MINUTES, float(n % 97)) for n in range(50 * 60)])
    before = await points(database, start, now, 10)
    await forgetting(database, now).tick(now)
    after = await points(database, start, now, 10)
    assert [replace(one, p95=None, mean=None) for one in after] == [
        replace(one, p95=None, mean=None) for one in before
    ]
    assert [one.mean for one in after] == pytest.approx([one.mean for one in before])
    assert all((new.p95 or 0) >= (old.p95 or 0) for new, old in zip(after, before, strict=True))
    assert len(after) <= 11
    assert sum(one.count for one in after) == 3000


async def test_a_short_chart_shows_every_look_and_its_gaps(
    database: Database, now: datetime
) -> None:
    looks = [seen(now - n * MINUTES, 50.0 + n if n != 3 else None) for n in range(10, 0, -1)]
    await write(database, looks)
    found = await points(database, now - 10 * MINUTES, now, 1000)
    assert [one.at for one in found] == [one.at for one in looks]
    assert [one.mean for one in found] == [one.value for one in looks]
    gap = found[7]
    assert (gap.count, gap.least, gap.p95, gap.states["nodata"]) == (0, None, None, 1)
    assert (found[0].p95, found[0].states["ok"], found[0].unit) == (60.0, 1, "%")
    assert await points(database, now - 400 * DAYS, now - 300 * DAYS, 100) == []


async def test_a_year_is_told_from_hours_five_minutes_and_looks(
    database: Database, now: datetime
) -> None:
    await write(database, [seen(now - 6 * n * HOURS - MINUTES, 1.0) for n in range(4 * 365)])
    await Forgetting(database, Library(database, Watch(database, now).library.vocabulary)).tick(now)
    year = await points(database, now - 365 * DAYS, now, 500)
    assert sum(one.count for one in year) == 4 * 365
    assert 480 <= len(year) <= 501
    assert [one.at for one in year] == sorted(one.at for one in year)
    month = await points(database, now - 40 * DAYS, now, 5000)
    assert sum(one.count for one in month) == 4 * 40


@given(st.integers(0, 10**15), st.sampled_from([FIVE_MINUTES, HOUR]))
def test_a_span_begins_on_the_clock(micro: int, span: int) -> None:
    at = EPOCH + timedelta(microseconds=rollups.floor(micro, span))
    assert at <= EPOCH + timedelta(microseconds=micro) < at + timedelta(seconds=span)
    assert at.astimezone(UTC).timestamp() % span == 0
