import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

from opsbook.base.clock import GATHER_S, SystemClock
from opsbook.base.database import Database
from opsbook.base.errors import NotFound
from opsbook.base.hub import Hub
from opsbook.base.loops import Loops
from opsbook.book import Vocabulary
from opsbook.book.fields import Part
from opsbook.book.library import Library
from opsbook.checks import KINDS, Context, Kind, Observation, Reading, store
from opsbook.checks.ledger import Ledger
from opsbook.checks.tables import observation
from tests.checks.making import FINE, Watch, answering, book, serving, silent

LOAD = {"kind": "host", "metric": "load", "every": "1m"}


async def rows(database: Database, check: str) -> list[dict[str, Any]]:
    return (await database.read(lambda tx: store.latest(tx, "shop", check, limit=100)))[::-1]


async def status(database: Database, check: str) -> dict[str, Any]:
    found = await database.read(lambda tx: store.status_of(tx, "shop", check))
    assert found is not None
    return found


async def test_every_check_is_looked_at_soon_and_then_at_its_interval(
    database: Database, now: datetime
) -> None:
    async with serving(answering(FINE)) as port:
        web = {"kind": "http", "url": f"http://127.0.0.1:{port}/", "every": "10s"}
        async with Watch(database, now, book({"load": LOAD, "web": web})) as watch:
            await watch.wind(seconds=10)
            first = (await rows(database, "load"))[0]["at"]
            assert first - now < timedelta(seconds=10)
            await watch.wind(minutes=10)
    assert [row["at"] for row in await rows(database, "load")] == [
        first + n * timedelta(minutes=1) for n in range(11)
    ]
    counted = Counter(row["state"] for row in await rows(database, "web"))
    assert counted == {"ok": 61}


async def test_a_target_that_never_answers_delays_no_other_check(
    sqlite_database: Database, now: datetime
) -> None:
    database = sqlite_database
    async with serving(silent) as port:
        stuck = {"kind": "http", "url": f"http://127.0.0.1:{port}/", "timeout": "60s"}
        checks = {f"stuck{n}": stuck for n in range(5)} | {f"fine{n}": LOAD for n in range(5)}
        async with Watch(database, now, book(checks), at_most=6) as watch:
            told = watch.hub.subscribe(lambda topic: topic == "checks")
            await watch.begin()
            done: dict[str, Any] = {}
            while len(done) < 5:
                await told.changed()
                done = await database.read(lambda tx: store.statuses(tx, "shop"))
    assert set(done) == {f"fine{n}" for n in range(5)}


async def test_a_target_that_hangs_is_an_outage_and_says_after_how_long(
    sqlite_database: Database, now: datetime
) -> None:
    async with serving(silent) as port:
        stuck = {"kind": "http", "url": f"http://127.0.0.1:{port}/", "timeout": "50ms"}
        async with Watch(sqlite_database, now, book({"stuck": stuck, "load": LOAD})) as watch:
            await watch.wind(seconds=10)
    assert (await status(sqlite_database, "load"))["state"] == "ok"
    found = await status(sqlite_database, "stuck")
    assert (found["state"], found["message"]) == ("critical", "no answer within 50ms")
    assert found["latency_ms"] >= 50


class Pipe(Part):
    """What the kind `pipe` needs to know."""

    path: str


async def read_pipe(spec: Pipe, context: Context) -> Reading:
    """Read to the end; without a writer at the other end that blocks in the kernel."""
    text = await context.blocking(Path(spec.path).read_text)
    return Reading(float(text), "")


async def test_a_thread_that_hangs_is_left_alone_until_it_has_come_back(
    sqlite_database: Database, now: datetime, tmp_path: Path
) -> None:
    kinds = {**KINDS, "pipe": Kind("pipe", Pipe, read_pipe)}
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    dead = {"kind": "pipe", "path": str(pipe), "timeout": "50ms", "every": "1m"}
    shop = book({"dead": dead, "load": LOAD}, kinds=kinds)
    async with Watch(sqlite_database, now, shop, kinds=kinds) as watch:
        await watch.wind(seconds=10)
        (hung,) = await rows(sqlite_database, "dead")
        assert (hung["state"], hung["message"]) == ("nodata", "no answer within 50ms")
        assert watch.scheduler.hanging() == {"shop/dead": hung["at"]}
        await watch.wind(minutes=1)
        again = await status(sqlite_database, "dead")
        assert again["state"] == "nodata"
        assert again["message"] == f"still hanging since {hung['at']:%Y-%m-%d %H:%M:%S} UTC"
        assert len(await rows(sqlite_database, "load")) == 2

        await asyncio.to_thread(pipe.write_text, "1")
        while watch.scheduler.hanging():
            await asyncio.sleep(0.001)
        pipe.unlink()
        pipe.write_text("7")
        await watch.reload(book({"dead": {**dead, "timeout": "10s"}}, kinds=kinds))
        await watch.wind(minutes=1)
        assert (await status(sqlite_database, "dead"))["value"] == 7.0


class Gate:
    """A kind whose looks wait until they are let through, and count how many are inside."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.inside = self.most = 0
        self.kinds = {**KINDS, "gate": Kind("gate", Part, self.observe)}

    async def observe(self, spec: Part, context: Context) -> Reading:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.open.wait()
        finally:
            self.inside -= 1
        return Reading(1.0)


@contextlib.asynccontextmanager
async def gated(database: Database, now: datetime, count: int) -> AsyncIterator[tuple[Gate, Watch]]:
    gate = Gate()
    checks = {f"c{n}": {"kind": "gate", "every": "1h", "timeout": "1h"} for n in range(count)}
    async with Watch(
        database, now, book(checks, kinds=gate.kinds), kinds=gate.kinds, at_most=4
    ) as w:
        yield gate, w


async def test_only_so_many_looks_are_under_way_at_once_and_all_get_their_turn(
    sqlite_database: Database, now: datetime
) -> None:
    async with gated(sqlite_database, now, 20) as (gate, watch):
        await watch.begin()
        while gate.inside < 4:
            await asyncio.sleep(0)
        gate.open.set()
        await watch.loops.settle()
    assert gate.most == 4
    assert len(await sqlite_database.read(lambda tx: store.statuses(tx, "shop"))) == 20


async def test_a_look_on_request_need_not_stand_in_line(
    sqlite_database: Database, now: datetime
) -> None:
    async with gated(sqlite_database, now, 20) as (gate, watch):
        await watch.begin()
        while gate.inside < 4:
            await asyncio.sleep(0)
        asked = asyncio.create_task(watch.scheduler.look("shop", "c0"))
        while gate.inside < 5:
            await asyncio.sleep(0)
        gate.open.set()
        assert (await asked).state == "ok"


async def test_a_look_on_request_is_stored_like_any_other(
    database: Database, now: datetime
) -> None:
    async with Watch(database, now, book({"load": LOAD})) as watch:
        seen = await watch.scheduler.look("shop", "load")
        assert (seen.book, seen.check_id, seen.at, seen.state) == ("shop", "load", now, "ok")
        assert (await status(database, "load"))["value"] == seen.value
        with pytest.raises(NotFound, match="has no check 'none'"):
            await watch.scheduler.look("shop", "none")
        with pytest.raises(NotFound, match="'other' is not running"):
            await watch.scheduler.look("other", "load")


async def test_a_look_that_was_overtaken_does_not_turn_the_state_back(
    sqlite_database: Database, now: datetime
) -> None:
    """The first look began before the target came up and ends after the second has seen it up."""
    answers = [asyncio.Event(), asyncio.Event()]
    begun = 0

    async def observe(spec: Part, context: Context) -> Reading:
        nonlocal begun
        begun += 1
        mine = begun
        await answers[mine - 1].wait()
        return Reading(state="critical" if mine == 1 else "ok")

    kinds = {"turn": Kind("turn", Part, observe)}
    shop = book({"it": {"kind": "turn", "timeout": "1m"}}, kinds=kinds)
    watch = Watch(sqlite_database, now, shop, kinds=kinds)
    early = asyncio.create_task(watch.scheduler.look("shop", "it"))
    late = asyncio.create_task(watch.scheduler.look("shop", "it"))
    answers[1].set()
    assert (await late).state == "ok"
    answers[0].set()
    assert (await early).state == "critical"
    assert [row["state"] for row in await rows(sqlite_database, "it")] == ["ok"]
    await watch.scheduler.stop()


async def test_an_edited_book_is_followed_and_what_was_seen_stays(
    database: Database, now: datetime
) -> None:
    async with Watch(database, now, book({"kept": LOAD, "gone": LOAD})) as watch:
        await watch.wind(seconds=10)
        kept = await status(database, "kept")
        await watch.reload(book({"kept": LOAD, "new": LOAD}))
        assert set(await database.read(lambda tx: store.statuses(tx, "shop"))) == {"kept"}
        assert await status(database, "kept") == kept
        await watch.wind(seconds=10)
        assert len(await rows(database, "new")) == 1
        await watch.wind(minutes=2)
    assert len(await rows(database, "gone")) == 1
    times = [row["at"] for row in await rows(database, "kept")]
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(minutes=1)}


async def test_a_kind_with_a_mistake_in_it_stops_nobody_else(
    sqlite_database: Database, now: datetime
) -> None:
    async def observe(spec: Part, context: Context) -> Reading:
        raise KeyError("oops")

    kinds = {**KINDS, "broken": Kind("broken", Part, observe)}
    shop = book({"it": {"kind": "broken"}, "load": LOAD}, kinds=kinds)
    with structlog.testing.capture_logs() as told:
        async with Watch(sqlite_database, now, shop, kinds=kinds) as watch:
            await watch.wind(seconds=10)
    assert [entry["check"] for entry in told] == ["shop/it"]
    found = await status(sqlite_database, "it")
    assert (found["state"], found["message"]) == (
        "nodata",
        "the look itself failed: KeyError: 'oops'",
    )
    assert (await status(sqlite_database, "load"))["state"] == "ok"


async def test_what_cannot_be_written_is_seen_on_the_loop_and_looking_goes_on(
    sqlite_database: Database, now: datetime
) -> None:
    database = sqlite_database
    async with Watch(database, now, book({"load": {**LOAD, "every": "10s"}})) as watch:
        await watch.loops.settle()
        await database.write(
            lambda tx: tx.execute(sa.text("ALTER TABLE observation RENAME TO away"))
        )
        with structlog.testing.capture_logs():
            await watch.wind(seconds=20)
        loop = watch.loops.loops["observations"]
        assert "no such table: observation" in loop.error
        await database.write(
            lambda tx: tx.execute(sa.text("ALTER TABLE away RENAME TO observation"))
        )
        await watch.wind(minutes=1)
        assert loop.error == ""
        assert (await status(database, "load"))["state"] == "ok"


async def test_looks_that_finish_together_share_a_transaction(
    sqlite_database: Database, now: datetime
) -> None:
    commits = 0

    async with gated(sqlite_database, now, 4) as (gate, watch):
        before = watch.database.on_commit

        def count(topics: Any) -> None:
            nonlocal commits
            commits += "checks" in topics
            before(topics)

        await watch.begin()
        while gate.inside < 4:
            await asyncio.sleep(0)
        watch.database.on_commit = count
        gate.open.set()
        await watch.loops.settle()
    total = await sqlite_database.read(
        lambda tx: tx.scalar(sa.select(sa.func.count()).select_from(observation))
    )
    assert (total, commits) == (4, 1)


async def test_a_storm_of_observations_is_a_few_commits_and_a_few_calls(
    sqlite_database: Database, now: datetime
) -> None:
    """With a clock that moves: what comes right after a commit waits a moment for more."""
    clock, loops = SystemClock(), Loops(SystemClock())
    hub = Hub()
    told: list[str] = []
    hub.on("checks", lambda: told.append("checks"))
    sqlite_database.on_commit = hub.touch
    library = Library(sqlite_database, Vocabulary(check_kinds={}))
    ledger = Ledger(sqlite_database, library, loops)
    began = clock.now()
    for n in range(40):
        seen = Observation("shop", f"c{n}", now, "ok", 1.0, "", 1.0, "")
        ledger.add(ledger.ticket(), seen, lambda error: None)
        await asyncio.sleep(0.005)
    await ledger.close()
    took = (clock.now() - began).total_seconds()
    assert len(await sqlite_database.read(lambda tx: store.after(tx, 0, 100))) == 40
    assert len(told) <= took / GATHER_S + 2


async def test_an_observation_that_comes_alone_waits_for_nobody(
    sqlite_database: Database, now: datetime
) -> None:
    class Patient(SystemClock):
        async def gather(self) -> None:
            raise AssertionError("waited")

    loops = Loops(Patient())
    ledger = Ledger(sqlite_database, Library(sqlite_database, Vocabulary(check_kinds={})), loops)
    await ledger.keep(1, Observation("shop", "it", now, "ok", 1.0, "", 1.0, ""))
    await ledger.close()


async def test_what_could_not_be_written_is_forgotten_and_the_next_is_judged_anew(
    sqlite_database: Database, now: datetime
) -> None:
    """The memory of how checks stand must not run ahead of what is on disk."""
    shop = book({"gateway": LOAD, "web": {**LOAD, "depends_on": ["gateway"]}})
    watch = Watch(sqlite_database, now, shop)
    ledger = Ledger(sqlite_database, watch.library, watch.loops)

    async def see(check: str, state: Any) -> None:
        await ledger.keep(ledger.ticket(), Observation("shop", check, now, state, None, "", 1, ""))

    async def rename(old: str, new: str) -> None:
        change = sa.text(f"ALTER TABLE {old} RENAME TO {new}")
        await sqlite_database.write(lambda tx: tx.execute(change))

    await see("gateway", "ok")
    await see("web", "ok")
    await rename("observation", "away")
    with pytest.raises(sa.exc.OperationalError):
        await see("gateway", "critical")
    await rename("away", "observation")
    await see("gateway", "critical")
    behind = await sqlite_database.read(lambda tx: store.behind(tx, "shop"))
    assert behind == {"web": "gateway"}
    await ledger.close()


async def test_targets_that_hang_give_their_places_to_others_after_a_moment(
    sqlite_database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsbook.checks.scheduler.SLOW_S", 0.05)
    async with gated(sqlite_database, now, 20) as (gate, watch):
        await watch.begin()
        while gate.inside < 20:
            await asyncio.sleep(0.001)
        assert len(watch.scheduler._slow) >= 16
        gate.open.set()
        await watch.loops.settle()
        assert watch.scheduler._slow == set()
    assert len(await sqlite_database.read(lambda tx: store.statuses(tx, "shop"))) == 20


async def test_there_is_an_end_to_how_many_may_hang(
    sqlite_database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsbook.checks.scheduler.SLOW_S", 0.01)
    monkeypatch.setattr("opsbook.checks.scheduler.MOST_SLOW", 3)
    async with gated(sqlite_database, now, 20) as (gate, watch):
        await watch.begin()
        while gate.inside < 7:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.1)
        assert gate.inside == gate.most == 7
        gate.open.set()
        await watch.loops.settle()
    assert len(await sqlite_database.read(lambda tx: store.statuses(tx, "shop"))) == 20
