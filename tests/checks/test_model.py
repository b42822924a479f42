import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsbook.book.sections.checks import Check
from opsbook.checks.model import LONGEST, SPREAD, Reading, judge, offset, tidy
from tests.checks.making import book


def check(**fields: object) -> Check:
    given = {"kind": "tcp", "host": "127.0.0.1", "port": 1, **fields}
    return book({"it": given}).checks["it"]


@pytest.mark.parametrize(
    ("value", "unit", "state"),
    [
        (499.0, "ms", "ok"),
        (501.0, "ms", "warning"),
        (0.501, "s", "warning"),
        (2001.0, "ms", "critical"),
    ],
)
def test_a_value_is_judged_by_its_bands_whatever_time_unit_it_comes_in(
    value: float, unit: str, state: str
) -> None:
    bands = {"warning": "> 500ms", "critical": "> 2s"}
    assert judge(check(bands=bands), Reading(value, unit)).state == state


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_no_number_is_missing_data_and_never_green(value: float | None) -> None:
    judged = judge(check(), Reading(value, "ms"))
    assert (judged.state, judged.value) == ("nodata", None)
    assert judged.message


def test_a_value_that_cannot_be_compared_is_missing_data() -> None:
    judged = judge(check(bands={"critical": "> 2s"}), Reading(3.0, "bytes"))
    assert judged.state == "nodata"
    assert "cannot be compared" in judged.message


def test_what_the_answer_itself_decided_stays_decided() -> None:
    judged = judge(check(bands={"critical": "> 2s"}), Reading(3.0, "ms", "wrong", "critical"))
    assert (judged.state, judged.value) == ("critical", 3.0)


def test_the_book_may_name_the_unit_itself() -> None:
    assert judge(check(unit="ms"), Reading(3.0, "")).unit == "ms"


@given(st.text())
def test_a_message_is_one_short_line_without_control_characters(text: str) -> None:
    line = tidy(text)
    assert len(line) <= LONGEST
    assert line.isprintable()
    assert tidy(line) == line


@given(st.text(), st.timedeltas(timedelta(milliseconds=1), timedelta(days=1)))
def test_a_first_look_comes_soon_and_at_the_same_place_each_time(
    name: str, every: timedelta
) -> None:
    first = offset("shop", name, every)
    assert timedelta(0) <= first <= min(every, SPREAD)
    assert first == offset("shop", name, every)


def test_first_looks_are_spread() -> None:
    every = timedelta(minutes=1)
    seconds = {int(offset("shop", f"check-{n}", every).total_seconds()) for n in range(100)}
    assert seconds == set(range(10))
