"""How far up a chart goes, and that its lines are numbers somebody would have chosen."""

import pytest

from opsbook.base.quantities import format_quantity
from opsbook.web import scales


@pytest.mark.parametrize(
    ("low", "high", "unit", "read"),
    [
        (0, 3000, "s", ["0 s", "20 min", "40 min"]),
        (0, 7000, "s", ["0 s", "30 min", "60 min", "90 min"]),
        (0, 100, "s", ["0 s", "30 s", "60 s", "90 s"]),
        (0, 4000, "ms", ["0 ms", "1 s", "2 s", "3 s", "4 s"]),
        (0, 412, "ms", ["0 ms", "200 ms", "400 ms"]),
        (0, 6 * 1024**3, "bytes", ["0 B", "2 GiB", "4 GiB", "6 GiB"]),
        (71, 86, "%", ["75 %", "80 %", "85 %"]),
        (0, 0.004, "s", ["0 s", "1 ms", "2 ms", "3 ms", "4 ms"]),
        (-3, 3, "", ["-2", "0", "2"]),
    ],
)
def test_lines_are_round_in_the_unit_they_are_read_in(
    low: float, high: float, unit: str, read: list[str]
) -> None:
    assert [format_quantity(one, unit) for one in scales.ticks(low, high, unit)] == read


@pytest.mark.parametrize("unit", ["s", "ms", "bytes", "%", "d", ""])
def test_there_are_a_few_lines_whatever_the_size(unit: str) -> None:
    for power in range(-6, 15):
        for size in (1, 2.3, 7.7):
            high = size * 10.0**power
            found = scales.ticks(0, high, unit)
            assert 2 <= len(found) <= 6, (unit, high, found)
            assert max(found) <= high * 1.0001


def test_a_limit_far_away_does_not_press_the_values_flat() -> None:
    assert scales.within([10, 55], [120, 3600]) == [120]
    assert scales.within([2, 6], [5000, 60000]) == []


def test_a_limit_near_the_size_of_the_values_is_always_seen() -> None:
    assert scales.within([40.0, 40.1], [85, 95]) == [85, 95]
    assert scales.within([900, 1000], [1]) == [1], "far over it"


def test_without_height_the_nearest_limit_gives_one() -> None:
    assert scales.within([0, 0], [80, 95]) == [80]
    assert scales.within([], [80, 95]) == [80, 95]
    assert scales.within([0, 0], []) == []
