"""The language of steps: every attribute read into its type, and what does not fit said so."""

import random
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsbook.base.quantities import QuantityError
from opsbook.book import markdown
from opsbook.book.conditions import When, assertions
from opsbook.book.language import ATTRIBUTES, KINDS
from tests.book.test_mutations import SCRAPS

HEAD = """---
title: T
params:
  service: {choices: [tabby, vllm]}
  load: {type: percent, default: 10%}
  hosts: {type: list, default: [a, b]}
---
# T
"""


def read(body):
    return markdown.read(HEAD + body, "runbooks/t.md", KINDS)


def steps(body):
    reading = read(body)
    assert [str(problem) for problem in reading.problems] == []
    return reading.runbook.steps


def told(body):
    lines = [str(problem).removeprefix("runbooks/t.md:") for problem in read(body).problems]
    return [line.partition(":")[2] for line in lines]


def test_a_script_is_read_with_everything_that_may_be_said_of_it():
    (step,) = steps(
        "```bash {#a effect=change timeout=5m interrupted=fail save=found json=$.items[0].name "
        'optional within=1m when="service == vllm" retry=3 backoff=10s on-fail=ask '
        'on-cancel=stop each=hosts at-once=2 expect=^ok reject="(?i)error" '
        'assert="value < 250ms and load <= 80%" phase=D-7 on=cluster}\ntrue\n```\n'
    )
    assert (step.effect, step.interrupted, step.on_fail, step.on_cancel) == (
        "change", "fail", "ask", "stop",
    )  # fmt: skip
    assert (step.timeout, step.within) == (timedelta(minutes=5), timedelta(minutes=1))
    assert (step.save, step.json, step.optional) == ("found", "$.items[0].name", True)
    assert (step.retry, step.backoff) == (3, timedelta(seconds=10))
    assert (step.each, step.at_once, step.on) == ("hosts", 2, "cluster")
    assert (step.expect, step.reject) == ("^ok", "(?i)error")
    assert step.when == When("service", "==", "vllm")
    assert [str(one) for one in step.asserts] == ["value < 250ms", "load <= 80%"]
    assert step.day == "D-7"


def test_people_may_be_of_several_roles_and_several_of_them():
    ask, task, tell = steps(
        '```approval {by="lead, security" need=2 within=4h}\nMay we?\n```\n'
        "- [ ] Look {by=lead,helpdesk}\n"
        "```notify {to=operations}\nIt is done.\n```\n"
    )
    assert (ask.roles, ask.by, ask.need) == (("lead", "security"), "lead", 2)
    assert task.roles == ("lead", "helpdesk")
    assert tell.to == ("operations",)


def test_what_is_left_out_is_what_happens_today():
    (step,) = steps("```bash\ntrue\n```\n")
    assert (step.need, step.retry, step.on_fail, step.on_cancel, step.at_once) == (
        1, 0, "rollback", "rollback", 1,
    )  # fmt: skip
    assert (step.when, step.each, step.roles, step.asserts, step.day) == (None, None, (), (), None)


def test_steps_take_their_day_from_the_nearest_heading_that_has_one():
    found = steps(
        "## Before {phase=D-7}\n```bash {#a}\ntrue\n```\n### Again\n```bash {#b}\ntrue\n```\n"
        "```bash {#c phase='D-1 18:00'}\ntrue\n```\n## On the day {phase=D-Day}\n"
        "```bash {#d}\ntrue\n```\n## After\n```bash {#e}\ntrue\n```\n"
    )
    assert [step.day for step in found] == ["D-7", "D-7", "D-1 18:00", "D-Day", None]


def test_queries_waits_and_other_runbooks_are_steps_where_the_vocabulary_has_them():
    found = steps(
        "```sql {effect=read save=rows}\nselect 1\n```\n"
        "```http {effect=read assert='status == 200 and value < 1s'}\nGET https://example.org/\n```\n"
        "```promql {for=5m}\nup == 0\n```\n```wait\n10m\n```\n"
        "```run\nrestart-web\nservice: $service\ngrace: 20s\n```\n"
    )
    assert [(step.kind, step.effect) for step in found] == [
        ("sql", "read"), ("http", "read"), ("promql", "read"), ("wait", "read"), ("run", "change"),
    ]  # fmt: skip
    assert found[-1].runbook == "restart-web"
    assert found[-1].arguments == {"service": "$service", "grace": "20s"}
    prose = markdown.read(HEAD + "- [ ] x\n```sql\nselect 1\n```\n", "runbooks/t.md", {"manual"})
    assert [step.kind for step in prose.runbook.steps] == ["manual"]


def test_a_kind_of_this_language_that_this_opsbook_lacks_is_said_to_be_one():
    page = HEAD + "```sql {effect=read}\nselect 1\n```\n"
    (problem,) = markdown.read(page, "runbooks/t.md", {"bash", "manual"}).problems
    assert str(problem) == (
        "runbooks/t.md:9:1: the fence language 'sql' is no kind of step. "
        "this Opsbook runs: bash, manual."
    )


def bash(attributes, body="true"):
    return f"```bash {{#a {attributes}}}\n{body}\n```\n"


WRONG = [
    (bash("retry=no"), "13: step a: retry: 'no' is no number from 1 to 100. write one, such as 2."),
    (bash("retry=0"), "13: step a: retry: '0' is no number from 1 to 100. write one, such as 2."),
    (bash("retry=2 backoff=0s"),
     "21: step a: backoff: '0s' is no time at all. write one such as 30s."),
    (bash("backoff=3s"),
     "13: step a: backoff= without retry=: there is nothing to pause between. add retry=3, or "
     "remove backoff=."),
    (bash("at-once=2"),
     "13: step a: at-once= without each=: there is nothing to repeat. add each= with a list's "
     "name."),
    (bash("json=$.a"),
     "13: step a: json= without save=: what it finds is not saved. add save= with a name."),
    (bash("save=x json=a.b"),
     "20: step a: json: 'a.b' is no path into JSON. write $.name, $.list[0] or $['a name'], joined "
     "as needed."),
    (bash("optional"),
     "13: step a: optional= without save=: it is about a saved value, and none is saved. add "
     "save=, or remove optional."),
    (bash("expect=("),
     "13: step a: expect: '(' is not a regular expression: missing ), unterminated subpattern at "
     "position 0. put a backslash before what is meant as it stands."),
    (bash("expect=ok reject=ok"),
     "23: step a: it expects and rejects the same. remove one of the two."),
    (bash("timeout=1m within=2m"),
     "24: step a: its timeout ends it before within= is over. raise timeout=, or lower within=."),
    (bash("on-fail=contnue"),
     "13: step a: on-fail: 'contnue' is not accepted. did you mean 'continue'?"),
    (bash("need=2"),
     "13: step a: need= means nothing on a step of kind bash. it belongs on approval, manual; "
     "remove it here."),
    (bash("for=2m"),
     "13: step a: for= means nothing on a step of kind bash. it belongs on check, promql; remove "
     "it here."),
    (bash("phase=soon"),
     "13: step a: phase: 'soon' is no offset from a day. write \"D-7\", \"D-Day\", \"D+1 09:00\", "
     '"D-3 business days" or "D-3 영업일 18:00".'),
    (bash("when=servce"),
     "13: step a: when: there is no parameter or saved value 'servce'. did you mean 'service'?"),
    (bash('when="service is x"'),
     "13: step a: when: 'service is x' is no condition. write when=name, when=\"not name\", "
     'when="name == value" or when="name > 80%".'),
    (bash('when="service > 3"'),
     "13: step a: when: service is of type text, which has no order. compare it with == or !=."),
    (bash('when="service == llama"'),
     "13: step a: when: service can never be that: 'llama' is not one of its choices. compare it "
     "with a value that it accepts."),
    (bash("when=x save=x"),
     "13: step a: when: x is what this very step saves. save it in a step before."),
    (bash("when=x") + "```bash {#b save=x}\ntrue\n```\n",
     "13: step a: when: x is saved by step b, which runs later. move that step before this one."),
    (bash("each=host"),
     "13: step a: each: there is no parameter or saved value 'host'. did you mean 'hosts'?"),
    (bash("each=service"),
     "13: step a: each: the parameter service is of type text and no list. give the parameter "
     "type: list."),
    (bash("each=hosts") + "```bash {#b save=item}\ntrue\n```\n",
     "13: step a: each: something else is already called 'item'. item is what each item is "
     "called; choose another name there."),
    (bash('assert="fast"'),
     "13: step a: assert: 'fast' is no assertion. write a name and a band, such as \"value < "
     '250ms" or "status == 200 and value < 250ms".'),
    (bash('assert="value < fast"'),
     "13: step a: assert: 'fast' is not a quantity. write a number with a unit, such as 10, 80%, "
     "250ms, 15m, 14d, 4Gi, 20GB or 50/s."),
    (bash('assert="rows < 3"'),
     "13: step a: assert: there is no parameter or saved value 'rows'. there are: hosts, load, "
     "service."),
    (bash('assert="status == 200"'),
     "13: step a: assert: only a step of kind http has a status. write \"value …\" for what the "
     "step gives out."),
    ("```approval {#a need=0}\nMay we?\n```\n",
     "17: step a: need: '0' is no number from 1 to 20. write one, such as 2."),
    ("```approval {#a by=lead,lead}\nMay we?\n```\n",
     "17: step a: by: 'lead,lead' names somebody twice. write each once."),
    ("```approval {#a by='lead,'}\nMay we?\n```\n",
     "17: step a: by: a name is empty. write one, or several with commas between them."),
    ("```notify {#a}\nDone.\n```\n",
     "1: step a: it tells nobody. add to= with a person, a team or a channel."),
    ("```wait {#a}\na while\n```\n",
     "1: step a: 'a while' is nothing to wait for. write 10m, until 22:00, until 2026-03-31 09:00, "
     "window name, or until check name is ok."),
    ("```wait {#a}\n0s\n```\n",
     "1: step a: it waits for no time at all. write a time such as 10m, or remove it."),
    ("```http {#a}\nexample.org\n```\n",
     "1: step a: 'example.org' is no request. write GET https://…, then headers, an empty line "
     "and the body."),
    ("```run {#a}\nno such thing\n```\n",
     "1: step a: 'no such thing' is no runbook. write a runbook's id on the first line."),
    ("```run {#a}\nother\nx:\n```\n",
     "1: step a: 'x' gives no parameter a value. write name: value, or name: $variable, one on a "
     "line."),
    ("```run {#a}\nother\nx: 1\nx: 2\n```\n",
     "1: step a: it gives 'x' twice. remove one of the two."),
    ("```run {#a}\nother\nx: $servce\n```\n",
     "1: step a: x: there is no parameter or saved value 'servce'. did you mean 'service'?"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "message"), WRONG)
def test_what_does_not_fit_is_said_at_the_attribute_s_own_column(body, message):
    assert told(body) == [message]


AFTERWARDS = [
    ("## U {.rollback of=u}\n```bash {#u}\ntrue\n```\n",
     "1: step u: step 'u' is a rollback itself and cannot be rolled back. name the step that made "
     "the change."),
    ("```bash {#u .rollback of=f}\ntrue\n```\n## F {.finally}\n```bash {#f}\ntrue\n```\n",
     "23: step u: step 'f' is one that always runs and cannot be rolled back. name the step that "
     "made the change."),
    ("```bash {#u .rollback of=gone}\ntrue\n```\n",
     "23: step u: there is no step 'gone' to roll back. steps: a."),
    ("```bash {#u .rollback of=a on-cancel=stop}\ntrue\n```\n",
     "28: step u: on-cancel= means nothing on a step that undoes or tidies up: cancelling does "
     "not end it. remove it."),
    ("```bash {#u .rollback of=a on-fail=rollback}\ntrue\n```\n",
     "28: step u: on-fail=rollback cannot be done on a step that undoes or tidies up. write "
     "on-fail=continue or on-fail=stop."),
    ("```bash {#u .finally phase=D-1}\ntrue\n```\n",
     "22: step u: phase= means nothing on a step that undoes or tidies up: it has no day of its "
     "own. remove it."),
    ("```bash {#u .rollback .finally of=a}\ntrue\n```\n",
     "23: step u: it is both a rollback and finally. leave one of the two."),
    ("## U {.rollback .finally of=a}\n```bash\ntrue\n```\n",
     "17: this heading is both a rollback and finally. leave one of the two."),
    ("```bash {#u of=a}\ntrue\n```\n",
     "13: step u: of= belongs to a rollback. write {.rollback of=step}."),
]  # fmt: skip


@pytest.mark.parametrize(("body", "message"), AFTERWARDS)
def test_what_undoes_names_a_step_that_can_be_undone(body, message):
    assert told(bash("effect=change") + body) == [message]


def test_what_undoes_and_tidies_up_may_use_what_any_main_step_saved():
    steps(
        "## Undo {.rollback of=a}\n```bash {when=before}\ntrue\n```\n"
        "## Go {#go}\n```bash {#a save=before}\ntrue\n```\n"
        "## Always {.finally}\n```bash {when='not before'}\ntrue\n```\n"
    )


@pytest.mark.parametrize(
    ("text", "holds", "not_holds"),
    [
        ("x", "yes", "false"),
        ("not x", "", "0"),
        ("x == two words", "two words", "two"),
        ("x != a", "", "a"),
        ("x > 80%", "81%", "80%"),
        ("x <= 1m", "60s", "61s"),
    ],
)
def test_a_condition_says_whether_it_holds(text, holds, not_holds):
    assert When.parse(text).holds({"x": holds})
    assert not When.parse(text).holds({"x": not_holds})
    assert When.parse(str(When.parse(text))) == When.parse(text)


def test_an_order_of_what_is_no_quantity_is_an_error_and_no_answer():
    with pytest.raises(QuantityError):
        When.parse("x > 3").holds({"x": "many"})
    assert not When.parse("x").holds({})


def test_an_assertion_may_be_a_range():
    (one,) = assertions("value in 30%..70%")
    assert (one.subject, one.band.holds(50, "%"), one.band.holds(80, "%")) == ("value", True, False)
    assert assertions(str(one)) == (one,)


def test_every_attribute_belongs_to_a_kind_that_there_is():
    for name, attribute in ATTRIBUTES.items():
        assert set(attribute.kinds) <= KINDS, name
        assert attribute.kinds, name


GOOD = (
    HEAD + "## Before {phase=D-7}\n"
    '```bash {#a save=x json=$.a[0] retry=2 backoff=5s when="service == vllm" each=hosts '
    'at-once=2 expect=ok assert="value in 1..3"}\ntrue\n```\n'
    '~~~approval {"name": "ask", "by": "lead,security", "need": 2}\nMay we?\n~~~\n'
    "1. one\n   ````run {#call}\n   other\n   x: $x\n   ````\n"
    "- [ ] Look *closely*\n  {#look by=lead\n   within=1h}\n"
    "## Undo {.rollback of=a}\n```bash\ntrue\n```\n## Always {.finally}\n```wait\n5m\n```\n"
)


@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(st.integers(min_value=0, max_value=2**32))
def test_a_mutated_runbook_is_read_or_every_fault_has_a_place_inside_of_it(seed):
    chance, page = random.Random(seed), GOOD
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(page) + 1)
        page = (
            page[:at]
            + chance.choice([*SCRAPS, "=", "$.", "{#"])
            + page[at + chance.randrange(12) :]
        )
    reading = markdown.read(page, "runbooks/t.md", KINDS)
    assert (reading.runbook is None) == bool(reading.problems)
    rows = page.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for problem in reading.problems:
        assert problem.file == "runbooks/t.md"
        assert 1 <= problem.line <= len(rows) + 1, str(problem)
        width = len(rows[problem.line - 1]) if problem.line <= len(rows) else 0
        assert 1 <= problem.column <= width + 1, str(problem)
        assert problem.message
        assert "Error" not in str(problem)


def test_a_good_page_of_everything_is_read():
    assert [step.kind for step in steps(GOOD.removeprefix(HEAD))] == [
        "bash", "approval", "run", "manual", "bash", "wait",
    ]  # fmt: skip


def test_a_page_of_thousands_of_steps_and_braces_is_read():
    many = "".join(f"- [ ] Look {{points={n}}}\n" for n in range(3000))
    assert len(steps(many)) == 3000
    assert told("- [ ] " + "{a=1 " * 5000 + "\n")
