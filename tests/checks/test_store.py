from datetime import datetime, timedelta

from opsbook.base.database import Database
from opsbook.checks import Observation, store

MINUTE = timedelta(minutes=1)


def seen(now: datetime, minute: int, state: str = "ok", check: str = "disk") -> Observation:
    at = now + minute * MINUTE
    return Observation("shop", check, at, state, 80.0 + minute, "%", 1.5, "fine")  # type: ignore[arg-type]


async def test_a_status_is_the_newest_observation_and_since_when_it_has_been_so(
    database: Database, now: datetime
) -> None:
    await database.write(lambda tx: store.keep(tx, [seen(now, 0), seen(now, 1)]))
    await database.write(lambda tx: store.keep(tx, [seen(now, 2, "warning")]))
    await database.write(
        lambda tx: store.keep(tx, [seen(now, 3, "warning"), seen(now, 3, "ok", "b")])
    )
    status = await database.read(lambda tx: store.status_of(tx, "shop", "disk"))
    assert status == {
        "book": "shop", "check_id": "disk", "state": "warning", "since": now + 2 * MINUTE,
        "at": now + 3 * MINUTE, "value": 83.0, "unit": "%", "latency_ms": 1.5, "message": "fine",
        "flapping": False, "behind": "",
    }  # fmt: skip
    assert set(await database.read(lambda tx: store.statuses(tx, "shop"))) == {"disk", "b"}
    assert await database.read(lambda tx: store.statuses(tx, "other")) == {}


async def test_a_series_is_told_oldest_first_and_too_long_a_one_from_its_end(
    database: Database, now: datetime
) -> None:
    await database.write(lambda tx: store.keep(tx, [seen(now, n) for n in range(10)]))
    since = now + 3 * MINUTE
    whole = await database.read(lambda tx: store.series(tx, "shop", "disk", since))
    assert [row["value"] for row in whole] == [83.0, 84.0, 85.0, 86.0, 87.0, 88.0, 89.0]
    end = await database.read(lambda tx: store.series(tx, "shop", "disk", since, limit=2))
    assert [row["value"] for row in end] == [88.0, 89.0]
    newest = await database.read(lambda tx: store.latest(tx, "shop", "disk", limit=2))
    assert [row["value"] for row in newest] == [89.0, 88.0]
