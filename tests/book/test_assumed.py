"""A value may say that it is assumed and why, or where it came from, wherever a value stands."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsbook.book import assumed, load, yamlpos
from opsbook.book.assumed import Assumption
from tests.book.kinds import VOCABULARY, changed, problems

EVERY = "every: 1m\n    metric: disk"


def told(written):
    return problems(changed("checks.yaml", EVERY, f"every: {written}\n    metric: disk"))


def test_an_assumed_value_is_the_value_and_the_book_knows_why():
    written = '{value: 5m, assumed: true, reason: "the guide names no interval", ref: "§2.1"}'
    files = changed("checks.yaml", EVERY, f"every: {written}\n    metric: disk")
    book = load(files, VOCABULARY)
    assert book.checks["disk"].every == timedelta(minutes=5)
    assert book.assumed == {
        ("checks", "disk", "every"): Assumption("the guide names no interval", True, "§2.1")
    }


def test_a_ref_alone_needs_no_reason_and_stands_on_maps_lists_and_items():
    text = (
        "a: {value: {b: {value: [1, {value: 2, ref: r3}], ref: r2}}, ref: r1}\n"
        "c:\n  - value: 3\n    ref: r4\n"
    )
    reading = yamlpos.read(text, "f.yaml")
    assert (reading.data, reading.problems) == ({"a": {"b": [1, 2]}, "c": [3]}, [])
    assert {path: said.ref for path, said in reading.assumed.items()} == {
        ("a",): "r1", ("a", "b"): "r2", ("a", "b", 1): "r3", ("c", 0): "r4",
    }  # fmt: skip
    where = reading.positions
    assert where.key(("a", "b")) == ("f.yaml", 1, 13)
    assert where.value(("a", "b")) == ("f.yaml", 1, 24)
    assert where.value(("a", "b", 1)) == ("f.yaml", 1, 36)
    assert where.key(("c",)) == ("f.yaml", 2, 1)
    assert where.value(("c", 0)) == ("f.yaml", 3, 12)
    assert where.value(("a", "b", "no")) == ("f.yaml", 1, 24)


def test_a_complaint_points_at_the_value_inside_and_one_about_the_key_at_the_key():
    found = told("{value: soon, ref: x}")
    assert len(found) == 1
    assert found[0].startswith("checks.yaml:10:20: checks.disk.every: 'soon' is not a duration")
    named = changed("checks.yaml", "metric: disk", "colour: {value: red, ref: x}")
    assert any(line.startswith("checks.yaml:11:5: checks.disk: ") for line in problems(named))


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("{value: 5m, assumed: true}",
         "checks.yaml:10:24: checks.disk.every: this is assumed, and nothing says why. add reason: "
         "with why it is this value."),
        ('{value: 5m, assumed: true, reason: ""}',
         "checks.yaml:10:39: checks.disk.every: reason should be text, of at most 400 characters. "
         "write why it is this value, in quotes."),
        ("{value: 5m, ref: x, reason: y}",
         "checks.yaml:10:32: checks.disk.every: there is a reason, and nothing is assumed. add "
         "assumed: true, or remove reason:."),
        ("{value: 5m, assumed: false}",
         "checks.yaml:10:24: checks.disk.every: assumed can only be true. remove it, or write true "
         "and a reason:."),
        ("{value: 5m, assumed: true, raeson: x}",
         "checks.yaml:10:39: checks.disk.every: a value with assumed: has no key 'raeson'. did you "
         "mean 'reason'?"),
        ("{value: 5m, ref: 5}",
         "checks.yaml:10:24: checks.disk.every: ref should be text, of at most 400 characters. "
         "name the place in the guide, in quotes."),
        ("{value: {value: 5m, ref: a}, ref: b}",
         "checks.yaml:10:13: checks.disk.every: a value cannot be wrapped twice. write everything "
         "in one map."),
    ],
)  # fmt: skip
def test_what_is_said_of_a_value_must_make_sense(written, problem):
    assert problem in told(written)


def test_a_runbooks_front_matter_may_say_it_too():
    files = changed(
        "runbooks/first-response.md",
        "range: [1, 365]",
        "range: {value: [1, 30], assumed: true, reason: disks are small}",
    )
    book = load(files, VOCABULARY)
    path = ("runbooks", "first-response", "params", "keep_days", "range")
    assert book.assumed == {path: Assumption("disks are small", True)}
    assert book.positions.key(path).line == 17


def test_a_map_with_keys_of_its_own_beside_value_is_left_alone():
    for text in ("a: {value: 1, unit: x, ref: r}", "a: {value: 1}", "a: {value: 1, reason: r}"):
        reading = yamlpos.read(text, "f.yaml")
        assert reading.assumed == {}
        assert "value" in reading.data["a"]


WRAPPED = st.recursive(
    st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3)
        | st.builds(lambda value: ("wrapped", value), inner)
    ),
    max_leaves=12,
)


def written(value, inside=False):
    if isinstance(value, tuple):
        return written(value[1], inside) if inside else {
            "value": written(value[1], True), "ref": "r"
        }  # fmt: skip
    if isinstance(value, dict):
        return {key: written(part) for key, part in value.items()}
    return [written(part) for part in value] if isinstance(value, list) else value


def plain(value):
    if isinstance(value, tuple):
        return plain(value[1])
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list) else value


@settings(max_examples=200)
@given(WRAPPED)
def test_nothing_but_the_wrapping_is_taken_away(value):
    data = {"top": written(value)}
    taken = assumed.unwrap(data, yamlpos.read("top: 1", "f.yaml").positions)
    assert taken.data == {"top": plain(value)}
    assert taken.problems == []
    assert data == {"top": written(value)}
