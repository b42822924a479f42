"""Quantities are read as people write them, and never guessed."""

import contextlib
import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsbook.base.quantities import (
    Quantity,
    QuantityError,
    format_duration,
    format_quantity,
    parse_band,
    parse_duration,
    parse_percent,
    parse_quantity,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5), ("30s", 30), ("15m", 900), ("1h30m", 5400), ("7d", 604800), ("2w", 1209600),
        ("1.5h", 5400), ("1h 30m", 5400), (" 5m ", 300), ("0m", 0), (0, 0),
    ],
)  # fmt: skip
def test_a_duration_is_read_with_its_unit(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["30", 30, "5x", "", "m", "-5m", "1h-30m", None, True, False, [], "5M", "9" * 70 + "s",
     "99999999999d", math.nan, math.inf],
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_what_would_be_accepted(text):
    with pytest.raises(QuantityError, match="duration"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_a_written_duration_reads_back_as_the_same(milliseconds):
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("text", "count"),
    [("4Gi", 4 * 2**30), ("20GB", 20 * 10**9), ("512KiB", 2**19), ("1kB", 1000), ("10 MB", 10**7),
     ("7B", 7)],
)  # fmt: skip
def test_sizes_with_an_i_count_in_1024s_and_others_in_1000s(text, count):
    assert parse_size(text) == count


def test_a_percentage_stays_a_percentage():
    assert parse_percent("80%") == 80
    assert parse_percent("99.9 %") == 99.9
    with pytest.raises(QuantityError, match="write it as 80%"):
        parse_percent("0.8")
    with pytest.raises(QuantityError, match="4Gi or 20GB"):
        parse_size("80%")


@pytest.mark.parametrize(
    ("text", "quantity"),
    [(10, Quantity(10)), ("10", Quantity(10)), ("-3.5", Quantity(-3.5)), ("80%", Quantity(80, "%")),
     ("250ms", Quantity(250, "ms")), ("15m", Quantity(900, "s")), ("14d", Quantity(14, "d")),
     ("1h30m", Quantity(5400, "s")), ("4Gi", Quantity(2**32, "bytes")), ("1e3", Quantity(1000))],
)  # fmt: skip
def test_a_quantity_keeps_its_unit(text, quantity):
    assert parse_quantity(text) == quantity


@pytest.mark.parametrize("text", ["ten", "5 parrots", "", None, True, math.inf, math.nan, "1e999"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(QuantityError, match="not a quantity"):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("band", "value", "unit", "holds"),
    [
        ("> 80%", 80.1, "%", True), ("> 80%", 80, "%", False), (">= 10", 10, "", True),
        ("< 14d", 13, "d", True), ("< 14d", 13 * 86400, "s", True),
        ("< 14d", 15 * 86400, "s", False),
        ("> 250ms", 251, "ms", True), ("> 250ms", 0.3, "s", True), ("> 1m", 61000, "ms", True),
        ("== 0", 0, "", True), ("!= 0", 3, "errors", True), ("<= 1Gi", 2**30, "bytes", True),
        ("> 400", 401, "ms", True), ("> 5", math.nan, "", False), ("< 5", math.nan, "", False),
    ],
)  # fmt: skip
def test_a_band_compares_in_the_unit_of_the_value(band, value, unit, holds):
    assert parse_band(band).holds(value, unit) is holds


@pytest.mark.parametrize(("band", "unit"), [("> 80%", "ms"), ("< 14d", ""), ("> 1Gi", "%")])
def test_a_band_that_cannot_compare_says_so(band, unit):
    assert not parse_band(band).fits(unit)
    with pytest.raises(QuantityError, match="cannot be compared"):
        parse_band(band).holds(1, unit)


@pytest.mark.parametrize("text", ["80%", "> ", "=> 5", "over 80%", 80, None])
def test_what_is_no_band_is_refused(text):
    with pytest.raises(QuantityError):
        parse_band(text)


@pytest.mark.parametrize("text", ["> 80%", "< 14d", "> 250ms", ">= 10", "> 15m", "<= 4Gi", "> 3GB"])
def test_a_band_reads_as_it_was_written(text):
    assert str(parse_band(text)) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (412.3, "ms", "412 ms"), (1530, "ms", "1.53 s"), (0.42, "ms", "0.42 ms"),
        (81.34, "%", "81.3 %"), (100, "%", "100 %"), (3.2 * 2**30, "bytes", "3.2 GiB"),
        (0, "bytes", "0 B"), (12, "d", "12 d"), (45, "s", "45 s"), (0.25, "s", "250 ms"),
        (600, "s", "10 min"), (7300, "s", "2.03 h"), (12 * 86400, "s", "12 d"), (0, "s", "0 s"),
        (1204, "", "1,204"), (3, "errors", "3 errors"), (0.333333, "", "0.333"),
        (math.inf, "s", "inf s"), (math.nan, "", "nan"), (2**61, "bytes", "2,048 PiB"),
        (-5, "s", "-5 s"),
    ],
)  # fmt: skip
def test_values_are_shown_with_three_digits_and_their_unit(value, unit, text):
    assert format_quantity(value, unit) == text


@given(st.floats(), st.sampled_from(["", "%", "bytes", "ms", "s", "d", "x"]))
def test_every_value_can_be_shown(value, unit):
    assert format_quantity(value, unit)


@given(st.text(max_size=70))
def test_any_text_is_a_quantity_or_a_clear_refusal(text):
    for read in (parse_quantity, parse_band, parse_duration, parse_size):
        with contextlib.suppress(QuantityError):
            assert str(read(text))
