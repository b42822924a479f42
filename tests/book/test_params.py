"""What a run is given is judged as a whole before it starts; values leave as they came."""

import dataclasses
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from opsbook.book import Param, check_params, load, markdown
from opsbook.book.params import contradictions, fault_of, items, name_fault
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
        ({"type": "path", "under": "/models"}, ["/models/a", "/models//a/./b"],
         ["/models", "/models/", "/modelsx/a", "models/a", "/models/../etc", "//models/a"]),
        ({"type": "size", "range": ["1Mi", "4Gi"]}, ["1Mi", "2GB"], ["512Ki", "5Gi", "1", "1m"]),
        ({"type": "percent", "range": [None, "90%"]}, ["0%", "90%"], ["91%", "90", "x%"]),
        ({"type": "boolean"}, ["true", "false"], ["", "True", "yes", "1"]),
        ({"type": "list"}, ["a", "a,b c"], ["", "a,", ",a", "a, b", "a,,b"]),
        ({"type": "list", "of": "integer", "range": [1, 9]}, ["1,9"], ["1,10", "1,x"]),
        ({"type": "list", "choices": ["a", "b"]}, ["a", "b,a"], ["c", "a,c"]),
        ({"type": "text"}, ["", "two words", "한글 🙂"], ["a\x00b", "a\nb", "a\x1b[2J", "\u2028"]),
    ],
)  # fmt: skip
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


def test_an_empty_text_is_no_value_for_what_is_required():
    missing = ["parameter x: is required. accepted: text on one line."]
    assert told(with_params(x={}), {"x": ""}) == missing
    assert told(with_params(x={"default": "web"}), {"x": ""}) == missing
    assert told(with_params(x={"from": "label:host"}), {}, {"host": ""}) == missing
    assert told(with_params(x={"required": False}), {"x": ""}) == []
    assert told(with_params(x={"default": ""}), {}) == []


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"type": "integer", "default": "x"}, "default", "'x' is not an integer"),
        ({"range": [1, 2]}, "range", "a text cannot be compared"),
        ({"type": "boolean", "range": [1, 2]}, "range", "true or false cannot be compared"),
        ({"type": "integer", "range": ["a", 2]}, "range", "'a' is not an integer"),
        ({"type": "integer", "range": [3, 2]}, "range", "3 is more than 2"),
        ({"type": "integer", "range": [None, None]}, "range", "both of its ends are open"),
        ({"choices": ["a"], "default": "b"}, "default", "'b' is not one of its choices"),
        ({"choices": ["a", "a"]}, "choices", "one of them is written twice"),
        ({"choices": ["a", 1], "type": "integer"}, "choices", "'a' is not an integer"),
        ({"choices": ["a"], "pattern": "a"}, "pattern", "means nothing beside choices"),
        ({"of": "integer"}, "of", "belongs to a list"),
        ({"under": "/models"}, "under", "is a folder for paths"),
        ({"type": "path", "under": "models"}, "under",
         "'models' is no folder that a path can be held against"),
        ({"type": "path", "under": "/a", "default": "/b/c"}, "default",
         "'/b/c' does not lie in /a"),
        ({"secret": True, "default": "x"}, "default", "a secret cannot stand in the book"),
        ({"secret": True, "from": "label:x"}, "from", "a secret cannot come from an alert"),
        ({"secret": True, "choices": ["x"]}, "choices",
         "a secret cannot be one of a few that the book lists"),
        ({"default": "x", "required": False}, "required", "means nothing beside a default"),
    ],
)  # fmt: skip
def test_a_parameter_that_contradicts_itself_says_in_which_field(fields, field, message):
    found = [(key, why) for key, why, _ in contradictions(Param.model_validate(fields))]
    assert found == [(field, message)]


def test_a_field_that_cannot_be_read_is_refused():
    for fields in (
        {"pattern": "("},
        {"from": "check"},
        {"range": [1]},
        {"choices": []},
        {"type": "list", "of": "list"},
        {"default": ["a,b"], "type": "list"},
        {"default": [["a"]], "type": "list"},
    ):
        with pytest.raises(ValidationError):
            Param.model_validate(fields)


def test_everything_wrong_with_a_page_s_parameters_is_told_at_once_where_it_stands():
    page = (
        "---\nparams:\n  a: {type: integer, range: [5, 1], default: x}\n  HOME: {}\n"
        "  b: {secret: true, default: hunter2}\n---\n# P\n- [ ] look\n"
    )
    assert [str(one) for one in markdown.read(page, "runbooks/p.md", {"manual"}).problems] == [
        "runbooks/p.md:4:3: params.HOME: 'HOME' is a name the shell or Opsbook uses itself. "
        "choose another name.",
        "runbooks/p.md:3:29: params.a.range: 5 is more than 1. write the least first.",
        "runbooks/p.md:3:46: params.a.default: 'x' is not an integer. accepted: an integer from 5 "
        "up to 1.",
        "runbooks/p.md:5:30: params.b.default: a secret cannot stand in the book. remove it, or "
        "secret:.",
    ]


def test_a_list_in_the_book_is_the_text_that_a_run_is_given():
    hosts = Param.model_validate({"type": "list", "default": ["a", "b"]})
    ports = Param.model_validate({"type": "list", "of": "integer", "default": [80, 443]})
    assert (hosts.default, ports.default) == ("a,b", "80,443")
    assert items(ports, "80,443") == ("80", "443")
    assert items(Param(), "a,b") == ("a,b",)
    assert items(hosts, "") == ()


def test_what_was_given_for_a_secret_is_in_no_message():
    runbook = with_params(key={"secret": True, "pattern": "[a-z]+"})
    assert told(runbook, {"key": "HUNTER2"}) == [
        "parameter key: the given value does not match its pattern. accepted: matching [a-z]+."
    ]


def test_all_that_is_wrong_with_one_value_is_told_together():
    runbook = with_params(n={"type": "integer", "pattern": "[0-9]+"})
    assert told(runbook, {"n": "x"}) == [
        "parameter n: 'x' is not an integer, and 'x' does not match its pattern. accepted: an "
        "integer matching [0-9]+."
    ]


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


@pytest.mark.parametrize("pattern", ["a{99999999999999999999}", "(" * 5000 + ")" * 5000, "a**"])
def test_a_pattern_that_python_cannot_take_is_a_fault_of_the_book(pattern):
    with pytest.raises(ValidationError, match="is not a regular expression"):
        Param(pattern=pattern)


def test_a_pattern_that_python_wonders_about_is_taken_without_a_word():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        param = Param(pattern="[[a]|[a||b]")
        assert fault_of(param, "[") is None
        read = markdown.read("# T\n```bash {expect=[[a]}\nx\n```\n", "runbooks/t.md", {"bash"})
    assert read.runbook is not None


def test_a_value_cannot_make_a_pattern_take_for_ever():
    param = Param(pattern="(a|aa)+")
    told = fault_of(param, "a" * 60 + "!") or ""
    assert "could not be compared with its pattern in 0.2 s" in told
    assert fault_of(param, "aaa") is None
    assert "does not match" in (fault_of(param, "aab") or "")
