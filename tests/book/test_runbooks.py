"""A runbook's Markdown becomes steps, each with its line, and nothing else becomes one."""

from datetime import timedelta

import pytest

from opsbook.book import markdown
from opsbook.book.attributes import AttributeFault, Attributes, parse, split_trailing
from opsbook.book.page import Page
from opsbook.book.page import parse as parse_page
from opsbook.book.steps import slug

KINDS = {"bash", "sh", "python", "check", "approval", "manual"}


def read(text):
    reading = markdown.read(text, "runbooks/page.md", KINDS)
    assert [str(problem) for problem in reading.problems] == []
    assert reading.runbook is not None
    return reading.runbook


def told(text):
    return [str(p) for p in markdown.read(text, "runbooks/page.md", KINDS).problems]


PAGE = """---
title: {ko: 교체, en: Replace}
risk: dangerous
timeout: 30m
lock: deploy
params:
  service: {choices: [a, b]}
  free:
---
# Replace

## 1. 지금 값 기록
```bash {#record effect=read save=previous optional timeout=30s interrupted=retry expect="a b"}
echo "$service"
```
## 2. Ask
```approval {by=security within=4h}
Is it right?
```
## 3. Switch
Some words, and a block that nobody runs:
```json
{"a": 1}
```
```bash
echo one
```
```bash
echo two
```
## 4. Look
```check {for=5m}
p95
```
- [ ] Feedback from **users** `collected` {by=helpdesk}
- [x] Told the team
- an ordinary item

## Undo {.rollback of=record}
```bash {#undo}
echo "$previous"
```
### Afterwards
```bash
echo undone
```
## Always {.finally}
```sh
echo done
```
"""


def test_a_page_is_steps_in_order_with_kinds_keys_and_lines():
    runbook = read(PAGE)
    assert [(s.key, s.kind, s.line, s.phase, s.effect) for s in runbook.steps] == [
        ("record", "bash", 13, "main", "read"),
        ("ask-1", "approval", 17, "main", "read"),
        ("switch-1", "bash", 25, "main", "change"),
        ("switch-2", "bash", 28, "main", "change"),
        ("look-1", "check", 32, "main", "read"),
        ("look-2", "manual", 35, "main", "read"),
        ("look-3", "manual", 36, "main", "read"),
        ("undo", "bash", 40, "rollback", "change"),
        ("afterwards-1", "bash", 44, "rollback", "change"),
        ("always-1", "sh", 48, "finally", "change"),
    ]
    lines = PAGE.split("\n")
    assert all(lines[s.line - 1].startswith(("```", "- [")) for s in runbook.steps)


def test_what_the_front_matter_says_is_the_runbooks():
    runbook = read(PAGE)
    assert runbook.id == "page"
    assert runbook.title.in_language("en") == "Replace"
    assert (runbook.risk, runbook.lock) == ("dangerous", "deploy")
    assert runbook.timeout == timedelta(minutes=30)
    assert runbook.params["service"].choices == ("a", "b")
    assert runbook.params["free"].must_be_given
    assert runbook.source == PAGE


def test_attributes_mean_what_they_say_and_unknown_ones_are_kept():
    step = read(PAGE).step("record")
    assert step is not None
    assert (step.save, step.optional, step.interrupted) == ("previous", True, "retry")
    assert step.timeout == timedelta(seconds=30)
    assert step.attributes["expect"] == "a b"
    assert step.body == 'echo "$service"\n'
    kept = read("# X\n```bash {.big cwd=/srv mine='1 2'}\ntrue\n```\n").steps[0]
    assert kept.attributes == {"cwd": "/srv", "mine": "1 2"}
    assert kept.classes == ("big",)


def test_people_and_checks_get_their_times():
    steps = {step.key: step for step in read(PAGE).steps}
    assert (steps["ask-1"].by, steps["ask-1"].within) == ("security", timedelta(hours=4))
    assert (steps["look-1"].check, steps["look-1"].for_) == ("p95", timedelta(minutes=5))
    assert steps["look-1"].timeout == timedelta(minutes=15)
    assert steps["look-2"].title == "Feedback from users collected"
    assert steps["look-2"].by == "helpdesk"
    assert steps["switch-1"].timeout == timedelta(minutes=10)


def test_rollbacks_and_finally_know_what_they_belong_to():
    runbook = read(PAGE)
    assert [step.key for step in runbook.rollback_for("record")] == ["undo", "afterwards-1"]
    assert [step.key for step in runbook.in_phase("finally")] == ["always-1"]
    assert [(s.title, s.level, s.phase) for s in runbook.sections][-3:] == [
        ("Undo", 2, "rollback"),
        ("Afterwards", 3, "rollback"),
        ("Always", 2, "finally"),
    ]


def test_keys_stay_when_other_headings_gain_steps():
    before = [step.key for step in read(PAGE).steps]
    more = PAGE.replace("## 2. Ask\n", "## 2. Ask\n```bash {#extra}\ntrue\n```\n")
    assert [step.key for step in read(more).steps if step.key != "extra"] == before


def test_a_key_made_from_a_heading_gives_way_to_a_written_one():
    page = "# Go\n```bash\none\n```\n```bash {#go-1}\ntwo\n```\n```bash\nthree\n```\n"
    assert [step.key for step in read(page).steps] == ["go-2", "go-1", "go-3"]


@pytest.mark.parametrize(
    ("title", "key"),
    [("1. 지금 값 기록", "지금-값-기록"), ("Stop `nginx`!", "stop-nginx"), ("3) Go", "go"),
     ("—", ""), ("가" * 80, "가" * 48)],
)  # fmt: skip
def test_a_heading_makes_a_key_in_any_script(title, key):
    assert slug(title) == key


def test_prose_is_never_a_step():
    page = """# Words
    indented code
> ```bash
> quoted
> ```
<!--
```bash
commented
```
-->
```console
$ shown
```
``` {1,3}
shown as well
```
- [ ]no task
* [y] no task either
1. [ ] a task in a numbered list
"""
    assert [(s.kind, s.body) for s in read(page).steps] == [
        ("manual", "a task in a numbered list"),
    ]


def test_steps_in_lists_and_nested_tasks_are_found():
    page = "# L\n1. first\n   ```bash {#a}\n   true\n   ```\n2. [ ] second\n   - [ ] third\n"
    assert [(s.kind, s.body, s.line) for s in read(page).steps] == [
        ("bash", "true\n", 3),
        ("manual", "second", 6),
        ("manual", "third", 7),
    ]


@pytest.mark.parametrize(
    ("info", "key", "attributes"),
    [
        ("bash {name=hello}", "hello", {"name": "hello"}),
        ('sh {"name": "hello", "background": true, "n": 3}', "hello",
         {"name": "hello", "background": "true", "n": "3"}),
        ("bash { name=hello }", "hello", {"name": "hello"}),
        ("bash{#hello}", "hello", {}),
        ('bash {#hello note="say \\"hi\\" {now}"}', "hello", {"note": 'say "hi" {now}'}),
    ],
)  # fmt: skip
def test_every_form_of_attributes_is_read(info, key, attributes):
    (step,) = read(f"# T\n```{info}\ntrue\n```\n").steps
    assert (step.key, step.attributes) == (key, attributes)


@pytest.mark.parametrize("text", ["{#a #b}", "{a=1 a=2}", "{a=}", "{=1}", "{a='}", '{"a"}', "{a"])
def test_braces_that_cannot_be_read_are_refused(text):
    with pytest.raises(AttributeFault):
        parse(text)


def test_braces_in_a_sentence_are_words():
    assert split_trailing("Set {name}") == ("Set {name}", "")
    assert split_trailing("Set {a} now {.x}") == ("Set {a} now", "{.x}")
    assert parse("{}") == Attributes()
    assert not parse("{ }")


def test_line_endings_and_a_byte_order_mark_change_nothing():
    for text in (PAGE.replace("\n", "\r\n"), "\ufeff" + PAGE):
        assert [(s.key, s.line, s.body) for s in read(text).steps] == [
            (s.key, s.line, s.body) for s in read(PAGE).steps
        ]


def test_an_unclosed_fence_is_refused_whatever_its_language():
    for fence in ("```bash", "```json", "~~~sh"):
        assert "is not closed" in told(f"# X\n- [ ] look\n{fence}\nrm -r x\n\n## Next\n")[0]
    assert "is not closed" in told("# X\n```bash\ntrue\n\n```bash {#b}\ntrue\n```\n")[0]
    assert told("# X\n````bash\ncat <<E\n```json\n{}\n```\nE\n````\n") == []


def test_a_page_in_another_encoding_says_where():
    assert told("# X\n- [ ] caf\udce9\n") == [
        "runbooks/page.md:2:10: this is not UTF-8 (byte 0xE9). save the file as UTF-8."
    ]


def test_deep_nesting_is_no_trouble():
    assert told("# X\n- [ ] look\n" + ">" * 5000 + " x\n" + "- " * 3000 + "x\n") == []


def test_only_the_headings_that_a_line_stands_under_are_kept_in_mind():
    """A page of a hundred thousand headings would else look through all of them at each."""
    text = "# Top\n" + "## A {.finally}\n### B\n" * 500 + "## C\n```bash\nx\n```\n"
    page = Page(text, "runbooks/page.md", KINDS, [])
    page.walk(parse_page(text, "runbooks/page.md")[0])
    assert [one.title for one in page.above] == ["Top", "C"]
    assert [one.phase for one in page.sections[-3:]] == ["finally", "finally", "main"]
