"""Each measure against the plainest way to say it, over every history that hypothesis thinks of."""

import math
import statistics
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsbook.alerts.measuring import Flow, Past, Seen, explain, increase
from opsbook.alerts.series import EMPTY
from tests.alerts.histories import EVERY, START, Look, a_rule, histories, judged

ALL = "> -1e300"
OVERS = st.sampled_from([60, 90, 300, 1800])


def not_exceeded(values: list[float], share: int) -> float:
    """The smallest value that so many of a hundred do not exceed."""
    return min(
        one for one in values if 100 * sum(other <= one for other in values) >= share * len(values)
    )


BRUTE: dict[str, Callable[[list[float]], float]] = {
    "average": statistics.fmean,
    "minimum": min,
    "maximum": max,
    "p50": lambda values: not_exceeded(values, 50),
    "p95": lambda values: not_exceeded(values, 95),
    "sum": math.fsum,
    "count": lambda values: float(len(values)),
}


def looked(looks: list[Look]) -> list[Look]:
    """By time, and those of one time as they were stored; up to the last that was stored."""
    return sorted((one for one in looks if one.at <= looks[-1].at), key=lambda one: one.at)


@settings(deadline=None)
@given(histories(), st.sampled_from(sorted(BRUTE)), OVERS, st.integers(1, 4))
def test_a_statistic_is_that_of_the_values_in_its_time(
    looks: list[Look], measure: str, over: int, least: int
) -> None:
    for n in range(1, len(looks) + 1):
        some = looks[:n]
        end = some[-1].second
        values = [
            one.value
            for one in looked(some)
            if end - over < one.second <= end and one.value is not None
        ]
        when = {measure: ALL, "over": f"{over}s"}
        if measure != "count":
            when["at_least"] = least
        found = judged(when, *some)
        if measure == "count":
            grace = min(over / 2, 3 * EVERY.total_seconds())
            begun = any(end - over - grace <= one.second <= end - over for one in some)
            assert found.meets is (True if begun else None)
            assert found.value == (float(len(values)) if begun else None)
        elif some[-1].value is None or len(values) < least:
            assert found.meets is None
        else:
            assert found.meets is True
            assert found.value == pytest.approx(BRUTE[measure](values))


def grown(values: list[float]) -> float:
    """What a counter counted, said step by step: one that became smaller began at 0."""
    return sum(after if after < before else after - before for before, after in pairwise(values))


def stretch(looks: list[Look], over: int) -> list[Look]:
    """The value that stood when the time began, if that is known, and those since."""
    end = looks[-1].second
    valued = [one for one in looked(looks) if one.value is not None]
    grace = min(over / 2, 3 * EVERY.total_seconds())
    before = [one for one in valued if end - over - grace <= one.second <= end - over]
    return before[-1:] + [one for one in valued if end - over < one.second <= end]


@settings(deadline=None)
@given(histories(st.integers(0, 50).map(float)), OVERS)
def test_growth_is_what_a_counter_counted_over_its_time_whenever_it_began_again(
    looks: list[Look], over: int
) -> None:
    for n in range(1, len(looks) + 1):
        some = looks[:n]
        since = stretch(some, over)
        values = [one.value for one in since if one.value is not None]
        by = judged({"increase": ALL, "over": f"{over}s"}, *some)
        at = judged({"rate": ">= 0/h", "over": f"{over}s"}, *some)
        if some[-1].value is None or len(values) < 2:
            assert (by.meets, at.meets) == (None, None)
            continue
        assert by.value == pytest.approx(grown(values))
        seconds = since[-1].second - since[0].second
        if seconds == 0:
            assert at.meets is None
        else:
            assert (at.meets, at.unit) == (True, "/h")
            assert at.value == pytest.approx(grown(values) / seconds * 3600)


@settings(deadline=None)
@given(histories(), OVERS)
def test_a_change_is_from_the_value_that_stood_then_and_from_no_other(
    looks: list[Look], over: int
) -> None:
    for n in range(1, len(looks) + 1):
        some = looks[:n]
        since, last = stretch(some, over), some[-1]
        known = bool(since) and since[0].second <= last.second - over and last.value is not None
        by = judged({"change": ALL, "over": f"{over}s"}, *some)
        share = judged({"change": "> -1e300%", "over": f"{over}s"}, *some)
        if not known:
            assert (by.meets, share.meets) == (None, None)
            continue
        before, now = since[0].value, last.value
        assert before is not None
        assert now is not None
        assert by.value == pytest.approx(now - before)
        if before == 0:
            assert share.meets is None
        else:
            assert share.value == pytest.approx((now - before) / abs(before) * 100)


def steady(*values: float | None, unit: str = "") -> list[Look]:
    return [Look(30.0 * n, value, unit) for n, value in enumerate(values)]


def test_three_restarts_in_an_hour_are_an_increase_of_three_and_not_of_nearly_three() -> None:
    looks = steady(*[4.0] * 100, *[5.0] * 10, *[0.0, 1.0] * 20)
    found = judged({"increase": ">= 3", "over": "1h"}, *looks)
    assert (found.meets, found.value) == (True, 1.0 + 20.0)
    fresh = judged({"increase": ">= 3", "over": "1h"}, *steady(7.0, 7.0, 10.0))
    assert (fresh.meets, fresh.value) == (True, 3.0)


def test_a_value_from_just_before_the_time_counts_and_one_from_long_before_does_not() -> None:
    when = {"change": "> 20%", "over": "10m"}
    assert judged(when, Look(0, 100.0), Look(601, 130.0)).value == pytest.approx(30.0)
    assert judged(when, Look(0, 100.0), Look(690, 130.0)).value == pytest.approx(30.0)
    late = judged(when, Look(0, 100.0), Look(691, 130.0))
    assert (late.meets, str(late)) == (None, "nothing is known of the value 10m before")


def test_missing_data_moves_nothing_but_a_count_of_values() -> None:
    looks = [Look(-45, None), *steady(99.0, 99.0, 99.0), Look(90, None)]
    for measure in ("average", "minimum", "maximum", "p50", "p95", "sum", "increase", "change"):
        assert judged({measure: "> 1", "over": "2m"}, *looks).meets is None
    assert judged({"rate": "> 1/s", "over": "2m"}, *looks).meets is None
    assert judged({"last": "> 1"}, *looks).meets is None
    found = judged({"count": "< 4", "over": "2m"}, *looks)
    assert (found.meets, str(found)) == (True, "values over 2m: 3; it fires at < 4")


def test_a_check_that_has_just_begun_is_not_one_with_few_values() -> None:
    found = judged({"count": "< 4", "over": "2m"}, *steady(99.0, 99.0, 99.0))
    assert (found.meets, str(found)) == (None, "it was not looked at for all of the last 2m")


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("critical", "the check is ok; it fires at critical"),
        ("> 90", "the last value is 40; it fires at > 90"),
        (
            {"average": "> 20", "over": "10m"},
            "the average over 10m is 25 (values: 4); it fires at > 20",
        ),
        (
            {"p95": "> 20", "over": "1m", "at_least": 3},
            "too few values over 1m: 2 of at least 3",
        ),
        (
            {"increase": "> 20", "over": "2m"},
            "it grew by 30 over 2m, from 10 to 40 (values: 4); it fires at > 20",
        ),
        (
            {"rate": "> 1/min", "over": "2m"},
            "it grew at 20/m over 2m (values: 4); it fires at > 1/m",
        ),
        (
            {"change": "> 50%", "over": "1m"},
            "it changed by 100 % over 1m, from 20 to 40; it fires at > 50%",
        ),
    ],
)
def test_an_explanation_says_what_was_measured_over_what_and_against_which_limit(
    when: Any, told: str
) -> None:
    assert str(judged(when, *steady(10.0, 20.0, 30.0, 40.0))) == told


def test_a_value_of_zero_has_no_share_and_says_so() -> None:
    found = judged({"change": "> 20%", "over": "1m"}, *steady(0.0, 5.0, 5.0))
    assert (found.meets, str(found)) == (
        None,
        "the value was 0 1m before, of which there is no share",
    )


def test_units_that_changed_are_one_check_still_and_those_that_cannot_be_are_left_out() -> None:
    looks = [Look(0, 400.0, "ms"), Look(30, 7.0, "bytes"), Look(60, 0.8, "s")]
    found = judged({"average": "> 500ms", "over": "10m"}, *looks)
    assert (found.meets, found.unit, found.value) == (True, "s", pytest.approx(0.6))
    odd = judged({"average": "> 50%", "over": "10m"}, *looks)
    assert odd.meets is None
    assert str(odd).endswith("a value in s cannot be compared with > 50%")


def test_numbers_too_large_for_a_sum_are_no_reason_to_stop() -> None:
    looks = steady(1.7e308, 1.7e308, 1.7e308)
    assert judged({"average": "> 1", "over": "10m"}, *looks).value == pytest.approx(1.7e308)
    found = judged({"sum": "> 1", "over": "10m"}, *looks)
    assert (found.meets, str(found).split("; ")[1]) == (None, "no number is large enough for it")
    jump = steady(-1.7e308, 1.7e308, 5.0)
    for measure in ("increase", "change"):
        assert judged({measure: "> 1", "over": "1m"}, *jump[:2], Look(60, 1.7e308)).meets is None


def test_what_counts_back_only_counts_its_beginnings() -> None:
    assert increase([5.0, 3.0, 4.0]) == 4.0
    assert increase([5.0]) == 0.0


@pytest.mark.parametrize(
    ("flow", "meets", "told"),
    [
        (Flow(timedelta(seconds=90), True, 80.0, ""), True, ""),
        (
            Flow(timedelta(seconds=90), True, 3.0, ""),
            None,
            "too little traffic: hits is 3, and the rule wants >= 50",
        ),
        (
            Flow(timedelta(seconds=90), True, None, ""),
            None,
            "nothing is known of the traffic: hits has no value",
        ),
        (
            Flow(timedelta(seconds=90)),
            None,
            "nothing is known of the traffic: no look at hits within 1m30s",
        ),
        (
            Flow(timedelta(seconds=90), True, 80.0, "bytes"),
            None,
            "too little traffic: hits is 80 B, and the rule wants >= 50/m",
        ),
    ],
)
def test_a_rule_can_tell_only_while_there_is_the_traffic_it_wants(
    flow: Flow, meets: bool | None, told: str
) -> None:
    limit = ">= 50/min" if flow.unit else ">= 50"
    rule = a_rule("> 5%", traffic={"check": "hits", "is": limit})
    seen = Seen(START, "critical", 33.0, "%", Past(EVERY, EMPTY, None, flow))
    found = explain(rule, seen)
    assert found.meets is meets
    if told:
        assert str(found.parts[-1]) == told
    fine = explain(rule, Seen(START, "ok", 1.0, "%", Past(EVERY, EMPTY, None, flow)))
    assert fine.meets is (None if meets is None else False)


def test_bands_are_compared_in_the_values_unit() -> None:
    looks = steady(400.0, 800.0, unit="ms")
    found = judged({"maximum": "> 0.5s", "over": "10m"}, *looks)
    assert (found.meets, found.value, found.unit) == (True, 800.0, "ms")
