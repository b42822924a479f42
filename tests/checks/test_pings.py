"""What is kept of the reports of jobs, and what they come to."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from opsbook.base.database import Database, Transaction
from opsbook.checks import pings
from opsbook.checks.pings import Standing
from tests.checks.making import book


def row(kind: str, at: int, run: str = "", exit_status: int | None = None) -> dict[str, Any]:
    moment = datetime.fromisoformat("2026-03-03T09:00:00+00:00") + timedelta(minutes=at)
    return {"kind": kind, "at": moment, "run": run, "exit_status": exit_status}


def minute(at: int) -> datetime:
    found = row("log", at)["at"]
    assert isinstance(found, datetime)
    return found


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], Standing()),
        ([row("watched", 0)], Standing(watched=minute(0))),
        ([row("success", 1), row("log", 2)], Standing(succeeded=minute(1))),
        (
            [row("success", 1), row("fail", 2)],
            Standing(succeeded=minute(1), failed=minute(2)),
        ),
        ([row("fail", 1), row("success", 2)], Standing(succeeded=minute(2))),
        (
            [row("exit", 1, exit_status=0), row("exit", 2, exit_status=7)],
            Standing(succeeded=minute(1), failed=minute(2), exit_status=7),
        ),
        (
            [row("fail", 1), row("start", 2)],
            Standing(failed=minute(1), open_since=minute(2)),
        ),
        ([row("start", 1), row("success", 2)], Standing(succeeded=minute(2))),
        (
            [row("start", 1, "a"), row("start", 2, "b"), row("success", 3, "b")],
            Standing(succeeded=minute(3), open_since=minute(1)),
        ),
        (
            [row("start", 1, "a"), row("start", 2, "b"), row("success", 3)],
            Standing(succeeded=minute(3)),
        ),
        ([row("start", 1), row("fail", 3, "b")], Standing(failed=minute(3))),
        ([row("start", 1), row("start", 4)], Standing(open_since=minute(4))),
    ],
)
def test_how_a_job_stands_follows_from_its_reports(
    rows: list[dict[str, Any]], expected: Standing
) -> None:
    assert pings.standing(rows) == expected


async def kinds(database: Database, check: str = "backup") -> list[str]:
    rows = await database.read(lambda tx: pings.standing_rows(tx, "shop", check))
    return [one["kind"] for one in rows]


async def test_a_hundred_are_kept_and_those_that_say_how_the_job_stands(
    database: Database, now: datetime
) -> None:
    def write(tx: Transaction) -> None:
        pings.watch(tx, now, "shop", "backup")
        for kind, status in (("success", None), ("exit", 3), ("start", None)):
            pings.record(tx, now, "shop", "backup", kind, exit_status=status)  # type: ignore[arg-type]
        for _ in range(150):
            pings.record(tx, now, "shop", "backup", "log", body="still here")
        pings.record(tx, now, "shop", "other", "success")

    await database.write(write)
    assert await kinds(database) == ["watched", "success", "exit", "start", *["log"] * 100]
    assert await kinds(database, "other") == ["success"]
    newest = await database.read(lambda tx: pings.latest(tx, "shop", "backup", 3))
    assert [one["body"] for one in newest] == ["still here"] * 3
    assert newest[0]["id"] > newest[1]["id"]


async def test_a_report_tells_who_listens_which_check_it_is_about(
    sqlite_database: Database, now: datetime
) -> None:
    told: list[str] = []
    sqlite_database.on_commit = told.extend
    await sqlite_database.write(lambda tx: pings.record(tx, now, "shop", "backup", "start"))
    await sqlite_database.read(lambda tx: None)
    assert "ping:shop/backup" in told


WATCHDOG = {
    "kind": "heartbeat", "expect": "every 5m", "alert": {"alertname": "Watchdog", "cluster": "a"},
}  # fmt: skip


async def test_an_alert_that_a_check_waits_for_is_a_report(
    sqlite_database: Database, now: datetime
) -> None:
    jobs = book({"watchdog": WATCHDOG, "backup": {"kind": "heartbeat", "expect": "1d"}})

    async def take(at: datetime, **labels: str) -> int:
        return await sqlite_database.write(lambda tx: pings.from_alert(tx, at, jobs, labels))

    assert await take(now, alertname="Watchdog") == 0
    assert await take(now, alertname="Watchdog", cluster="b") == 0
    assert await take(now, alertname="Watchdog", cluster="a", severity="none") == 1
    assert await kinds(sqlite_database, "watchdog") == ["success"]
    assert await take(now + timedelta(milliseconds=900), alertname="Watchdog", cluster="a") == 1
    assert await kinds(sqlite_database, "watchdog") == ["success"]
    assert await take(now + timedelta(seconds=1), alertname="Watchdog", cluster="a") == 1
    assert await kinds(sqlite_database, "watchdog") == ["success", "success"]
    assert await kinds(sqlite_database, "backup") == []


def test_a_book_without_such_a_check_is_not_walked_for_each_alert(now: datetime) -> None:
    host = {"kind": "host", "metric": "load"}
    jobs = book({f"load{n}": host for n in range(300)})
    labels = {"alertname": "Watchdog"}
    before = pings._awaited.cache_info()
    for _ in range(1000):
        assert pings.from_alert(None, now, jobs, labels) == 0  # type: ignore[arg-type]
    after = pings._awaited.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 999)
