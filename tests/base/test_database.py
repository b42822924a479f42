import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from opsbook.base import events
from opsbook.base.database import Database, Transaction


async def test_a_failed_job_takes_nothing_with_it_and_leaves_nothing_behind(
    database: Database, now: datetime
) -> None:
    def good(tx: Transaction) -> None:
        events.publish(tx, now, "thing.good", "thing:1")

    def bad(tx: Transaction) -> None:
        events.publish(tx, now, "thing.bad", "thing:2")
        raise ValueError("no")

    results = await asyncio.gather(
        *(database.write(good if n % 2 else bad) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(one, ValueError) for one in results) == 10
    kinds = await database.read(lambda tx: tx.rows(sa.select(events.event.c.kind)))
    assert [row["kind"] for row in kinds] == ["thing.good"] * 10


async def test_jobs_that_wait_share_one_commit(database: Database, now: datetime) -> None:
    commits = []
    sa.event.listen(database.engine, "commit", lambda _: commits.append(1))
    gate = threading.Event()
    first = asyncio.ensure_future(database.write(lambda _: gate.wait(5)))
    await asyncio.sleep(0.02)
    rest = [
        asyncio.ensure_future(
            database.write(lambda tx: events.publish(tx, now, "thing.done", "thing:1"))
        )
        for _ in range(100)
    ]
    await asyncio.sleep(0.02)
    gate.set()
    await asyncio.gather(first, *rest)
    assert len(commits) == 2


async def test_listeners_hear_of_a_change_only_after_its_commit(
    database: Database, now: datetime
) -> None:
    heard: list[str] = []
    database.on_commit = heard.extend

    def failing(tx: Transaction) -> None:
        tx.touch("failed")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.write(failing)
    await database.write(lambda tx: tx.touch("done"))
    await asyncio.sleep(0)
    assert heard == ["done"]


async def test_a_reader_sees_one_moment_while_others_write(
    database: Database, now: datetime
) -> None:
    looked, changed = threading.Event(), threading.Event()

    def twice(tx: Transaction) -> tuple[int, int]:
        count = sa.select(sa.func.count()).select_from(events.event)
        before = tx.scalar(count)
        looked.set()
        changed.wait(5)
        return before, tx.scalar(count)

    reading = asyncio.ensure_future(database.read(twice))
    await asyncio.to_thread(looked.wait, 5)
    await database.write(lambda tx: events.publish(tx, now, "thing.new", "thing:1"))
    changed.set()
    before, after = await reading
    assert before == after == 0


async def test_a_moment_keeps_its_microseconds_and_its_zone(
    database: Database, now: datetime
) -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    await database.write(lambda tx: events.publish(tx, moment, "thing.at", "thing:1"))
    row = await database.read(lambda tx: tx.row(sa.select(events.event)))
    assert row is not None
    assert row["at"] == moment


async def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    naive = datetime(2026, 3, 1)  # noqa: DTZ001
    with pytest.raises(sa.exc.StatementError, match="no time zone"):
        await database.write(lambda tx: events.publish(tx, naive, "thing.at", "thing:1"))


async def test_nobody_else_may_read_or_lock_the_file(
    sqlite_database: Database, now: datetime
) -> None:
    await sqlite_database.write(lambda tx: events.publish(tx, now, "thing.new", "thing:1"))
    file = Path(sqlite_database.url.removeprefix("sqlite:///"))
    for one in (file, *file.parent.glob(f"{file.name}-*")):
        assert one.stat().st_mode & 0o077 == 0, one


async def test_work_that_a_deadlock_has_ended_is_done_once_more(postgres_url: str) -> None:
    first, second = Database(postgres_url), Database(postgres_url)
    things = sa.table("thing", sa.column("id"), sa.column("n"))
    with first.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE thing (id int, n int)")
        connection.exec_driver_sql("INSERT INTO thing VALUES (1, 0), (2, 0)")
    first.start()
    second.start()
    meeting = threading.Barrier(2)

    def bump(one: int, other: int) -> Callable[[Transaction], None]:
        met: list[bool] = []

        def work(tx: Transaction) -> None:
            for number in (one, other):
                mine = sa.update(things).where(things.c.id == number)
                tx.execute(mine.values(n=things.c.n + 1))
                if not met:
                    met.append(True)
                    meeting.wait(10)

        return work

    try:
        await asyncio.gather(first.write(bump(1, 2)), second.write(bump(2, 1)))
        rows = await first.read(lambda tx: tx.rows(sa.select(things)))
        assert {row["id"]: row["n"] for row in rows} == {1: 2, 2: 2}
    finally:
        await first.stop()
        await second.stop()


async def test_many_rows_are_what_single_ones_would_have_been(
    database: Database, now: datetime
) -> None:
    one = {"at": now, "kind": "thing.done", "subject": "thing:é", "data": {"a": [1, None, "ö"]}}
    statement = sa.insert(events.event)

    def both(tx: Transaction) -> None:
        tx.insert(events.event, **one)
        tx.many(statement, [one, {**one, "subject": "thing:2"}])
        tx.many(statement, [])

    await database.write(both)
    rows = await database.read(lambda tx: tx.rows(sa.select(events.event).order_by("id")))
    assert [{**row, "id": 0} for row in rows] == [
        {"id": 0, **one}, {"id": 0, **one}, {"id": 0, **one, "subject": "thing:2"}
    ]  # fmt: skip


async def test_numbers_for_new_rows_are_given_once(database: Database, now: datetime) -> None:
    one = {"at": now, "kind": "thing.done", "subject": "thing:1", "data": {}}
    statement = sa.insert(events.event)

    def three(tx: Transaction) -> list[int]:
        tx.insert(events.event, **one)
        numbers = list(tx.numbers(events.event, 2))
        tx.many(statement, [{**one, "id": number} for number in numbers])
        return [*numbers, tx.insert(events.event, **one)]

    def rolled_back(tx: Transaction) -> None:
        three(tx)
        raise ValueError("no")

    first = await database.write(three)
    with pytest.raises(ValueError, match="no"):
        await database.write(rolled_back)
    second = await database.write(three)
    found = await database.read(lambda tx: tx.rows(sa.select(events.event.c.id)))
    assert len({row["id"] for row in found}) == len(found) == 8
    assert {*first, *second} <= {row["id"] for row in found}


async def test_a_job_whose_error_ended_the_transaction_gives_its_own_error_to_the_batch(
    database: Database, now: datetime
) -> None:
    def ends_all(tx: Transaction) -> None:
        tx.execute(sa.text("ROLLBACK"))
        raise ValueError("the disk said no")

    with pytest.raises(ValueError, match="the disk said no"):
        await database.write(ends_all)
    await database.write(lambda tx: events.publish(tx, now, "thing.good", "thing:1"))
    kinds = await database.read(lambda tx: tx.rows(sa.select(events.event.c.kind)))
    assert [row["kind"] for row in kinds] == ["thing.good"]
