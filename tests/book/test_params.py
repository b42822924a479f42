"""What a run is given is judged as a whole before it starts; values leave as they came."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from opsbook.book import Param, check_params, load
from opsbook.book.params import fault_of, name_fault
from tests.book.kinds import VOCABULARY, starter

RUNBOOK = load(starter(), VOCABULARY).runbooks["first-response"]


def with_params(**params):
    made = {name: Param.model_validate(fields) for name, fields in params.items()}
    return dataclasses.replace(RUNBOOK, params=made)


def told(runbook, given, labels=None):
    return [str(problem) for problem in check_params(runbook, given, labels)[1]]


def test_defaults_are_filled_in_and_values_stay_strings():
    values, problems = check_params(RUNBOOK, {"check": "disk"})
    assert (values, problems) == ({"check": "disk", "keep_days": "14"}, [])
    values, _ = check_params(RUNBOOK, {"check": "disk", "keep_days": "007"})
    assert values["keep_days"] == "007"


def test_a_label_of_the_alert_fills_what_asks_for_it_unless_it_is_given():
    assert check_params(RUNBOOK, {}, {"check": "load"})[0]["check"] == "load"
    assert check_params(RUNBOOK, {"check": "disk"}, {"check": "load"})[0]["check"] == "disk"


def test_everything_wrong_is_told_at_once():
    assert told(RUNBOOK, {"keep_days": "0", "chek": "disk"}) == [
        "parameter chek: this runbook has no such parameter. did you mean 'check'?",
        "parameter check: is required. accepted: matching [A-Za-z0-9][A-Za-z0-9._-]*.",
        "parameter keep_days: '0' is outside its range. accepted: an integer from 1 up to 365.",
    ]


@pytest.mark.parametrize(
    ("fields", "good", "bad"),
    [
        ({"choices": ["a", 2]}, ["a", "2"], ["b", "", "A"]),
        ({"pattern": "[a-z]+"}, ["abc"], ["", "a1", "abc ", "abc;rm"]),
        ({"type": "integer"}, ["0", "-12", "+3", "007"], ["", "1.5", "x", "1e3", "9" * 16, "١"]),
        ({"type": "integer", "range": [1, None]}, ["1", "999"], ["0", "-1"]),
        ({"type": "number", "range": [None, 1.5]}, ["1.5", "-3", "1e-3"], ["1.51", "inf", "nan"]),
        ({"type": "duration", "range": ["1m", "1h"]}, ["60s", "1h"], ["59s", "61m", "5", "soon"]),
        ({"type": "path"}, ["/a/b.c", "a"], ["", "/a/../b", "..", "a/.."]),
        ({"type": "text"}, ["", "two words", "한글 🙂"], ["a\x00b", "a\nb", "a\x1b[2J", "\u2028"]),
    ],
)
def test_a_parameter_accepts_what_it_says(fields, good, bad):
    param = Param.model_validate(fields)
    assert [value for value in good if fault_of(param, value)] == []
    assert [value for value in bad if not fault_of(param, value)] == []


def test_a_value_is_bounded_and_holds_no_control_characters():
    runbook = with_params(x={})
    assert told(runbook, {"x": "a" * 5000}) == [
        "parameter x: is 5000 characters long; at most 4096 are accepted. accepted: text on one "
        "line."
    ]
    assert told(runbook, {"x": "a\x00b"}) == [
        "parameter x: contains the control character U+0000. accepted: text on one line."
    ]


def test_what_is_not_required_may_be_left_out_and_is_then_empty():
    assert check_params(with_params(x={"required": False}), {}) == ({"x": ""}, [])
    assert not Param(required=False).must_be_given


def test_a_parameter_that_contradicts_itself_is_refused():
    for fields in (
        {"type": "integer", "default": "x"},
        {"range": [1, 2]},
        {"type": "integer", "range": ["a", 2]},
        {"choices": ["a"], "default": "b"},
        {"pattern": "("},
        {"from": "check"},
        {"range": [1]},
    ):
        with pytest.raises(ValidationError):
            Param.model_validate(fields)


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "LD_PRELOAD", "BASH_ENV", "OPSBOOK_WORK", "IFS", "1a", "a-b", "", "가"]
)
def test_a_parameter_cannot_take_a_name_that_a_shell_obeys(name):
    assert name_fault(name)


def test_an_unknown_name_cannot_spoil_the_message():
    assert told(RUNBOOK, {"check": "disk", "\x1b[2J": "x"})[0].startswith("parameter ?[2J:")


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=40), max_size=4))
def test_whatever_is_given_is_values_or_problems(given):
    values, problems = check_params(RUNBOOK, given, given)
    assert problems or set(values) == set(RUNBOOK.params)
