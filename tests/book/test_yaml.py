"""YAML gives plain data with the place of everything, and never more trouble than a problem."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsbook.book import yamlpos


def read(text):
    return yamlpos.read(text, "f.yaml")


def told(text):
    return [str(problem) for problem in read(text).problems]


def test_scalars_are_those_of_yaml_1_2():
    text = "a: no\nb: 1:30\nc: 012\nd: [1, 2.5, ~, yes, true, 0x1F]\ne: 2026-01-01\nf: |\n  x\n"
    assert read(text).data == {
        "a": "no", "b": "1:30", "c": 12, "d": [1, 2.5, None, "yes", True, 31], "e": "2026-01-01",
        "f": "x\n",
    }  # fmt: skip


def test_a_number_keeps_how_it_was_written():
    data = read("a: 1.10\nb: 007\nc: 1.5\n").data
    assert (data["a"], str(data["a"])) == (1.1, "1.10")
    assert (data["b"], str(data["b"])) == (7, "007")
    assert str(data["c"]) == "1.5"


def test_keys_are_text_whatever_they_look_like():
    assert read("1: a\ntrue: b\n1.0: c\n").data == {"1": "a", "true": "b", "1.0": "c"}


def test_keys_and_values_have_places():
    found = read("checks:\n  disk:\n    every: 1m\n    list: [a,\n      b]\n").positions
    assert found.key(("checks", "disk")) == ("f.yaml", 2, 3)
    assert found.value(("checks", "disk", "every")) == ("f.yaml", 3, 12)
    assert found.value(("checks", "disk", "list", 1)) == ("f.yaml", 5, 7)
    assert found.where(("checks", "disk", "no", "such")) == "f.yaml:2"
    assert found.where(("nothing",)) == ""


def test_front_matter_counts_lines_from_where_it_stands():
    reading = yamlpos.read("a: 1\na: 2\n", "r.md", first_line=2)
    assert str(reading.problems[0]).startswith("r.md:3:1: the key 'a' is already on line 2.")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_any_line_ending_and_a_byte_order_mark_are_fine(newline, mark):
    reading = read(mark + newline.join(["a: 1", "b:", "  c: 3", ""]))
    assert reading.data == {"a": 1, "b": {"c": 3}}
    assert reading.positions.value(("b", "c")) == ("f.yaml", 3, 6)


def test_an_alias_is_its_anchor_and_problems_point_at_the_alias():
    reading = read("a: &x {n: 1}\nb: *x\n")
    assert reading.data == {"a": {"n": 1}, "b": {"n": 1}}
    assert reading.positions.value(("b", "n")) == ("f.yaml", 2, 4)


SYNTAX = [
    ("a: 1\na: {b: 2}\nc: 3",
     "f.yaml:2:1: the key 'a' is already on line 1. remove one of the two."),
    ("a:\n\tb: 1", "f.yaml:2:1: a tab is used for indentation. indent with spaces."),
    ("a: b: c", "f.yaml:1:5: a colon stands where no key can be. put the text in quotes, or check "
     "the indentation of this line and the one above."),
    ('a: "x', "f.yaml:1:4: the quote opened here is not closed. close it on its line."),
    ('a: "x\nb: 1\nc: "y"\nd: 2', "f.yaml:1:4: the quote opened here is not closed. close it on "
     "its line."),
    ("a: {b.c}/d\ne: 1", 'f.yaml:1:4: a value that begins with { needs quotes. write a: '
     '"{b.c}/d".'),
    ("a: {url: {o.u}/x, b: 1}", 'f.yaml:1:10: a value that begins with { needs quotes. write a: '
     '{url: "{o.u}/x", b: 1}.'),
    ('- [x] "y"  # done\n- z', "f.yaml:1:3: a value that begins with [ needs quotes. write - "
     "'[x] \"y\"'."),
    ("a: 1\nb\nc: 2", "f.yaml:3:1: a colon is missing after a key. write key: value."),
    ("a: 1\n  b: 2\n c: 3", None),
    ("a:\n  b: 1\n c: 2", "f.yaml:3:2: the indentation does not fit the lines above. align it with "
     "them."),
    ("a: @x", "f.yaml:1:4: this character cannot start a value. put the text in quotes."),
    ("a: [1\n\n", "f.yaml:1:6: this is no YAML: while parsing a flow sequence, did not find "
     "expected ',' or ']'. check the quotes, brackets and indentation here."),
    ("? [1]\n: 2", "f.yaml:1:3: a list or map stands where a key should. write a plain key."),
    ("a: &x 1\n*x : 2", "f.yaml:2:1: the alias *x stands where a key should. write the key."),
    ('"": 1', "f.yaml:1:1: a key is empty. write a key before the colon."),
    ("a: *x", "f.yaml:1:4: the alias *x names no anchor that is complete before it. put &x before "
     "it, or write the value out."),
    ("a: &x [*x]", "f.yaml:1:8: the alias *x names no anchor that is complete before it. put &x "
     "before it, or write the value out."),
    ("---\na: 1\n---\nb: 2", "f.yaml:3:1: a second document starts here. one file holds one "
     "document."),
    ("a: !!python/object:os.system x", "f.yaml:1:4: the tag tag:yaml.org,2002:python/object:"
     "os.system is not accepted. put texts in quotes instead."),
    ("[" * 100_000, "f.yaml:1:41: this is nested more than 40 levels deep. flatten it."),
    ("a: caf\udce9", "f.yaml:1:7: this is not UTF-8 (byte 0xE9). save the file as UTF-8."),
    ("a: 1\nb: \x07", "f.yaml:2:4: this has a control character (U+0007). remove it."),
    ('a: "\\0"', "f.yaml:1:4: this text has a control character (U+0000). remove the escape."),
    (f"a: {'9' * 60}", "f.yaml:1:4: this number is too long. put it in quotes."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), SYNTAX)
def test_a_fault_of_syntax_has_its_place_and_a_remedy(text, problem):
    if problem is None:
        assert len(told(text)) == 1
    else:
        assert told(text) == [problem]


def test_aliases_cannot_blow_a_file_up():
    bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    assert "more than 400,000 values, aliases written out" in told(bomb)[0]


def test_a_merge_key_is_only_a_key():
    assert read("a: &x {n: 1}\nb:\n  <<: *x\n").data["b"] == {"<<": {"n": 1}}


def test_an_empty_file_is_nothing():
    for text in ("", "# only a comment\n", "---\n", "\ufeff"):
        assert (read(text).data, told(text)) == (None, [])


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85"])
def test_lines_are_counted_as_editors_count_them(odd):
    reading = read(f"a: 1 # {odd}\nb: 2\nb: 3\n")
    assert reading.positions.key(("b",)) == ("f.yaml", 2, 1)
    assert [problem.line for problem in reading.problems] == [3]
    assert told(f"a: 1 # {odd}\nb: @\n")[0].startswith("f.yaml:2:4: ")


def test_a_file_of_mistakes_is_not_told_without_end():
    found = told("a: 1\n" * 5000)
    assert len(found) == yamlpos.MAX_FAULTS + 1
    assert found[-1] == (
        "f.yaml:102:1: there are more than 100 mistakes in this file. mend those above first."
    )


@pytest.mark.parametrize(
    "piece",
    ["[", "{", "- ", "? ", "&a ", "*a ", "!", '"', "|", "%", "[a: ", "- - ", "#", "x", "\t"],
)
def test_five_megabytes_of_anything_are_data_or_one_short_sentence(piece):
    problems = told(piece * (5 * 2**20 // len(piece)))
    assert len(problems) <= 1
    assert all(len(problem) < 400 for problem in problems)


def test_a_file_of_too_many_values_is_refused():
    problem = told("- a\n" * 1_000_000)
    assert problem == [
        "f.yaml:400000:3: this file has more than 400,000 values, aliases written out. split it, "
        "or write less through aliases."
    ]


@given(st.text(alphabet=st.characters(codec=None, categories=None), max_size=200))
def test_any_text_is_data_or_a_problem_with_a_place(text):
    for problem in read(text).problems:
        assert problem.line >= 1
        assert problem.column >= 1
