"""Checks that are looked at in some hours only."""

from datetime import datetime, timedelta
from typing import Any

from opsbook.base.database import Database
from opsbook.book.fields import Part
from opsbook.checks import Context, Kind, Reading, store, windows
from opsbook.checks.plan import Plan
from tests.checks.making import FACTS, Watch, book

HOURS = {"day": {"open": "every day 09:00-19:00"}, "holiday": {"open": "business days 09:00-18:00"}}
TCP = {"kind": "tcp", "host": "127.0.0.1", "port": 1, "every": "1m"}
HOUR = timedelta(hours=1)


def shop(kinds: Any = None, **checks: Any) -> Any:
    return book(checks, hours=HOURS, **({"kinds": kinds} if kinds else {}))


def test_paused_is_told_from_the_book_and_the_time_alone(now: datetime) -> None:
    """The tests' now is Tuesday 18:00 in Seoul."""
    it = shop(day={**TCP, "active": "day"}, business={**TCP, "active": "holiday"}, always=TCP)
    assert windows.paused(it, now) == {"business"}
    assert windows.paused(it, now + HOUR) == {"day", "business"}
    assert windows.paused(it, now + 15 * HOUR) == frozenset()


def test_outside_of_its_hours_a_check_is_not_due_and_after_them_soon(now: datetime) -> None:
    plan = Plan(FACTS.by_name())
    plan.renew([shop(it={**TCP, "active": "day"}, other=TCP)], now)
    seconds = 3 * 3600
    found = [
        second
        for second in range(0, seconds, 10)
        for one in plan.due(now + timedelta(seconds=second))
        if one.check.id == "it"
    ]
    assert len(found) == 60
    assert max(found) < 3600
    assert plan.paused == {("shop", "it")}
    morning = now + 15 * HOUR
    assert [one.check.id for one in plan.due(morning - timedelta(seconds=1))] != ["it"]
    again = [
        second
        for second in range(120)
        for one in plan.due(morning + timedelta(seconds=second))
        if one.check.id == "it"
    ]
    assert len(again) == 2
    assert again[0] <= 10
    assert plan.paused == set()


def test_many_checks_do_not_begin_at_the_minute_their_hours_do(now: datetime) -> None:
    plan = Plan(FACTS.by_name())
    plan.renew([shop(**{f"c{n}": {**TCP, "active": "day"} for n in range(100)})], now + HOUR)
    plan.due(now + HOUR + timedelta(seconds=10))
    opens = now + 15 * HOUR
    each = [len(plan.due(opens + timedelta(seconds=second))) for second in range(12)]
    assert sum(each) == 100
    assert max(each) < 30


def test_other_hours_under_the_same_name_are_followed(now: datetime) -> None:
    plan = Plan(FACTS.by_name())
    plan.renew([shop(it={**TCP, "active": "day"})], now)
    late = {**HOURS, "day": {"open": "every day 20:00-21:00"}}
    plan.renew([book({"it": {**TCP, "active": "day"}}, hours=late)], now)
    assert plan.due(now + timedelta(seconds=10)) == []
    assert plan.paused == {("shop", "it")}


async def test_a_paused_check_makes_no_observation_and_explains_nothing(
    sqlite_database: Database, now: datetime
) -> None:
    async def observe(spec: Part, context: Context) -> Reading:
        return Reading(state="critical", message="down")

    kinds = {"down": Kind("down", Part, observe)}
    down = {"kind": "down", "every": "10m"}
    it = shop(kinds, gateway={**down, "active": "day"}, web={**down, "depends_on": ["gateway"]})
    async with Watch(sqlite_database, now, it, kinds=kinds) as watch:
        behind: list[dict[str, str]] = []
        for minutes in (50, 25):
            await watch.wind(minutes=minutes)
            behind.append(await sqlite_database.read(lambda tx: store.behind(tx, "shop")))
        await watch.wind(hours=13)
    assert behind == [{"web": "gateway"}, {}]
    looks = await sqlite_database.read(lambda tx: store.latest(tx, "shop", "gateway", 1000))
    assert len(looks) == 6
    assert all(one["at"] < now + HOUR for one in looks)


def test_hours_that_do_not_open_for_years_keep_a_check_paused(now: datetime) -> None:
    it = book(
        {"it": {**TCP, "active": "never"}},
        hours={"never": {"open": "business days 09:00-18:00"}},
        holidays={"also": {f"{now + timedelta(days=n):%Y-%m-%d}": "closed" for n in range(600)}},
    )
    plan = Plan(FACTS.by_name())
    plan.renew([it], now)
    assert plan.due(now + timedelta(seconds=10)) == []
    assert plan.next_due() is not None
    assert plan.paused == {("shop", "it")}
