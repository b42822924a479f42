"""What the engine promises while the server lives: real steps, real people, a wound clock."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from opsbook import runs
from opsbook.access import approvals
from opsbook.access.errors import NotApproved
from opsbook.base.errors import Conflict, Refused
from opsbook.base.events import event
from opsbook.runs import store
from tests.support.runs import Stage

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)

THE_THREAD = """
## 1. Look
```bash {#look effect=read save=before}
echo look >> "$OPSBOOK_WORK/ran"; echo "  how it is  "; echo aside >&2
```
## 2. Agree
```approval {#agree by=security within=4h}
Is this all right?
```
## 3. Repair
```bash {#repair}
echo repair >> "$OPSBOOK_WORK/ran"; echo "was: <$before>"; printf 123 > "$OPSBOOK_WORK/size"
```
## 4. Hold
```check {#hold for=1m}
small
```
## 5. Say
- [ ] Tell the desk. {#say by=responder}
"""

UNDO = """
```bash {#one}
echo one >> "$OPSBOOK_WORK/ran"
```
```bash {#two}
echo two >> "$OPSBOOK_WORK/ran"; exit 3
```
```bash {#three}
echo three >> "$OPSBOOK_WORK/ran"
```
## Back from one {.rollback of=one}
```bash {#undo-one}
echo undo-one >> "$OPSBOOK_WORK/ran"
```
## Back from two {.rollback of=two}
```bash {#undo-two}
echo undo-two >> "$OPSBOOK_WORK/ran"
```
```bash {#undo-two-more}
echo undo-two-more >> "$OPSBOOK_WORK/ran"
```
## Back from three {.rollback of=three}
```bash {#undo-three}
echo undo-three >> "$OPSBOOK_WORK/ran"
```
## Always {.finally}
```bash {#always}
echo always >> "$OPSBOOK_WORK/ran"
```
"""


def step(key: str, script: str = "", **attributes: str) -> str:
    """A bash step that notes that it ran, then runs `script`."""
    words = " ".join(f"{name}={value}" for name, value in attributes.items())
    return f'```bash {{#{key} {words}}}\necho {key} >> "$OPSBOOK_WORK/ran"\n{script}\n```\n'


async def test_a_run_looks_asks_repairs_holds_and_hands_over(any_stage: Stage) -> None:
    stage = any_stage
    shop = await stage.load(THE_THREAD)
    run = await stage.run()
    asked = (await stage.waits(run))[0]
    assert (await stage.row(run))["state"] == "waiting"
    assert (asked["kind"], asked["step"], asked["role"]) == ("approval", "agree", "security")
    assert asked["due_at"] == stage.clock.now() + 4 * HOUR
    assert stage.ran() == ["look"]

    await stage.answer(run, "officer", "approve")
    assert stage.ran() == ["look", "repair"]
    assert await stage.text(run, "repair") == "was: <how it is>\n"
    assert (await stage.steps(run))["agree"]["message"] == "approved by officer"
    assert (await stage.waits(run))[0]["kind"] == "check"

    await stage.wind(MINUTE)
    held = (await stage.steps(run))["hold"]
    assert held["state"] == "succeeded"
    assert held["finished_at"] == stage.clock.now()
    assert (await stage.waits(run))[0]["kind"] == "person"

    operator = await stage.person("operator")
    await stage.act(runs.confirm, run, "say", operator, shop, note="they know")
    row = await stage.row(run)
    assert (row["state"], row["reason"]) == ("succeeded", "")
    assert (await stage.steps(run))["say"]["message"] == "done by operator"
    assert stage.ran() == ["look", "repair"]
    assert await stage.actions(run) == [
        "run.started", "step.started", "step.succeeded", "approval.requested", "step.waiting",
        "approval.approved", "step.succeeded", "step.started", "step.succeeded", "step.waiting",
        "step.succeeded", "step.waiting", "step.confirmed", "run.succeeded",
    ]  # fmt: skip
    told = await stage.write(
        lambda tx: tx.rows(sa.select(event).where(event.c.subject == f"run:{run}"))
    )
    kinds = [one["kind"] for one in told]
    assert (kinds[0], kinds[-1]) == ("run.created", "run.finished")
    assert told[-1]["data"]["state"] == "succeeded"


async def test_a_run_that_started_by_itself_may_look_and_asks_before_it_changes(
    stage: Stage,
) -> None:
    await stage.load(step("look", effect="read") + step("change") + step("more"))
    run = await stage.run(by="")
    assert stage.ran() == ["look"]
    asked = (await stage.waits(run))[0]
    assert (asked["kind"], asked["step"], asked["data"]) == ("approval", "change", {"leave": True})
    question = await stage.write(lambda tx: approvals.require(tx, asked["approval_id"])["question"])
    assert "started by itself" in question
    with pytest.raises(NotApproved):
        await stage.answer(run, "viewer", "approve")
    await stage.answer(run, "operator", "approve")
    assert stage.ran() == ["look", "change", "more"]
    assert (await stage.row(run))["state"] == "succeeded"


async def test_a_run_that_may_not_change_anything_fails_and_touches_nothing(stage: Stage) -> None:
    tidy = "## Always {.finally}\n" + step("tidy") + step("report", effect="read")
    await stage.load(step("look", effect="read") + step("change") + tidy)
    run = await stage.run(by="")
    await stage.answer(run, "operator", "reject")
    row = await stage.row(run)
    assert row["state"] == "failed"
    assert row["reason"].endswith("rejected by operator")
    assert stage.ran() == ["look", "report"]
    tidied = (await stage.steps(run))["tidy"]
    assert (tidied["state"], tidied["message"]) == (
        "skipped", "nobody allowed this run to change anything",
    )  # fmt: skip


async def test_whoever_started_a_run_does_not_approve_it(stage: Stage) -> None:
    await stage.load(THE_THREAD)
    run = await stage.run(by="officer")
    with pytest.raises(NotApproved):
        await stage.answer(run, "officer", "approve")
    assert (await stage.row(run))["state"] == "waiting"


async def test_an_approval_nobody_gives_in_time_fails_the_run(stage: Stage) -> None:
    await stage.load(THE_THREAD)
    run = await stage.run()
    await stage.wind(4 * HOUR)
    row = await stage.row(run)
    assert row["state"] == "failed"
    assert row["reason"].endswith("nobody approved within 4h")


async def test_a_program_of_this_machine_neither_approves_nor_confirms(stage: Stage) -> None:
    shop = await stage.load("- [ ] Look at it. {#look}\n```approval {#agree}\nAgreed?\n```\n")
    run, local = await stage.run(), await stage.local()
    with pytest.raises(Refused, match="local token"):
        await stage.act(runs.confirm, run, "look", local, shop)
    await stage.act(runs.confirm, run, "look", await stage.person("operator"), shop)
    asked = (await stage.waits(run))[0]["approval_id"]
    with pytest.raises(Refused):
        await stage.act(approvals.decide, asked, local, shop, "approve")
    await stage.act(runs.cancel, run, local, shop)
    assert (await stage.row(run))["state"] == "cancelled"


async def test_a_manual_step_takes_its_role_and_one_answer(any_stage: Stage) -> None:
    stage = any_stage
    shop = await stage.load("- [ ] Look at it. {#look by=security}\n")
    run = await stage.run()
    with pytest.raises(Refused, match="security"):
        await stage.act(runs.confirm, run, "look", await stage.person("operator"), shop)
    officer = await stage.person("officer")
    answers = await asyncio.gather(
        *(stage.act(runs.confirm, run, "look", officer, shop) for _ in range(2)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in answers) == ["NoneType", "NotWaiting"]
    assert (await stage.row(run))["state"] == "succeeded"


async def test_a_manual_step_has_its_time(stage: Stage) -> None:
    await stage.load("- [ ] Look at it. {#look within=30m}\n")
    run = await stage.run()
    await stage.wind(30 * MINUTE)
    assert (await stage.row(run))["reason"].endswith("nobody did it within 30m")


async def test_a_failing_step_stops_the_run_which_undoes_what_had_begun(stage: Stage) -> None:
    await stage.load(UNDO)
    run = await stage.run()
    assert stage.ran() == ["one", "two", "undo-two", "undo-two-more", "undo-one", "always"]
    states = await stage.states(run)
    assert states["two"] == "failed"
    assert (states["three"], states["undo-three"]) == ("skipped", "skipped")
    row = await stage.row(run)
    assert row["state"] == "failed"
    assert row["reason"].endswith("exit code 3")


async def test_undoing_ends_where_it_fails_and_what_is_always_done_is_done(stage: Stage) -> None:
    await stage.load(UNDO.replace("echo undo-two >>", "exit 9; echo undo-two >>"))
    run = await stage.run()
    assert stage.ran() == ["one", "two", "always"]
    states = await stage.states(run)
    assert (states["undo-two"], states["undo-one"]) == ("failed", "skipped")
    assert "rollback" in (await stage.row(run))["reason"]


async def test_a_cancelled_run_ends_its_step_with_all_its_children_and_undoes(
    any_stage: Stage,
) -> None:
    stage = any_stage
    shop = await stage.load(
        step("first", 'setsid sleep 300 & echo $! > "$OPSBOOK_WORK/pid"; sleep 300')
        + "## Back {.rollback of=first}\n" + step("undo", "sleep 0.5; echo undone")
    )  # fmt: skip
    run = await stage.begin(by="operator")
    while not (stage.work / "pid").exists():
        await asyncio.sleep(0.01)
    operator = await stage.person("operator")
    await stage.write(lambda tx: runs.cancel(tx, stage.clock.now(), run, operator, shop, "wrong"))
    while "undo" not in stage.ran():
        await asyncio.sleep(0.01)
    stage.engine.look()  # whatever wakes it: what undoes is not ended
    await stage.settle()
    row = await stage.row(run)
    assert (row["state"], row["reason"]) == ("cancelled", "cancelled by operator")
    assert (await stage.states(run)) == {"first": "cancelled", "undo": "succeeded"}
    assert await stage.text(run, "undo") == "undone\n"
    assert stage.ran() == ["first", "undo"]
    left = await asyncio.to_thread(Path(f"/proc/{(stage.work / 'pid').read_text().strip()}").exists)
    assert not left
    with pytest.raises(Conflict, match="over"):
        await stage.act(runs.cancel, run, await stage.person("operator"), shop)


async def test_a_run_cancelled_while_it_waits_asks_nobody_any_more(stage: Stage) -> None:
    shop = await stage.load(THE_THREAD + "## Always {.finally}\n- [ ] Tidy up. {#tidy}\n")
    run = await stage.run()
    asked = (await stage.waits(run))[0]["approval_id"]
    await stage.act(runs.cancel, run, await stage.person("operator"), shop)
    assert (await stage.row(run))["state"] == "cancelled"
    assert await stage.waits(run) == []
    assert (await stage.states(run))["tidy"] == "skipped"
    assert await stage.write(lambda tx: approvals.require(tx, asked)["state"]) == "void"


async def test_a_check_that_does_not_hold_in_time_fails_with_what_was_seen(stage: Stage) -> None:
    await stage.load(
        step("grow", 'printf 12345678901 > "$OPSBOOK_WORK/size"')
        + "```check {#hold for=1m within=5m}\nsmall\n```\n"
    )
    run = await stage.run()
    assert (await stage.waits(run))[0]["due_at"] == stage.clock.now() + 6 * MINUTE
    await stage.wind(6 * MINUTE)
    assert (await stage.row(run))["state"] == "failed"
    assert "critical 11 B" in (await stage.steps(run))["hold"]["message"]


async def test_a_check_that_fails_meanwhile_holds_from_the_start_again(stage: Stage) -> None:
    await stage.load(
        step("make", 'printf 1 > "$OPSBOOK_WORK/size"')
        + "```check {#hold for=2m timeout=10m}\nsmall\n```\n"
    )
    run = await stage.run()
    began = stage.clock.now()
    await stage.wind(MINUTE)
    (stage.work / "size").write_text("x" * 11)
    await stage.wind(MINUTE)
    (stage.work / "size").write_text("x")
    await stage.wind(MINUTE)
    assert (await stage.states(run))["hold"] == "waiting"
    await stage.wind(2 * MINUTE)
    held = (await stage.steps(run))["hold"]
    assert held["state"] == "succeeded"
    assert held["finished_at"] >= began + 4 * MINUTE


async def test_a_runbook_that_takes_too_long_fails_wherever_it_stands(stage: Stage) -> None:
    await stage.load("- [ ] Look at it. {#look}\n## Always {.finally}\n" + step("tidy"),
                     "timeout: 1h")  # fmt: skip
    run = await stage.run()
    await stage.wind(HOUR)
    row = await stage.row(run)
    assert (row["state"], row["reason"]) == ("failed", "took longer than the 1h its runbook allows")
    assert stage.ran() == ["tidy"]


async def test_runs_with_one_lock_move_one_after_the_other(any_stage: Stage) -> None:
    stage = any_stage
    shop = await stage.load("- [ ] Look at it. {#look}\n", "lock: shelf")
    first, second = await stage.run(), await stage.run()
    assert (await stage.row(second))["state"] == "queued"
    row = await stage.row(second)
    ahead = await stage.write(lambda tx: store.ahead_in_line(tx, row))
    assert ahead is not None
    assert ahead["id"] == first
    await stage.act(runs.confirm, first, "look", await stage.person("operator"), shop)
    assert (await stage.row(second))["state"] == "waiting"
    third = await stage.run()
    await stage.act(runs.cancel, third, await stage.person("operator"), shop)
    assert (await stage.row(third))["state"] == "cancelled"


async def test_the_same_idempotency_key_starts_one_run(stage: Stage) -> None:
    shop = await stage.load(step("one"), "params:\n  much: {default: '1'}")

    async def begin(**params: str) -> int:
        return await stage.act(
            runs.start, book=shop, runbook="fix", params=params, started_by="account:1",
            attended=True, idempotency_key="k",
        )  # fmt: skip

    assert await begin() == await begin()
    with pytest.raises(Conflict, match="something else"):
        await begin(much="2")
    assert stage.ran() == ["one"]


async def test_all_that_is_wrong_with_parameters_is_said_at_once(stage: Stage) -> None:
    await stage.load(step("one"), "params:\n  size: {type: integer}\n  name: {pattern: '[a-z]+'}")
    with pytest.raises(runs.WrongParameters) as refused:
        await stage.begin(by="operator", size="big", name="X", nmae="x")
    told = refused.value.details["problems"]
    assert len(told) == 3
    assert refused.value.status == 422
    with pytest.raises(runs.UnknownRunbook, match="fix"):
        await stage.act(
            runs.start, book=stage.library.current("shop"), runbook="fixx", params={},
            started_by="opsbook", attended=False,
        )  # fmt: skip


async def test_only_who_may_run_starts_and_cancels(stage: Stage) -> None:
    shop = await stage.load("- [ ] Look at it. {#look}\n")
    viewer = await stage.person("viewer")
    with pytest.raises(Refused, match="runs:write"):
        await stage.act(
            runs.start, book=shop, runbook="fix", params={}, started_by=viewer.actor,
            attended=True, principal=viewer,
        )  # fmt: skip
    run = await stage.run()
    with pytest.raises(Refused, match="runs:write"):
        await stage.act(runs.cancel, run, viewer, shop)
    with pytest.raises(runs.NoSuchRun):
        await stage.act(runs.cancel, run + 1, await stage.person("operator"), shop)
