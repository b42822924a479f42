"""Accepted means on disk: nothing that was answered is lost, nothing that was lost was answered."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import psycopg.sql
import pytest
import sqlalchemy as sa

from opsbook.alerts.intake import accepting, doors, store
from opsbook.alerts.intake.accepting import Accepting, accept
from opsbook.alerts.intake.posted import Posted, decode, encode
from opsbook.alerts.tables import door, intake
from opsbook.base.database import Database, Transaction, metadata
from opsbook.base.hub import Hub
from tests.alerts.intake.gate import NOW, Gate, firing, new_database, notification, opened
from tests.support.databases import all_tables


def alerts(count: int, prefix: str = "a") -> list[Posted]:
    return [Posted({"alertname": f"{prefix}{n}"}) for n in range(count)]


def rows(tx: Transaction) -> list[dict[str, Any]]:
    return tx.rows(sa.select(intake).order_by(intake.c.id))


# ---- one batch ----------------------------------------------------------------------------------


async def test_a_batch_is_a_row_and_counted_at_its_door(database: Database) -> None:
    def work(tx: Transaction) -> list[str]:
        accept(tx, NOW, "shop", "a", alerts(3))
        accept(tx, NOW + timedelta(seconds=9), "shop", "a", alerts(1), refused=2, error="two bad")
        accept(tx, NOW + timedelta(seconds=10), "shop", "b", [], refused=1, error="all bad")
        return list(tx.topics)

    assert await database.write(work) == ["alerts.intake"]
    kept = await database.read(rows)
    assert [(one["source"], len(decode(one["body"]))) for one in kept] == [("a", 3), ("a", 1)]
    assert kept[0]["at"] == NOW
    counts = await database.read(lambda tx: store.doors(tx, "shop"))
    assert {
        name: (one["accepted"], one["refused"], one["error"]) for name, one in counts.items()
    } == {"a": (4, 2, "two bad"), "b": (0, 1, "all bad")}
    assert counts["a"]["last_at"] == NOW + timedelta(seconds=9)
    assert counts["b"]["last_at"] is None


async def test_the_row_is_committed_to_the_disk_before_the_sender_hears_of_it(gate: Gate) -> None:
    told: list[str] = []

    @sa.event.listens_for(gate.database.engine, "commit")
    def committed(connection: sa.Connection) -> None:
        mode = connection.exec_driver_sql("PRAGMA synchronous").scalar()
        count = connection.exec_driver_sql("SELECT count(*) FROM alert_intake").scalar()
        told.append(f"commit of {count}, synchronous {mode}")

    class Site:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def noted(message: Any) -> None:
                told.append(f"answer {message.get('status', '')}".strip())
                await send(message)

            await inner(scope, receive, noted)

    inner, gate.site = gate.site, Site()  # type: ignore[assignment]
    await gate.post("webhook", notification(firing()))
    assert told == ["commit of 1, synchronous 2", "answer 200", "answer"]


async def test_whoever_works_alerts_in_is_woken(tmp_path: Path) -> None:
    hub, woken = Hub(), asyncio.Event()
    hub.on("alerts.intake", woken.set)
    database = new_database(tmp_path, hub)
    try:
        await Accepting(database).take(NOW, "shop", "a", alerts(1))
        await asyncio.wait_for(woken.wait(), 5)
    finally:
        await database.stop()


# ---- many ---------------------------------------------------------------------------------------


async def test_what_many_send_at_once_shares_commits_and_rows_and_keeps_its_order(
    database: Database,
) -> None:
    taking = Accepting(database)
    await asyncio.gather(
        *(taking.take(NOW, "shop", "a", [Posted({"n": str(n)})]) for n in range(2500))
    )
    kept = await database.read(rows)
    found = [int(one.labels["n"]) for row in kept for one in decode(row["body"])]
    assert found == list(range(2500))
    assert len(kept) <= 6
    assert all(len(decode(row["body"])) <= accepting.MOST_IN_ROW for row in kept)


async def test_batches_through_several_doors_are_not_mixed(database: Database) -> None:
    taking = Accepting(database)
    names = [("shop", "a"), ("shop", "b"), ("bank", "a")] * 5
    await asyncio.gather(*(taking.take(NOW, *name, alerts(2)) for name in names))
    kept = await database.read(rows)
    assert sum(len(decode(one["body"])) for one in kept) == 30
    for shop in ("shop", "bank"):
        counts = await database.read(lambda tx, shop=shop: store.doors(tx, shop))  # type: ignore[misc]
        assert {one["accepted"] for one in counts.values()} == {10}


async def test_10_000_alerts_in_a_second_through_one_door_are_all_on_disk(gate: Gate) -> None:
    """In batches of all sizes, from fifty senders at once: what was answered is what is there."""
    answered = 0

    async def send(sender: int) -> None:
        nonlocal answered
        for n, size in enumerate((1, 9, 40, 50, 100)):
            about = notification(*(firing(f"{sender}-{n}-{one}") for one in range(size)))
            answer = await gate.post("webhook", about)
            assert answer.status == 200
            answered += answer.json["accepted"]

    began = time.process_time()
    await asyncio.gather(*(send(sender) for sender in range(50)))
    spent = time.process_time() - began
    kept = [one.labels["alertname"] for one in await gate.stored("webhook")]
    assert answered == len(kept) == len(set(kept)) == 10_000
    assert (await gate.status("webhook")).accepted == 10_000
    assert spent < 20, "ten thousand alerts took a whole machine"


async def test_what_is_refused_all_day_does_not_keep_the_disk_busy(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "PAUSE_S", 0.05)
    commits = 0

    @sa.event.listens_for(sqlite_database.engine, "commit")
    def committed(_: Any) -> None:
        nonlocal commits
        commits += 1

    taking = Accepting(sqlite_database)
    for n in range(500):
        taking.refuse(NOW, "shop", "a", 1, f"wrong {n}")
        if n % 50 == 0:
            await asyncio.sleep(0)
    assert commits == 0
    await asyncio.sleep(0.2)
    counts = await sqlite_database.read(lambda tx: store.doors(tx, "shop"))
    assert (counts["a"]["refused"], counts["a"]["error"]) == (500, "wrong 499")
    assert commits == 1


async def test_what_was_counted_is_written_down_at_the_end(sqlite_database: Database) -> None:
    taking = Accepting(sqlite_database)
    taking.refuse(NOW, "shop", "a", 3, "x" * 9_999)
    await taking.close()
    counts = await sqlite_database.read(lambda tx: store.doors(tx, "shop"))
    assert counts["a"]["refused"] == 3
    assert len(counts["a"]["error"]) == accepting.LONGEST_ERROR


async def test_a_sender_that_hangs_up_takes_nobody_elses_alerts_with_it(
    sqlite_database: Database,
) -> None:
    taking = Accepting(sqlite_database)
    first = asyncio.create_task(taking.take(NOW, "shop", "a", alerts(1, "first")))
    second = asyncio.create_task(taking.take(NOW, "shop", "a", alerts(1, "second")))
    await asyncio.sleep(0)
    first.cancel()
    await second
    kept = await sqlite_database.read(rows)
    assert "second0" in {one.labels["alertname"] for row in kept for one in decode(row["body"])}


# ---- trouble ------------------------------------------------------------------------------------


async def test_on_a_full_disk_senders_are_asked_to_try_again_and_nothing_answered_is_lost(
    gate: Gate,
) -> None:
    """SQLite's own limit on its pages gives the same error as a disk that is full."""

    def limit(pages: int) -> Any:
        return lambda tx: tx.connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    size = await gate.database.read(
        lambda tx: int(tx.connection.exec_driver_sql("PRAGMA page_count").scalar() or 0)
    )
    await gate.database.write(limit(size + 40))
    accepted, told = 0, []
    for n in range(40):
        batch = notification(
            *(firing(f"{n}-{one}", annotations={"x": "y" * 200}) for one in range(40))
        )
        answer = await gate.post("webhook", batch)
        if answer.status == 200:
            accepted += answer.json["accepted"]
        else:
            told.append((answer.status, answer.headers["retry-after"], answer.json["detail"]))
    assert set(told) == {(503, "5", "Alerts cannot be taken now.")}
    assert 0 < accepted < 1600
    assert len(await gate.stored()) == accepted
    await gate.database.write(limit(1_000_000))
    assert (await gate.post("webhook", notification(firing("after")))).status == 200
    assert len(await gate.stored()) == accepted + 1
    assert (await gate.status("webhook")).accepted == accepted + 1


@pytest.fixture
async def away(postgres: Any, postgres_url: str, tmp_path: Path) -> AsyncIterator[tuple[Gate, Any]]:
    """Doors on PostgreSQL, and what shuts it and lets it in again."""
    all_tables()
    database = Database(postgres_url)
    metadata.create_all(database.engine)
    database.start()
    name = psycopg.conninfo.conninfo_to_dict(postgres_url)["dbname"]

    def allow(yes: bool) -> None:
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            word = psycopg.sql.SQL("true" if yes else "false")
            connection.execute(
                psycopg.sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(
                    psycopg.sql.Identifier(str(name)), word
                )
            )
            if not yes:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    (name,),
                )

    gate = await opened(database)
    yield gate, allow
    allow(True)
    await gate.doors.close()
    await database.stop()


async def test_while_the_database_is_away_senders_are_asked_to_try_again(
    away: tuple[Gate, Any],
) -> None:
    gate, allow = away
    assert (await gate.post("webhook", notification(firing("before")))).status == 200
    await asyncio.to_thread(allow, False)
    for _ in range(3):
        answer = await gate.post("webhook", notification(firing("during")))
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    await asyncio.to_thread(allow, True)
    assert (await gate.post("webhook", notification(firing("after")))).status == 200
    assert [one.labels["alertname"] for one in await gate.stored()] == ["before", "after"]
    assert (await gate.status("webhook")).accepted == 2


async def test_two_servers_count_at_one_door(postgres_url: str) -> None:
    all_tables()
    first, second = Database(postgres_url), Database(postgres_url)
    metadata.create_all(first.engine)
    first.start()
    second.start()
    try:
        ones = [Accepting(first), Accepting(second)]
        names = ["a", "b", "c"]
        await asyncio.gather(
            *(
                one.take(NOW, "shop", name, alerts(1))
                for n in range(20) for name in (names if n % 2 else names[::-1]) for one in ones
            )
        )  # fmt: skip
        counts = await first.read(lambda tx: store.doors(tx, "shop"))
        assert {name: one["accepted"] for name, one in counts.items()} == dict.fromkeys(names, 40)
        total = await first.read(lambda tx: sum(len(decode(row["body"])) for row in rows(tx)))
        assert total == 120
    finally:
        await first.stop()
        await second.stop()


# ---- the page -----------------------------------------------------------------------------------


async def test_a_page_shows_each_door_those_that_nobody_used_as_well(gate: Gate) -> None:
    await gate.post("webhook", notification(firing(), firing("two")))
    used, unused = await gate.status("webhook"), await gate.status("grafana")
    assert (used.kind, used.accepted, used.last_at, used.error) == ("webhook", 2, NOW, "")
    assert (unused.accepted, unused.last_at, unused.refused_at) == (0, None, None)
    names = list(gate.book.intakes)
    await gate.database.write(lambda tx: tx.insert(door, book="other", intake="webhook"))
    await gate.settled()
    shown = await gate.database.read(lambda tx: doors.status(tx, gate.book))
    assert [one.intake for one in shown] == names


def test_several_lists_become_one() -> None:
    bodies = [encode(alerts(2, "x")), encode(alerts(1, "y"))]
    row = accepting._row(NOW, ("shop", "a"), bodies)
    assert [one.labels["alertname"] for one in decode(row["body"])] == ["x0", "x1", "y0"]  # type: ignore[arg-type]
