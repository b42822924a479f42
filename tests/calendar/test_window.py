"""Windows in which changes may happen, and freezes in which they may not."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsbook.calendar import Freeze, Schedule, ScheduleError, Span, Window, overlaps
from tests.calendar.reference import HOUR, MINUTE, ZONES, first_reading, instants

SEOUL = ZoneInfo("Asia/Seoul")
SUNDAYS = Window(Schedule.parse("every Sunday 02:00", SEOUL), 4 * HOUR, per_month=1)


def at(*parts):
    return datetime(*parts, tzinfo=SEOUL)


def test_a_window_is_open_from_its_time_for_its_length():
    assert SUNDAYS.open_at(at(2026, 3, 1, 1, 59)) is None
    window = SUNDAYS.open_at(at(2026, 3, 1, 2, 0))
    assert window == Span(at(2026, 3, 1, 2), at(2026, 3, 1, 6))
    assert window.length == 4 * HOUR
    assert SUNDAYS.open_at(at(2026, 3, 1, 5, 59)) == window
    assert SUNDAYS.open_at(at(2026, 3, 1, 6, 0)) is None
    assert SUNDAYS.next_after(at(2026, 3, 1, 2)).start == at(2026, 3, 8, 2)
    assert SUNDAYS.next_after(at(2026, 3, 1, 1)) == window


def test_once_a_months_windows_are_used_up_the_next_is_next_month():
    used = [at(2026, 3, 8, 3), at(2026, 3, 17, 12)]  # the second was outside every window
    assert SUNDAYS.open_at(at(2026, 3, 8, 5), used), "the one in use stays open"
    assert SUNDAYS.open_at(at(2026, 3, 15, 3), used) is None
    assert SUNDAYS.open_at(at(2026, 3, 15, 3), used[1:])
    assert SUNDAYS.next_after(at(2026, 3, 8, 7), used).start == at(2026, 4, 5, 2)
    starts = [span.start for span in SUNDAYS.spans(at(2026, 3, 1), at(2026, 4, 6), used)]
    assert starts == [at(2026, 3, 8, 2), at(2026, 4, 5, 2)]
    twice = Window(SUNDAYS.schedule, 4 * HOUR, per_month=2)
    assert twice.open_at(at(2026, 3, 15, 3), used)


def test_a_window_describes_itself():
    told = "every Sunday 02:00 (Asia/Seoul) for 4h, at most 1 a month"
    assert SUNDAYS.describe("en") == told
    assert SUNDAYS.describe("ko") == "매주 일요일 02:00 (Asia/Seoul)부터 4h, 월 1회까지"


@pytest.mark.parametrize(
    ("length", "per_month", "why"),
    [(timedelta(), None, "write 4h"), (HOUR, 0, "never opens; write 1 or more")],
)
def test_a_window_that_never_opens_is_refused(length, per_month, why):
    with pytest.raises(ScheduleError, match=why):
        Window(SUNDAYS.schedule, length, per_month)


TEXTS = ("every day 02:30", "every Sunday 02:00", "first business day 23:00", "every 6 hours",
         "격주 일요일 02:00, 2024-01-07부터")  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(TEXTS), st.sampled_from(ZONES), instants(),
       st.integers(1, 3000).map(lambda n: n * MINUTE))  # fmt: skip
def test_windows_agree_with_walking_through_their_schedule(text, zone, now, length):
    schedule = Schedule.parse(text, zone)
    window = Window(schedule, length)
    openings, start = [], now - timedelta(days=5)
    while start <= now + timedelta(days=8):
        start = schedule.next_after(start)
        openings.append(Span(start, start + length))
    containing = [span for span in openings if span.contains(now)]
    assert window.open_at(now) == (containing[-1] if containing else None)
    assert window.next_after(now) == next(span for span in openings if span.start > now)
    end = now + timedelta(days=8)
    reaching = [span for span in openings if span.end > now and span.start < end]
    assert window.spans(now, end) == reaching
    assert window.spans(now, now) == []


def test_a_freeze_of_dates_covers_whole_local_days_with_the_last():
    freeze = Freeze.parse("2026-12-24 to 2027-01-02", SEOUL)
    assert freeze.span == Span(at(2026, 12, 24), at(2027, 1, 3))
    assert freeze.contains(at(2027, 1, 2, 23, 59))
    assert not freeze.contains(at(2027, 1, 3))
    for text in ("2026-12-24 ~ 2027-01-02", "2026-12-24부터 2027-01-02까지"):
        assert Freeze.parse(text, "Asia/Seoul") == freeze
    assert Freeze.of(date(2026, 12, 24), date(2027, 1, 2), SEOUL) == freeze
    assert Freeze.parse("2026-12-25", SEOUL).span == Span(at(2026, 12, 25), at(2026, 12, 26))


def test_a_freeze_of_times_is_exact_and_takes_another_zone():
    freeze = Freeze.parse("2026-12-24 18:00 to 2027-01-02T09:00", SEOUL)
    assert freeze.span == Span(at(2026, 12, 24, 18), at(2027, 1, 2, 9))
    assert Freeze.of(freeze.start, datetime(2027, 1, 2, 9), SEOUL) == freeze  # noqa: DTZ001


@settings(deadline=None)
@given(st.dates(date(2009, 1, 1), date(2028, 1, 1)), st.integers(0, 20), st.sampled_from(ZONES))
def test_a_freeze_begins_and_ends_with_the_day_also_where_midnight_is_skipped(day, length, zone):
    last = day + timedelta(days=length)
    if zone == "Pacific/Apia":  # whose 30 December 2011 never was
        length += 1
        last = day + timedelta(days=length)
    freeze = Freeze.of(day, last, zone)
    assert freeze.start == first_reading(datetime(*day.timetuple()[:3]), zone)  # noqa: DTZ001
    after = last + timedelta(days=1)
    assert freeze.end == first_reading(datetime(*after.timetuple()[:3]), zone)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "english", "korean"),
    [
        ("2026-12-24 to 2027-01-02", "2026-12-24 to 2027-01-02", "2026-12-24부터 2027-01-02까지"),
        ("2026-12-24 18:00 ~ 2027-01-02 09:00", "2026-12-24 18:00 to 2027-01-02 09:00",
         "2026-12-24 18:00부터 2027-01-02 09:00까지"),
    ],
)  # fmt: skip
def test_a_freeze_reads_its_own_description(text, english, korean):
    freeze = Freeze.parse(text, SEOUL)
    assert freeze.describe("en", SEOUL) == f"{english} (Asia/Seoul)"
    assert freeze.describe("ko", SEOUL) == f"{korean} (Asia/Seoul)"
    assert Freeze.parse(english, SEOUL) == Freeze.parse(korean, SEOUL) == freeze


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Christmas", "'Christmas' is no freeze; write \"2026-12-24 to 2027-01-02\""),
        ("2026-12-24 to 2026-12-23", "ends before it begins"),
        ("2026-12-24 18:00", "does not say when the freeze ends"),
        ("2026-02-30 to 2026-03-02", "'2026-02-30' in"),
        ("2026-12-24 25:00 to 2026-12-26", "'2026-12-24 25:00' in"),
    ],
)
def test_what_is_no_freeze_says_what_would_be(text, why):
    with pytest.raises(ScheduleError) as caught:
        Freeze.parse(text, SEOUL)
    assert why in str(caught.value)
    with pytest.raises(ScheduleError, match="ends after it begins"):
        Freeze(at(2026, 1, 2), at(2026, 1, 1))


BASE = datetime(2026, 1, 1, tzinfo=UTC)
SPANS = st.lists(
    st.builds(
        lambda start, length: Span(BASE + start * MINUTE, BASE + (start + length) * MINUTE),
        st.integers(0, 200),
        st.integers(1, 60),
    ),
    max_size=6,
)


@given(SPANS, SPANS)
def test_two_sets_of_spans_overlap_where_a_minute_lies_in_both(left, right):
    found = overlaps(left, right)
    assert found == sorted(found)
    assert found == overlaps(right, left)
    for n in range(262):
        minute = BASE + n * MINUTE
        both = all(any(span.contains(minute) for span in spans) for spans in (left, right))
        assert sum(span.contains(minute) for span in found) == both
