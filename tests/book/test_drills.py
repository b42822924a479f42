"""A drill is a page too: what is expected as tasks with points, prose around them, and no runs."""

import random
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsbook.book import drills
from tests.book.test_mutations import SCRAPS

KINDS = {"bash", "check", "approval", "manual"}
PAGE = """---
id: sealed-vault
title: {ko: 봉인된 볼트, en: A sealed vault}
course: backup-and-restore
owner: operations
world: vault
fault: sealed
within: 30m
goal: The vault answers unsealed.
hints:
  - Who holds the shares?
  - {ko: 셋이 필요합니다., en: It takes three.}
ref: §Scenarios L355-357
---
# A sealed vault

At 09:00 the signing service answers 503. Its log speaks of the vault.

```bash {#prepare}
echo "the vault is sealed now"
```

## What is expected

- [ ] Look at the vault's status. {#status points=10 within=5m}
- [ ] Ask *three* holders for their shares. {points=30}
- [ ] Tell the users.
  {points=5 asked="in a channel"}
- [ ] Write the review.

## Afterwards {.finally}
```bash {#tidy}
echo "unsealed"
```
"""


def told(page):
    reading = drills.read(page, "drills/sealed.md", KINDS)
    assert (reading.drill is None) == bool(reading.problems)
    return [str(problem).removeprefix("drills/sealed.md:") for problem in reading.problems]


def test_a_drill_says_what_goes_wrong_where_and_for_how_long():
    reading = drills.read(PAGE, "drills/sealed.md", KINDS)
    drill = reading.drill
    assert told(PAGE) == []
    assert (drill.id, drill.title.in_language("en")) == ("sealed-vault", "A sealed vault")
    assert (drill.course, drill.owner, drill.world, drill.fault) == (
        "backup-and-restore", "operations", "vault", "sealed",
    )  # fmt: skip
    assert drill.within == timedelta(minutes=30)
    assert [hint.in_language("ko") for hint in drill.hints] == [
        "Who holds the shares?", "셋이 필요합니다.",
    ]  # fmt: skip
    assert (drill.source, drill.file) == (PAGE, "drills/sealed.md")
    assert reading.positions.value(("fault",)) == ("drills/sealed.md", 7, 8)


def test_what_is_expected_has_points_and_keeps_what_else_was_written():
    drill = drills.read(PAGE, "drills/sealed.md", KINDS).drill
    assert [(one.key, one.title, one.points, one.line) for one in drill.actions] == [
        ("status", "Look at the vault's status.", 10, 25),
        ("action-2", "Ask three holders for their shares.", 30, 26),
        ("action-3", "Tell the users.", 5, 27),
        ("action-4", "Write the review.", 0, 29),
    ]
    assert drill.points == 45
    assert drill.actions[0].within == timedelta(minutes=5)
    assert drill.actions[2].attributes["asked"] == "in a channel"


def test_fenced_steps_prepare_and_tidy_up():
    drill = drills.read(PAGE, "drills/sealed.md", KINDS).drill
    assert [(step.key, step.phase) for step in drill.steps] == [
        ("prepare", "main"),
        ("tidy", "finally"),
    ]


WRONG = [
    ("points=10", "points=many",
     "25:44: action status: points: 'many' is no number of points. write one from 0 to 1000."),
    ("points=10", "pionts=10",
     "25:44: action status: the attribute 'pionts' is not known. did you mean 'points'?"),
    ("within=5m", "within=5",
     "25:54: action status: within: '5' is not a duration. write a number and a unit, such as "
     "500ms, 30s, 15m, 1h30m or 7d."),
    ("{points=30}", "{#status points=30}",
     "26:46: the action 'status' is there twice. give one of the two another id."),
    ("fault: sealed\n", "",
     "1:1: 'fault' is missing. add fault: with a value."),
    ("goal: The vault", "gaol: The vault", None),
    ("within: 30m", "within: 30",
     "8:9: within: 30 is not a duration. write a number and a unit, such as 500ms, 30s, 15m, "
     "1h30m or 7d."),
    ("```bash {#tidy}", "```approval {#tidy}",
     "32:1: a drill has no step of kind approval: nobody waits for it but who takes it. write "
     "what is expected as a task."),
    ("## Afterwards {.finally}", "## Afterwards {.rollback of=prepare}",
     "32:1: a drill has nothing to roll back: its sandbox is thrown away. write {.finally} for "
     "what tidies up."),
    ("id: sealed-vault", "id: [",
     None),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_what_is_wrong_with_a_drill_has_its_place_and_a_remedy(old, new, message):
    assert old in PAGE
    found = told(PAGE.replace(old, new, 1))
    assert found
    assert message is None or found == [message]


def test_a_drill_expects_something_and_can_be_scored():
    head = PAGE.partition("# A sealed vault")[0]
    assert told(head + "Only prose.\n") == [
        "1:1: the drill expects no action. write each as a task: - [ ] Read the pod's log. "
        "{points=10}."
    ]
    assert told(head + "- [ ] Look.\n") == [
        "15:1: none of its actions is worth a point, so that it cannot be scored. add {points=10} "
        "to them."
    ]


def test_a_page_without_front_matter_lacks_what_every_drill_has():
    assert [line.partition(" ")[2] for line in told("# X\n- [ ] Look. {points=1}\n")] == [
        "'world' is missing. add world: with a value.",
        "'fault' is missing. add fault: with a value.",
        "'within' is missing. add within: with a value.",
        "'goal' is missing. add goal: with a value.",
    ]


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(st.integers(min_value=0, max_value=2**32))
def test_a_mutated_drill_is_read_or_says_where_it_is_wrong(seed):
    chance, page = random.Random(seed), PAGE
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(page) + 1)
        page = page[:at] + chance.choice(SCRAPS) + page[at + chance.randrange(12) :]
    reading = drills.read(page, "drills/sealed.md", KINDS)
    assert (reading.drill is None) == bool(reading.problems)
    lines = len(page.splitlines())
    for problem in reading.problems:
        assert problem.file == "drills/sealed.md"
        assert 1 <= problem.line <= lines + 1
        assert problem.column >= 1
