"""Dates relative to a D-Day."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsbook.calendar import Days, Offset, ScheduleError
from tests.calendar.reference import ZONES, first_reading

RELEASE = date(2026, 10, 13)
KOREA = Days("KR")


@pytest.mark.parametrize(
    ("text", "local", "english", "korean"),
    [
        ("D-7", "2026-10-06 00:00", "D-7", "D-7"),
        ("D-Day", "2026-10-13 00:00", "D-Day", "D-Day"),
        ("d-day at 10:00", "2026-10-13 10:00", "D-Day 10:00", "D-Day 10:00"),
        ("D+1", "2026-10-14 00:00", "D+1", "D+1"),
        ("D-0", "2026-10-13 00:00", "D-Day", "D-Day"),
        ("D-1 18:00", "2026-10-12 18:00", "D-1 18:00", "D-1 18:00"),
        ("D-1 오후 6시", "2026-10-12 18:00", "D-1 18:00", "D-1 18:00"),
        ("D-3 영업일", "2026-10-07 00:00", "D-3 business days", "D-3 영업일"),
        ("D-3 business days 09:30", "2026-10-07 09:30", "D-3 business days 09:30",
         "D-3 영업일 09:30"),
        ("D+1 business day", "2026-10-14 00:00", "D+1 business day", "D+1 영업일"),
    ],
)  # fmt: skip
def test_an_offset_is_a_moment_before_or_after_a_day(text, local, english, korean):
    offset = Offset.parse(text)
    found = offset.at(RELEASE, "Asia/Seoul", KOREA)
    assert f"{found.astimezone(ZoneInfo('Asia/Seoul')):%Y-%m-%d %H:%M}" == local
    assert (offset.describe("en"), offset.describe("ko-KR")) == (english, korean)
    assert Offset.parse(english) == Offset.parse(korean) == offset


def test_business_days_before_a_day_that_is_none_are_counted_from_it():
    sunday = date(2026, 10, 11)
    assert Offset.parse("D-1 영업일").on(sunday, KOREA) == date(2026, 10, 8)
    assert Offset.parse("D-1 영업일").on(sunday) == date(2026, 10, 9), "no holidays known"
    assert Offset.parse("D-1").on(sunday, KOREA) == date(2026, 10, 10)


@given(
    st.dates(date(2010, 1, 1), date(2030, 1, 1)) | st.just(date(2011, 12, 31)),
    st.integers(-40, 40),
    st.times().map(lambda time: time.replace(second=0, microsecond=0)),
    st.sampled_from(ZONES),
)
def test_an_offset_happens_when_the_wall_clock_first_reads_it(day, count, time, zone):
    offset = Offset(count, False, time)
    assert Offset.parse(offset.describe("en")) == offset
    assert offset.at(day, zone) == first_reading(datetime.combine(offset.on(day), time), zone)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("7 days before", "is no offset from a day; write"),
        ("D", "is no offset from a day"),
        ("D-", "is no offset from a day"),
        ("", "is no offset from a day"),
        ("D-1 25:00", "'25:00' in 'D-1 25:00' is no time of day"),
        ("D-0 영업일", 'counts no business day; write "D-Day"'),
        ("D-Day 영업일", "is no offset from a day"),
        ("D-9999", "is out of reach; write at most 3660 days"),
    ],
)
def test_what_is_no_offset_says_what_would_be(text, why):
    with pytest.raises(ScheduleError) as caught:
        Offset.parse(text)
    assert why in str(caught.value)
