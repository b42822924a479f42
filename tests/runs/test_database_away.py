"""The database goes away in the middle of a step, and comes back: the run goes on, nothing is lost.

A real PostgreSQL is stopped in order, killed, or frozen; an SQLite file is locked by another
process. The step ends meanwhile and says something while nobody can write it down. `make test` has
short outages and `make prove` ones of more than half a minute: nothing in between is scaled.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx2 as httpx
import pytest
import structlog

from opsbook.base.clock import WoundClock
from opsbook.base.database import Database, metadata
from opsbook.base.lease import RENEW_EVERY, TAKE_OVER_AFTER, Lease
from opsbook.base.loops import Loops
from tests.runs.matrix import cluster
from tests.runs.matrix.cluster import Cluster, pids_below
from tests.support.databases import all_tables
from tests.support.front_door import start as start_up
from tests.support.runs import START, Stage
from tests.support.servers import needs
from tests.support.shopbook import write_shop

LONG = pytest.param(34.0, marks=[pytest.mark.prove, pytest.mark.timeout(300)])
BEYOND = pytest.param(12.0, marks=[pytest.mark.prove, pytest.mark.timeout(300)])
WITHIN = 60.0
NOTE = 'echo "$OPSBOOK_STEP" >> "$OPSBOOK_WORK/ran"'
STEPS = f"""
```bash {{#one}}
{NOTE}
```
```bash {{#two}}
{NOTE}; echo before
while [ ! -e "$OPSBOOK_WORK/go" ]; do sleep 0.02; done
for n in 1 2 3 4 5; do echo "meanwhile $n"; sleep 0.05; done
```
```bash {{#three}}
{NOTE}
```
"""
SAID = "before\n" + "".join(f"meanwhile {n}\n" for n in range(1, 6))


@pytest.fixture(autouse=True)
def without_traces() -> Iterator[None]:
    """To print the trace of every failed try takes longer than the outage."""
    with structlog.testing.capture_logs():
        yield


async def until(found: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN):
        while not found():
            await asyncio.sleep(0.01)


@pytest.fixture
async def own_cluster() -> AsyncIterator[Cluster]:
    """A PostgreSQL that only this test uses."""
    needs("initdb")
    with cluster.folder() as folder:
        made = await cluster.initialised(folder)
        try:
            yield made
        finally:
            made.kill()


# ---- how it goes away, and comes back ----


@contextlib.asynccontextmanager
async def stopped(own: Cluster) -> AsyncIterator[None]:
    await own.stop()
    yield
    await own.start()


@contextlib.asynccontextmanager
async def killed(own: Cluster) -> AsyncIterator[None]:
    own.kill()
    yield
    await own.start()


@contextlib.asynccontextmanager
async def frozen(own: Cluster) -> AsyncIterator[None]:
    """It neither answers nor refuses, as on a machine that swaps."""
    pids = [own.postmaster, *pids_below(own.postmaster)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def goes_on(stage: Stage) -> None:
    """The run is over as if nothing had been."""
    async with asyncio.timeout(WITHIN):
        while (await stage.row(1))["state"] != "succeeded":
            await stage.wind(timedelta(minutes=2))
    assert stage.ran() == ["one", "two", "three"]
    assert await stage.text(1, "two") == SAID
    steps = await stage.steps(1)
    assert [one["state"] for one in steps["two"]["attempts"]] == ["succeeded"]
    assert (await stage.actions(1)).count("step.succeeded") == 3


async def in_step_two(stage: Stage) -> None:
    await stage.load(STEPS)
    await stage.begin(by="operator")
    await until(lambda: "two" in stage.ran())


async def step_two_ends(stage: Stage) -> None:
    """Let it say the rest and end, and wait until it has: its keeper has seen its outcome."""
    (stage.work / "go").touch()
    await until(lambda: any(stage.places.steps.glob("1-1-*/outcome.json")))


@pytest.mark.parametrize("away", [1.0, LONG])
@pytest.mark.parametrize("goes", [stopped, killed, frozen], ids=lambda how: how.__name__)
async def test_a_run_outlives_an_outage_in_which_its_step_ends(
    stage_folder: Path,
    own_cluster: Cluster,
    goes: Callable[[Cluster], contextlib.AbstractAsyncContextManager[None]],
    away: float,
) -> None:
    async with Stage(stage_folder, own_cluster.url) as stage:
        await in_step_two(stage)
        async with goes(own_cluster):
            await step_two_ends(stage)
            await asyncio.sleep(away)
            assert stage.ran() == ["one", "two"], "three began without being written down"
        await goes_on(stage)
        assert stage.lease.epoch == 1


# ---- two servers ----


class Deciding:
    """A server's lease and the loop that keeps it, on a clock that it shares with the others."""

    def __init__(self, name: str, url: str, clock: WoundClock) -> None:
        self.database = Database(url)
        self.lease = Lease(self.database, name)
        self.loops = Loops(clock, lambda: self.lease.held)
        self.loops.add("lease", self.lease.tick, deciding=False, slowest=RENEW_EVERY)


@pytest.mark.parametrize("ends_after", [31, 33, 64])
async def test_a_server_that_had_the_same_outage_does_not_take_the_lease(
    own_cluster: Cluster, ends_after: int
) -> None:
    """Whichever of them tries again first: pauses that grew would let the other one watch alone."""
    all_tables()
    clock = WoundClock(START)
    both = [Deciding(name, own_cluster.url, clock) for name in ("first", "second")]
    for one in both:
        one.database.start()
    first, second = both

    async def wind(seconds: int, *started: Deciding) -> None:
        target = clock.now() + timedelta(seconds=seconds)
        while clock.now() < target:
            clock.set(min(clock.earliest() or target, target))
            for one in started:
                await one.loops.settle()

    try:
        metadata.create_all(first.database.engine)
        first.loops.start()
        await first.loops.settle()
        await wind(2, first)
        second.loops.start()
        await wind(12, *both)
        assert (first.lease.held, second.lease.held) == (True, False)
        async with killed(own_cluster):
            await wind(ends_after, *both)
        await wind(120, *both)
        assert (first.lease.held, second.lease.held) == (True, False)
        assert first.lease.epoch == 1
    finally:
        for one in both:
            await one.loops.stop()
            await one.database.stop()


async def test_a_server_that_is_gone_is_still_replaced_after_an_outage(
    own_cluster: Cluster,
) -> None:
    all_tables()
    clock = WoundClock(START)
    first = Deciding("first", own_cluster.url, clock)
    second = Deciding("second", own_cluster.url, clock)
    first.database.start()
    second.database.start()
    try:
        metadata.create_all(first.database.engine)
        await first.lease.tick(clock.now())
        second.loops.start()
        async with killed(own_cluster):
            await second.loops.wind(timedelta(seconds=40))
        await second.loops.wind(TAKE_OVER_AFTER + 2 * RENEW_EVERY)
        assert second.lease.held
        assert second.lease.epoch == 2
    finally:
        await second.loops.stop()
        for one in (first, second):
            await one.database.stop()


# ---- an embedded database ----


LOCKER = """
import sqlite3, sys, time
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
held.execute("ROLLBACK")
"""


@contextlib.contextmanager
def locked(file: Path, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the database for itself, as a backup that is done badly."""
    words = [sys.executable, "-c", LOCKER, str(file), str(seconds)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
        assert process.wait(WITHIN) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("away", [1.0, BEYOND])
async def test_a_run_outlives_another_program_that_locks_its_file(
    stage_folder: Path, away: float
) -> None:
    """Twelve seconds are longer than the ten that a writer waits for a lock."""
    async with Stage(stage_folder) as stage:
        await in_step_two(stage)
        began = time.monotonic()
        with locked(stage_folder / "opsbook.db", away) as process:
            await step_two_ends(stage)
            assert process.poll() is None, "it was over before the step was"
            assert stage.ran() == ["one", "two"]
            await asyncio.to_thread(process.wait, WITHIN)
        assert time.monotonic() - began >= away
        await goes_on(stage)


# ---- who asks meanwhile ----


async def test_who_asks_meanwhile_is_told_that_the_database_is_away(
    own_cluster: Cluster, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    book, data = write_shop(tmp_path), tmp_path / "data"
    up = await asyncio.to_thread(start_up, book, "--database", own_cluster.url, data=data)
    try:
        token = (data / "local.token").read_text().strip()
        async with httpx.AsyncClient(base_url=up.url, timeout=30) as client:
            asked = {"Authorization": f"Bearer {token}"}
            assert (await client.get("/api/v1/runs", headers=asked)).status_code == 200
            async with stopped(own_cluster):
                answer = await client.get("/api/v1/runs", headers=asked)
            assert answer.status_code == 503, answer.text
            assert "database" in answer.text
    finally:
        await asyncio.to_thread(up.stop)
