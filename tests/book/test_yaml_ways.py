"""The short way and the careful one through a YAML file come to the same, places included."""

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from opsbook.book import yamlpos, yamlquick

LEAVES = st.sampled_from(
    [
        "1", "1.10", "007", "0x1F", "no", "true", "~", "''", '"a b"', "'it''s'", "x: y", "한국어",
        '"\\u00e9\\n"', "> 5", '"> 5"', "[]", "{}", "&a 1", "*a", "!!str 1", "|", "a # b", "1e3",
        ".5", ".inf", "12:30", "- 1", "2026-01-01", '""', "9" * 50, '"\\0"', "[1, {a: 2}]",
    ]
)  # fmt: skip
NAMES = st.sampled_from(["a", "b", "value", "ref", "assumed", "reason", "1", "'x y'", '""', "a b"])
LINES = st.tuples(st.integers(0, 3), st.booleans(), NAMES, LEAVES | st.just(""))
DATA = st.recursive(
    st.text("ab#:'\n ", max_size=4) | st.integers() | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
    max_leaves=20,
)


def written(value):
    """Data as text with its types, where 1.10 is not 1.1 and true is not 1."""
    if isinstance(value, dict):
        return {key: written(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [written(inner) for inner in value]
    return f"{type(value).__name__} {value}"


def paths(value, here=()):
    """The path of everything in the data."""
    if isinstance(value, (dict, list)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*here, key)
            yield from paths(part, (*here, key))


@settings(max_examples=400)
@given(st.lists(LINES, max_size=12))
def test_what_the_short_way_accepts_the_careful_one_reads_alike(lines):
    text = "".join(
        f"{'  ' * depth}{'- ' if item else ''}{name}: {leaf}\n" for depth, item, name, leaf in lines
    )
    slow = yamlpos._careful(text, "f.yaml", 1)
    try:
        quick, keys = yamlquick.read(
            text, yaml.CSafeLoader, max_depth=yamlpos.MAX_DEPTH, max_values=yamlpos.MAX_VALUES
        )
    except yamlquick.Unusual:
        return
    assert slow.problems == []
    assert written(quick) == written(slow.data)
    assert keys.keys() == slow.keys.keys()


@settings(max_examples=200)
@given(DATA)
def test_what_was_written_out_reads_back_and_every_part_of_it_has_a_place(data):
    text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False)
    reading = yamlpos.read(text, "f.yaml")
    assert (reading.data, reading.problems) == (data, [])
    lines = text.split("\n")
    for path in paths(data):
        mark = reading.positions.key(path)
        assert 1 <= mark.line <= len(lines)
        if isinstance(path[-1], str):
            assert lines[mark.line - 1][mark.column - 1 :].startswith((path[-1], f"'{path[-1]}"))


def test_the_short_way_is_taken_where_nothing_is_unusual(monkeypatch):
    monkeypatch.setattr(yamlpos, "_careful", None)
    reading = yamlpos.read("a: [1, x]\nb: {c: 'd'}\n", "f.yaml")
    assert reading.data == {"a": [1, "x"], "b": {"c": "d"}}
