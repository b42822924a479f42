"""What a step's attributes do to a run: when, retry, on-fail, each, expect, phase and more."""

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from opsbook import runs
from opsbook.access.tables import approval
from opsbook.base.errors import Refused
from tests.support.runs import Stage

PARAMS = "params:\n  what: {default: x}\n  shops: {type: list, default: [a, b, c]}"


def bash(attributes: str, body: str, title: str = "") -> str:
    head = f"## {title}\n" if title else ""
    return f"{head}```bash {{{attributes}}}\n{body}\n```\n"


RAN = 'echo {} >> "$OPSBOOK_WORK/ran"'


def ran(word: str) -> str:
    return RAN.format(word)


# ---- when ----


async def test_a_step_whose_condition_does_not_hold_is_left_out_and_says_so(stage: Stage) -> None:
    body = bash('#a when="what == y"', ran("a")) + bash('#b when="what == x"', ran("b"))
    await stage.load(body, PARAMS)
    run_id = await stage.run()
    steps = await stage.steps(run_id)
    assert stage.ran() == ["b"]
    assert steps["a"]["state"] == "skipped"
    assert steps["a"]["message"] == "not needed: what == y does not hold"


async def test_a_condition_may_be_about_a_saved_value(stage: Stage) -> None:
    body = (
        bash("#look save=load optional", "echo 85%")
        + bash('#high when="load > 80%"', ran("high"))
        + bash('#low when="load <= 80%"', ran("low"))
    )
    await stage.load(body, PARAMS)
    await stage.run()
    assert stage.ran() == ["high"]


async def test_a_condition_that_cannot_be_told_fails_the_step(stage: Stage) -> None:
    body = bash("#look save=load", "echo busy") + bash('#high when="load > 80%"', ran("high"))
    await stage.load(body, PARAMS)
    run_id = await stage.run()
    row = await stage.row(run_id)
    assert row["state"] == "failed"
    assert "whether load > 80% holds cannot be told" in row["reason"]
    assert stage.ran() == []


# ---- retry ----


async def test_a_step_is_tried_again_as_often_as_it_says(stage: Stage) -> None:
    counting = f'{ran("try")}; test "$(wc -l < "$OPSBOOK_WORK/ran")" -ge 3'
    await stage.load(bash("#a retry=3", counting))
    run_id = await stage.run()
    assert stage.ran() == ["try"] * 3
    assert (await stage.row(run_id))["state"] == "succeeded"
    assert (await stage.actions(run_id)).count("step.failed_once") == 2


async def test_the_pause_before_a_try_doubles_and_holds_nothing(stage: Stage) -> None:
    await stage.load(bash("#a retry=2 backoff=10s", f"{ran('try')}; exit 7"))
    run_id = await stage.run()
    assert stage.ran() == ["try"]
    assert (await stage.row(run_id))["state"] == "waiting"
    await stage.wind(timedelta(seconds=9))
    assert stage.ran() == ["try"]
    await stage.wind(timedelta(seconds=1))
    assert stage.ran() == ["try"] * 2
    await stage.wind(timedelta(seconds=19))
    assert stage.ran() == ["try"] * 2
    await stage.wind(timedelta(seconds=1))
    assert stage.ran() == ["try"] * 3
    row = await stage.row(run_id)
    assert (row["state"], row["reason"]) == ("failed", "a: exit code 7")


async def test_a_cancelled_run_does_not_wait_for_the_next_try(stage: Stage) -> None:
    book = await stage.load(bash("#a retry=2 backoff=1h", "exit 7"))
    run_id = await stage.run()
    who = await stage.person("operator")
    await stage.act(runs.cancel, run_id, who, book)
    await stage.settle()
    assert (await stage.row(run_id))["state"] == "cancelled"


# ---- on-fail ----

UNDO = "\n## Undo {.rollback of=a}\n" + bash("#undo", ran("undo"))
TIDY = "\n## Tidy {.finally}\n" + bash("#tidy", ran("tidy"))


@pytest.mark.parametrize(
    ("on_fail", "state", "done"),
    [
        ("rollback", "failed", ["a", "undo", "tidy"]),
        ("stop", "failed", ["a", "tidy"]),
        ("continue", "succeeded", ["a", "c", "tidy"]),
    ],
)
async def test_a_failure_does_to_the_run_what_its_step_says(
    stage: Stage, on_fail: str, state: str, done: list[str]
) -> None:
    body = (
        bash("#a", ran("a")) + bash(f"#b on-fail={on_fail}", "exit 3", "B") + bash("#c", ran("c"))
    )
    await stage.load(body + UNDO + TIDY)
    run_id = await stage.run()
    row = await stage.row(run_id)
    assert (row["state"], stage.ran()) == (state, done)
    assert "B: exit code 3" in row["reason"]


@pytest.mark.parametrize(
    ("choice", "state", "done"),
    [
        ("retry", "succeeded", ["a", "b", "b", "c", "tidy"]),
        ("skip", "succeeded", ["a", "b", "c", "tidy"]),
        ("fail", "failed", ["a", "b", "undo", "tidy"]),
        ("stop", "failed", ["a", "b", "tidy"]),
    ],
)
async def test_a_person_chooses_what_becomes_of_a_step_that_asks(
    stage: Stage, choice: str, state: str, done: list[str]
) -> None:
    trying = f'{ran("b")}; test "$(grep -c b "$OPSBOOK_WORK/ran")" -ge 2'
    body = bash("#a", ran("a")) + bash("#b on-fail=ask", trying) + bash("#c", ran("c"))
    book = await stage.load(body + UNDO + TIDY)
    run_id = await stage.run()
    assert stage.ran() == ["a", "b"]
    (asked,) = await stage.waits(run_id)
    assert asked["kind"] == "decision"
    assert asked["data"] == {"failed": True, "why": "exit code 1"}
    who = await stage.person("operator")
    await stage.act(runs.decide, run_id, "b", who, book, choice, "seen")
    await stage.settle()
    assert ((await stage.row(run_id))["state"], stage.ran()) == (state, done)


async def test_a_no_is_never_gone_past(stage: Stage) -> None:
    body = "```approval {#ask by=security}\nMay it?\n```\n" + bash("#b on-fail=continue", ran("b"))
    await stage.load(body)
    run_id = await stage.run()
    await stage.answer(run_id, "officer", "reject")
    await stage.settle()
    assert (await stage.row(run_id))["state"] == "failed"
    assert stage.ran() == []


# ---- on-cancel ----


@pytest.mark.parametrize(("on_cancel", "done"), [("rollback", ["a", "undo", "tidy"]),
                                                 ("stop", ["a", "tidy"])])  # fmt: skip
async def test_cancelling_at_a_step_undoes_or_leaves_as_it_says(
    stage: Stage, on_cancel: str, done: list[str]
) -> None:
    body = (
        bash("#a", ran("a"))
        + f"```approval {{#ask by=security on-cancel={on_cancel}}}\nMay it?\n```\n"
    )
    book = await stage.load(body + UNDO + TIDY)
    run_id = await stage.run()
    who = await stage.person("operator")
    await stage.act(runs.cancel, run_id, who, book, "enough")
    await stage.settle()
    assert ((await stage.row(run_id))["state"], stage.ran()) == ("cancelled", done)


# ---- each ----


async def test_a_step_is_repeated_over_a_list_in_order(stage: Stage) -> None:
    await stage.load(bash("#a each=shops", RAN.format('"$item"')) + bash("#b", ran("b")), PARAMS)
    run_id = await stage.run()
    assert stage.ran() == ["a", "b", "c", "b"]
    states = await stage.states(run_id)
    assert states == dict.fromkeys(["a", "a[1]", "a[2]", "a[3]", "b"], "succeeded")
    assert list(states) == ["a", "a[1]", "a[2]", "a[3]", "b"]


async def test_items_move_together_up_to_the_bound(stage: Stage) -> None:
    waiting = (
        'touch "$OPSBOOK_WORK/in-$item"; for _ in $(seq 200); do '
        '[ "$(ls "$OPSBOOK_WORK" | grep -c in-)" -ge 2 ] && exit 0; sleep 0.05; done; exit 1'
    )
    await stage.load(bash("#a each=shops at-once=2 timeout=20s", waiting), PARAMS)
    run_id = await stage.run()
    assert (await stage.row(run_id))["state"] == "succeeded"


async def test_after_a_failed_item_no_other_begins(stage: Stage) -> None:
    failing = f'{RAN.format(chr(34) + "$item" + chr(34))}; test "$item" != b'
    await stage.load(bash("#a each=shops", failing) + UNDO, PARAMS)
    run_id = await stage.run()
    assert stage.ran() == ["a", "b", "undo"]
    states = await stage.states(run_id)
    assert (states["a"], states["a[2]"], states["a[3]"]) == ("failed", "failed", "skipped")
    assert "1 of 3 failed" in (await stage.row(run_id))["reason"]


async def test_what_items_save_is_a_list(stage: Stage) -> None:
    body = bash("#a each=shops at-once=3 save=sizes", 'echo "size-$item"') + bash(
        "#b each=sizes", RAN.format('"$item"')
    )
    await stage.load(body, PARAMS)
    run_id = await stage.run()
    assert json.loads((await stage.row(run_id))["saved"]["sizes"]) == ["size-a", "size-b", "size-c"]
    assert stage.ran() == ["size-a", "size-b", "size-c"]


async def test_rows_of_a_table_reach_a_step_as_fields(stage: Stage) -> None:
    table = json.dumps([{"name": "x; rm -rf /", "n": 1}, {"name": "y", "n": 2}])
    body = bash("#a save=rows", f"cat <<'END'\n{table}\nEND") + bash(
        "#b each=rows", RAN.format('"$item_n:${item_name// /_}"')
    )
    await stage.load(body)
    await stage.run()
    assert stage.ran() == ["1:x;_rm_-rf_/", "2:y"]


async def test_an_empty_list_is_nothing_to_do(stage: Stage) -> None:
    head = "params:\n  shops: {type: list, required: false}"
    await stage.load(bash("#a each=shops", ran("a")) + bash("#b", ran("b")), head)
    run_id = await stage.run()
    assert stage.ran() == ["b"]
    assert (await stage.steps(run_id))["a"]["message"] == "nothing to do: shops is empty"


async def test_an_item_that_failed_is_tried_again_alone(stage: Stage) -> None:
    failing = (
        f"{RAN.format(chr(34) + '$item' + chr(34))}; "
        'test "$item" != b || test "$(grep -c b "$OPSBOOK_WORK/ran")" -ge 2'
    )
    await stage.load(bash("#a each=shops retry=1", failing), PARAMS)
    run_id = await stage.run()
    assert stage.ran() == ["a", "b", "b", "c"]
    assert (await stage.row(run_id))["state"] == "succeeded"


# ---- what it gives out ----


@pytest.mark.parametrize(
    ("attributes", "body", "fault"),
    [
        ("expect=ready", "echo not yet", "does not have what is expected: 'ready'"),
        ("reject=ERROR", "echo ERROR 5 >&2", "has what must not be in it: 'ERROR'"),
        ('assert="value < 250ms"', "echo 412ms", "value is 412ms, and must be < 250ms"),
        ('assert="value in 30%..70%"', "echo 80%", "value is 80%, and must be 30%..70%"),
        ('assert="value < 3"', "echo many", "value is no number"),
        ("save=n json=$.items[1].name", """echo '{"items": []}'""", "no [1] at $.items"),
        ("save=n json=$.a", "echo plain", "it gave out no JSON"),
        ("within=1s timeout=30s", "sleep 1.2", "longer than 1s"),
    ],
)
async def test_a_step_fails_that_does_not_give_out_what_it_must(
    stage: Stage, attributes: str, body: str, fault: str
) -> None:
    await stage.load(bash(f"#a {attributes}", body))
    run_id = await stage.run()
    row = await stage.row(run_id)
    assert row["state"] == "failed"
    assert fault in row["reason"]


async def test_a_step_that_gives_out_what_it_must_goes_on(stage: Stage) -> None:
    told = """echo '{"items": [{"name": "first", "n": 3}]}'"""
    attributes = 'save=name json=$.items[0].name expect=first reject=second assert="n == 3"'
    body = bash("#n save=n json=$.items[0].n", told) + bash(f"#a {attributes}", told)
    await stage.load(body + bash("#b", RAN.format('"$name:$n"')))
    run_id = await stage.run()
    assert (await stage.row(run_id))["reason"] == ""
    assert stage.ran() == ["first:3"]


async def test_what_must_not_appear_cannot_be_missing_from_what_was_left_out(stage: Stage) -> None:
    await stage.load(bash("#a reject=ERROR", "head -c 9000000 /dev/zero | tr '\\0' x"))
    run_id = await stage.run()
    assert "too long to be judged" in (await stage.row(run_id))["reason"]


async def test_a_pattern_that_never_ends_is_a_fault_and_not_the_end_of_the_server(
    stage: Stage,
) -> None:
    await stage.load(bash('#a expect="(a|aa)+$"', "printf 'a%.0s' $(seq 60); echo b"))
    run_id = await stage.run()
    assert (await stage.row(run_id))["state"] == "failed"


# ---- phases ----


async def test_a_step_waits_for_its_day(stage: Stage) -> None:
    body = bash("#a phase=D-2", ran("before")) + bash('#b phase="D-Day 09:00"', ran("day"))
    shop = await stage.load(body, "timeout: 1h")
    today = stage.clock.now().date()
    run_id = await stage.begin(by="operator", day=today + timedelta(days=5))
    await stage.settle()
    assert stage.ran() == []
    (asked,) = await stage.waits(run_id)
    assert asked["kind"] == "time"
    assert asked["data"] == {"again": "day"}
    await stage.wind(timedelta(days=3))
    assert stage.ran() == ["before"]
    await stage.wind(timedelta(days=3))
    assert stage.ran() == ["before", "day"]
    row = await stage.row(run_id)
    assert (row["state"], row["day"]) == ("succeeded", (today + timedelta(days=5)).isoformat())
    assert shop.timezone


async def test_a_day_that_is_over_holds_nothing_up(stage: Stage) -> None:
    await stage.load(bash("#a phase=D-7", ran("a")))
    run_id = await stage.run()
    assert stage.ran() == ["a"]
    assert (await stage.row(run_id))["state"] == "succeeded"


# ---- going on after a failure ----


async def test_a_failed_run_goes_on_where_it_failed_once_the_cause_is_mended(stage: Stage) -> None:
    mending = f'{ran("b")}; test -e "$OPSBOOK_WORK/mended"'
    body = bash("#a", ran("a")) + bash("#b on-fail=stop", mending) + bash("#c", ran("c"))
    book = await stage.load(body + TIDY)
    run_id = await stage.run()
    assert stage.ran() == ["a", "b", "tidy"]
    (stage.work / "mended").touch()
    who = await stage.person("operator")
    await stage.act(runs.resume, run_id, who, book, book, "the disk is free again")
    await stage.settle()
    assert stage.ran() == ["a", "b", "tidy", "b", "c", "tidy"]
    assert (await stage.row(run_id))["state"] == "succeeded"
    attempts = {key: len(one["attempts"]) for key, one in (await stage.steps(run_id)).items()}
    assert attempts == {"a": 1, "b": 2, "c": 1, "tidy": 2}


async def test_a_repeated_step_goes_on_with_the_items_that_were_not_done(stage: Stage) -> None:
    failing = (
        f"{RAN.format(chr(34) + '$item' + chr(34))}; "
        'test "$item" != b || test -e "$OPSBOOK_WORK/mended"'
    )
    book = await stage.load(bash("#a each=shops on-fail=stop save=out optional", failing), PARAMS)
    run_id = await stage.run()
    (stage.work / "mended").touch()
    await stage.act(runs.resume, run_id, await stage.person("operator"), book, book, "mended")
    await stage.settle()
    assert stage.ran() == ["a", "b", "b", "c"]
    assert (await stage.row(run_id))["state"] == "succeeded"


async def test_items_are_tried_again_one_by_one_and_the_list_as_a_whole_is_not(
    stage: Stage,
) -> None:
    failing = (
        f"{RAN.format(chr(34) + '$item' + chr(34))}; "
        'test "$item" != b || test -e "$OPSBOOK_WORK/mended"'
    )
    book = await stage.load(bash("#a each=shops on-fail=stop retry=2", failing), PARAMS)
    run_id = await stage.run()
    assert stage.ran() == ["a", "b", "b", "b"]
    (stage.work / "mended").touch()
    await stage.act(runs.resume, run_id, await stage.person("operator"), book, book, "mended")
    await stage.settle()
    assert stage.ran() == ["a", "b", "b", "b", "b", "c"]
    assert (await stage.row(run_id))["state"] == "succeeded"
    assert sorted(await stage.steps(run_id)) == ["a", "a[1]", "a[2]", "a[3]"]


async def test_what_was_undone_is_not_gone_on_with(stage: Stage) -> None:
    book = await stage.load(bash("#a", ran("a")) + bash("#b", "exit 1") + UNDO)
    run_id = await stage.run()
    who = await stage.person("operator")
    with pytest.raises(runs.CannotResume, match="was rolled back") as refused:
        await stage.act(runs.resume, run_id, who, book, book, "again")
    assert refused.value.remedy
    with pytest.raises(runs.CannotResume, match="step a was undone"):
        await stage.act(runs.rerun, run_id, who, book, "b", "again")


async def test_a_rejected_run_is_not_gone_on_with(stage: Stage) -> None:
    body = bash("#a", ran("a")) + "```approval {#ask by=security}\nMay it?\n```\n"
    book = await stage.load(body)
    run_id = await stage.run()
    await stage.answer(run_id, "officer", "reject")
    await stage.settle()
    with pytest.raises(runs.CannotResume, match="was not approved"):
        await stage.act(runs.resume, run_id, await stage.person("operator"), book, book, "again")


async def test_an_approval_of_yesterday_is_asked_again(stage: Stage) -> None:
    body = "```approval {#ask by=security}\nMay it?\n```\n" + bash("#b on-fail=stop", "exit 1")
    book = await stage.load(body)
    run_id = await stage.run()
    await stage.answer(run_id, "officer", "approve")
    await stage.settle()
    await stage.wind(timedelta(days=2))
    await stage.act(runs.resume, run_id, await stage.person("operator"), book, book, "again")
    await stage.settle()
    assert [one["kind"] for one in await stage.waits(run_id)] == ["approval"]


async def test_a_rerun_takes_over_what_was_done_and_asks_again(stage: Stage) -> None:
    body = (
        bash("#a save=old", f"{ran('a')}; echo seven")
        + "```approval {#ask by=security}\nMay it?\n```\n"
        + bash("#b on-fail=stop", 'echo "b:$old" >> "$OPSBOOK_WORK/ran"; '
               'test -e "$OPSBOOK_WORK/mended"')
    )  # fmt: skip
    book = await stage.load(body)
    first = await stage.run()
    await stage.answer(first, "officer", "approve")
    await stage.settle()
    (stage.work / "mended").touch()
    who = await stage.person("operator")
    second = await stage.act(runs.rerun, first, who, book, "b", "the cause is mended")
    await stage.settle()
    assert stage.ran() == ["a", "b:seven"]
    await stage.answer(second, "officer", "approve")
    await stage.settle()
    assert stage.ran() == ["a", "b:seven", "b:seven"]
    steps = await stage.steps(second)
    assert steps["a"]["message"] == f"taken over from run {first}"
    row = await stage.row(second)
    assert (row["rerun_of"], row["rerun_from"]) == (first, "b")


async def test_a_rerun_takes_over_nothing_that_was_done_with_something_else(stage: Stage) -> None:
    head = "params:\n  version: {default: v1}\n  note: {default: x}"
    body = bash("#push", 'echo "push:$version" >> "$OPSBOOK_WORK/ran"') + bash(
        "#enable on-fail=stop", 'echo "$version $note"; exit 1'
    )
    book = await stage.load(body, head)
    first = await stage.run()
    who = await stage.person("operator")
    with pytest.raises(runs.CannotResume, match="version was 'v1' when push ran") as refused:
        await stage.act(
            runs.rerun, first, who, book, "enable", "again", {"version": "v9", "note": "y"}
        )
    assert "note" not in str(refused.value)
    second = await stage.act(runs.rerun, first, who, book, "enable", "again", {"note": "y"})
    assert (await stage.row(second))["params"] == {"version": "v1", "note": "y"}
    await stage.act(runs.rerun, first, who, book, None, "anew", {"version": "v9"})
    await stage.settle()
    assert stage.ran() == ["push:v1", "push:v9"]


async def test_who_is_asked_reads_what_is_asked(stage: Stage) -> None:
    head = "params:\n  version: {default: v1}\n  key: {type: text, secret: true}"
    body = "```approval {#ask by=security}\n$version with ${key} at $5 to $HOME, ok?\n```\n"
    await stage.load(body, head)
    run_id = await stage.run(key="a secret word")
    asked = await stage.database.read(lambda tx: tx.scalar(sa.select(approval.c.question)))
    assert asked == "v1 with •••• at $5 to $HOME, ok?"
    assert (await stage.row(run_id))["state"] == "waiting"


async def test_a_resumed_run_waits_for_one_that_has_taken_its_lock(stage: Stage) -> None:
    failing = f'{ran("b")}; test -e "$OPSBOOK_WORK/mended"'
    body = bash("#b on-fail=stop", failing) + "- [ ] Look at it {#look by=security}\n"
    book = await stage.load(body, "lock: web")
    first = await stage.run()
    (stage.work / "mended").touch()
    second = await stage.run()
    assert (await stage.row(second))["state"] == "waiting"
    await stage.act(runs.resume, first, await stage.person("operator"), book, book, "mended")
    await stage.settle()
    assert (await stage.row(first))["state"] == "queued"
    await stage.act(runs.confirm, second, "look", await stage.person("officer"), book)
    await stage.settle()
    assert (await stage.row(second))["state"] == "succeeded"
    assert (await stage.row(first))["state"] == "waiting"


async def test_nobody_who_may_not_start_resumes_or_repeats(stage: Stage) -> None:
    book = await stage.load(bash("#b on-fail=stop", "exit 1"))
    run_id = await stage.run()
    reader = await stage.person("viewer")
    with pytest.raises(Refused, match="has no runs:write"):
        await stage.act(runs.resume, run_id, reader, book, book, "again")
    with pytest.raises(Refused, match="has no runs:write"):
        await stage.act(runs.rerun, run_id, reader, book, None, "again")
