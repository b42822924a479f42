"""Statistics of a check's last looks: what they are, and that they outlive a restart."""

import math
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsbook.base.database import Database
from opsbook.book.fields import Part
from opsbook.book.sections.checks import Check
from opsbook.checks import Context, Kind, Reading, store
from opsbook.checks.model import LONGEST
from opsbook.checks.recent import Recent, judged, read, statistic
from tests.checks.making import Watch, book

SECONDS = timedelta(seconds=1)
NUMBERS = st.floats(-1e9, 1e9)


def check(**fields: Any) -> Check:
    given = {"kind": "tcp", "host": "127.0.0.1", "port": 1, "every": "1m", **fields}
    return book({"it": given}).checks["it"]


@given(st.lists(NUMBERS, min_size=1, max_size=60))
def test_each_statistic_is_what_its_name_says(values: list[float]) -> None:
    assert statistic("last", values) == values[-1]
    assert statistic("maximum", values) == max(values)
    assert statistic("minimum", values) == min(values)
    assert statistic("sum", values) == math.fsum(values)
    assert statistic("average", values) == pytest.approx(fmean(values), abs=1e-6)
    assert min(values) <= statistic("average", values) <= max(values)


@given(st.lists(NUMBERS, min_size=1, max_size=200))
def test_a_p95_is_the_smallest_value_that_95_in_100_do_not_exceed(values: list[float]) -> None:
    found = statistic("p95", values)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= len(values) * 95
    assert sum(value < found for value in values) * 100 < len(values) * 95


def test_a_sum_beyond_all_numbers_is_missing_data_and_no_error() -> None:
    it = check(statistic="sum", over="5m")
    recent = Recent(timedelta(minutes=5))
    at = datetime.fromisoformat("2026-03-03T09:00:00+00:00")
    judged(it, Reading(1e308, "ms"), recent, at)
    found = judged(it, Reading(1e308, "ms"), recent, at + SECONDS)
    assert (found.state, found.value) == ("nodata", None)


@given(NUMBERS, st.sampled_from(["ms", "%", "bytes", "", "s"]), st.text(max_size=2 * LONGEST))
def test_what_a_look_brought_is_read_back_from_what_it_says(
    value: float, unit: str, message: str
) -> None:
    it = check(statistic="average", over="5m")
    at = datetime.fromisoformat("2026-03-03T09:00:00+00:00")
    found = judged(it, Reading(value, unit, message), Recent(timedelta(minutes=5)), at)
    assert read(found.message) == pytest.approx(value, rel=1e-5)
    assert len(found.message) <= LONGEST


def test_a_message_of_another_sort_has_no_value_to_read_back() -> None:
    assert read("127.0.0.1:1 takes connections") is None
    assert read("average over 5m of 3 looks; this one fine") is None
    assert read("average over 5m of 3 looks; this one 1e-e-e") is None


def test_one_slow_answer_among_many_is_no_warning_for_a_p95_and_many_are(now: datetime) -> None:
    it = check(statistic="p95", over="30m", bands={"warning": "> 500ms"})
    recent = Recent(timedelta(minutes=30))
    for n in range(29):
        found = judged(it, Reading(100.0, "ms", "fine"), recent, now + n * 60 * SECONDS)
    slow = judged(it, Reading(900.0, "ms", "fine"), recent, now + 29 * 60 * SECONDS)
    assert (slow.state, slow.value) == ("ok", 100.0)
    assert slow.message == "p95 over 30m of 30 looks; this one 900 ms: fine"
    again = judged(it, Reading(900.0, "ms", "fine"), recent, now + 30 * 60 * SECONDS)
    assert (found.state, again.state, again.value) == ("ok", "warning", 900.0)


def test_looks_leave_a_statistic_once_its_time_is_over(now: datetime) -> None:
    it = check(statistic="maximum", over="5m")
    recent = Recent(timedelta(minutes=5))
    values = [
        judged(it, Reading(value, "ms"), recent, now + minute * 60 * SECONDS).value
        for minute, value in ((0, 9.0), (1, 1.0), (4, 2.0), (5, 3.0))
    ]
    assert values == [9.0, 9.0, 9.0, 3.0]


def test_too_few_looks_are_no_data_and_say_so(now: datetime) -> None:
    it = check(statistic="average", over="5m", at_least=3, bands={"critical": "> 1ms"})
    recent = Recent(timedelta(minutes=5))
    found = [judged(it, Reading(9.0, "ms"), recent, now + n * 60 * SECONDS) for n in range(3)]
    assert [one.state for one in found] == ["nodata", "nodata", "critical"]
    told = "average over 5m of 2 looks; this one 9 ms; at least 3 are needed"
    assert (found[1].value, found[1].message) == (None, told)


def test_what_failed_says_so_at_once_and_counts_for_no_statistic(now: datetime) -> None:
    it = check(statistic="average", over="5m")
    recent = Recent(timedelta(minutes=5))
    judged(it, Reading(100.0, "ms"), recent, now)
    refused = judged(it, Reading(3.0, "ms", "wrong status 500", "critical"), recent, now + SECONDS)
    assert (refused.state, refused.value) == ("critical", 3.0)
    silent = judged(it, Reading(None, "ms", "no route"), recent, now + 2 * SECONDS)
    assert (silent.state, silent.value) == ("nodata", None)
    assert judged(it, Reading(200.0, "ms"), recent, now + 3 * SECONDS).value == 150.0


def counting(values: list[float]) -> dict[str, Kind]:
    async def observe(spec: Part, context: Context) -> Reading:
        return Reading(values.pop(0))

    return {"numbers": Kind("numbers", Part, observe)}


async def test_a_statistic_goes_on_across_a_restart(database: Database, now: datetime) -> None:
    kinds = counting([1.0, 2.0, 4.0, 8.0])
    it = {"kind": "numbers", "every": "1m", "statistic": "sum", "over": "1h"}
    shop = book({"it": it}, kinds=kinds)
    async with Watch(database, now, shop, kinds=kinds) as watch:
        await watch.wind(seconds=130)
    later = now + timedelta(minutes=10)
    async with Watch(database, later, shop, kinds=kinds) as watch:
        await watch.wind(seconds=10)
    rows = await database.read(lambda tx: store.latest(tx, "shop", "it"))
    assert [row["value"] for row in rows][::-1] == [1.0, 3.0, 7.0, 15.0]
    assert rows[0]["message"] == "sum over 1h of 4 looks; this one 8"


async def test_new_bands_keep_the_values_and_another_target_begins_anew(
    sqlite_database: Database, now: datetime
) -> None:
    kinds = counting([1.0, 2.0, 4.0])

    def edition(**fields: Any) -> Any:
        it = {"kind": "numbers", "every": "1m", "statistic": "sum", "over": "1h", **fields}
        return book({"it": it}, kinds=kinds)

    async with Watch(sqlite_database, now, edition(), kinds=kinds) as watch:
        await watch.wind(seconds=10)
        await watch.reload(edition(bands={"warning": "> 2"}))
        await watch.wind(seconds=10)
        status = await sqlite_database.read(lambda tx: store.status_of(tx, "shop", "it"))
        assert status is not None
        assert (status["value"], status["state"]) == (3.0, "warning")
        await watch.reload(edition(ref="§1"))
        await watch.wind(seconds=10)
        status = await sqlite_database.read(lambda tx: store.status_of(tx, "shop", "it"))
        assert status is not None
        assert status["value"] == 7.0
