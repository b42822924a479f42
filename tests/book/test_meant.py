"""Attributes that would leave a guard out in silence: told as errors, or at least remarked on."""

import pytest

from opsbook.book import markdown
from opsbook.book.language import ATTRIBUTES, FOREIGN, KINDS, OTHERS
from opsbook.book.meant import SYNONYMS, attribute, phase
from opsbook.book.queries.http import METHODS
from tests.support.front_door import call

HEAD = "# T\n```bash {#drop}\ntrue\n```\n"
UNDO = "\n```bash {#u}\ntrue\n```\n"


def read(body):
    return markdown.read(HEAD + body, "runbooks/t.md", KINDS)


def told(body):
    return [str(problem).removeprefix("runbooks/t.md:") for problem in read(body).problems]


def runbook(body):
    reading = read(body)
    assert [str(problem) for problem in reading.problems] == []
    return reading.runbook


ROLLBACK = "write {.rollback of=step}."
FINALLY = "write {.finally}."
NEARLY = [
    (".rolback of=drop", ".rolback", ROLLBACK),
    (".Rollback of=drop", ".Rollback", ROLLBACK),
    (".roll-back of=drop", ".roll-back", ROLLBACK),
    (".undo of=drop", ".undo", ROLLBACK),
    ("rollback of=drop", "rollback", ROLLBACK),
    ("ROLLBACK of=drop", "ROLLBACK", ROLLBACK),
    ("rolback of=drop", "rolback", ROLLBACK),
    ("rollback=drop", "rollback", ROLLBACK),
    ("rollback_of=drop", "rollback_of", ROLLBACK),
    ("class=rollback of=drop", "class=rollback", ROLLBACK),
    ('"rollback": "drop"', "rollback", ROLLBACK),
    (".finaly", ".finaly", FINALLY),
    (".final", ".final", FINALLY),
    (".Finally", ".Finally", FINALLY),
    (".always", ".always", FINALLY),
    ("finally", "finally", FINALLY),
    ("Finally", "Finally", FINALLY),
    ("finaly", "finaly", FINALLY),
    ("finally=true", "finally", FINALLY),
    ('"finally": true', "finally", FINALLY),
]


@pytest.mark.parametrize(("words", "shown", "remedy"), NEARLY)
def test_what_nearly_undoes_or_tidies_up_is_an_error_on_a_step_a_heading_and_a_task(
    words, shown, remedy
):
    for before, after in (
        ("```bash ", "\ntrue\n```\n"),
        ("## Undo ", UNDO),
        ("Undo ", f"\n----\n{UNDO}"),
        ("- [ ] Put it back ", "\n"),
        ("- [ ] Put it\n  back ", "\n"),
    ):
        (line,) = told(f"{before}{{{words}}}{after}")
        place, _, words_told = line.partition(": ")
        row = before.count("\n") + 5
        column = len(before.rpartition("\n")[2]) + 2
        assert place == f"{row}:{column}"
        assert f"{shown!r} does nothing, and what should " in words_told
        assert words_told.endswith(f"would run like any step. {remedy}")


@pytest.mark.parametrize("written", ["of=drop", "Of=drop", '"of": "drop"', "#a of=drop"])
def test_of_without_a_rollback_is_an_error_wherever_it_stands(written):
    for body in (f"## U {{{written}}}{UNDO}", f"```bash {{{written}}}\ntrue\n```\n"):
        (line,) = told(body)
        assert line.endswith(f"of= belongs to a rollback. {ROLLBACK}")


@pytest.mark.parametrize(
    "heading",
    [
        "## Undo {.rollback of=drop} now",
        "## Undo {.rollback of=drop}.",
        "## {#a .finally} Always",
        "## Undo {rollback of=drop",
        "##Undo {.rollback of=drop}",
        "####### Undo {.rollback of=drop}",
        "**Undo** {.rollback of=drop}",
        "- ## Undo {.rollback of=drop}",
        "- Undo {.finally}",
        "-[ ] Undo {.finally}",
    ],
)
def test_a_rollback_that_is_not_read_as_one_is_an_error(heading):
    (line,) = told(f"{heading}\n{UNDO}")
    assert line.startswith("5:")
    assert " does nothing" in line


@pytest.mark.parametrize(
    "heading",
    [
        "## Set {name}", "## Fill in {callback}", "## A {.wide #anchor}", "## A `{.finally}`",
        r"## Write \{.finally}", "## jsonpath='{.spec}'", "Undone by {.rollback} further down.",
        "> ## Undo {.rollback of=drop}",
    ],
)  # fmt: skip
def test_what_is_plainly_words_or_looks_stays_so(heading):
    assert runbook(f"{heading}\n{UNDO}").step("u").phase == "main"


def test_the_right_forms_are_read_as_ever():
    assert runbook(f"## U {{#x .rollback of=drop}}{UNDO}").step("u").rollback_of == "drop"
    assert runbook(f"## U {{ .finally }} ##{UNDO}").step("u").phase == "finally"
    assert runbook("```bash {#u .finally .finalizer}\ntrue\n```\n").step("u").phase == "finally"


def test_what_stands_outside_of_the_braces_is_told_by_what_it_means():
    assert told("```bash .rolback of=drop\ntrue\n```\n") == [
        f"5:9: '.rolback' stands outside of braces and would do nothing. {ROLLBACK}",
        f"5:18: 'of=drop' stands outside of braces and would do nothing. {ROLLBACK}",
    ]
    assert told("```approval role=lead\nMay we?\n```\n") == [
        "5:13: 'role=lead' stands outside of braces and would do nothing. write {by=…}."
    ]


def test_a_rollback_in_a_language_that_is_no_kind_is_not_silently_left_out():
    for fence in ("bsh {.rollback of=drop}", "{.bash .rollback of=drop}", "cobol {of=drop}"):
        (line,) = told(f"```{fence}\ntrue\n```\n")
        assert "is no kind of step" in line


@pytest.mark.parametrize(("said", "meant"), SYNONYMS.items())
def test_the_names_that_other_tools_have_for_an_attribute_are_errors(said, meant):
    kind = "approval" if "approval" in ATTRIBUTES[meant].kinds else "bash"
    for written in (said, said.upper(), said.replace("-", "_")):
        lines = told(f"```{kind} {{#u {written}=x}}\nMay we?\n```\n")
        assert any(line.startswith(f"5:{len(kind) + 9}: step u: {written}= means nothing on a "
                                   f"step of kind {kind}. did you mean {meant}=?")
                   for line in lines), lines  # fmt: skip


def test_the_names_of_other_tools_lead_to_ours_and_are_none_of_ours_nor_of_runme():
    assert set(SYNONYMS.values()) <= ATTRIBUTES.keys()
    assert SYNONYMS.keys().isdisjoint({*ATTRIBUTES, *OTHERS, *FOREIGN})
    assert [name for name in FOREIGN if attribute(name) or phase(name, bare=True)] == []
    assert [name for name in ATTRIBUTES if phase(name, bare=True)] == []


@pytest.mark.parametrize(
    "written",
    ["on_fail=stop", "onfail=stop", "on_cancel=stop", "at_once=2", "By=lead", "timeouts=3s"],
)
def test_an_attribute_of_ours_in_another_spelling_is_an_error(written):
    (line,) = told(f"```bash {{#u {written}}}\ntrue\n```\n")
    assert "did you mean" in line


def test_a_heading_does_not_take_a_misspelt_attribute_either():
    assert told(f"## U {{phas=D-7}}{UNDO}") == [
        "5:7: the attribute 'phas' is not known. did you mean 'phase'?"
    ]
    assert told(f"## U {{role=lead}}{UNDO}") == [
        "5:7: a heading cannot say role=. write it at each step that it is meant for."
    ]


def test_a_flag_written_as_a_class_is_an_error():
    assert told("```bash {#u save=x .Secret}\ntrue\n```\n") == [
        "5:20: step u: the class '.Secret' means nothing here. write secret without the dot."
    ]


@pytest.mark.parametrize("method", ["GIT", "GETT", "PSOT", "TRACE"])
def test_a_request_with_an_unknown_method_is_an_error(method):
    (line,) = told(f"```http\n{method} https://example.org/\n```\n")
    assert f"{method!r} is no method of HTTP. write GET, HEAD, POST" in line


def test_requests_with_a_known_method_are_read():
    for method in METHODS:
        runbook(f"```http\n{method} https://example.org/\n```\n")


BOOK = "id: shop\ntitle: Shop\ntimezone: Asia/Seoul\n"
PAGE = """\
# Ask
## First {#first note=here}
```approval {#ask colour=red .wide}
May $servce be switched from $service by ${who}, for $$5?
```
```bash {#switch interactive=false cwd=/srv odd}
true
```
"""
PARAMS = "---\nparams:\n  service: {default: web}\n---\n"
DRILL = """\
---
world: shop
fault: down
within: 5m
goal: It is up.
---
# Down
- [ ] Look {points=1}
```bash {colour=red}
true
```
"""


def test_validate_remarks_on_every_attribute_that_means_nothing_and_on_names_of_nothing(tmp_path):
    (tmp_path / "book.yaml").write_text(
        f"{BOOK}world:\n  shop:\n    kind: http\n"
        "    faults: {down: {title: Down, does: {status: 500}}}\n"
    )
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "drills").mkdir()
    (tmp_path / "runbooks" / "ask.md").write_text(PARAMS + PAGE)
    (tmp_path / "drills" / "down.md").write_text(DRILL)
    answer = call("validate", tmp_path)
    assert answer.status == 0, answer.err
    lines = [line.strip() for line in answer.out.splitlines() if "kept as it is" in line]
    assert lines == [
        "kept as it is: step down-1: colour= means nothing on a step of kind bash "
        "(drills/down.md:9)",
        "kept as it is: note= means nothing on a heading (runbooks/ask.md:6)",
        "kept as it is: step ask: nothing is called 'servce' by then, and the text is shown as it "
        "is (runbooks/ask.md:7)",
        "kept as it is: step ask: nothing is called 'who' by then, and the text is shown as it is "
        "(runbooks/ask.md:7)",
        "kept as it is: step ask: colour= means nothing on a step of kind approval "
        "(runbooks/ask.md:7)",
        "kept as it is: step ask: the class '.wide' means nothing here (runbooks/ask.md:7)",
        "kept as it is: step switch: odd= means nothing on a step of kind bash "
        "(runbooks/ask.md:10)",
    ]
    unused = call("validate", tmp_path, "-o", "json").json["books"][0]["book"]["unused"]
    assert {"what": "note= means nothing on a heading", "where": "runbooks/ask.md:6"} in unused
    assert len(unused) == len(lines)


def test_thousands_of_braces_in_a_heading_or_a_task_are_read_in_no_time():
    for braces in ("{a=1} ", "{a ", "{a=1 ", "{"):
        read(f"- [ ] {braces * 20000}\n\n## A {braces * 20000}\n\nA {braces * 20000}\n")
