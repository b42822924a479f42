"""Flapping: against Nagios' own arithmetic, and as the server records it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from opsbook import audit
from opsbook.audit.tables import entry
from opsbook.base.database import Database
from opsbook.book import Book
from opsbook.book.sections.checks import Flapping
from opsbook.checks import Observation, flapping, standing, store
from tests.checks.making import book

LOAD = {"kind": "host", "metric": "load", "every": "1m"}
STATES = ("ok", "warning", "critical", "nodata")


def nagios(states: Sequence[str], looks: int) -> float:
    """The loop of ``flapping.c``, with the oldest state repeated for what was not looked at."""
    history = [states[0]] * (looks - len(states)) + list(states)
    changes = 0.0
    for x in range(looks):
        if x == 0:
            last = history[x]
            continue
        if last != history[x]:
            changes += ((x - 1) * (1.25 - 0.75)) / (looks - 2) + 0.75
        last = history[x]
    return changes * 100.0 / (looks - 1)


@given(st.data(), st.integers(3, 60))
def test_the_share_of_changes_is_that_of_nagios(data: st.DataObject, looks: int) -> None:
    states = data.draw(st.lists(st.sampled_from(STATES), min_size=1, max_size=looks))
    assert flapping.share(states, looks) == pytest.approx(nagios(states, looks))


def test_a_state_that_turns_each_time_is_a_share_of_100_and_a_new_change_counts_more() -> None:
    assert flapping.share(["ok", "critical"] * 10 + ["ok"], 21) == pytest.approx(100)
    fresh = flapping.share(["ok"] * 20 + ["critical"], 21)
    old = flapping.share(["critical"] + ["ok"] * 20, 21)
    assert (fresh, old) == (pytest.approx(6.25), pytest.approx(3.75))


@given(st.lists(st.sampled_from(STATES), min_size=1, max_size=21))
def test_between_its_two_ends_it_stays_as_it_was(states: list[str]) -> None:
    share = flapping.share(states, 21)
    after = flapping.decide(True, share, Flapping()), flapping.decide(False, share, Flapping())
    if share >= 50:
        assert after == (True, True)
    elif share > 25:
        assert after == (True, False)
    else:
        assert after == (False, False)


class Desk:
    """Writes observations a minute apart, as the ledger does."""

    def __init__(self, database: Database, now: datetime, shop: Book) -> None:
        self.database, self.now, self.shop = database, now, shop
        self.memory = standing.Memory()

    async def see(self, *states: str, check: str = "it") -> None:
        for state in states:
            self.now += timedelta(minutes=1)
            value = 1.0 if state != "nodata" else None
            one = Observation("shop", check, self.now, state, value, "", 1.0, "")  # type: ignore[arg-type]
            await self.database.write(
                lambda tx, one=one: standing.keep(  # type: ignore[misc]
                    tx, self.now, [one], {"shop": self.shop}, self.memory
                )
            )

    async def status(self, check: str = "it") -> dict[str, Any]:
        found = await self.database.read(lambda tx: store.status_of(tx, "shop", check))
        assert found is not None
        return found

    async def told(self) -> list[tuple[str, str, datetime]]:
        query = sa.select(entry).where(entry.c.action.like("check.%")).order_by(entry.c.id)
        rows = await self.database.read(lambda tx: tx.rows(query))
        return [(row["action"], row["subject"], row["at"]) for row in rows]


async def test_flapping_is_marked_and_told_when_it_begins_and_when_it_ends(
    database: Database, now: datetime
) -> None:
    desk = Desk(database, now, book({"it": LOAD}))
    await desk.see("ok", *(["critical", "ok"] * 4))
    assert not (await desk.status())["flapping"]
    await desk.see("critical")
    began = desk.now
    assert (await desk.status())["flapping"]
    assert await database.read(lambda tx: store.flapping(tx, "shop")) == {"it"}
    await desk.see(*(["ok"] * 5))
    assert (await desk.status())["flapping"]
    while (await desk.status())["flapping"]:
        await desk.see("ok")
    assert await desk.told() == [
        ("check.flapping", "check:it", began),
        ("check.steady", "check:it", desk.now),
    ]
    entries = await database.read(audit.entries.latest)
    assert entries[1]["data"] == {"book": "shop", "check": "it", "share": 51.5}


async def test_flapping_goes_on_across_a_restart(database: Database, now: datetime) -> None:
    desk = Desk(database, now, book({"it": LOAD}))
    await desk.see("ok", *(["critical", "ok"] * 4))
    again = Desk(database, desk.now, desk.shop)
    await again.see("critical")
    assert (await again.status())["flapping"]
    third = Desk(database, again.now, desk.shop)
    await third.see("critical")
    assert [action for action, _, _ in await third.told()] == ["check.flapping"]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_what_another_server_saw_meanwhile_counts(database: Database, now: datetime) -> None:
    here = Desk(database, now, book({"it": LOAD}))
    await here.see("ok")
    there = Desk(database, here.now, here.shop)
    await there.see(*(["critical", "ok"] * 4))
    here.now = there.now
    await here.see("critical")
    assert (await here.status())["flapping"]


async def test_a_book_may_want_to_know_later_or_not_at_all(
    database: Database, now: datetime
) -> None:
    turning = ["ok", "critical"] * 3
    few = Desk(database, now, book({"it": {**LOAD, "flapping": {"looks": 5, "high": "100%"}}}))
    await few.see(*turning)
    assert (await few.status())["flapping"]
    off = Desk(database, few.now, book({"it": {**LOAD, "flapping": {"off": True}}}))
    await off.see(*turning)
    assert not (await off.status())["flapping"]
    assert [action for action, _, _ in await off.told()] == ["check.flapping", "check.steady"]
