"""Business days: what a country's calendar says, and what a team says otherwise."""

import subprocess
import sys
from datetime import date, timedelta

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsbook.calendar import Days, ScheduleError

FOUNDING = date(2026, 10, 12)
KOREA = Days(
    "KR",
    also={FOUNDING: {"ko": "창립기념일", "en": "Founding day"}, date(2026, 12, 31): "Year end"},
    not_={date(2026, 7, 17), date(2026, 8, 15)},
)
CALENDAR = holidays.country_holidays("KR", years=range(2020, 2031))


@given(st.dates(date(2020, 1, 1), date(2030, 12, 31)))
def test_a_korean_business_day_is_no_weekend_and_no_holiday(day):
    assert Days("KR").is_business(day) == (day.weekday() < 5 and day not in CALENDAR)
    assert Days("KR").is_holiday(day) == (day in CALENDAR)
    assert Days().is_business(day) == (day.weekday() < 5)
    assert not Days().is_holiday(day)


@given(st.dates(date(2020, 1, 1), date(2030, 12, 31)), st.integers(-40, 40))
def test_moving_by_business_days_counts_them(day, count):
    moved = KOREA.move(day, count)
    between = range(1, abs((moved - day).days) + 1)
    step = timedelta(days=1 if count > 0 else -1)
    assert sum(KOREA.is_business(day + n * step) for n in between) == abs(count)
    assert KOREA.next_business(day) == KOREA.move(day, 1)
    assert KOREA.previous_business(day) == KOREA.move(day, -1)
    assert KOREA.on_or_after(day) == (day if KOREA.is_business(day) else KOREA.next_business(day))
    assert KOREA.on_or_before(KOREA.on_or_after(day)) == KOREA.on_or_after(day)


def test_a_team_adds_holidays_and_takes_some_away():
    assert not KOREA.is_business(FOUNDING)
    assert KOREA.next_business(date(2026, 10, 8)) == date(2026, 10, 13)
    assert KOREA.is_business(date(2026, 7, 17))
    assert not Days("KR").is_business(date(2026, 7, 17))
    assert not KOREA.is_holiday(date(2026, 8, 15))
    assert not KOREA.is_business(date(2026, 8, 15)), "it is a Saturday all the same"


def test_a_holiday_has_its_name_in_the_readers_language():
    assert KOREA.name(date(2026, 2, 17), "ko") == "설날"
    assert KOREA.name(date(2026, 2, 17), "en-US") == "Korean New Year"
    assert KOREA.name(date(2026, 2, 17), "fr") == "Korean New Year"
    assert Days("DE-BE").name(date(2026, 3, 8), "de") == "Frauentag"
    assert KOREA.name(FOUNDING, "ko") == "창립기념일"
    assert KOREA.name(FOUNDING, "fr") == "Founding day"
    assert KOREA.name(date(2026, 12, 31), "ko") == "Year end"
    assert KOREA.name(date(2026, 2, 19), "ko") == ""
    assert KOREA.name(date(2026, 7, 17), "ko") == ""


def test_weekends_are_the_countrys():
    assert Days("EG").is_business(date(2026, 3, 8)), "a Sunday"
    assert not Days("EG").is_business(date(2026, 3, 6)), "a Friday"
    assert Days("CN").is_business(date(2025, 9, 28)), "a Sunday worked for the days off after it"
    assert not Days("DE").is_holiday(date(2026, 3, 8))
    assert Days("DE-BE").is_holiday(date(2026, 3, 8))


@pytest.mark.parametrize("country", ["XX", "US-ZZ", "한국", "KR-", "DE--BE"])
def test_an_unknown_country_says_what_would_be_known(country):
    if country == "KR-":
        assert Days(country).is_holiday(date(2026, 2, 17))
        return
    with pytest.raises(ScheduleError, match=r"no public holidays are known for .* such as KR"):
        Days(country)


def test_dates_that_contradict_each_other_are_refused():
    with pytest.raises(ScheduleError, match="2026-10-12 is both a holiday and not one"):
        Days(also={FOUNDING: "x"}, not_=[FOUNDING])


def test_a_calendar_without_any_business_day_says_so():
    start = date(2026, 1, 1)
    never = Days(also={start + timedelta(days=n): "closed" for n in range(1000)})
    with pytest.raises(ScheduleError, match="no business day within 400 days of 2026-03-01"):
        never.next_business(date(2026, 3, 1))


def test_the_holidays_are_loaded_only_when_a_country_is_named():
    told = subprocess.run(
        [sys.executable, "-c",
         "import sys; from opsbook.calendar import Days, Schedule\n"
         "Schedule.parse('first business day 09:00', 'Asia/Seoul', Days())\n"
         "print('holidays' in sys.modules); Days('KR'); print('holidays' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.split() == ["False", "True"]


def test_equal_days_are_equal_and_can_be_keys():
    same = Days("KR", also=dict(KOREA.also), not_=sorted(KOREA.not_))
    assert same == KOREA
    assert hash(same) == hash(KOREA)
    assert Days("KR") != KOREA
