"""Lines of values: limits inside the picture, gaps where nothing was seen, no inline style."""

from datetime import UTC, datetime, timedelta

from opsbook.base.quantities import parse_band
from opsbook.web import charts
from opsbook.web.charts import Area, Limit, Point, Stretch

NOW = datetime(2026, 3, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)


def points(*values: float | None, state: str = "ok") -> list[Point]:
    step = HOUR / max(1, len(values))
    start = NOW - HOUR
    return [Point(start + step * n, value, state) for n, value in enumerate(values)]


def test_the_limit_is_drawn_even_when_every_value_is_far_from_it() -> None:
    drawn = charts.spark(points(1, 2, 3), [Limit(100, "warning", "> 100")], NOW - HOUR, NOW, "x")
    assert 'class="limit warning"' in drawn
    place = float(drawn.split('class="limit warning"')[1].split('y1="')[1].split('"')[0])
    assert 0 <= place <= charts.SPARK[1]


def test_missing_values_leave_a_gap_in_the_line() -> None:
    drawn = charts.spark(points(5, 6, None, 7, 8), [], NOW - HOUR, NOW, "x")
    path = drawn.split(' d="')[1].split('"')[0]
    assert path.count("M") == 2
    assert 'class="dot nodata"' in drawn


def test_nothing_seen_is_no_picture() -> None:
    assert charts.spark([], [], NOW - HOUR, NOW, "x") == ""
    assert charts.chart([], [], NOW - HOUR, NOW, "ms", [], "x") == ""


def test_one_value_and_equal_values_are_pictures_too() -> None:
    for seen in (points(5), points(0, 0), points(-3, -3), points(None)):
        assert "<svg" in charts.spark(seen, [], NOW - HOUR, NOW, "x")


def test_pictures_carry_no_style_and_escape_their_words() -> None:
    marks = [(NOW - HOUR / 2, "<b>")]
    bands = [Area(3, None, "critical", "> <3>")]
    seen = [
        Stretch(one.at, one.value, one.value, one.value, one.value, "ok") for one in points(1, 2)
    ]
    drawn = charts.chart(seen, bands, NOW - HOUR, NOW, "ms", marks, 'a "label"')
    assert "style" not in drawn
    assert "<b>" not in drawn
    assert "<3>" not in drawn
    assert 'aria-label="a &#34;label&#34;"' in drawn


def test_a_band_that_cannot_be_compared_draws_no_line() -> None:
    assert charts.limits([("warning", parse_band("> 80%"))], "ms") == []
    found = charts.limits([("warning", parse_band("> 2s")), ("critical", None)], "ms")
    assert [(one.value, one.label) for one in found] == [(2000.0, "> 2 s")]
