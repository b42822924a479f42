"""docs/reference/rules.md: its examples load, and do what the page says they do."""

import re
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest

from opsbook.alerts import baseline
from opsbook.alerts.baseline import Baseline, Week
from opsbook.alerts.measuring import Explained, Flow, Past, Seen, explain
from opsbook.book import Book, Vocabulary, load
from opsbook.book.fields import State
from opsbook.book.measures import GROWTHS, MEASURES, STATISTICS
from opsbook.checks import KINDS
from tests.alerts.histories import START, Look, series

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "rules.md").read_text()
AROUND = """
id: small
title: A small book
timezone: Asia/Seoul
severities: {P1: {title: Down}, P2: {title: Broken}, P3: {title: Odd}}
"""


@cache
def shown() -> Book:
    """The page's examples as one book."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    files = {f"example-{n}.yaml": block for n, block in enumerate(blocks)}
    kinds = {name: kind.model for name, kind in KINDS.items()}
    return load({"book.yaml": AROUND, **files}, Vocabulary(check_kinds=kinds))


def says(rule: str, looks: list[Look], **more: Any) -> Explained:
    """What a rule of the page says of the last of these looks."""
    made = shown()
    found, last = made.rules[rule], looks[-1]
    every = made.checks[found.check or ""].every
    state: State = "nodata" if last.value is None else "ok"
    past = Past(**{"every": every, "series": series(looks), **more})
    return explain(found, Seen(last.at, state, last.value, last.unit, past))


def minutes(*values: float | None, unit: str = "") -> list[Look]:
    return [Look(60.0 * n, value, unit) for n, value in enumerate(values)]


def test_the_examples_use_every_kind_of_condition_and_each_is_explained() -> None:
    used = {rule.when.measure for rule in shown().rules.values() if rule.when is not None}
    assert used >= {"state", "last", "p95", "sum", "count", "rate", "increase", "change", "drop"}
    assert any(rule.traffic for rule in shown().rules.values())
    told = set(re.findall(r"`(\w+)", PAGE))
    assert {*MEASURES, *STATISTICS, *GROWTHS} - {"state", "last"} <= told
    assert set(get_args(State)) - {"ok"} <= told


def test_ten_looks_one_every_minute_are_in_ten_minutes() -> None:
    assert "ten looks, one every minute, are in `10m`" in PAGE
    found = says("errors-many", minutes(*[2.0] * 40))
    assert (found.value, found.meets) == (30.0, True)  # fifteen of them in 15m


def test_too_few_values_are_told_in_the_pages_words() -> None:
    told = str(says("api-slow-p95", minutes(900.0, 900.0, 900.0, unit="ms")))
    assert told == "too few values over 10m: 3 of at least 15"
    assert f"`{told}`" in PAGE


def test_a_look_without_a_value_is_judged_by_the_count_alone() -> None:
    looks = [Look(0, 100.0, "ms"), Look(600, None)]
    assert says("api-unseen", [*looks[:1], Look(30, None)]).meets is None
    assert says("api-unseen", looks).meets is True
    assert says("api-slow-p95", looks).meets is None


def test_three_restarts_are_an_increase_of_three() -> None:
    looks = minutes(*[7.0] * 70, 8.0, 9.0, 10.0)
    assert (says("worker-restarts", looks).value, says("worker-restarts", looks).meets) == (3, True)
    assert says("worker-loops", looks).meets is False
    assert says("worker-loops", minutes(1.0, 4.0, 0.0, 3.0, 6.0, 9.0)).value == 12 / 5


@pytest.mark.parametrize(("now", "meets"), [(60.0, False), (60.5, True)])
def test_a_change_is_a_share_of_what_it_was(now: float, meets: bool) -> None:
    assert says("disk-jumps", minutes(*[50.0] * 61, now, unit="%")).meets is meets


def test_a_value_of_more_than_three_intervals_before_is_not_what_stood_then() -> None:
    assert says("disk-jumps", [Look(0, 50.0, "%"), Look(3600 + 180, 90.0, "%")]).meets is True
    assert says("disk-jumps", [Look(0, 50.0, "%"), Look(3600 + 181, 90.0, "%")]).meets is None


def test_at_night_a_drop_by_two_thirds_says_nothing_and_by_day_it_does() -> None:
    assert "from 3 orders to 1 is a drop by 67 %" in PAGE

    def drop(usual: float, now: float) -> Explained:
        weeks = tuple(Week(START - n * baseline.WEEK, usual) for n in range(1, 5))
        fewest = baseline.fewest(shown().checks["orders"].every)
        base = Baseline(START, False, fewest, weeks)
        return says("orders-drop", minutes(*[now] * 20), baseline=base)

    assert drop(3.0, 1.0).meets is None
    assert drop(300.0, 100.0).value == pytest.approx(66.67, abs=0.01)
    assert drop(300.0, 100.0).meets is True


def test_one_error_among_three_requests_pages_nobody() -> None:
    few = Flow(timedelta(minutes=3), True, 3.0)
    many = Flow(timedelta(minutes=3), True, 300.0)
    assert says("errors-share", minutes(33.0), flow=few).meets is None
    assert says("errors-share", minutes(33.0), flow=many).meets is True
