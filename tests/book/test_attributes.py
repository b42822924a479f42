"""Braces in all their forms: what is read, what is kept, and where a broken one is broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsbook.book import markdown
from opsbook.book.attributes import AttributeFault, Attributes, parse, split_trailing
from opsbook.book.language import ATTRIBUTES, FOREIGN, nearly

KINDS = {"bash", "sh", "check", "approval", "manual"}


def told(body):
    reading = markdown.read(f"# T\n{body}", "runbooks/t.md", KINDS)
    assert (reading.runbook is None) == bool(reading.problems)
    return [str(problem).removeprefix("runbooks/t.md:") for problem in reading.problems]


def step(body):
    reading = markdown.read(f"# T\n{body}", "runbooks/t.md", KINDS)
    assert [str(problem) for problem in reading.problems] == []
    return reading.runbook.steps[0]


def test_ids_classes_pairs_quotes_and_flags_are_told_apart():
    read = parse("{#id .one .two key=value other=\"two 'words'\" third='a \"b\"' flag}")
    assert (read.id, read.classes) == ("id", ("one", "two"))
    assert read.values == {
        "key": "value", "other": "two 'words'", "third": 'a "b"', "flag": "true",
    }  # fmt: skip


def test_json_means_the_same_and_keeps_what_is_nested():
    read = parse('{"name": "x", "interactive": "false", "n": 3, "deep": {"a": [1, {}]}}')
    assert read.values == {
        "name": "x", "interactive": "false", "n": "3", "deep": '{"a": [1, {}]}',
    }  # fmt: skip
    assert parse('{"name": "x"}') == parse("{name=x}")


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("{#a #b}", 4, "there are two #ids"),
        ("{a=1 a=2}", 5, "'a' is written twice"),
        ('{"a": 1, "a": 2}', 1, "'a' is written twice"),
        ("{a=}", 1, "'a=' has no value"),
        ("{a =1}", 3, "'=1' is no attribute"),
        ("{#x a='b c}", 6, "the quote is not closed"),
        ('{#x a="b c}', 6, "the quote is not closed"),
        ("{note=don't}", 9, "the quote is not closed"),
        ("{#x a=1", 0, "the brace is not closed"),
        ("{#x} more", 4, "there is more after the closing brace"),
        ('{"a": 1} more', 8, "there is more after the closing brace"),
        ("{a={b}}", 3, "there are braces in the braces"),
        ('{"a": }', 6, "the braces hold no JSON: Expecting value"),
        ('{"a" 1}', 5, "the braces hold no JSON: Expecting ':' delimiter"),
        ('{"a": ' + "[" * 4000 + "}", 0, "the braces hold JSON that is nested too deeply"),
        ("{" + "a" * 5000 + "}", 0, "they are 5002 characters long"),
    ],
)
def test_a_broken_form_says_where_and_what(text, at, message):
    with pytest.raises(AttributeFault) as raised:
        parse(text)
    assert str(raised.value) == message
    assert raised.value.at == at
    assert raised.value.remedy


def test_braces_at_the_end_count_when_they_begin_as_attributes_do():
    for text in (
        "Set {name}",
        "Use {a=1} here",
        "jsonpath='{.spec}'",
        r"Write \{a=1}",
        "{}",
        "x {",
    ):
        assert split_trailing(text) == (text, "")
    assert split_trailing("Undo {.rollback of=x} ") == ("Undo", "{.rollback of=x}")
    assert split_trailing('Ask {"by": "lead"}') == ("Ask", '{"by": "lead"}')
    assert split_trailing("Ask\n{by=lead\nwithin=1h}") == ("Ask", "{by=lead\nwithin=1h}")


def test_braces_that_never_end_are_not_taken_for_words():
    assert told("## Undo {.rollback of=x\n```bash\ntrue\n```\n") == [
        "2:9: these attributes cannot be read: the brace is not closed. "
        'write {#id key=value other="two words"}.'
    ]
    assert told('- [ ] Look {by="lead}\n') == [
        "2:16: these attributes cannot be read: the quote is not closed. close it, or remove it."
    ]


def test_attributes_of_a_task_may_go_over_line_breaks_and_keep_their_columns():
    task = step("- [ ] Look at it,\n  all of it\n  {#look by=lead\n   within=1h}\n")
    assert (task.key, task.by, task.body) == ("look", "lead", "Look at it,\nall of it")
    assert told("- [ ] Look at it\n  {#look by=lead\n     within=soon}\n") == [
        "4:6: step look: within: 'soon' is not a duration. write a number and a unit, such as "
        "500ms, 30s, 15m, 1h30m or 7d."
    ]


@pytest.mark.parametrize(
    "fence",
    [
        "~~~bash {#a effect=read}\ntrue\n~~~",
        "````bash {#a effect=read}\ncat <<E\n```\nE\n````",
        "1. first\n\n   ```bash {#a effect=read}\n   true\n   ```",
        "- one\n  - two\n    ~~~~bash {#a effect=read}\n    true\n    ~~~~",
        "```bash{#a effect=read}\ntrue\n```",
        '```bash {"name": "a", "effect": "read"}\ntrue\n```',
    ],
)
def test_every_sort_of_fence_takes_attributes(fence):
    found = step(f"{fence}\n")
    assert (found.key, found.effect) == ("a", "read")


def test_a_fault_in_an_indented_fence_is_reported_at_its_own_column():
    assert told("1. first\n\n   ```bash {#a efect=read}\n   true\n   ```\n") == [
        "4:16: step a: the attribute 'efect' is not known. did you mean 'effect'?"
    ]


def test_what_stands_outside_of_the_braces_is_not_silently_left_out():
    assert told("```bash effect=read\ntrue\n```\n") == [
        "2:9: 'effect=read' stands outside of braces and would do nothing. write {effect=read}."
    ]
    assert step("```bash title\ntrue\n```\n").attributes == {}


def test_a_heading_takes_what_its_steps_are_for_and_nothing_else():
    assert told("## A {timeout=5m}\n```bash\ntrue\n```\n") == [
        "2:7: a heading cannot say timeout=. write it at each step that it is meant for."
    ]
    assert told("## A {of=x}\n```bash\ntrue\n```\n") == [
        "2:7: of= belongs to a rollback. write {.rollback of=step}."
    ]
    assert step("## A {#anchor .wide}\n```bash\ntrue\n```\n").section == "A"


def test_attributes_of_another_tool_are_kept_to_the_letter():
    written = "{name=x interactive=false cwd=/srv promptEnv=never tag='a b' odd}"
    assert step(f"```bash {written}\ntrue\n```\n").attributes == parse(written).values
    assert [name for name in FOREIGN if nearly(name)] == []


def test_every_attribute_misspelt_by_a_letter_is_noticed():
    for name in ATTRIBUTES:
        if len(name) > 4:
            assert nearly(name[:2] + name[3:]) == name


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=30)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z-]{0,8}", fullmatch=True), WORDS, max_size=5))
def test_a_quoted_value_comes_back_as_it_was(values):
    def quoted(text):
        return text.replace("\\", "\\\\").replace('"', '\\"')

    text = " ".join(f'{key}="{quoted(value)}"' for key, value in values.items())
    assert parse(f"{{{text}}}").values == values


def outcome(text):
    """The attributes, or the fault; any other exception fails the test."""
    try:
        return parse(text)
    except AttributeFault as fault:
        return fault


@given(st.text(st.sampled_from("{}[]\"'\\#.=: ab\n"), max_size=40))
def test_whatever_stands_in_braces_is_attributes_or_a_fault_inside_of_it(text):
    read = outcome(text)
    assert isinstance(read, Attributes) or 0 <= read.at <= len(text)
    before, braces = split_trailing(text)
    assert text.strip().startswith(before)
    assert text.rstrip().endswith(braces)
