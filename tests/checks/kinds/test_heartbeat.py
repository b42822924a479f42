"""A job's silence is noticed, by its period and by its schedule; its reports are believed."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from opsbook.base.database import Database
from opsbook.book import BookError
from opsbook.calendar import Schedule
from opsbook.checks import pings, references, store
from opsbook.checks.kinds.heartbeat import Expected, HeartbeatCheck, judged
from opsbook.checks.model import Reading
from opsbook.checks.pings import Standing
from tests.checks.making import Looking, Watch, book

SEOUL = ZoneInfo("Asia/Seoul")
DAY = timedelta(days=1)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def expected(**fields: Any) -> Expected:
    spec = HeartbeatCheck(**{"grace": "1h", **fields})
    schedule = Schedule.parse(spec.schedule, SEOUL) if spec.schedule else None
    return Expected(spec, schedule, SEOUL)


def seen(when: Expected, now: datetime, **job: Any) -> tuple[str | None, float | None, str]:
    reading: Reading = judged(when, Standing(**{"watched": now - 30 * DAY, **job}), now)
    return reading.state, reading.value, reading.message


# ---- by a period ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ago", "state", "told"),
    [
        (0, None, "the next is expected by"),
        (23.9, None, "the next is expected by"),
        (24.1, "warning", "late: expected by"),
        (24.9, "warning", "late: expected by"),
        (25.1, "critical", "overdue; last success"),
        (900, "critical", "overdue; last success"),
    ],
)
def test_a_job_is_late_after_its_period_and_missed_after_its_grace(
    now: datetime, ago: float, state: str | None, told: str
) -> None:
    found, value, message = seen(expected(expect="every 1d"), now, succeeded=now - hours(ago))
    assert (found, value) == (state, ago * 3600)
    assert told in message


def test_a_failure_is_critical_at_once_and_until_the_next_success(now: datetime) -> None:
    when = expected(expect="1d")
    job = {"succeeded": now - hours(2), "failed": now - hours(1), "exit_status": 3}
    found, value, message = seen(when, now, **job)
    assert (found, value) == ("critical", 7200)
    assert message == (
        "failed with exit status 3 2026-03-03 17:00 KST; last success 2026-03-03 16:00 KST"
    )
    assert seen(when, now, failed=now)[:2] == ("critical", None)
    assert seen(when, now, succeeded=now)[0] is None


@pytest.mark.parametrize(
    ("watched", "state", "told"),
    [
        (0, None, "has not reported yet"),
        (23, None, "has not reported yet"),
        (24.5, None, "has not reported yet"),
        (25.1, "critical", "has never reported; expected by"),
    ],
)
def test_a_job_that_has_never_reported_is_missing_data_until_it_is_overdue(
    now: datetime, watched: float, state: str | None, told: str
) -> None:
    found, value, message = seen(expected(expect="1d"), now, watched=now - hours(watched))
    assert (found, value) == (state, None)
    assert message.startswith(told)


def test_a_check_that_comes_back_into_the_book_gives_the_job_its_time(now: datetime) -> None:
    job = {"succeeded": now - hours(300), "watched": now - hours(2)}
    assert seen(expected(expect="1d"), now, **job)[0] is None


# ---- runs that are under way ---------------------------------------------------------------------


def test_a_run_that_does_not_end_in_its_time_is_critical(now: datetime) -> None:
    when = expected(expect="1d", at_most="30m")
    job = {"succeeded": now - hours(2), "open_since": now - hours(0.6)}
    found, _, message = seen(when, now, **job)
    assert found == "critical"
    assert "started 2026-03-03 17:24 KST and not ended within 30m" in message
    assert seen(expected(expect="1d"), now, **job)[0] is None  # nothing is said of its length


def test_a_run_that_began_in_time_is_not_late_while_it_runs(now: datetime) -> None:
    when = expected(expect="1d", at_most="3h")
    job = {"succeeded": now - hours(26.5), "open_since": now - hours(2)}
    found, _, message = seen(when, now, **job)
    assert found is None
    assert message.startswith("runs since 2026-03-03 16:00 KST")


def test_a_run_that_began_too_late_does_not_make_it_good(now: datetime) -> None:
    when = expected(expect="1d", at_most="3h")
    job = {"succeeded": now - hours(30), "open_since": now - hours(1)}
    assert seen(when, now, **job)[0] == "critical"


# ---- by a schedule -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("succeeded", "at", "state"),
    [
        ("02 03:20", "03 02:59", None),
        ("02 03:20", "03 03:30", "warning"),
        ("02 03:20", "03 04:01", "critical"),
        ("03 03:20", "03 12:00", None),
        ("03 02:59", "03 12:00", None),  # a clock that is a little fast
        ("03 02:30", "03 12:00", "critical"),  # somebody ran it by hand, half an hour before
        ("03 15:00", "04 02:00", None),  # and in the afternoon
        ("03 15:00", "04 05:00", "critical"),
    ],
)
def test_a_schedule_is_in_the_books_time_zone(succeeded: str, at: str, state: str | None) -> None:
    def local(text: str) -> datetime:
        return datetime.fromisoformat(f"2026-03-{text}").replace(tzinfo=SEOUL)

    when = expected(schedule="every day 03:00")
    assert seen(when, local(at), succeeded=local(succeeded))[0] == state


def test_business_days_are_counted(now: datetime) -> None:
    when = expected(schedule="every business day 18:00")
    friday = datetime(2026, 3, 6, 18, 5, tzinfo=SEOUL)
    assert seen(when, friday + 2 * DAY, succeeded=friday)[0] is None
    assert seen(when, friday + 3 * DAY + hours(1), succeeded=friday)[0] == "critical"


def test_what_was_perhaps_said_while_nobody_listened_is_told(now: datetime) -> None:
    when, job = expected(expect="1d"), Standing(watched=now - 9 * DAY, succeeded=now - hours(26))
    away = (now - hours(4), now - hours(0.5))
    assert "this server was away from 2026-03-03 14:00 KST to 2026-03-03 17:30 KST" in (
        judged(when, job, now, away).message
    )
    long_ago = (now - hours(20), now - hours(19))
    assert "away" not in judged(when, job, now, long_ago).message


# ---- through the scheduler -----------------------------------------------------------------------

BACKUP = {"kind": "heartbeat", "expect": "every 3h", "grace": "1h", "every": "10m"}


async def status(database: Database, check: str = "backup") -> dict[str, Any]:
    found = await database.read(lambda tx: store.status_of(tx, "shop", check))
    assert found is not None
    return found


async def test_a_report_is_seen_at_once_and_silence_after_its_time(
    database: Database, now: datetime
) -> None:
    async with Watch(database, now, book({"backup": BACKUP})) as watch:

        async def report(kind: pings.Word, **more: Any) -> str:
            at = watch.clock.now()
            await database.write(lambda tx: pings.record(tx, at, "shop", "backup", kind, **more))
            await watch.loops.settle()
            found = await status(database)
            assert found["at"] == at
            return str(found["state"])

        await watch.wind(minutes=1)
        assert (await status(database))["state"] == "nodata"
        await watch.wind(hours=2)
        assert await report("success") == "ok"
        await watch.wind(minutes=1)
        assert await report("exit", exit_status=2) == "critical"
        assert await report("log", body="trying again") == "critical"
        assert await report("start") == "critical"
        assert await report("exit", exit_status=0) == "ok"
        await watch.wind(hours=3, minutes=20)
        found = await status(database)
        assert found["state"] == "warning"
        assert found["value"] >= 10800
        await watch.wind(hours=1)
        assert (await status(database))["state"] == "critical"


async def test_since_when_a_job_is_awaited_outlives_a_restart(
    sqlite_database: Database, now: datetime
) -> None:
    jobs = book({"backup": BACKUP})
    async with Watch(sqlite_database, now, jobs) as watch:
        await watch.wind(hours=2)
    async with Watch(sqlite_database, now + hours(2.5), jobs) as watch:
        await watch.wind(minutes=10)
        assert (await status(sqlite_database))["state"] == "nodata"
        await watch.wind(hours=2)
        found = await status(sqlite_database)
    assert found["state"] == "critical"
    assert found["message"].startswith("has never reported")


async def test_a_check_that_is_taken_out_forgets_what_was_reported(
    sqlite_database: Database, now: datetime
) -> None:
    load = {"kind": "host", "metric": "load", "every": "1h"}
    async with Watch(sqlite_database, now, book({"backup": BACKUP})) as watch:
        await watch.wind(minutes=1)
        await sqlite_database.write(
            lambda tx: pings.record(tx, watch.clock.now(), "shop", "backup", "success")
        )
        await watch.wind(minutes=1)
        await watch.reload(book({"load": load}))
        await watch.wind(hours=5)
        await watch.reload(book({"load": load, "backup": BACKUP}))
        await watch.wind(minutes=1)
        assert (await status(sqlite_database))["state"] == "nodata"
        rows = await sqlite_database.read(lambda tx: pings.latest(tx, "shop", "backup"))
        assert rows == []


async def test_a_token_that_is_none_is_said_while_there_is_time(
    sqlite_database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHORT", "short")
    monkeypatch.setenv("SLASH", "a/token-with-a-slash")
    checks = {name: {**BACKUP, "token": f"env:{name}"} for name in ("SHORT", "SLASH", "NONE")}
    async with Watch(sqlite_database, now, book(checks)) as watch:
        await watch.wind(minutes=1)
    for name, told in (
        ("SHORT", "no report is taken: The secret env:SHORT is no token"),
        ("SLASH", "no report is taken: The secret env:SLASH is no token"),
        ("NONE", "no report is taken: The secret env:NONE is not set."),
    ):
        assert told in (await status(sqlite_database, name))["message"]


async def test_without_a_database_there_are_no_reports(looking: Looking) -> None:
    found = await looking.look(kind="heartbeat", expect="1d")
    assert (found.state, found.message) == ("nodata", "no reports are kept here")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "does not say by when"),
        ({"expect": "1d", "schedule": "every day 03:00"}, "does not say by when"),
        ({"expect": "every day"}, "'every day' is no period"),
        ({"expect": "1s"}, "too short a period"),
        ({"schedule": "when I feel like it"}, "schedule"),
        ({"expect": "1d", "token": "plain"}, "token"),
    ],
)
async def test_a_book_must_say_by_when(looking: Looking, fields: dict[str, Any], told: str) -> None:
    with pytest.raises(BookError, match=told):
        await looking.look(kind="heartbeat", **fields)


def test_a_token_is_a_reference_and_known_as_one() -> None:
    jobs = book({"it": {**BACKUP, "token": "env:BACKUP_TOKEN"}})
    assert list(references.of_book(jobs)) == ["env:BACKUP_TOKEN"]
