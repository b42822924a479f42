"""Tables line up for wide letters, and what comes from outside cannot move the cursor."""

from datetime import UTC, datetime, timedelta

import pytest

from opsbook.cli import output


def columns(text):
    return output.cells(text)


def test_columns_line_up_under_hangul_emoji_and_combining_letters(capsys):
    output.table(
        ["NAME", "STATE"], [["디스크", "x"], ["disk", "x"], ["cafe\u0301", "x"], ["⏳", "x"]]
    )
    lines = capsys.readouterr().out.splitlines()
    assert {columns(line[: line.rindex("x")]) for line in lines[1:]} == {8}


def test_numbers_end_at_the_same_place(capsys):
    output.table(["A", "N"], [["a", "5"], ["b", "1,204"]], right=[1])
    assert capsys.readouterr().out.splitlines() == ["A      N", "a      5", "b  1,204"]


def test_a_table_without_rows_says_nothing(capsys):
    output.table(["A"], [])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "evil",
    [
        "\x1b[2J\x1b[1;1Hgone",
        "\x1b]0;title\x07gone",
        "\x9b31mgone",
        "back\b\b\b\bgone",
        "over\rgone",
        "\u202egone",
        "\x1b]8;;http://a\x1b\\gone",
    ],
)
def test_a_text_from_outside_brings_no_terminal_sequences(evil, capsys):
    output.table(["SAYS"], [[evil]])
    shown = capsys.readouterr().out
    assert "gone" in shown
    assert not any(ord(letter) in range(0x7F, 0xA0) or ord(letter) < 10 for letter in shown)
    assert "\x1b" not in shown
    assert "\r" not in shown
    assert "\u202e" not in shown


def test_lines_and_tabs_of_output_are_kept():
    assert output.clean("one\r\n\ttwo\n") == "one\n\ttwo\n"


def test_a_cell_is_one_line(capsys):
    output.table(["A", "B"], [["one\ntwo", "three"]])
    assert capsys.readouterr().out.splitlines()[1] == "one two  three"


def test_a_text_is_cut_by_columns_and_says_so():
    assert output.shorten("디스크가 가득 찼습니다", 9) == "디스크가…"
    assert output.shorten("disk", 4) == "disk"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(5, "5 s ago"), (720, "12 min ago"), (11520, "3 h 12 min ago"), (300_000, "3 d ago")],
)
def test_an_age_is_told_in_the_units_people_say(seconds, told):
    now = datetime(2026, 3, 2, tzinfo=UTC)
    then = (now - timedelta(seconds=seconds)).isoformat()
    assert output.age(then, now) == told


def test_a_time_to_come_and_none_at_all():
    now = datetime(2026, 3, 2, tzinfo=UTC)
    assert output.age("2026-03-02T00:10:00.000Z", now) == "in 10 min"
    assert output.age(None) == "never"


def test_a_sparkline_has_a_bar_per_value_and_a_gap_where_nothing_was_seen():
    assert output.sparkline([0.0, None, 7.0]) == "▁ █"
    assert output.sparkline([3.0, 3.0]) == "▁▁"
    assert output.sparkline([None]) == ""


def test_every_state_the_server_knows_has_a_glyph():
    states = (
        "ok warning critical nodata succeeded failed cancelled running waiting queued open "
        "acknowledged resolved interrupted skipped pending"
    )
    assert set(states.split()) <= output.GLYPHS.keys()
