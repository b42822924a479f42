"""Schedules say when, in their zone, also on the days when the clocks change."""

import contextlib
import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsbook.calendar import Schedule, ScheduleError

SEOUL = ZoneInfo("Asia/Seoul")


def at(zone, *parts, fold=0):
    return datetime(*parts, fold=fold, tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("every day 09:00", "2025-11-21 09:00"), ("매일 09:00", "2025-11-21 09:00"),
        ("daily at 9:00", "2025-11-21 09:00"), ("매일 오전 9시", "2025-11-21 09:00"),
        ("매일 오후 11시 30분", "2025-11-20 23:30"), ("매일 오후 12시", "2025-11-20 12:00"),
        ("every day 09:00, 18:30", "2025-11-20 18:30"), ("매일 09:00, 18:30", "2025-11-20 18:30"),
        ("every Monday 10:00", "2025-11-24 10:00"), ("매주 월요일 10:00", "2025-11-24 10:00"),
        ("every Monday and Friday 10:00", "2025-11-21 10:00"),
        ("every mondays, wednesdays 10:00", "2025-11-24 10:00"),
        ("매주 월·금 10:00", "2025-11-21 10:00"), ("매주 토요일, 일요일 10:00", "2025-11-22 10:00"),
        ("weekdays 08:00", "2025-11-21 08:00"), ("평일 08:00", "2025-11-21 08:00"),
        ("weekends 08:00", "2025-11-22 08:00"), ("주말 08:00", "2025-11-22 08:00"),
        ("first Sunday 02:00", "2025-12-07 02:00"),
        ("the first Sunday of the month 02:00", "2025-12-07 02:00"),
        ("매월 첫째 주 일요일 02:00", "2025-12-07 02:00"),
        ("매월 첫 번째 일요일 02:00", "2025-12-07 02:00"),
        ("third Thursday 11:00", "2025-11-20 11:00"),
        ("매월 셋째 주 목요일 11:00", "2025-11-20 11:00"),
        ("last Friday 18:00", "2025-11-28 18:00"), ("매월 마지막 금요일 18:00", "2025-11-28 18:00"),
        ("every month on day 1 03:00", "2025-12-01 03:00"), ("매월 1일 03:00", "2025-12-01 03:00"),
        ("every month on the last day 03:00", "2025-11-30 03:00"),
        ("매월 말일 03:00", "2025-11-30 03:00"), ("매월 31일 03:00", "2025-12-31 03:00"),
        ("every 15 minutes", "2025-11-20 10:15"), ("15분마다", "2025-11-20 10:15"),
        ("every minute", "2025-11-20 10:01"), ("every hour", "2025-11-20 11:00"),
        ("매시간", "2025-11-20 11:00"), ("2시간마다", "2025-11-20 12:00"),
        ("0 3 * * *", "2025-11-21 03:00"), ("0 3 * * MON#2", "2025-12-08 03:00"),
        ("0 0 29 2 *", "2028-02-29 00:00"), ("  every   day  09:00 ", "2025-11-21 09:00"),
    ],
)  # fmt: skip
def test_the_next_time_of_a_schedule(text, local):
    schedule = Schedule.parse(text, "Asia/Seoul")
    now = at("Asia/Seoul", 2025, 11, 20, 10, 0)
    found = schedule.next_after(now)
    assert found.tzinfo is UTC
    assert f"{found.astimezone(SEOUL):%Y-%m-%d %H:%M}" == local


def test_next_is_strictly_after_and_previous_may_be_now():
    schedule = Schedule.parse("every day 09:00", SEOUL)
    nine = at("Asia/Seoul", 2026, 1, 5, 9, 0)
    assert schedule.next_after(nine) == nine + timedelta(days=1)
    assert schedule.next_after(nine - timedelta(microseconds=1)) == nine
    assert schedule.previous_or_at(nine) == nine
    assert schedule.previous_or_at(nine + timedelta(microseconds=1)) == nine
    assert schedule.previous_or_at(nine - timedelta(microseconds=1)) == nine - timedelta(days=1)


def test_a_time_in_the_skipped_hour_happens_right_after_the_gap():
    schedule = Schedule.parse("every day 02:30", "America/New_York")
    before = at("America/New_York", 2026, 3, 8, 1, 0)
    three = at("America/New_York", 2026, 3, 8, 3, 0)
    assert schedule.next_after(before) == three
    assert schedule.next_after(three) == at("America/New_York", 2026, 3, 9, 2, 30)
    assert schedule.previous_or_at(three) == three
    assert schedule.previous_or_at(three + timedelta(hours=5)) == three
    assert schedule.previous_or_at(three - timedelta(seconds=1)) == at(
        "America/New_York", 2026, 3, 7, 2, 30
    )


def test_a_time_in_the_repeated_hour_happens_once_the_first_time_round():
    schedule = Schedule.parse("every day 01:30", "America/New_York")
    first = at("America/New_York", 2026, 11, 1, 1, 30)
    second = at("America/New_York", 2026, 11, 1, 1, 30, fold=1)
    assert second - first == timedelta(hours=1)
    assert schedule.next_after(first - timedelta(hours=1)) == first
    for now in (first, first + timedelta(minutes=45), second, second + timedelta(minutes=1)):
        assert schedule.next_after(now) == at("America/New_York", 2026, 11, 2, 1, 30)
        assert schedule.previous_or_at(now) == first


def test_what_ticks_through_the_hours_follows_real_time():
    schedule = Schedule.parse("every 30 minutes", "America/New_York")
    now, times = at("America/New_York", 2026, 11, 1, 0, 45), []
    for _ in range(6):
        now = schedule.next_after(now)
        times.append(now)
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {
        timedelta(minutes=30)
    }


@pytest.mark.parametrize(
    "zone", ["Asia/Seoul", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe",
             "Pacific/Apia", "America/Santiago", "Africa/Casablanca", "UTC"],
)  # fmt: skip
@pytest.mark.parametrize(
    "text", ["every day 00:00", "every day 02:30", "weekdays 01:15", "first Sunday 02:00",
             "every hour", "0 0,12 1 */2 *", "every day 01:59, 03:00"],
)  # fmt: skip
def test_next_and_previous_agree_around_every_change_of_the_clocks(zone, text):
    schedule = Schedule.parse(text, zone)
    for month in (datetime(2011, 12, 20), datetime(2012, 3, 5), datetime(2012, 10, 1)):  # noqa: DTZ001
        now = month.replace(tzinfo=UTC)
        end = now + timedelta(days=3 if text == "every hour" else 40)
        while now < end:
            following = schedule.next_after(now)
            assert following > now
            assert schedule.previous_or_at(following) == following
            assert schedule.previous_or_at(following - timedelta(seconds=1)) <= now
            assert schedule.next_after(following - timedelta(seconds=1)) == following
            now = following


@settings(deadline=None, max_examples=60)
@given(
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2035, 1, 1)),  # noqa: DTZ001
    st.sampled_from(["every day 02:30", "first Sunday 02:00", "every 15 minutes", "5 4 * * 1-5"]),
    st.sampled_from(["America/New_York", "Asia/Seoul", "Europe/London"]),
)
def test_now_lies_between_previous_and_next(naive, text, zone):
    now, schedule = naive.replace(tzinfo=UTC), Schedule.parse(text, zone)
    before, after = schedule.previous_or_at(now), schedule.next_after(now)
    assert before <= now < after
    assert schedule.next_after(before) == after


@pytest.mark.parametrize(
    ("text", "korean", "english"),
    [
        ("매일 오전 9시", "매일 09:00", "every day 09:00"),
        ("every Sunday, Saturday 10:00", "주말 10:00", "weekends 10:00"),
        ("매주 월·수 10:00", "매주 월·수요일 10:00", "every Monday, Wednesday 10:00"),
        ("first Sunday 02:00", "매월 첫째 주 일요일 02:00", "first Sunday of the month 02:00"),
        ("매월 말일 03:00", "매월 말일 03:00", "every month on the last day 03:00"),
        ("every 2 hours", "2시간마다", "every 2 hours"),
        ("0 3 * * *", "cron 0 3 * * *", "cron 0 3 * * *"),
    ],
)
def test_a_schedule_describes_itself_in_both_languages_and_reads_its_own_words(
    text, korean, english
):
    schedule = Schedule.parse(text, SEOUL)
    assert schedule.describe("ko") == f"{korean} (Asia/Seoul)"
    assert schedule.describe("en") == f"{english} (Asia/Seoul)"
    for words in (korean, english):
        assert Schedule.parse(words.removeprefix("cron "), SEOUL).phrase == schedule.phrase


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("every day", 'names no time of day; write for example "every day 09:00"'),
        ("매월 첫째 주 일요일", "names no time of day"),
        ("every day 25:00", "'25:00' in 'every day 25:00' is no time of day"),
        ("매일 오후 14시", "is no time of day"),
        ("every 7 minutes", "does not divide an hour evenly; write one of 1, 2, 3, 4, 5, 6, 10"),
        ("every 5 hours", "does not divide a day evenly"),
        ("매월 32일 01:00", "names a day that no month has"),
        ("every fortnight", 'is not a schedule; write "every day 09:00"'),
        ("", "is not a schedule"),
        ("61 * * * *", "is not a cron line (Bad minute)"),
        ("0 0 30 2 *", "is not a cron line (Bad day-of-month)"),
        ("0 0 * 2 MON#9", "is not a cron line"),
        ("every day 09:00 tomorrow", "is not a schedule"),
    ],
)
def test_what_is_no_schedule_says_why_and_what_would_be(text, why):
    with pytest.raises(ScheduleError) as caught:
        Schedule.parse(text, SEOUL)
    assert why in str(caught.value)


def test_an_unknown_zone_and_a_time_without_one_are_refused():
    for zone in ("Asia/Soul", "../etc/passwd", "", "a\x00b"):
        with pytest.raises(ScheduleError, match="not a time zone"):
            Schedule.parse("every day 09:00", zone)
    with pytest.raises(ValueError, match="zone of 'now'"):
        Schedule.parse("every day 09:00", SEOUL).next_after(datetime(2026, 1, 1))  # noqa: DTZ001


@settings(deadline=None)
@given(st.text(max_size=40) | st.text(alphabet="0123456789*/,-#L ", max_size=30))
def test_any_text_is_a_schedule_or_a_clear_refusal(text):
    with contextlib.suppress(ScheduleError):
        schedule = Schedule.parse(text, SEOUL)
        assert schedule.next_after(datetime(2026, 1, 1, tzinfo=UTC)).tzinfo is UTC
