"""Schedules agree with looking at every day, and times of day with looking at every minute."""

import bisect
import calendar
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsbook.calendar import Days, Schedule
from opsbook.calendar.local import happens, zone_of
from tests.calendar.reference import CHANGES, DAY, MINUTE, ZONES, first_reading, instants, wall

OFF = {
    *(date(year, 12, day) for year in range(2000, 2045) for day in (24, 25, 26, 31)),
    *(date(year, month, 1) for year in range(2000, 2045) for month in (1, 4, 5, 11)),
    *(date(year, 3, day) for year in range(2000, 2045) for day in range(8, 13)),
}
DAYS = Days(also=dict.fromkeys(OFF, "off"))


def works(day):
    return day.weekday() < 5 and day not in OFF


def later(day):
    while not works(day):
        day += DAY
    return day


def earlier(day):
    while not works(day):
        day -= DAY
    return day


def rank(day, months, *, back=False):
    """Which business day of its period of so many months it is, from one end or the other."""
    step, count, seen = (DAY if back else -DAY), 0, day
    while (seen.year, (seen.month - 1) // months) == (day.year, (day.month - 1) // months):
        count += works(seen)
        seen += step
    return count


def month_end(day):
    return day.day == calendar.monthrange(day.year, day.month)[1]


def counted_week(day):
    return (day - date(2024, 1, 1)).days // 7 % 2 == 0 and day >= date(2024, 1, 4)


CASES = {
    "every day 02:30": lambda d: True,
    "매일 00:00, 23:59": lambda d: True,
    "weekdays 01:15": lambda d: d.weekday() < 5,
    "주말 02:00": lambda d: d.weekday() > 4,
    "every Sunday, Monday 00:30": lambda d: d.weekday() in {6, 0},
    "every 2 weeks on Monday, Thursday 02:15 from 2024-01-04": (
        lambda d: d.weekday() in {0, 3} and counted_week(d)
    ),
    "격주 일요일 01:30, 2024-01-04부터": lambda d: d.weekday() == 6 and counted_week(d),
    "first Sunday 02:00": lambda d: d.weekday() == 6 and d.day <= 7,
    "last Sunday 02:59": lambda d: d.weekday() == 6 and (d + 7 * DAY).month != d.month,
    "매월 다섯째 주 금요일 03:00": lambda d: d.weekday() == 4 and d.day > 28,
    "분기 둘째 주 일요일 02:00": (
        lambda d: d.weekday() == 6 and 8 <= d.day <= 14 and d.month in {1, 4, 7, 10}
    ),
    "last Friday of the year 10:00": (
        lambda d: d.weekday() == 4 and d.month == 12 and d.day > 24
    ),
    "매월 31일 00:00": lambda d: d.day == 31,
    "매월 말일 23:30": month_end,
    "분기 첫날 00:30": lambda d: d.day == 1 and d.month % 3 == 1,
    "every quarter on day 31 00:00": lambda d: d.day == 31 and d.month % 3 == 1,
    "every quarter on the last day 02:00": lambda d: month_end(d) and d.month % 3 == 0,
    "매년 3월 10일 02:30": lambda d: (d.month, d.day) == (3, 10),
    "매년 2월 말일 02:30": lambda d: d.month == 2 and month_end(d),
    "every business day 02:30": works,
    "first business day 01:30": lambda d: works(d) and rank(d, 1) == 1,
    "7th business day 01:30": lambda d: works(d) and rank(d, 1) == 7,
    "last business day 23:45": lambda d: works(d) and rank(d, 1, back=True) == 1,
    "분기 2번째 영업일 09:00": lambda d: works(d) and rank(d, 3) == 2,
    "매년 마지막 영업일 09:00": lambda d: works(d) and rank(d, 12, back=True) == 1,
}  # fmt: skip
SHIFTS = {
    "": lambda d: d,
    " or the next business day": later,
    ", 휴일이면 직전 영업일": earlier,
    " except holidays": lambda d: None if d in OFF else d,
}


def expected(schedule, text, shift, zone, now):
    """What comes around `now`, by looking at every day of the years about it."""
    here = wall(now, zone).date()
    days = (here + n * DAY for n in range(-460, 460))
    moved = {SHIFTS[shift](day) for day in days if CASES[text](day)} - {None}
    before = sorted(day for day in moved if day <= here + DAY)[-4:]
    after = sorted(day for day in moved if day > here + DAY)[:2]
    return sorted(
        {
            first_reading(datetime.combine(day, time(*at)), zone)
            for day in before + after
            for at in schedule.phrase.times
        }
    )


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(sorted(CASES)), st.sampled_from(sorted(SHIFTS)), st.sampled_from(ZONES),
       instants())  # fmt: skip
def test_a_schedule_comes_when_every_day_and_minute_looked_at_says_so(text, shift, zone, now):
    if "business" in text or "영업일" in text:
        shift = ""
    schedule = Schedule.parse(text + shift, zone, DAYS)
    times = expected(schedule, text, shift, zone, now)
    following = [at for at in times if at > now]
    if following:
        assert schedule.next_after(now) == following[0]
        assert schedule.previous_or_at(following[0]) == following[0]
    preceding = [at for at in times if at <= now]
    if preceding:
        assert schedule.previous_or_at(now) == preceding[-1]
        assert schedule.next_after(preceding[-1] - timedelta(microseconds=1)) == preceding[-1]


@pytest.mark.parametrize(
    ("text", "cron"),
    [
        ("every day 02:30", "30 2 * * *"), ("weekdays 01:15", "15 1 * * 1-5"),
        ("first Sunday 02:00", "0 2 * * 0#1"), ("last Friday 18:00", "0 18 * * 5L"),
        ("every month on day 31 03:00", "0 3 31 * *"), ("매월 말일 03:00", "0 3 L * *"),
        ("분기 첫날 09:00", "0 9 1 1,4,7,10 *"), ("매년 1월 2일 10:00", "0 10 2 1 *"),
    ],
)  # fmt: skip
@settings(deadline=None, max_examples=60)
@given(zone=st.sampled_from(ZONES), now=instants())
def test_words_and_the_cron_line_that_means_the_same_agree(text, cron, zone, now):
    words, line = Schedule.parse(text, zone), Schedule.parse(cron, zone)
    assert words.next_after(now) == line.next_after(now)
    assert words.previous_or_at(now) == line.previous_or_at(now)


@settings(deadline=None, max_examples=200)
@given(instants(), st.sampled_from(ZONES))
def test_a_local_time_happens_when_the_wall_clock_first_reads_it_or_later(now, zone):
    local = now.replace(tzinfo=None)
    assert happens(local, zone_of(zone)) == first_reading(local, zone)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("zone", ZONES)
def test_every_few_minutes_around_a_change_of_the_clocks_words_and_cron_say_the_same(zone, change):
    middle = datetime(*change, 12, tzinfo=UTC)
    schedules = [
        (Schedule.parse("every day 00:00", zone), Schedule.parse("0 0 * * *", zone)),
        (
            Schedule.parse("every day 00:30, 01:30, 02:30, 23:30", zone),
            Schedule.parse("30 0,1,2,23 * * *", zone),
        ),
    ]
    for words, line in schedules:
        times = sorted(
            {
                first_reading(datetime.combine(middle.date() + n * DAY, time(*at)), zone)
                for n in range(-3, 4)
                for at in words.phrase.times
            }
        )
        for n in range(-150, 150):
            now = middle + n * 11 * MINUTE
            place = bisect.bisect_right(times, now)
            for schedule in (words, line):
                assert schedule.next_after(now) == times[place]
                assert schedule.previous_or_at(now) == times[place - 1]


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from(["every 15 minutes", "every 2 hours", "7-59/20 */3 * * *", "*/20 9-17 * * *"]),
    st.sampled_from(ZONES),
    instants(),
)
def test_ticks_on_holidays_are_left_out_and_no_others(text, zone, now):
    every, some = Schedule.parse(text, zone), Schedule.parse(f"{text} except holidays", zone, DAYS)
    expected, found = now, now
    for _ in range(5):
        expected = every.next_after(expected)
        while wall(expected, zone).date() in OFF:
            expected = every.next_after(expected)
        found = some.next_after(found)
        assert found == expected
        assert some.previous_or_at(found) == found
        assert every.previous_or_at(found - timedelta(microseconds=1)) >= some.previous_or_at(
            found - timedelta(microseconds=1)
        )
    expected = every.previous_or_at(now)
    while wall(expected, zone).date() in OFF:
        expected = every.previous_or_at(expected - timedelta(microseconds=1))
    assert some.previous_or_at(now) == expected


def test_a_holiday_that_comes_back_after_midnight_is_left_out_both_times():
    """St John's set its clocks from 00:01 on Sunday back to 23:01 on Saturday."""
    days = Days(also={date(2007, 11, 3): "off"})
    schedule = Schedule.parse("every 15 minutes except holidays", "America/St_Johns", days)
    sunday = datetime(2007, 11, 4, 2, 30, tzinfo=UTC)
    again = sunday + 60 * MINUTE
    assert wall(sunday, "America/St_Johns") == wall(again, "America/St_Johns")
    assert schedule.next_after(sunday - DAY) == sunday
    assert schedule.next_after(sunday) == again
    assert schedule.next_after(sunday + 20 * MINUTE) == again
    assert schedule.previous_or_at(again - MINUTE) == sunday
    assert schedule.next_after(again) == again + 15 * MINUTE
