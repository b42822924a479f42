from datetime import datetime, timedelta

from opsbook.base import events
from opsbook.base.database import Database, Transaction


def recorder(seen: list[int], fail_on: set[int]) -> events.Consumer:
    def handle(tx: Transaction, event: events.Event, now: datetime) -> None:
        if event.data["n"] in fail_on:
            raise RuntimeError(f"cannot do {event.data['n']}")
        seen.append(event.data["n"])

    return events.Consumer("test", frozenset({"thing.done"}), handle)


async def publish(database: Database, now: datetime, *numbers: int) -> None:
    for n in numbers:
        await database.write(
            lambda tx, n=n: events.publish(tx, now, "thing.done", f"thing:{n}", {"n": n})
        )


async def test_events_are_handled_in_order_and_once(database: Database, now: datetime) -> None:
    seen: list[int] = []
    consumer = recorder(seen, set())
    await publish(database, now, 1, 2, 3)
    await events.drain(database, consumer, now)
    await publish(database, now, 4)
    await events.drain(database, consumer, now)
    await events.drain(database, consumer, now)
    assert seen == [1, 2, 3, 4]


async def test_an_event_that_cannot_be_handled_waits_aside_and_is_tried_again(
    database: Database, now: datetime
) -> None:
    seen: list[int] = []
    failing = {2}
    consumer = recorder(seen, failing)
    await publish(database, now, 1, 2, 3)
    due = await events.drain(database, consumer, now)
    assert seen == [1, 3]
    assert due == now + timedelta(seconds=2)
    (parked,) = await database.read(events.list_parked)
    assert parked["error"] == "RuntimeError: cannot do 2"
    later = await events.drain(database, consumer, now + timedelta(seconds=2))
    assert later == now + timedelta(seconds=2 + 4)
    failing.clear()
    assert await events.drain(database, consumer, now + timedelta(seconds=6)) is None
    assert seen == [1, 3, 2]
    assert await database.read(events.list_parked) == []


async def test_a_consumer_that_comes_late_still_gets_everything(
    database: Database, now: datetime
) -> None:
    early: list[int] = []
    late: list[int] = []
    await publish(database, now, 1, 2)
    await events.drain(database, recorder(early, set()), now)
    other = events.Consumer(
        "other", frozenset({"thing.done"}), lambda _tx, event, _now: late.append(event.data["n"])
    )
    await events.drain(database, other, now)
    assert early == late == [1, 2]


async def test_old_events_go_once_every_consumer_has_them_behind_it(
    database: Database, now: datetime
) -> None:
    seen: list[int] = []
    await publish(database, now, 1, 2)
    assert await database.write(lambda tx: events.prune(tx, now + timedelta(days=1))) == 0
    await events.drain(database, recorder(seen, set()), now)
    assert await database.write(lambda tx: events.prune(tx, now + timedelta(days=1))) == 2
