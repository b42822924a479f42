"""One value of a YAML file changes, and nothing else in it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsbook.book import editing, yamlpos
from opsbook.book.editing import CannotEdit

STARTER = Path(__file__).parents[2] / "books" / "starter"

TEXT = """\
# What is watched
checks:
  disk:           # the whole machine
    every: 1m     # not more often
    bands: {warning: "> 85%", critical: '> 95%'}
  load:
    bands:
      warning: "> 2"   # every core twice

  # The last one
  memory:
    kind: host
teams:
  ops:
    on_duty:
      - one       # by day
      - two
      - three
"""


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        (("checks", "disk", "every"), "30s", "every: 1m ", "every: 30s "),
        (("checks", "disk", "bands", "warning"), "> 90%", '"> 85%"', '"> 90%"'),
        (("checks", "disk", "bands", "critical"), "> 99%", "'> 95%'", "'> 99%'"),
        (("checks", "load", "bands", "warning"), "> 3", '"> 2" ', '"> 3" '),
        (("checks", "load", "bands", "critical"), "> 4", "  # every core twice\n",
         '  # every core twice\n      critical: "> 4"\n'),
        (("checks", "memory", "every"), "5m", "    kind: host\n",
         "    kind: host\n    every: 5m\n"),
        (("checks", "memory", "bands", "warning"), "> 9%", "    kind: host\n",
         '    kind: host\n    bands: {warning: "> 9%"}\n'),
        (("teams", "ops", "on_duty"), ["two", "one", "three"], "one       # by day\n      - two",
         "two       # by day\n      - one"),
        (("teams", "ops", "on_duty"), ["one", "two"], "      - three\n", ""),
        (("teams", "ops", "on_duty"), ["one", "two", "three", "four"], "      - three\n",
         "      - three\n      - four\n"),
    ],
)  # fmt: skip
def test_only_the_value_changes(path: tuple[str, ...], value: object, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    for text in (TEXT, "\ufeff" + TEXT, TEXT.replace("\n", "\r\n")):
        stop = "\r\n" if "\r\n" in text else "\n"
        expected = text.replace(old.replace("\n", stop), new.replace("\n", stop))
        assert editing.put(text, "checks.yaml", path, value) == expected  # type: ignore[arg-type]


def test_a_map_is_added_to_a_list_that_is_there_or_not() -> None:
    more = {"from": "2026-12-24 09:00", "person": "one", "reason": "a: holiday"}
    told = '{from: 2026-12-24 09:00, person: one, reason: "a: holiday"}'
    text = "rotations:\n  r:\n    layers: []\n"
    first = editing.append(text, "f", ("rotations", "r", "overrides"), more)
    assert first == f"{text}    overrides: [{told}]\n"
    second = editing.append(first, "f", ("rotations", "r", "overrides"), more)
    assert second == f"{text}    overrides: [{told}, {told}]\n"
    block = "overrides:\n  - person: two   # why\n# end\n"
    expected = f"overrides:\n  - person: two   # why\n  - {told}\n# end\n"
    assert editing.append(block, "f", ("overrides",), more) == expected


def test_a_wrapped_value_keeps_what_is_said_of_it() -> None:
    text = "every: {value: 5m, assumed: true, reason: nobody said}\n"
    assert editing.put(text, "f", ("every",), "6m") == text.replace("5m", "6m")


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("a: &x 1m\nb: *x\n", ("a",), "2m"),
        ("a: &x {every: 1m}\nb: *x\n", ("b", "every"), "2m"),
        ("a: |\n  long\n", ("a",), "short"),
        ("a: [1, 2\n", ("a",), "short"),
        ("a:\n  - x  # kept\n  - y  # kept\n", ("a",), ["x"]),
        ("a: [x, # kept\n y]\n", ("a",), ["y", "x"]),
        ("a: {b: 1}\n", ("a",), "text"),
        ("a: text\n", ("a", "b"), "text"),
    ],
)
def test_what_would_change_more_is_refused(text: str, path: tuple[str, ...], value: object) -> None:
    with pytest.raises(CannotEdit, match="as text"):
        editing.put(text, "f", path, value)  # type: ignore[arg-type]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
def test_any_text_is_written_so_that_it_reads_as_itself(value: str) -> None:
    for path in (("checks", "disk", "every"), ("checks", "disk", "bands", "warning"),
                 ("checks", "disk", "bands", "critical"), ("checks", "memory", "new")):  # fmt: skip
        try:
            made = editing.put(TEXT, "f", path, value)
        except CannotEdit:
            continue
        assert editing.value_at(yamlpos.read(made, "f").data, path) == value


def test_the_starter_books_own_files_can_be_changed_value_by_value() -> None:
    for name, path, value in (
        ("checks.yaml", ("checks", "disk", "bands", "warning"), "> 90%"),
        ("alerts.yaml", ("rules", "disk-full", "for"), "7m"),
        ("people.yaml", ("teams", "operations", "on_duty"), ["operator", "second"]),
    ):
        text = (STARTER / name).read_text()
        made = editing.put(text, name, path, value)
        before, after = text.splitlines(), made.splitlines()
        assert len(before) == len(after)
        assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
