"""Checks behind a failed one: which they are, and that the mark is true at every moment."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsbook.base.database import Database
from opsbook.book.problems import BookError
from opsbook.checks import Observation, depending, standing, store
from tests.checks.making import Watch, book

LOAD = {"kind": "host", "metric": "load", "every": "1m"}


def nearest(
    depends: Mapping[str, Sequence[str]], failed: set[str], check: str
) -> tuple[int, set[str]]:
    """How many dependencies away the nearest failed checks are, and which; (0, {}) for none."""
    seen, edge, steps = set[str](), {check}, 0
    while edge:
        steps += 1
        edge = {one for at in edge for one in depends.get(at, ())} - seen
        seen |= edge
        if edge & failed:
            return steps, edge & failed
    return 0, set()


@st.composite
def worlds(draw: st.DrawFn) -> tuple[dict[str, list[str]], set[str]]:
    """Dependencies without a circle, and some that have failed."""
    names = [f"c{n}" for n in range(draw(st.integers(1, 9)))]
    depends = {
        name: draw(st.lists(st.sampled_from(names[:n]), unique=True, max_size=3)) if n else []
        for n, name in enumerate(names)
    }
    return depends, set(draw(st.lists(st.sampled_from(names), unique=True)))


@given(worlds())
def test_each_check_is_behind_the_nearest_failed_one(
    world: tuple[dict[str, list[str]], set[str]],
) -> None:
    depends, failed = world
    found = depending.behind(depends, failed)
    for check in depends:
        steps, causes = nearest(depends, failed, check)
        assert found.get(check) in causes if steps else check not in found


def test_a_long_chain_takes_no_time() -> None:
    depends: dict[str, list[str]] = {"c0": []} | {f"c{n}": [f"c{n - 1}"] for n in range(1, 50_000)}
    found = depending.behind(depends, {"c0"})
    assert len(found) == 49_999
    assert set(found.values()) == {"c0"}


def test_checks_that_wait_for_each_other_are_named_all_once() -> None:
    checks = {
        "a": {**LOAD, "depends_on": ["b"]},
        "b": {**LOAD, "depends_on": ["c"]},
        "c": {**LOAD, "depends_on": ["a"]},
        "d": {**LOAD, "depends_on": ["a"]},
        "e": {**LOAD, "depends_on": ["e"]},
    }
    with pytest.raises(BookError) as told:
        book(checks)
    assert [problem.message for problem in told.value.problems] == [
        "checks.a.depends_on: waits for itself: a → b → c → a",
        "checks.e.depends_on: waits for itself: e → e",
    ]


SHOP = {
    "gateway": LOAD,
    "web": {**LOAD, "depends_on": ["gateway"]},
    "orders": {**LOAD, "depends_on": ["web"]},
    "disk": LOAD,
}


class Desk:
    """Writes single observations, as the ledger does."""

    def __init__(self, database: Database, now: datetime) -> None:
        self.database, self.now = database, now
        self.shop = book(SHOP)
        self.memory = standing.Memory()

    async def see(self, **states: str) -> dict[str, str]:
        """Write what was seen together; return what is behind what, in the same transaction."""
        seen = [
            Observation("shop", check, self.now, state, None, "", 1.0, "")  # type: ignore[arg-type]
            for check, state in states.items()
        ]

        def work(tx: object) -> dict[str, str]:
            standing.keep(tx, self.now, seen, {"shop": self.shop}, self.memory)  # type: ignore[arg-type]
            return store.behind(tx, "shop")  # type: ignore[arg-type]

        return await self.database.write(work)


async def test_the_mark_is_set_and_taken_away_with_the_observation_that_decides_it(
    database: Database, now: datetime
) -> None:
    desk = Desk(database, now)
    assert await desk.see(gateway="ok", web="ok", orders="ok", disk="ok") == {}
    assert await desk.see(gateway="warning") == {}
    assert await desk.see(gateway="critical") == {"web": "gateway", "orders": "gateway"}
    assert await desk.see(web="critical") == {"web": "gateway", "orders": "web"}
    assert await desk.see(gateway="nodata", disk="critical") == {"web": "gateway", "orders": "web"}
    assert await desk.see(gateway="ok") == {"orders": "web"}
    assert await desk.see(web="ok") == {}


async def test_a_check_that_is_seen_for_the_first_time_is_behind_what_failed_before(
    database: Database, now: datetime
) -> None:
    desk = Desk(database, now)
    assert await desk.see(gateway="critical") == {}
    assert await desk.see(orders="ok") == {"orders": "gateway"}
    again = Desk(database, now)
    assert await again.see(web="nodata") == {"web": "gateway", "orders": "web"}


async def test_an_edited_book_moves_the_marks(database: Database, now: datetime) -> None:
    desk = Desk(database, now)
    assert await desk.see(gateway="critical", web="ok", orders="critical") == {
        "web": "gateway", "orders": "gateway",
    }  # fmt: skip
    async with Watch(database, now, desk.shop) as watch:

        async def behind() -> dict[str, str]:
            return await database.read(lambda tx: store.behind(tx, "shop"))

        await watch.loops.settle()
        assert await behind() == {"web": "gateway", "orders": "gateway"}
        await watch.reload(book({**SHOP, "orders": LOAD}))
        assert await behind() == {"web": "gateway"}
        await watch.reload(book({one: SHOP[one] for one in ("gateway", "disk")}))
        assert await behind() == {}
        await watch.reload(book(SHOP))
        assert await behind() == {}, "what is new was not looked at yet"
