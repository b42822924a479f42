"""A drop against the same hour of past weeks: summer time, holidays, campaigns, thin history."""

import statistics
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsbook.alerts import baseline
from opsbook.alerts.baseline import Baseline, Hour, Week
from opsbook.alerts.measuring import Explained, Past, Seen, explain
from opsbook.calendar import Days
from tests.alerts.histories import EVERY, START, Look, a_rule, series

WHEN = {"drop": "> 40%", "against": "same_hour"}
SEOUL, BERLIN = ZoneInfo("Asia/Seoul"), ZoneInfo("Europe/Berlin")


def weeks(*means: float | None, unit: str = "", holidays: tuple[int, ...] = ()) -> tuple[Week, ...]:
    return tuple(
        Week(START - (n + 1) * baseline.WEEK, mean, unit, n in holidays)
        for n, mean in enumerate(means)
    )


def judged(
    values: list[float], usual: tuple[Week, ...], *, when: Any = WHEN, holiday: bool = False,
    unit: str = "",
) -> Explained:  # fmt: skip
    """What a drop says of looks since the hour began."""
    looks = [Look(30.0 * n, value, unit) for n, value in enumerate(values)]
    before = [Look(-30.0, 1e9, unit)]
    base = Baseline(START, holiday, baseline.fewest(EVERY), usual)
    past = Past(EVERY, series([*before, *looks]), base)
    return explain(a_rule(when), Seen(looks[-1].at, "ok", looks[-1].value, unit, past))


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 1e5), min_size=30, max_size=60),
    st.lists(st.one_of(st.none(), st.floats(1, 1e5)), min_size=4, max_size=4),
    st.sets(st.integers(0, 3)),
)
def test_a_drop_is_from_the_median_of_the_weeks_to_the_average_of_this_hour(
    values: list[float], means: list[float | None], holidays: set[int]
) -> None:
    found = judged(values, weeks(*means, holidays=tuple(holidays)))
    comparable = [mean for n, mean in enumerate(means) if mean is not None and n not in holidays]
    if len(comparable) < 2:
        assert found.meets is None
        assert "2 are needed" in str(found)
        return
    usual = statistics.median(comparable)
    drop = (usual - statistics.fmean(values)) / usual * 100
    assert found.value == pytest.approx(drop, abs=1e-6)
    assert found.meets is (found.value is not None and found.value > 40)


def test_one_week_with_a_campaign_does_not_move_what_is_usual() -> None:
    found = judged([50.0] * 30, weeks(100.0, 4000.0, 98.0, 102.0))
    assert str(found) == (
        "this hour's average is 50 (values: 30), 50.5 % below the usual 101 (weeks: 4); "
        "it fires at > 40%"
    )
    assert found.meets is True


@pytest.mark.parametrize(
    ("values", "usual", "more", "told"),
    [
        ([0.0] * 29, weeks(100.0, 100.0), {},
         "this hour has too few values so far: 29 of at least 30"),
        ([0.0] * 30, weeks(100.0, None, None, None), {},
         "the same hour can be compared in 1 of 4 weeks; 2 are needed"),
        ([0.0] * 30, weeks(100.0, 100.0, 100.0, holidays=(0, 1)), {},
         "the same hour can be compared in 1 of 4 weeks; 2 are needed"),
        ([0.0] * 30, weeks(100.0, 100.0), {"holiday": True},
         "today is a holiday, and usual is what other days have"),
        ([0.0] * 30, weeks(0.0, 0.0), {}, "usual is 0 at this hour, of which there is no share"),
        ([0.0] * 30, weeks(12.0, 13.0), {"when": {**WHEN, "usual": ">= 50"}},
         "usual is 12.5 at this hour, and the rule wants >= 50"),
        ([0.0] * 30, weeks(12.0, 13.0, unit="bytes"), {"unit": "ms"},
         "the same hour can be compared in 0 of 4 weeks; 2 are needed"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_said_with_its_reason(
    values: list[float], usual: tuple[Week, ...], more: dict[str, Any], told: str
) -> None:
    found = judged(values, usual, **more)
    assert (found.meets, str(found)) == (None, told)


def test_enough_is_usual_and_all_of_it_is_gone() -> None:
    found = judged([0.0] * 30, weeks(60.0, 50.0), when={**WHEN, "usual": ">= 50"})
    assert (found.meets, found.value, found.unit) == (True, 100.0, "%")


def test_weeks_in_another_unit_are_turned_into_this_one() -> None:
    found = judged([0.5] * 30, weeks(1000.0, 1000.0, unit="ms"), unit="s")
    assert found.value == pytest.approx(50.0)


def test_the_same_hour_is_the_one_that_the_wall_clock_showed() -> None:
    start = datetime(2026, 4, 6, 7, 0, tzinfo=UTC)  # 09:00 in summer; until 29 March it was 08:00
    hours = baseline.same_hours(start, 3, BERLIN)
    assert [one.astimezone(BERLIN).hour for one in hours] == [9, 9, 9]
    assert [one.hour for one in hours] == [7, 8, 8]
    assert baseline.same_hours(START, 2, SEOUL) == [START - timedelta(days=7 * n) for n in (1, 2)]


def test_the_hour_that_the_clocks_skip_and_the_one_they_repeat_are_hours_that_there_were() -> None:
    skipped = baseline.same_hours(datetime(2026, 4, 5, 0, 0, tzinfo=UTC), 1, BERLIN)
    assert skipped == [datetime(2026, 3, 29, 1, 0, tzinfo=UTC)]  # 02:00 on the wall, never shown
    repeated = baseline.same_hours(datetime(2026, 11, 1, 1, 0, tzinfo=UTC), 1, BERLIN)
    assert repeated == [datetime(2026, 10, 25, 0, 0, tzinfo=UTC)]  # the first time round


def test_an_hour_in_which_the_looks_mostly_failed_is_none_to_compare_with() -> None:
    starts = baseline.same_hours(START, 4, SEOUL)
    row = {"mean": 100.0, "unit": "", "count": 120, "ok": 100, "warning": 15, "critical": 5}
    hours = {
        starts[0]: Hour.rolled({**row, "nodata": 0}),
        starts[1]: Hour.rolled({**row, "nodata": 120}),
        starts[2]: Hour.rolled({**row, "nodata": 121}),
        starts[3]: Hour.rolled({**row, "count": 0, "nodata": 0, "mean": None}),
    }
    days = Days(also={starts[0].astimezone(SEOUL).date(): "Off"})
    found = baseline.weeks_of(starts, hours, SEOUL, days)
    assert [week.mean for week in found] == [100.0, 100.0, None, None]
    assert [week.holiday for week in found] == [True, False, False, False]


def test_a_holiday_is_one_by_the_books_own_calendar() -> None:
    late = datetime(2026, 2, 15, 16, 0, tzinfo=UTC)  # the 16th in Seoul, the first of Seollal
    assert baseline.is_holiday(late, SEOUL, Days("KR"))
    assert not baseline.is_holiday(late - timedelta(hours=2), SEOUL, Days("KR"))


def test_slow_checks_need_one_value_and_quick_ones_a_quarter_of_an_hour() -> None:
    minutes = [timedelta(minutes=n) for n in (1, 15, 60)]
    assert [baseline.fewest(every) for every in minutes] == [15, 1, 1]
