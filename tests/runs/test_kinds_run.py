"""Run steps: another runbook as a run of its own, which ends with the one that waits for it."""

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from opsbook import runs
from opsbook.base.clock import WoundClock
from opsbook.book import Book, BookError
from opsbook.runs.tables import run as run_table
from tests.support.runs import START, Stage, book, runbook

NOTE = 'echo "$OPSBOOK_STEP" >> "$OPSBOOK_WORK/ran"'


def call(body: str = "other", has: str = "") -> str:
    return f"```run {{#call {has}}}\n{body}\n```\n"


def step(key: str, script: str = "true", has: str = "") -> str:
    return f"```bash {{#{key} {has}}}\n{script}\n{NOTE}\n```\n"


def shop(outer: str, inner: str, *, head: str = "", inner_head: str = "") -> Book:
    """A book whose runbook `fix` runs `other`."""
    return book(runbook(outer, head), runbook(inner, inner_head, "other"))


async def child_of(stage: Stage, run: int) -> dict[str, Any]:
    mine = run_table.select().where(run_table.c.parent_id == run)
    (found,) = await stage.database.read(lambda tx: tx.rows(mine))
    return found


async def test_a_runbook_runs_another_and_goes_on_when_it_has_succeeded(any_stage: Stage) -> None:
    stage = any_stage
    await stage.publish(
        shop(
            step("before") + call("other\nwhat: $where\nsize: 3") + step("after"),
            step("inside", 'test "$what/$size" = "here; rm -rf /3"'),
            head="params:\n  where: {}",
            inner_head="params:\n  what: {}\n  size: {type: integer}",
        )
    )  # fmt: skip
    run = await stage.run(where="here; rm -rf ")
    child = await child_of(stage, run)
    assert stage.ran() == ["before", "inside", "after"], child
    assert child["params"] == {"what": "here; rm -rf ", "size": "3"}
    parent = await stage.row(run)
    assert (child["trigger"], child["depth"]) == (f"run:{run}", 1)
    for name in ("revision", "thread", "started_by", "attended"):
        assert child[name] == parent[name]
    assert (await stage.steps(run))["call"]["message"] == f"run {child['id']} succeeded"


async def test_the_run_that_waits_is_a_row_until_the_other_is_done(stage: Stage) -> None:
    await stage.publish(shop(call() + step("after"), "- [ ] Look {#look}\n" + step("inside")))
    run = await stage.run()
    child = await child_of(stage, run)
    (waiting,) = await stage.waits(run)
    assert (waiting["kind"], waiting["data"]["run"], waiting["due_at"]) == (
        "run",
        child["id"],
        None,
    )
    await stage.act(
        runs.confirm, child["id"], "look", await stage.person("operator"),
        stage.library.current("shop"),
    )  # fmt: skip
    assert stage.ran() == ["inside", "after"]
    assert (await stage.row(run))["state"] == "succeeded"


async def test_the_step_fails_with_why_the_other_run_failed(any_stage: Stage) -> None:
    stage = any_stage
    await stage.publish(shop(call() + step("after"), step("inside", "exit 3")))
    run = await stage.run()
    child = await child_of(stage, run)
    told = (await stage.steps(run))["call"]["message"]
    assert told == f"run {child['id']} failed: {child['reason']}"
    assert "exit code 3" in told
    assert (await stage.row(run))["state"] == "failed"
    assert stage.ran() == []


async def test_what_a_variable_holds_is_judged_when_the_other_run_is_to_start(
    stage: Stage,
) -> None:
    await stage.publish(
        shop(call("other\nsize: $size"), step("inside"), head="params:\n  size: {}",
             inner_head="params:\n  size: {type: integer}")
    )  # fmt: skip
    run = await stage.run(size="many")
    found = (await stage.steps(run))["call"]
    assert found["state"] == "failed"
    assert "'many'" in found["message"]
    assert await stage.database.read(lambda tx: tx.rows(run_table.select())) == [
        await stage.row(run)
    ]


async def test_a_run_whose_time_is_over_is_ended_and_undone_before_the_step_fails(
    stage: Stage,
) -> None:
    inner = (
        step("change") + "- [ ] Look {#look}\n" + step("never")
        + "## Back {.rollback of=change}\n" + step("undo")
    )  # fmt: skip
    await stage.publish(shop(call(has="timeout=30m") + step("after"), inner))
    run = await stage.run()
    assert (await stage.waits(run))[0]["due_at"] == START + timedelta(minutes=30)
    await stage.wind(timedelta(minutes=30))
    child = await child_of(stage, run)
    assert (child["state"], stage.ran()) == ("cancelled", ["change", "undo"])
    assert child["reason"] == f"it took longer than 30m, which step call of run {run} allows"
    told = (await stage.steps(run))["call"]["message"]
    assert told == f"it took longer than 30m; run {child['id']} was ended"


async def test_a_run_that_is_cancelled_ends_the_one_it_waits_for_first(any_stage: Stage) -> None:
    stage = any_stage
    outer = step("out") + call() + "## Back {.rollback of=out}\n" + step("undo-out")
    inner = (
        step("in") + "- [ ] Look {#look}\n" + "## Back {.rollback of=in}\n" + step("undo-in")
    )  # fmt: skip
    await stage.publish(shop(outer, inner))
    run = await stage.run()
    await stage.act(
        runs.cancel, run, await stage.person("operator"), stage.library.current("shop"), "enough"
    )
    assert (await stage.row(run))["state"] == "cancelled"
    assert (await child_of(stage, run))["state"] == "cancelled"
    assert stage.ran() == ["out", "in", "undo-in", "undo-out"]


async def test_a_run_waits_for_its_own_run_under_another_server(stage_folder: Path) -> None:
    async with Stage(stage_folder) as first:
        await first.publish(
            shop(call() + step("after"), "```wait {#pause}\n1h\n```\n" + step("inside"))
        )
        run = await first.run()
        await first.wind(timedelta(minutes=10))
    async with Stage(stage_folder, clock=WoundClock(first.clock.now())) as second:
        await second.settle()
        assert (await second.row(run))["state"] == "waiting"
        await second.wind(timedelta(minutes=50))
        assert second.ran() == ["inside", "after"]
        assert (await second.row(run))["state"] == "succeeded"


async def test_a_run_has_the_lock_of_the_one_that_waits_for_it(stage: Stage) -> None:
    await stage.publish(
        shop(call() + step("after"), step("inside"), head="lock: web", inner_head="lock: web")
    )
    run = await stage.run()
    assert (await stage.row(run))["state"] == "succeeded"


async def test_each_item_has_a_run_of_its_own(stage: Stage) -> None:
    await stage.publish(
        shop(
            call("other\nshop: $item", "each=shops at-once=2"), step("inside"),
            head="params:\n  shops: {type: list, default: [seoul, busan]}",
            inner_head="params:\n  shop: {}",
        )
    )  # fmt: skip
    run = await stage.run()
    rows = await stage.database.read(
        lambda tx: tx.rows(run_table.select().where(run_table.c.parent_id == run))
    )
    assert sorted(row["params"]["shop"] for row in rows) == ["busan", "seoul"]
    assert (await stage.row(run))["state"] == "succeeded"


@pytest.mark.parametrize(("deep", "state"), [(8, "succeeded"), (9, "failed")])
async def test_runs_lie_in_each_other_eight_deep_and_no_deeper(
    stage: Stage, deep: int, state: str
) -> None:
    inner = [runbook(call(f"r{n + 1}"), "", f"r{n}") for n in range(1, deep)]
    last = runbook(step("inside"), "", f"r{deep}")
    await stage.publish(book(runbook(call("r1")), *inner, last))
    run = await stage.run()
    row = await stage.row(run)
    assert row["state"] == state, row["reason"]
    assert stage.ran() == (["inside"] if state == "succeeded" else [])


SECRET = "hunter2hunter2"
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()
IS_IT = f'printf %s "$key" | sha256sum | grep -q {DIGEST}'
"""The book is in the database as well, and must not be where the secret is found."""


async def test_a_secret_goes_to_a_secret_parameter_and_is_nowhere_in_the_clear(
    stage: Stage,
) -> None:
    await stage.publish(
        shop(
            call("other\nkey: $token"),
            step("inside", f'{IS_IT}; echo "the key is $key"'),
            head="params:\n  token: {secret: true}", inner_head="params:\n  key: {secret: true}",
        )
    )  # fmt: skip
    run = await stage.run(token=SECRET)
    child = await child_of(stage, run)
    assert (await stage.row(run))["state"] == "succeeded", await stage.steps(run)
    assert "the key is ••••" in await stage.text(child["id"], "inside")
    for file in stage.folder.glob("opsbook.db*"):
        assert SECRET.encode() not in file.read_bytes()


def test_a_secret_for_a_parameter_that_is_none_is_no_book() -> None:
    with pytest.raises(BookError) as found:
        shop(call("other\nkey: $token"), step("inside"),
             head="params:\n  token: {secret: true}", inner_head="params:\n  key: {}")  # fmt: skip
    assert "token is secret" in str(found.value)
