"""Opening hours agree with looking at the wall clock every minute."""

import contextlib
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsbook.calendar import Days, Hours, ScheduleError
from tests.calendar.reference import DAY, MINUTE, ZONES, instants, wall

SEOUL = ZoneInfo("Asia/Seoul")
KOREA = Days("KR")
OFF = {date(year, month, day) for year in range(2000, 2045) for month in (3, 4, 10, 11, 12)
       for day in (1, 5, 10, 15, 30)}  # fmt: skip
DAYS = Days(also=dict.fromkeys(OFF, "off"))


def works(day):
    return day.weekday() < 5 and day not in OFF


def between(start, end):
    return lambda at: start <= (at.hour, at.minute) < end


def night(begins, start, end):
    """Over midnight: the evening of a day that `begins`, or the morning after one."""
    return lambda at: (
        (begins(at.date()) and (at.hour, at.minute) >= start)
        or (begins(at.date() - DAY) and (at.hour, at.minute) < end)
    )


CASES = {
    "weekdays 09:00-18:00": lambda at: at.weekday() < 5 and between((9, 0), (18, 0))(at),
    "매일 01:30-02:30": between((1, 30), (2, 30)),
    "every day 22:00-06:00": lambda at: not between((6, 0), (22, 0))(at),
    "매일 23:30-01:30": night(lambda day: True, (23, 30), (1, 30)),
    "weekends 00:00-24:00": lambda at: at.weekday() > 4,
    "business days 02:15-18:00": lambda at: works(at.date()) and between((2, 15), (18, 0))(at),
    "영업일 22:00-02:30": night(works, (22, 0), (2, 30)),
    "평일 09:00-12:00, 13:00-18:00; 토요일 10:00-14:00": lambda at: (
        (at.weekday() < 5 and (between((9, 0), (12, 0))(at) or between((13, 0), (18, 0))(at)))
        or (at.weekday() == 5 and between((10, 0), (14, 0))(at))
    ),
    "every day 20:00-04:00 except holidays": night(lambda d: d not in OFF, (20, 0), (4, 0)),
    "Saturday to Monday 01:00-03:00, 02:30-05:00": lambda at: (
        at.weekday() in {5, 6, 0} and between((1, 0), (5, 0))(at)
    ),
    "일요일 18:00-17:30": night(lambda day: day.weekday() == 6, (18, 0), (17, 30)),
    "24x7": lambda at: True,
}


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(CASES)), st.sampled_from(ZONES), instants(),
       st.integers(1, 3 * 1440),
       st.integers(0, 59_999).map(lambda ms: timedelta(milliseconds=ms)))  # fmt: skip
def test_hours_are_what_the_wall_clock_says_every_minute(text, zone, start, count, within):
    hours, is_open = Hours.parse(text, zone, DAYS), CASES[text]
    minutes = [is_open(wall(start + n * MINUTE, zone)) for n in range(count)]
    end = start + count * MINUTE
    assert hours.contains(start) == minutes[0]
    assert hours.contains(start + within) == minutes[0]
    assert hours.elapsed(start, end) == sum(minutes) * MINUTE
    spans = hours.spans(start, end)
    for n in range(0, count, 7):
        assert any(span.contains(start + n * MINUTE) for span in spans) == minutes[n]
    if any(minutes):
        assert hours.next_open(start) == start + minutes.index(True) * MINUTE
        assert hours.due(start, sum(minutes) * MINUTE) == (
            start + (count - minutes[::-1].index(True)) * MINUTE
        )
    else:
        assert hours.next_open(start) >= end
    closes = hours.next_close(start)
    if not all(minutes):
        assert closes == start + minutes.index(False) * MINUTE
    else:
        assert closes is None or closes >= end
    if minutes[0] and any(minutes[1:]):
        part = hours.elapsed(start + within, end)
        assert part == sum(minutes) * MINUTE - within


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(CASES)), st.sampled_from(ZONES), instants(),
       st.integers(1, 60 * 1440))  # fmt: skip
def test_a_clock_is_due_when_its_time_has_elapsed(text, zone, start, minutes):
    hours, length = Hours.parse(text, zone, DAYS), minutes * MINUTE
    due = hours.due(start, length)
    assert hours.elapsed(start, due) == length
    assert hours.elapsed(start, due - timedelta(microseconds=1)) < length


def at(*parts):
    return datetime(*parts, tzinfo=SEOUL)


def test_a_clock_in_business_hours_rests_over_the_weekend_and_a_holiday():
    hours = Hours.parse("영업일 09:00-18:00", SEOUL, KOREA)
    friday = at(2026, 2, 13, 17, 30)  # Seollal is Monday to Wednesday
    assert hours.elapsed(friday, at(2026, 2, 19, 9, 30)) == timedelta(hours=1)
    assert hours.due(friday, timedelta(hours=1)) == at(2026, 2, 19, 9, 30)
    assert hours.next_close(friday) == at(2026, 2, 13, 18)
    assert hours.next_open(at(2026, 2, 13, 18)) == at(2026, 2, 19, 9)
    assert hours.elapsed(at(2026, 2, 19, 12), friday) == timedelta()
    assert hours.due(friday, timedelta()) == friday


def test_an_open_minute_lost_or_doubled_by_the_clocks_counts_in_real_time():
    hours = Hours.parse("every day 00:00-06:00", "America/New_York")
    days = [datetime(2026, *day, tzinfo=ZoneInfo("America/New_York"))
            for day in ((3, 7), (3, 8), (11, 1))]  # fmt: skip
    lengths = [hours.elapsed(day, day + timedelta(hours=12)) for day in days]
    assert lengths == [timedelta(hours=6), timedelta(hours=5), timedelta(hours=7)]


@pytest.mark.parametrize(
    ("text", "english", "korean"),
    [
        ("weekdays 09:00-18:00", "weekdays 09:00-18:00", "평일 09:00-18:00"),
        ("평일 오전 9시 ~ 오후 6시", "weekdays 09:00-18:00", "평일 09:00-18:00"),
        ("월-금 9:00~18:00", "weekdays 09:00-18:00", "평일 09:00-18:00"),
        ("Monday-Thursday 09:00-18:00", "Monday, Tuesday, Wednesday, Thursday 09:00-18:00",
         "월·화·수·목요일 09:00-18:00"),
        ("매일 22:00-06:00", "every day 22:00-06:00", "매일 22:00-06:00"),
        ("영업일 09:00-18:00", "business days 09:00-18:00", "영업일 09:00-18:00"),
        ("평일 09:00-12:00, 13:00-18:00 휴일 제외; 주말 10:00-24:00",
         "weekdays 09:00-12:00, except holidays; weekdays 13:00-18:00, except holidays; "
         "weekends 10:00-24:00",
         "평일 09:00-12:00, 휴일 제외; 평일 13:00-18:00, 휴일 제외; 주말 10:00-24:00"),
        ("24x7", "24x7", "항상"), ("항상", "24x7", "항상"), ("24/7", "24x7", "항상"),
        ("weekdays 00:00-24:00, weekends 00:00-24:00", "24x7", "항상"),
        ("매일 06:00-22:00; 매일 22:00-06:00", "24x7", "항상"),
    ],
)  # fmt: skip
def test_hours_describe_themselves_in_both_languages_and_read_their_own_words(
    text, english, korean
):
    hours = Hours.parse(text, SEOUL, KOREA)
    assert hours.describe("en") == f"{english} (Asia/Seoul)"
    assert hours.describe("ko") == f"{korean} (Asia/Seoul)"
    for words in (english, korean):
        assert Hours.parse(words, SEOUL, KOREA).periods == hours.periods


def test_what_is_open_except_on_holidays_closes_only_where_holidays_are_known():
    text, now = "매일 00:00-24:00 휴일 제외", at(2026, 10, 6, 12)
    assert Hours.parse(text, SEOUL).next_close(now) is None
    assert Hours.parse(text, SEOUL, KOREA).next_close(now) == at(2026, 10, 9)
    assert Hours.parse(text, SEOUL, KOREA).next_open(at(2026, 10, 9)) == at(2026, 10, 10)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not opening hours; write"),
        ("weekdays", "is not opening hours; write"),
        ("09:00-18:00", "does not say on which days ('')"),
        ("someday 09:00-18:00", "does not say on which days ('someday')"),
        ("weekdays 09:00", "is not opening hours"),
        ("weekdays 09:00-25:00", "is no time of day"),
        ("weekdays 09:00-09:00", "write 00:00-24:00 for the whole day"),
        ("weekdays 24:00-06:00", "write 00:00-24:00 for the whole day"),
        ("weekdays 09:00-18:00 or so", "is not opening hours at 'or so'"),
        ("weekdays 09:00-18:00;", "is not opening hours"),
        ("business days 09:00-18:00 except holidays", 'leave out "except holidays"'),
        ("weekdays 09:00-18:00 or the next business day", "hours do not move to another day"),
    ],
)
def test_what_is_no_opening_hours_says_what_would_be(text, why):
    with pytest.raises(ScheduleError) as caught:
        Hours.parse(text, SEOUL)
    assert why in str(caught.value)


PARTS = ("weekdays", "평일", "영업일", "월-금", "09:00-18:00", "22:00~06:00", "24x7", ";", ",",
         "except holidays", "휴일 제외", "Monday", "to", "오전 9시", "-", "00:00-24:00",
         )  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=7).map(" ".join) | st.text(max_size=30))
def test_any_text_is_opening_hours_or_a_clear_refusal(text):
    with contextlib.suppress(ScheduleError):
        hours = Hours.parse(text, SEOUL, KOREA)
        assert hours.contains(hours.next_open(datetime(2026, 1, 1, tzinfo=UTC)))
