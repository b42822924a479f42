"""docs/reference/calendar.md says what is so: its texts are read, its pairs agree."""

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from opsbook.calendar import Days, Freeze, Hours, Offset, Schedule, ScheduleError
from opsbook.calendar.phrase import told_shift

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "calendar.md").read_text()
SEOUL, KOREA = ZoneInfo("Asia/Seoul"), Days("KR")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def rows(head):
    """The cells of the table under a head line, each as the texts in backticks in it."""
    table = PAGE.split(f"{head}\n")[1].split("\n\n")[0]
    return [
        [re.findall(r"`([^`]+)`", cell) for cell in line.strip("|").split("|")]
        for line in table.splitlines()[1:]
    ]


def test_the_schedules_on_the_page_are_schedules_and_the_same_in_both_languages():
    told = rows("| schedule | in Korean |")
    assert len(told) == 14
    for english, korean in told:
        for text in english + korean:
            schedule = Schedule.parse(text, SEOUL, KOREA)
            assert schedule.next_after(NOW) > NOW
        if korean and english[0] != "every hour":
            first = [Schedule.parse(cell[0], SEOUL, KOREA) for cell in (english, korean)]
            assert first[0].phrase == first[1].phrase


def test_the_rules_for_holidays_are_those_there_are():
    told = rows("| after a schedule | in Korean | what happens |")
    shifts = [Schedule.parse(f"매월 1일 09:00 {row[0][0]}", SEOUL).shift for row in told]
    assert shifts == ["next", "before", "skip"]
    for row, shift in zip(told, shifts, strict=True):
        assert told_shift(shift, "en") == f", {row[0][0]}"
        assert told_shift(shift, "ko") == f", {row[1][0]}"
    example = re.search(r"`(매월[^`]+)` is `([^`]+)`", PAGE)
    assert Schedule.parse(example[1], SEOUL).describe("en") == f"{example[2]} (Asia/Seoul)"


def test_offsets_hours_and_freezes_on_the_page_are_read():
    for english, korean, _ in rows("| offset | in Korean | meaning |"):
        assert Offset.parse(english[0]) == Offset.parse(korean[0])
    for english, korean in rows("| hours | in Korean |"):
        left, right = (Hours.parse(cell[0], SEOUL, KOREA) for cell in (english, korean))
        assert left.periods == right.periods
    texts = [text for row in rows("| freeze | meaning |") for text in row[0]]
    assert len(texts) == 5
    assert len({Freeze.parse(text, SEOUL) for text in texts}) == 3


def test_the_errors_on_the_page_are_what_is_said():
    shown = PAGE.split("## Errors")[1].split("```")[1].removeprefix("text\n").splitlines()
    assert len(shown) == 5
    for line in shown:
        text, _, message = line.partition(": ")
        with pytest.raises(ScheduleError) as caught:
            Schedule.parse(text, SEOUL, KOREA)
        assert str(caught.value) == message


def test_what_the_page_promises_of_korea_holds():
    assert KOREA.is_holiday(datetime(2100, 1, 1, tzinfo=UTC).date())
    assert not KOREA.is_holiday(datetime(2101, 1, 1, tzinfo=UTC).date())
