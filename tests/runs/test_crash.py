"""kill -9 of the server at every moment of a step. The steps themselves note that they ran."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from opsbook import runs
from opsbook.base import places
from opsbook.base.errors import Conflict, Invalid
from opsbook.base.events import event
from opsbook.runs import supervisor
from opsbook.runs.kinds.environment import work_folder
from tests.support.runs import Stage, book, runbook

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0

STEPS = """
```bash {#one}
echo one >> "$OPSBOOK_WORK/ran"
```
```bash {#two POLICY}
echo two >> "$OPSBOOK_WORK/ran"; echo before
while [ ! -e "$OPSBOOK_WORK/go" ]; do sleep 0.02; done
echo after
```
```bash {#three}
echo three >> "$OPSBOOK_WORK/ran"
```
## Back {.rollback of=two}
```bash {#undo}
echo undo >> "$OPSBOOK_WORK/ran"
```
"""


async def until(found: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not found():
            await asyncio.sleep(0.01)


class Dead:
    """What a killed server leaves, and the next one on top of it."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder = folder
        self.url = url
        self.text = ""

    def script(self, body: str, policy: str = "") -> None:
        self.text = runbook(body.replace("POLICY", policy))
        (self.folder / "runbook.md").write_text(self.text)

    @property
    def work(self) -> Path:
        return self.folder / "work" / "shop"

    def go(self) -> None:
        """Let step two end, whenever it gets there."""
        if not self.work.is_dir():
            place = places.prepare(self.folder, places.step_user())
            work_folder("shop", place)
        (self.work / "go").touch()

    @contextlib.asynccontextmanager
    async def server(self, moment: str) -> AsyncIterator[subprocess.Popen[bytes]]:
        """A server that lives until its moment, and at most until this is left."""
        log = (self.folder / "server.log").open("wb")
        words = [str(self.folder), moment, self.url]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.runs.crashing_server", *words],
            cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            log.close()

    async def dies_at(self, moment: str) -> None:
        """Run a server to its death at this moment."""
        async with self.server(moment) as process:
            await until(lambda: process.poll() is not None)
            told = (self.folder / "server.log").read_text()
            assert process.returncode == -signal.SIGKILL, told

    async def dies_in_two(self, *, keeper_too: bool = False) -> None:
        """Kill a server while its step two runs, and with `keeper_too` the step's keeper."""
        async with self.server("never") as process:
            await until(lambda: "two" in self.ran() or process.poll() is not None)
            assert process.poll() is None, (self.folder / "server.log").read_text()
            process.kill()
            process.wait()
        if keeper_too:
            # The step may be quicker to note itself than its keeper to publish who it is.
            await until((self.scratch() / "pid.json").exists)
            pid = json.loads((self.scratch() / "pid.json").read_text())["keeper"]
            os.kill(pid, signal.SIGKILL)
            await until(lambda: not Path(f"/proc/{pid}").exists())

    def ran(self) -> list[str]:
        file = self.work / "ran"
        return file.read_text().split() if file.exists() else []

    def scratch(self) -> Path:
        """The folder of the newest attempt of step two."""
        return max(self.folder.glob("steps/1-1-*"), key=lambda path: path.stat().st_mtime)

    @contextlib.asynccontextmanager
    async def again(self) -> AsyncIterator[Stage]:
        """The next server."""
        async with Stage(self.folder, self.url) as stage:
            await stage.publish(book(self.text, file=stage.work / "size"))
            yield stage


@pytest.fixture
def dead(stage_folder: Path) -> Dead:
    made = Dead(stage_folder)
    made.script(STEPS)
    return made


async def succeeded(stage: Stage) -> bool:
    async with asyncio.timeout(PATIENCE):
        await stage.settle()
    row = await stage.row(1)
    assert row["state"] == "succeeded", (row, await stage.steps(1), stage.engine.trouble)
    return True


async def attempts(stage: Stage, key: str) -> list[str]:
    return [one["state"] for one in (await stage.steps(1))[key]["attempts"]]


async def test_between_intent_and_spawn_the_step_is_asked_about(dead: Dead) -> None:
    await dead.dies_at("before_spawn")
    async with dead.again() as stage:
        await stage.settle()
        assert stage.ran() == ["one"]
        (asked,) = await stage.waits(1)
        assert (asked["kind"], asked["step"]) == ("decision", "two")
        assert await attempts(stage, "two") == ["interrupted"]
        asking = sa.select(event).where(event.c.kind == "run.asks")
        (told,) = await stage.write(lambda tx: tx.rows(asking))
        assert told["data"]["step"] == "two"
        dead.go()
        shop, operator = stage.library.current("shop"), await stage.person("operator")
        await stage.act(runs.decide, 1, "two", operator, shop, "retry")
        assert await succeeded(stage)
        assert stage.ran() == ["one", "two", "three"]
        assert await attempts(stage, "two") == ["interrupted", "succeeded"]
        actions = await stage.actions(1)
        assert {"step.interrupted", "step.decided"} < set(actions)


async def test_a_step_that_outlives_its_server_is_found_and_its_late_outcome_counts(
    dead: Dead,
) -> None:
    await dead.dies_in_two()
    async with dead.again() as stage:
        assert (await stage.states(1))["two"] == "running"
        dead.go()
        assert await succeeded(stage)
        assert stage.ran() == ["one", "two", "three"]
        assert await attempts(stage, "two") == ["succeeded"]
        assert await stage.text(1, "two") == "before\nafter\n"


async def test_what_ended_while_no_server_was_there_is_not_repeated(dead: Dead) -> None:
    await dead.dies_in_two()
    dead.go()
    await until((dead.scratch() / "outcome.json").exists)
    async with dead.again() as stage:
        assert await succeeded(stage)
        assert stage.ran() == ["one", "two", "three"]
        assert await stage.text(1, "two") == "before\nafter\n"


@pytest.mark.parametrize("moment", ["before_commit", "between_steps"])
async def test_an_outcome_that_was_not_committed_is_read_where_the_keeper_left_it(
    dead: Dead, moment: str
) -> None:
    dead.script(STEPS.replace('while [ ! -e "$OPSBOOK_WORK/go" ]; do', "while false; do"))
    await dead.dies_at(moment)
    assert dead.ran() == ["one", "two"]
    async with dead.again() as stage:
        assert await succeeded(stage)
        assert stage.ran() == ["one", "two", "three"]
        assert await stage.text(1, "two") == "before\nafter\n"


async def test_an_approval_given_just_before_is_not_asked_for_again(dead: Dead) -> None:
    dead.script("```approval {#agree by=security}\nAgreed?\n```\n" + STEPS)
    dead.go()
    await dead.dies_at("before_it_hears")
    assert dead.ran() == []
    async with dead.again() as stage:
        assert await succeeded(stage)
        assert stage.ran() == ["one", "two", "three"]


async def test_a_choice_is_made_once_and_ends_what_is_left_first(dead: Dead) -> None:
    await dead.dies_in_two(keeper_too=True)
    scratch = dead.scratch()
    async with dead.again() as stage:
        await stage.settle()
        assert (await stage.states(1))["two"] == "interrupted"
        assert supervisor.tree(scratch.name, scratch), "the step itself is still there"
        assert await stage.text(1, "two") == "before\n"
        shop, operator = stage.library.current("shop"), await stage.person("operator")
        with pytest.raises(Invalid):
            await stage.act(runs.decide, 1, "two", operator, shop, "again")
        answers = await asyncio.gather(
            *(stage.act(runs.decide, 1, "two", operator, shop, one) for one in ("fail", "retry")),
            return_exceptions=True,
        )
        assert sorted(isinstance(one, Conflict) for one in answers) == [False, True]
        assert (await stage.row(1))["state"] == "failed"
        assert not supervisor.tree(scratch.name, scratch)
        assert stage.ran() == ["one", "two", "undo"]
        assert "failed by operator" in (await stage.row(1))["reason"]


@pytest.mark.parametrize(
    ("policy", "ran", "state"),
    [
        ("interrupted=retry", ["one", "two", "two", "three"], "succeeded"),
        ("interrupted=fail", ["one", "two", "undo"], "failed"),
    ],
)
async def test_what_the_book_says_about_an_interrupted_step_is_done_once_it_is_dead(
    dead: Dead, policy: str, ran: list[str], state: str
) -> None:
    dead.script(STEPS, policy)
    await dead.dies_in_two(keeper_too=True)
    scratch = dead.scratch()
    async with dead.again() as stage:
        await until(lambda: not supervisor.tree(scratch.name, scratch))
        dead.go()
        await stage.settle()
        assert (await stage.row(1))["state"] == state
        assert stage.ran() == ran


async def test_a_run_with_an_interrupted_step_can_be_cancelled(dead: Dead) -> None:
    await dead.dies_in_two(keeper_too=True)
    scratch = dead.scratch()
    async with dead.again() as stage:
        await stage.settle()
        shop, operator = stage.library.current("shop"), await stage.person("operator")
        await stage.act(runs.cancel, 1, operator, shop)
        assert (await stage.row(1))["state"] == "cancelled"
        assert not supervisor.tree(scratch.name, scratch)
        assert stage.ran() == ["one", "two", "undo"]
        assert await stage.waits(1) == []


async def test_a_server_that_stops_in_order_finds_its_step_again(dead: Dead) -> None:
    async with dead.again() as first:
        await first.begin(by="operator")
        await until(lambda: "two" in dead.ran())
    async with dead.again() as second:
        dead.go()
        assert await succeeded(second)
        assert second.ran() == ["one", "two", "three"]
        assert await attempts(second, "two") == ["succeeded"]


async def test_on_postgresql_the_next_server_takes_over_and_goes_on(
    stage_folder: Path, postgres_url: str
) -> None:
    dead = Dead(stage_folder, postgres_url)
    dead.script(STEPS)
    await dead.dies_in_two()
    async with dead.again() as stage:
        assert stage.lease.epoch == 2
        dead.go()
        assert await succeeded(stage)
        assert stage.ran() == ["one", "two", "three"]
        assert await attempts(stage, "two") == ["succeeded"]


async def test_a_server_that_was_replaced_while_its_step_ran_writes_nothing(dead: Dead) -> None:
    async with dead.again() as replaced:
        await replaced.begin(by="operator")
        await until(lambda: "two" in dead.ran())
        async with dead.again() as stage:
            while (await stage.steps(1))["two"]["attempts"][0]["epoch"] != stage.lease.epoch:
                await asyncio.sleep(0.01)
            dead.go()
            assert await succeeded(stage)
            await replaced.settle()
            assert stage.ran() == ["one", "two", "three"]
            assert await attempts(stage, "two") == ["succeeded"]
            assert (await stage.actions(1)).count("step.succeeded") == 3
            assert await stage.text(1, "two") == "before\nafter\n"
