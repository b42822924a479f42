from datetime import datetime, timedelta
from typing import Any

import pytest

from opsbook.base.quantities import parse_band
from opsbook.book.sections.checks import Bands
from opsbook.checks.growth import Growth, share
from opsbook.checks.worst import ordered

MINUTE = timedelta(minutes=1)


def test_a_counter_grows_from_the_first_look_on_and_a_reset_counts_what_came_since(
    now: datetime,
) -> None:
    growth = Growth(now)
    for minute, value in enumerate((100, 103, 2, 2)):
        growth.note({"a": value}, now + minute * MINUTE)
    assert growth.within(10 * MINUTE, now + 3 * MINUTE) == {"a": 5}
    assert growth.within(2 * MINUTE, now + 3 * MINUTE) == {"a": 2}
    assert growth.within(MINUTE, now + 3 * MINUTE) == {}


def test_what_appears_later_began_at_zero_if_that_is_known(now: datetime) -> None:
    growth = Growth(now)
    growth.note({"old": 7}, now, new=True)
    growth.note({"old": 7, "made": 3}, now, new=True)
    growth.note({"old": 7, "made": 3, "moved": 9}, now)
    assert growth.within(MINUTE, now) == {"made": 3}


def test_since_when_is_told_until_the_window_is_full(now: datetime) -> None:
    growth = Growth(now)
    told = " since 09:00:00 UTC, when counting began"
    assert growth.since(MINUTE, now + MINUTE / 2) == told
    assert growth.since(MINUTE, now + MINUTE) == ""


def test_a_share_is_of_what_grew_lately_once_that_is_enough() -> None:
    memory: dict[str, Any] = {}
    assert share(memory, 90, 10, 100) == (90.0, False)
    assert share(memory, 95, 15, 100) == (pytest.approx(95 / 1.1), False)
    assert share(memory, 140, 60, 100) == (50.0, True)  # since the first look: it was too little
    assert share(memory, 10, 10, 1) == (50.0, False)  # the server began again
    assert share(memory, 11, 13, 1) == (25.0, True)
    assert share({}, 0, 0, 100) == (100.0, False)


@pytest.mark.parametrize(
    ("bands", "order"),
    [
        ({}, [9, 5, 1]),
        ({"warning": "> 3"}, [9, 5, 1]),
        ({"warning": "< 6"}, [1, 5, 9]),
        ({"critical": "4..6"}, [5, 9, 1]),
        ({"normal": "> 3"}, [1, 5, 9]),
        ({"normal": "< 3", "between": "warning"}, [9, 5, 1]),
    ],
)
def test_the_worst_comes_first(bands: dict[str, str], order: list[int]) -> None:
    read = {name: one if name == "between" else parse_band(one) for name, one in bands.items()}
    assert ordered([5, 9, 1], float, Bands.model_validate(read)) == order


def test_values_that_the_bands_cannot_judge_are_worse_than_fine() -> None:
    assert ordered([1, 2], float, Bands(critical=parse_band("> 5s")), "bytes") == [2, 1]
