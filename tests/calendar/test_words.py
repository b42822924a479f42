"""Every form of a schedule, in both languages: what it means and how it is written back."""

import contextlib
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsbook.calendar import Days, Schedule, ScheduleError
from opsbook.calendar.phrase import EVERY_DAY, LAST, Phrase
from opsbook.calendar.words import read

SEOUL = ZoneInfo("Asia/Seoul")
KOREA = Days("KR", also={date(2026, 10, 12): "창립기념일"})


def comes(text, *, after, days=KOREA, count=3):
    """The local dates and times that follow a local time in Seoul."""
    schedule = Schedule.parse(text, SEOUL, days)
    now, found = datetime.fromisoformat(after).replace(tzinfo=SEOUL), []
    for _ in range(count):
        now = schedule.next_after(now)
        found.append(f"{now.astimezone(SEOUL):%Y-%m-%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["every quarter on day 1 09:00", "분기 첫날 09:00", "매 분기 첫날 오전 9시"],
         ["2026-04-01 09:00", "2026-07-01 09:00", "2026-10-01 09:00"]),
        (["every quarter on the last day 18:00", "분기 마지막 날 18:00", "매분기 말일 18:00"],
         ["2026-03-31 18:00", "2026-06-30 18:00", "2026-09-30 18:00"]),
        (["every quarter on day 15 09:00", "분기 첫 달 15일 09:00"],
         ["2026-01-15 09:00", "2026-04-15 09:00", "2026-07-15 09:00"]),
        (["every year on January 2 10:00", "매년 1월 2일 10:00", "every year on january 2nd 10:00"],
         ["2026-01-02 10:00", "2027-01-02 10:00", "2028-01-02 10:00"]),
        (["every year on February 29 10:00", "매년 2월 29일 10:00"],
         ["2028-02-29 10:00", "2032-02-29 10:00", "2036-02-29 10:00"]),
        (["every year on the last day of February 10:00", "매년 2월 말일 10:00"],
         ["2026-02-28 10:00", "2027-02-28 10:00", "2028-02-29 10:00"]),
        (["every 2 weeks on Monday 10:00 from 2026-01-05", "격주 월요일 10:00, 2026-01-05부터",
          "biweekly on Monday 10:00 from 2026-01-05", "2주마다 월요일 10:00, 2026-01-05부터",
          "every other Monday 10:00 from 2026-01-05", "격주 월 10:00 2026-01-05부터"],
         ["2026-01-05 10:00", "2026-01-19 10:00", "2026-02-02 10:00"]),
        (["every 3 weeks on Sunday, Wednesday 10:00 from 2026-01-08",
          "3주마다 일·수요일 10:00, 2026-01-08부터"],
         ["2026-01-11 10:00", "2026-01-28 10:00", "2026-02-01 10:00"]),
        (["2nd Monday 10:00", "second Monday of the month 10:00", "매월 둘째 주 월요일 10:00",
          "매월 2번째 월요일 10:00", "매월 두 번째 월요일 10:00", "매월 2째 주 월요일 10:00"],
         ["2026-01-12 10:00", "2026-02-09 10:00", "2026-03-09 10:00"]),
        (["5th Friday 10:00", "매월 다섯째 주 금요일 10:00"],
         ["2026-01-30 10:00", "2026-05-29 10:00", "2026-07-31 10:00"]),
        (["first Sunday of the quarter 02:00", "분기 첫째 주 일요일 02:00"],
         ["2026-01-04 02:00", "2026-04-05 02:00", "2026-07-05 02:00"]),
        (["last Friday of the year 18:00", "매년 마지막 금요일 18:00"],
         ["2026-12-25 18:00", "2027-12-31 18:00", "2028-12-29 18:00"]),
        (["first business day 10:00", "매월 첫 영업일 10:00", "매월 첫째 영업일 10:00",
          "the first business day of every month 10:00"],
         ["2026-01-02 10:00", "2026-02-02 10:00", "2026-03-03 10:00"]),
        (["last business day 18:00", "매월 마지막 영업일 18:00"],
         ["2026-01-30 18:00", "2026-02-27 18:00", "2026-03-31 18:00"]),
        (["3rd business day 18:00", "매월 3번째 영업일 18:00", "매월 세 번째 영업일 18:00"],
         ["2026-01-06 18:00", "2026-02-04 18:00", "2026-03-05 18:00"]),
        (["first business day of the year 09:00", "매년 첫 영업일 09:00"],
         ["2026-01-02 09:00", "2027-01-04 09:00", "2028-01-03 09:00"]),
        (["last business day of the quarter 09:00", "분기 마지막 영업일 09:00"],
         ["2026-03-31 09:00", "2026-06-30 09:00", "2026-09-30 09:00"]),
        (["every year on October 3 09:00 or the next business day",
          "매년 10월 3일 09:00, 휴일이면 다음 영업일",
          "매년 10월 3일, 휴일이면 다음 영업일에 09:00"],
         ["2026-10-06 09:00", "2027-10-05 09:00", "2028-10-06 09:00"]),
        (["every month on day 1 09:00 or the business day before",
          "매월 1일 09:00, 휴일이면 직전 영업일"],
         ["2026-01-30 09:00", "2026-02-27 09:00", "2026-04-01 09:00"]),
        (["every month on day 1 09:00 except holidays", "매월 1일 09:00 휴일 제외",
          "매월 1일 공휴일 제외 09:00"],
         ["2026-02-01 09:00", "2026-04-01 09:00", "2026-06-01 09:00"]),
        (["0 9 1 * * except holidays"],
         ["2026-02-01 09:00", "2026-04-01 09:00", "2026-06-01 09:00"]),
    ],
)  # fmt: skip
def test_a_form_means_the_same_in_every_wording(texts, expected):
    for text in texts:
        assert comes(text, after="2026-01-01T12:00") == expected, text


def test_business_days_leave_out_weekends_public_holidays_and_the_teams_own():
    for text in ("every business day 09:00", "매 영업일 09:00", "weekdays 09:00 except holidays"):
        assert comes(text, after="2026-10-07T12:00", count=4) == [
            "2026-10-08 09:00", "2026-10-13 09:00", "2026-10-14 09:00", "2026-10-15 09:00",
        ]  # fmt: skip
    assert comes("weekdays 09:00", after="2026-10-07T12:00", count=3) == [
        "2026-10-08 09:00", "2026-10-09 09:00", "2026-10-12 09:00",
    ]  # fmt: skip
    assert comes("every business day 09:00", after="2026-10-07T12:00", days=None, count=3) == [
        "2026-10-08 09:00", "2026-10-09 09:00", "2026-10-12 09:00",
    ]  # fmt: skip


def test_days_that_move_to_the_same_day_come_once():
    daily = comes("every day 09:00 or the next business day", after="2026-10-07T12:00")
    assert daily == ["2026-10-08 09:00", "2026-10-13 09:00", "2026-10-14 09:00"]


def test_ticks_stop_on_holidays_where_asked():
    text = "every 12 hours, except holidays"
    assert comes(text, after="2026-10-08T00:30", count=3) == [
        "2026-10-08 12:00", "2026-10-10 00:00", "2026-10-10 12:00",
    ]  # fmt: skip


def test_an_anchored_schedule_begins_with_its_date():
    schedule = Schedule.parse("every 2 weeks on Monday 10:00 from 2026-01-05", SEOUL)
    first = datetime(2026, 1, 5, 10, tzinfo=SEOUL)
    assert schedule.next_after(datetime(2020, 1, 1, tzinfo=UTC)) == first
    assert schedule.previous_or_at(first) == first
    with pytest.raises(ScheduleError, match="has not come yet by 2026-01-05 00:59 UTC"):
        schedule.previous_or_at(first - timedelta(minutes=1))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("every quarter on day 1", 'write for example "every quarter on day 1 09:00"'),
        ("매월 첫 영업일", 'write for example "매월 첫 영업일 09:00"'),
        ("매년 1월 2일 휴일이면 다음 영업일", 'write for example "매년 1월 2일 09:00"'),
        ("분기 15일 09:00", "is not a schedule; write"),
        ("매년 2월 30일 10:00", "never comes: February has 29 days at most; write 1 to 29"),
        ("every year on April 31 10:00", "never comes: April has 30 days at most"),
        ("매년 13월 1일 10:00", "names a month that no year has; write 1월 to 12월"),
        ("every quarter on day 32 10:00", "names a day that no month has"),
        ("every 2 weeks on Monday 10:00", "must say once which week comes first"),
        ("격주 월요일 10:00", '"격주 월요일 10:00, 2026-01-05부터"'),
        ("격주 월요일 10:00, 2026-02-30부터", "'2026-02-30' in"),
        ("격주 월요일 10:00, 9999-12-31부터", "out of reach; write a date 1970 to 2200"),
        ("every 1 weeks on Monday 10:00 from 2026-01-05", "must name 2 to 52 weeks"),
        ("every Monday 10:00 from 2026-01-05", 'leave out "2026-01-05"'),
        ("6th Monday 10:00", "'6th' in '6th Monday 10:00' is too far; write 1 to 5, or the last"),
        ("매월 0번째 영업일 10:00", "is too far; write 1 to 20"),
        ("every business day 09:00 except holidays", "leave the holidays out"),
        ("every 15 minutes or the next business day", 'write "except holidays"'),
        ("0 9 1 * * or the next business day", "a cron line cannot move to another day"),
        ("every day 09:00 except holidays except holidays", "says twice"),
        ("매년 1월 1일 09:00 휴일 제외", "never comes: each of its days is a holiday; leave out"),
        ("0 9 25 12 * except holidays", "never comes: each of its days is a holiday"),
        ("every year on July 17 09:00 except holidays", "never comes"),  # a holiday since 2026
    ],
)
def test_what_is_no_schedule_says_why_and_what_would_be(text, why):
    with pytest.raises(ScheduleError) as caught:
        Schedule.parse(text, SEOUL, KOREA)
    assert why in str(caught.value)
    assert text.split()[0] in str(caught.value)


TIMES = st.lists(st.tuples(st.integers(0, 23), st.integers(0, 59)), min_size=1, max_size=3).map(
    lambda times: tuple(sorted(set(times)))
)
WEEKDAYS = st.sets(st.sampled_from(EVERY_DAY), min_size=1).map(lambda days: tuple(sorted(days)))
SHIFTS = st.sampled_from(["", "next", "before", "skip"])
PERIODS = st.sampled_from(["month", "quarter", "year"])
PHRASES = st.one_of(
    st.builds(Phrase, st.just("week"), TIMES, WEEKDAYS, shift=SHIFTS),
    st.builds(
        Phrase, st.just("week"), TIMES, WEEKDAYS, step=st.integers(2, 52), shift=SHIFTS,
        anchor=st.dates(date(1970, 1, 1), date(2200, 12, 31)),
    ),
    st.builds(
        Phrase, st.just("nth"), TIMES, WEEKDAYS, st.sampled_from([1, 2, 3, 4, 5, LAST]),
        period=PERIODS, shift=SHIFTS,
    ),
    st.builds(
        Phrase, st.just("day"), TIMES, nth=st.integers(1, 31) | st.just(LAST),
        period=st.sampled_from(["month", "quarter"]), shift=SHIFTS,
    ),
    st.builds(
        Phrase, st.just("date"), TIMES, nth=st.integers(1, 28) | st.just(LAST),
        month=st.integers(1, 12), shift=SHIFTS,
    ),
    st.builds(
        Phrase, st.just("business"), TIMES, nth=st.integers(1, 20) | st.just(LAST), period=PERIODS
    ),
    st.builds(Phrase, st.just("business"), TIMES, period=st.just("day")),
    st.builds(
        Phrase, st.just("minutes"), step=st.sampled_from([1, 2, 15, 30]),
        shift=st.sampled_from(["", "skip"]),
    ),
    st.builds(
        Phrase, st.just("hours"), step=st.sampled_from([1, 2, 12]),
        shift=st.sampled_from(["", "skip"]),
    ),
)  # fmt: skip


@given(PHRASES, st.sampled_from(["ko", "en", "ko-KR", "en-US"]))
def test_every_phrase_reads_its_own_description_back(phrase, language):
    assert read(phrase.describe(language)) == phrase


WORDS = (
    "every", "2", "weeks", "on", "Monday", "10:00", "from", "2026-01-05", "or", "the", "next",
    "business", "day", "except", "holidays", "last", "quarter", "year", "month", "of", "January",
    "31", "매월", "분기", "매년", "격주", "첫", "영업일", "월요일", "2월", "30일", "휴일", "제외",
    "휴일이면", "다음", "2026-01-05부터", ",", "09:00", "매", "마지막", "2번째", "99번째", "0번째",
)  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join))
def test_any_heap_of_the_calendars_words_is_a_schedule_or_a_clear_refusal(text):
    with contextlib.suppress(ScheduleError):
        schedule = Schedule.parse(text, SEOUL, KOREA)
        now = datetime(2026, 1, 1, tzinfo=UTC)
        assert schedule.next_after(now) > now
