"""Matchers as Alertmanager reads them, and time intervals that hold when its own do."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from opsbook.book import intervals
from opsbook.book.matchers import Matcher, MatcherError, clash, equalities, parse, parse_all

SAID = [
    ('severity="critical"', [("severity", "=", "critical")]),
    ("severity=critical", [("severity", "=", "critical")]),
    ('{a="b",c!="d"}', [("a", "=", "b"), ("c", "!=", "d")]),
    ('{ a =~ "b|c" , }', [("a", "=~", "b|c")]),
    ('a!~"x.*"', [("a", "!~", "x.*")]),
    ('"with space"="x"', [("with space", "=", "x")]),
    (r'a="one\"two\\three\nfour"', [("a", "=", 'one"two\\three\nfour')]),
    ('a=""', [("a", "=", "")]),
    ("a=", [("a", "=", "")]),
    ('서비스="웹"', [("서비스", "=", "웹")]),
    ("", []),
    ("{}", []),
]


@pytest.mark.parametrize(("text", "found"), SAID, ids=[text or "nothing" for text, _ in SAID])
def test_a_matcher_is_read_as_alertmanager_reads_it(text, found):
    assert [(one.name, one.op, one.value) for one in parse_all(text)] == found


@pytest.mark.parametrize(
    "text",
    ["severity", '="x"', 'a="x" b="y"', '{a="x"', 'a="x', 'a=x"y"', 'a=~"("', '""="x"',
     'a="x",,b="y"', f'a="{"x" * 5000}"', ",".join(f'a{n}="x"' for n in range(200))],
)  # fmt: skip
def test_what_is_no_matcher_says_so(text):
    with pytest.raises(MatcherError):
        parse(text)


@given(
    st.text(min_size=1, max_size=20).filter(lambda name: name.strip() == name),
    st.sampled_from(["=", "!="]),
    st.text(max_size=40),
)
def test_whatever_is_written_is_read_back(name, op, value):
    one = Matcher(name, op, value)
    assert parse(str(one)) == one


def test_a_label_that_is_not_there_is_an_empty_text():
    assert parse('a=""').matches({})
    assert parse('a!="x"').matches({})
    assert parse('a=~"|x"').matches({})
    assert not parse('a=~".+"').matches({})
    assert not parse('a!~".*"').matches({})


def test_a_pattern_matches_the_whole_value_and_takes_no_time():
    assert not parse('a=~"b"').matches({"a": "abc"})
    assert not parse('a=~"(x+x+)+y"').matches({"a": "x" * 100_000})


@pytest.mark.parametrize(
    ("said", "both"),
    [
        (['a="x"', 'a="y"'], True), (['a="x"', 'a!="x"'], True), (['a="x"', 'a=~"y.*"'], True),
        (['a="x"', 'a!~"x|y"'], True), (['a="x"', 'a=~"x|y"'], False),
        (['a=""', 'a!="x"'], False), (['a=~"x"', 'a=~"y"'], False), (['a="x"', 'b="y"'], False),
    ],
)  # fmt: skip
def test_conditions_that_exclude_each_other_are_found_by_their_values(said, both):
    assert (clash(tuple(map(parse, said))) is not None) is both


def test_a_map_is_the_same_as_its_equalities_in_order():
    assert equalities({"b": "2", "a": "1"}) == (parse('a="1"'), parse('b="2"'))


# ---- time intervals ------------------------------------------------------------------------------

DAYS = TypeAdapter(intervals.DaysOfMonth)


@pytest.mark.parametrize(
    ("text", "day", "holds"),
    [
        ("1:7", "2026-03-07", True), ("1:7", "2026-03-08", False),
        ("-1", "2026-02-28", True), ("-1", "2028-02-28", False), ("-1", "2028-02-29", True),
        ("-3:-1", "2026-04-28", True), ("-3:-1", "2026-04-27", False),
        ("29:31", "2026-02-28", False), ("28:31", "2026-02-28", True),
        ("-31:-1", "2026-02-01", True), ("15:-1", "2026-02-28", True), ("31", "2026-04-30", False),
    ],
)  # fmt: skip
def test_days_are_counted_from_either_end_of_the_month(text, day, holds):
    span = DAYS.validate_python(text)
    assert intervals.day_holds(span, datetime.fromisoformat(day)) is holds


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (intervals.DaysOfMonth, "0"), (intervals.DaysOfMonth, "32"),
        (intervals.DaysOfMonth, "-5:5"), (intervals.DaysOfMonth, "5:1"),
        (intervals.DaysOfMonth, "-1:-3"), (intervals.DaysOfMonth, "20:-20"),
        (intervals.DaysOfMonth, True), (intervals.Weekdays, "mon"),
        (intervals.Weekdays, "monday:sunday"), (intervals.Months, "13"),
        (intervals.Months, "december:january"), (intervals.Years, "26"),
        (intervals.Times, "9:00-18:00"), (intervals.Times, "18:00-09:00"),
        (intervals.Times, "09:00-24:01"), (intervals.Times, "09:60-10:00"),
        (intervals.Times, "09:00"), (intervals.Times, 540),
    ],
)  # fmt: skip
def test_what_is_no_range_is_refused(read, text):
    with pytest.raises(ValidationError):
        TypeAdapter(read).validate_python(text)


def test_ranges_are_read_in_any_case_and_as_numbers():
    assert TypeAdapter(intervals.Weekdays).validate_python("Monday:FRIDAY").holds(5)
    assert TypeAdapter(intervals.Months).validate_python("3:may").holds(4)
    assert TypeAdapter(intervals.Months).validate_python(12).holds(12)
    assert TypeAdapter(intervals.Times).validate_python("22:00 - 24:00").last == 24 * 60
