from datetime import datetime, timedelta

from opsbook.base.database import Database
from opsbook.base.lease import TAKE_OVER_AFTER, Lease, observe

SECOND = timedelta(seconds=1)


async def test_an_observer_takes_over_only_after_watching_the_lease_stand_still(
    database: Database, now: datetime
) -> None:
    database.sqlite = False  # two servers on one database, as PostgreSQL would have them
    first, second = Lease(database, "first"), Lease(database, "second")
    await first.tick(now)
    await second.tick(now)
    assert (first.held, second.held) == (True, False)
    await first.tick(now + 10 * SECOND)
    await second.tick(now + 16 * SECOND)
    assert not second.held
    await second.tick(now + 30 * SECOND)
    assert not second.held
    await second.tick(now + 31 * SECOND)
    assert (second.held, second.epoch) == (True, 2)


async def test_a_frozen_holder_that_wakes_up_finds_that_it_lost(
    database: Database, now: datetime
) -> None:
    database.sqlite = False
    first, second = Lease(database, "first"), Lease(database, "second")
    await first.tick(now)
    await second.tick(now)
    await second.tick(now + TAKE_OVER_AFTER)
    assert second.held
    await first.tick(now + TAKE_OVER_AFTER)
    assert not first.held


def test_a_lease_that_moves_is_watched_afresh(now: datetime) -> None:
    seen, stale = observe(None, 1, 5, now)
    seen, stale = observe(seen, 1, 6, now + 14 * SECOND)
    assert not stale
    _, stale = observe(seen, 1, 6, now + 28 * SECOND)
    assert not stale
    _, stale = observe(seen, 1, 6, now + 29 * SECOND)
    assert stale


async def test_the_only_server_on_a_file_takes_over_at_once(
    sqlite_database: Database, now: datetime
) -> None:
    await Lease(sqlite_database, "before the crash").tick(now)
    again = Lease(sqlite_database, "after it")
    await again.tick(now + SECOND)
    assert (again.held, again.epoch) == (True, 2)
