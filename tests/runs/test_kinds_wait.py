"""Wait steps and holding checks: rows that somebody looks at when their time has come."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from opsbook.base.clock import WoundClock
from opsbook.book import Book, load, openings, waits
from opsbook.runs.kinds.check import LONGEST_GAP, Hold
from tests.support.runs import BOOK, START, VOCABULARY, Stage, runbook

SEOUL = ZoneInfo("Asia/Seoul")
BERLIN = ZoneInfo("Europe/Berlin")
WINDOWS = """
windows:
  evening: {{title: Evening, schedule: every day 20:00, length: 2h}}
  monthly: {{title: Once a month, schedule: every Tuesday 20:00, length: 2h, per_month: 1}}
  web: {{title: Web, schedule: every day 20:00, length: 2h, services: [web]}}
services:
  web: {{title: Web}}
  mail: {{title: Mail}}
"""


def shop(body: str, head: str = "", *, more: str = WINDOWS, file: Path = Path("/nowhere")) -> Book:
    """A book whose runbook `fix` has this body, with windows."""
    text = (BOOK + more).format(file=file)
    return load({"book.yaml": text, "runbooks/fix.md": runbook(body, head)}, VOCABULARY)


def wait(line: str, has: str = "") -> str:
    return f"```wait {{#pause {has}}}\n{line}\n```\n```bash {{#after}}\necho on\n```\n"


async def state(stage: Stage, run: int) -> tuple[str, str]:
    found = (await stage.steps(run))["pause"]
    return found["state"], found["message"]


def again(folder: Path, book: Book, at: datetime) -> Stage:
    """Another server on the same folder and database, which has loaded the book as they all do."""
    made = Stage(folder, clock=WoundClock(at))
    made.library.remember(book)
    return made


async def test_a_span_is_waited_for_as_a_row_and_the_run_goes_on(any_stage: Stage) -> None:
    stage = any_stage
    await stage.publish(shop(wait("10m")))
    run = await stage.run()
    (waiting,) = await stage.waits(run)
    assert (waiting["kind"], waiting["due_at"]) == ("time", START + timedelta(minutes=10))
    assert (await stage.row(run))["state"] == "waiting"
    await stage.wind(timedelta(minutes=9, seconds=59))
    assert (await state(stage, run))[0] == "waiting"
    await stage.wind(timedelta(seconds=1))
    assert await state(stage, run) == ("succeeded", "waited until 2026-03-03 18:10")
    assert (await stage.row(run))["state"] == "succeeded"


async def test_a_wait_goes_on_under_another_server(stage_folder: Path) -> None:
    async with Stage(stage_folder) as first:
        await first.publish(shop(wait("1h")))
        run = await first.run()
        await first.wind(timedelta(minutes=20))
    later = WoundClock(first.clock.now() + timedelta(minutes=10))
    async with Stage(stage_folder, clock=later) as second:
        await second.settle()
        assert (await state(second, run))[0] == "waiting"
        assert (await second.waits(run))[0]["due_at"] == START + timedelta(hours=1)
        await second.wind(timedelta(minutes=31))
        assert (await second.row(run))["state"] == "succeeded"


async def test_a_wait_that_was_over_while_nobody_ran_is_over_at_the_start(
    stage_folder: Path,
) -> None:
    async with Stage(stage_folder) as first:
        await first.publish(shop(wait("1h")))
        run = await first.run()
    later = WoundClock(START + timedelta(days=1))
    async with Stage(stage_folder, clock=later) as second:
        await second.settle()
        assert (await second.row(run))["state"] == "succeeded"


async def test_a_time_of_day_is_the_next_one_in_the_books_zone(stage: Stage) -> None:
    await stage.publish(shop(wait("until 22:00")))  # it is 18:00 in Seoul
    run = await stage.run()
    assert (await stage.waits(run))[0]["due_at"] == datetime(2026, 3, 3, 13, 0, tzinfo=UTC)
    await stage.wind(timedelta(hours=4))
    assert await state(stage, run) == ("succeeded", "waited until 2026-03-03 22:00")


async def test_a_time_of_a_day_is_waited_for_and_one_that_has_come_is_over(stage: Stage) -> None:
    await stage.publish(shop(wait("until 2026-03-04 09:00")))
    run = await stage.run()
    assert (await stage.waits(run))[0]["due_at"] == datetime(2026, 3, 4, 0, 0, tzinfo=UTC)
    await stage.wind(timedelta(hours=15))
    assert (await stage.row(run))["state"] == "succeeded"
    again = await stage.run()
    await stage.wind(timedelta(0))
    assert (await stage.row(again))["state"] == "succeeded"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # 02:30 does not exist on 29 March 2026 in Berlin: right after the gap.
        ("2026-03-28T12:00+01:00", "2026-03-29T03:00+02:00"),
        # 02:30 comes twice on 25 October: once, the first time round.
        ("2026-10-24T12:00+02:00", "2026-10-25T02:30+02:00"),
        ("2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"),
        ("2026-10-25T02:10+01:00", "2026-10-26T02:30+01:00"),
        ("2026-06-01T02:30+02:00", "2026-06-02T02:30+02:00"),
    ],
)
def test_a_time_of_day_is_right_on_nights_that_change_the_clocks(now: str, expected: str) -> None:
    daily = waits.parse("until 02:30")
    assert isinstance(daily, waits.TimeOfDay)
    assert daily.next_after(datetime.fromisoformat(now), BERLIN) == datetime.fromisoformat(expected)


def test_a_moment_that_the_clocks_skip_comes_right_after_the_gap() -> None:
    moment = waits.parse("until 2026-03-29 02:30")
    assert isinstance(moment, waits.Moment)
    assert moment.instant(BERLIN) == datetime.fromisoformat("2026-03-29T03:00+02:00")


async def test_a_wait_whose_timeout_passes_fails(stage: Stage) -> None:
    await stage.publish(shop(wait("until 22:00", "timeout=1h")))
    run = await stage.run()
    assert (await stage.waits(run))[0]["due_at"] == START + timedelta(hours=1)
    await stage.wind(timedelta(hours=1))
    assert await state(stage, run) == (
        "failed", "waiting until 2026-03-03 22:00 took longer than its timeout of 1h",
    )  # fmt: skip


async def test_a_wait_ends_with_the_time_that_its_runbook_allows(stage: Stage) -> None:
    await stage.publish(shop(wait("until 22:00"), "timeout: 30m"))
    run = await stage.run()
    await stage.wind(timedelta(minutes=30))
    row = await stage.row(run)
    assert (row["state"], row["reason"]) == (
        "failed",
        "took longer than the 30m its runbook allows",
    )


# ---- windows ----


async def test_a_window_is_waited_for_and_an_open_one_is_none(stage: Stage) -> None:
    await stage.publish(shop(wait("window evening")))
    run = await stage.run()
    assert (await stage.waits(run))[0]["due_at"] == START + timedelta(hours=2)  # 20:00 in Seoul
    await stage.wind(timedelta(hours=2))
    told = ("succeeded", "the window evening is open until 2026-03-03 22:00")
    assert await state(stage, run) == told
    await stage.wind(timedelta(hours=1))
    assert await state(stage, await stage.run()) == told


async def test_a_freeze_keeps_a_window_shut_and_says_until_when_it_is_open(stage: Stage) -> None:
    freezes = (
        "freezes:\n  sale: {{title: Sale, from: 2026-03-03, to: 2026-03-04 21:00}}\n"
        "  night: {{title: Night, from: 2026-03-04 21:30, to: 2026-03-06}}\n"
    )
    await stage.publish(shop(wait("window evening"), more=WINDOWS + freezes))
    run = await stage.run()
    assert (await stage.waits(run))[0]["due_at"] == datetime(2026, 3, 4, 21, 0, tzinfo=SEOUL)
    await stage.wind(timedelta(hours=27))
    assert await state(stage, run) == (
        "succeeded", "the window evening is open until 2026-03-04 21:30",
    )  # fmt: skip


def test_a_freeze_for_other_services_is_in_nobodys_way() -> None:
    freezes = (
        "freezes:\n  mail: {{title: Mail, from: 2026-03-03, to: 2026-03-08, services: [mail]}}\n"
    )
    book = shop(wait("10m"), more=WINDOWS + freezes)
    web = openings.next_opening(book, "web", START)
    all_of_it = openings.next_opening(book, "evening", START)
    assert web is not None
    assert all_of_it is not None
    assert web.start == datetime(2026, 3, 3, 20, 0, tzinfo=SEOUL)
    assert all_of_it.start == datetime(2026, 3, 9, 20, 0, tzinfo=SEOUL)


def test_a_window_that_does_not_come_again_is_none() -> None:
    freezes = "freezes:\n  ever: {{title: For ever, from: 2026-01-01, to: 9000-01-01}}\n"
    book = shop(wait("10m"), more=WINDOWS + freezes)
    found = openings.next_opening(book, "evening", START)
    assert found is not None
    assert found.start.astimezone(SEOUL).date() == date(9000, 1, 2)


async def test_a_window_of_which_a_month_has_one_is_used_up_by_the_first_run(
    any_stage: Stage,
) -> None:
    stage = any_stage
    await stage.publish(shop(wait("window monthly")))  # Tuesday 3 March, 18:00
    first = await stage.run()
    await stage.wind(timedelta(hours=2))
    assert (await state(stage, first))[0] == "succeeded"
    await stage.wind(timedelta(hours=1))
    same = await stage.run()
    assert (await state(stage, same))[0] == "succeeded"  # the one in use stays open
    await stage.wind(timedelta(hours=3))
    later = await stage.run()
    assert (await stage.waits(later))[0]["due_at"] == datetime(2026, 4, 7, 20, 0, tzinfo=SEOUL)


async def test_a_window_that_comes_after_the_timeout_fails_the_wait(stage: Stage) -> None:
    await stage.publish(shop(wait("window evening", "timeout=1h")))
    run = await stage.run()
    await stage.wind(timedelta(hours=1))
    assert await state(stage, run) == (
        "failed", "waiting for the window evening took longer than its timeout of 1h",
    )  # fmt: skip


# ---- checks ----


async def test_a_check_is_waited_for_until_it_is_ok_for_as_long_as_it_takes(stage: Stage) -> None:
    size = stage.work / "size"
    stage.work.mkdir(exist_ok=True)
    size.write_text("x" * 100)
    await stage.publish(shop(wait("until check small is ok"), file=size))
    run = await stage.run()
    (waiting,) = await stage.waits(run)
    assert (waiting["kind"], waiting["due_at"]) == ("check", None)
    await stage.wind(timedelta(minutes=40))
    assert (await state(stage, run))[0] == "waiting"
    size.write_text("x")
    await stage.wind(timedelta(seconds=30))
    found, told = await state(stage, run)
    assert found == "succeeded"
    assert told.startswith("ok 1 B")


async def test_waiting_for_a_check_fails_at_its_timeout_with_what_was_seen(stage: Stage) -> None:
    size = stage.work / "size"
    stage.work.mkdir(exist_ok=True)
    size.write_text("x" * 100)
    await stage.publish(
        shop(wait("until check $which is ok", "timeout=5m"), "params:\n  which: {}", file=size)
    )
    run = await stage.run(which="small")
    await stage.wind(timedelta(minutes=5))
    found, told = await state(stage, run)
    assert found == "failed"
    assert "critical 100 B" in told


async def test_a_check_that_is_gone_from_the_book_fails_the_wait(stage: Stage) -> None:
    size = stage.work / "size"
    stage.work.mkdir(exist_ok=True)
    size.write_text("x" * 100)
    await stage.publish(shop(wait("until check small is ok"), file=size))
    run = await stage.run()
    text = BOOK.format(file=size).replace("  small:\n", "  other:\n")
    await stage.publish(load({"book.yaml": text}, VOCABULARY))
    await stage.wind(timedelta(minutes=1))
    found, told = await state(stage, run)
    assert found == "failed"
    assert "has no check 'small'" in told


def seen(id: int, at: timedelta, state: str = "ok") -> dict[str, object]:
    return {"id": id, "at": START + at, "state": state, "value": None, "unit": "", "message": ""}


def test_one_look_left_out_is_no_gap_and_two_begin_the_hold_again() -> None:
    first = Hold().after([seen(1, timedelta(0)), seen(2, timedelta(seconds=30))], LONGEST_GAP)
    over = first.after([seen(3, timedelta(seconds=90))], LONGEST_GAP)
    assert over.length == timedelta(seconds=90)
    broken = over.after([seen(4, timedelta(seconds=151))], LONGEST_GAP)
    assert (broken.length, broken.ok_since) == (timedelta(0), START + timedelta(seconds=151))


async def test_time_in_which_no_server_ran_does_not_count_as_holding(stage_folder: Path) -> None:
    body = "```check {#hold for=5m timeout=1h}\nsmall\n```\n"
    size = stage_folder / "size"
    size.write_text("x")
    size.chmod(0o644)
    book = shop(body, file=size)
    async with Stage(stage_folder) as first:
        await first.publish(book)
        run = await first.run()
        await first.wind(timedelta(minutes=2))
        stopped = first.clock.now()
    async with again(stage_folder, book, stopped + timedelta(minutes=20)) as second:
        await second.settle()
        assert (await second.steps(run))["hold"]["state"] == "waiting"
        await second.wind(timedelta(minutes=4, seconds=50))
        assert (await second.steps(run))["hold"]["state"] == "waiting"
        await second.wind(timedelta(seconds=40))
        assert (await second.steps(run))["hold"]["state"] == "succeeded"


async def test_a_restart_within_one_look_does_not_break_the_hold(stage_folder: Path) -> None:
    body = "```check {#hold for=5m timeout=1h}\nsmall\n```\n"
    size = stage_folder / "size"
    size.write_text("x")
    size.chmod(0o644)
    book = shop(body, file=size)
    async with Stage(stage_folder) as first:
        await first.publish(book)
        run = await first.run()
        await first.wind(timedelta(minutes=3))
        stopped = first.clock.now()
    async with again(stage_folder, book, stopped + timedelta(seconds=20)) as second:
        await second.settle()
        await second.wind(timedelta(minutes=2))
        assert (await second.steps(run))["hold"]["state"] == "succeeded"


async def test_of_within_and_timeout_the_one_that_ends_first_counts(stage: Stage) -> None:
    size = stage.work / "size"
    stage.work.mkdir(exist_ok=True)
    size.write_text("x" * 100)
    await stage.publish(shop("```check {#hold within=1h timeout=2m}\nsmall\n```\n", file=size))
    run = await stage.run()
    assert (await stage.waits(run))[0]["due_at"] == START + timedelta(minutes=2)
    await stage.wind(timedelta(minutes=2))
    assert (await stage.steps(run))["hold"]["state"] == "failed"
