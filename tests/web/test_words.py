"""States, values and times in words, in both languages."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from opsbook.base.quantities import Band, Quantity, parse_band
from opsbook.book import Text
from opsbook.web import glyphs, words
from opsbook.web.i18n import Speech

KO, EN = Speech("ko"), Speech("en")
NOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
SEOUL = ZoneInfo("Asia/Seoul")


@pytest.mark.parametrize(
    ("length", "english", "korean"),
    [
        (timedelta(seconds=20), "20 s", "20초"),
        (timedelta(seconds=59.9), "59 s", "59초"),
        (timedelta(minutes=12, seconds=40), "12 min", "12분"),
        (timedelta(hours=3, minutes=12), "3 h 12 min", "3시간 12분"),
        (timedelta(hours=5), "5 h", "5시간"),
        (timedelta(days=2, hours=4), "2 d 4 h", "2일 4시간"),
        (timedelta(days=9, hours=4), "9 d", "9일"),
        (timedelta(seconds=-3), "0 s", "0초"),
    ],
)
def test_a_span_is_told_in_two_units_at_most(length: timedelta, english: str, korean: str) -> None:
    assert words.span(EN, length) == english
    assert words.span(KO, length) == korean


def test_a_deadline_counts_down_and_then_says_that_it_is_over() -> None:
    due = NOW + timedelta(minutes=18)
    assert words.distance(EN, due, NOW, words.ANSWER) == "answer within 18 min"
    assert words.distance(KO, due, NOW, words.ANSWER) == "18분 안에 접수"
    late = due + timedelta(minutes=2)
    assert words.distance(EN, due, late, words.ANSWER) == "answer 2 min overdue"
    assert words.distance(KO, due, late, words.LEFT) == "2분 지남"


def test_a_moment_has_its_distance_in_the_page_and_its_zone_on_hover() -> None:
    told = words.moment(EN, NOW - timedelta(minutes=3), NOW, SEOUL)
    assert ">3 min ago</time>" in told
    assert 'title="2026-03-03 09:57:00 KST"' in told
    assert 'datetime="2026-03-03T00:57:00+00:00"' in told


def test_a_clock_shows_the_day_only_where_it_is_another_one() -> None:
    assert words.clock_time(EN, NOW, NOW, SEOUL) == "10:00"
    assert words.clock_time(EN, NOW - timedelta(days=1), NOW, SEOUL) == "3/2 10:00"
    assert words.clock_time(EN, NOW - timedelta(days=90), NOW, SEOUL) == "2025/12/3 10:00"


def test_a_limit_is_written_with_its_unit() -> None:
    assert words.band(EN, parse_band("> 250ms")) == "> 250 ms"
    assert words.band(EN, Band("<", Quantity(30, "d"))) == "< 30 d"
    assert words.band(EN, None) == ""


def test_every_state_is_a_shape_a_word_and_a_colour() -> None:
    for family in words.FAMILIES.values():
        for state in family.values():
            assert state.glyph in glyphs.SHAPES
            assert state.word
            assert KO.say(state.word) != state.word, state.word
            assert state.tone


def test_a_state_of_a_newer_version_is_shown_by_its_own_name() -> None:
    assert words.state("run", "paused-by-moon").word == "paused-by-moon"


def test_a_text_is_taken_in_the_nearest_language() -> None:
    assert words.text(KO, Text({"ko": "디스크", "en": "Disk"})) == "디스크"
    assert words.text(EN, {"ko": "디스크"}) == "디스크"
    assert words.text(EN, "plain") == "plain"
    assert words.text(EN, None) == ""
