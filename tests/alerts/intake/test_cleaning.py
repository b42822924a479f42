"""What strangers send comes into bounds, and what made two alerts different still does."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsbook.alerts.intake import cleaning, posted
from opsbook.alerts.intake.cleaning import NOTE, Unfit, batch, cleaned
from opsbook.alerts.intake.posted import Posted
from tests.alerts.intake.gate import NOW

H, M = timedelta(hours=1), timedelta(minutes=1)


def alert(labels: dict[str, str] | None = None, **more: Any) -> Posted:
    return Posted(labels if labels is not None else {"alertname": "x"}, **more)


def times(**more: Any) -> tuple[Any, Any, str]:
    one = cleaned(alert(**more), NOW)
    return one.startsAt, one.endsAt, one.annotations.get(NOTE, "")


# ---- labels -------------------------------------------------------------------------------------


def test_what_is_in_bounds_stays_as_it_is() -> None:
    one = alert(
        {"alertname": "높은 부하", "job": "node", "le": "+Inf", "__name__": "up"},
        annotations={"summary": "Zeile 1\nZeile 2\tx"}, startsAt=NOW - M, endsAt=NOW + M,
        generatorURL="https://prometheus.example.org/graph?g0.expr=up%3D%3D0", key="k",
    )  # fmt: skip
    assert cleaned(one, NOW) == one


def test_names_become_names_by_prometheus_rule() -> None:
    one = cleaned(
        alert({"host name": "a", "9lives": "b", "Ä": "c", "x.y-z": "d", "empty": ""}), NOW
    )
    assert one.labels == {"host_name": "a", "_9lives": "b", "_": "c", "x_y_z": "d"}


def test_of_two_names_that_become_one_the_one_that_was_so_stays() -> None:
    assert cleaned(alert({"a.b": "1", "a_b": "2"}), NOW).labels == {"a_b": "2"}
    assert cleaned(alert({"a_b": "2", "a.b": "1"}), NOW).labels == {"a_b": "2"}


@pytest.mark.parametrize("name", ["host name", "9lives", "", "a-b", "x" * 257])
def test_strictly_a_name_that_would_have_to_change_is_refused(name: str) -> None:
    with pytest.raises(Unfit, match="no name for a label"):
        cleaned(alert({"alertname": "x", name: "y"}), NOW, strict=True)


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        ("a\x00b", "a\ufffdb"), ("a\r\nb\n\tc", "a\nb\n\tc"), ("a\rb", "a\ufffdb"),
        ("\x1b[31mred", "\ufffd[31mred"), ("evil\u202egpj.exe", "evil\ufffdgpj.exe"),
        ("\u2066x", "\ufffdx"), ("\x85", "\ufffd"), ("\ud800", "\ufffd"),
        ("한글 👩‍🔧", "한글 👩‍🔧"),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_is_shown_as_such(given_: str, wanted: str) -> None:
    one = cleaned(alert({"alertname": "x", "said": given_}, annotations={"said": given_}), NOW)
    assert one.labels["said"] == one.annotations["said"] == wanted


def test_a_label_that_is_too_long_is_cut_and_still_tells_alerts_apart() -> None:
    first = cleaned(alert({"path": "가" * 2000 + "1"}), NOW)
    second = cleaned(alert({"path": "가" * 2000 + "2"}), NOW)
    assert first.labels != second.labels
    assert len(first.labels["path"].encode()) <= cleaning.LONGEST_LABEL
    assert first.annotations[NOTE] == "the label path was cut: it was longer than 1024 bytes"
    long = "가" * 341
    assert cleaned(alert({"path": long}), NOW).labels["path"] == long


def test_an_annotation_that_is_too_long_is_cut() -> None:
    one = cleaned(alert(annotations={"trace": "x" * 20_000}), NOW)
    assert len(one.annotations["trace"].encode()) <= cleaning.LONGEST_ANNOTATION
    assert one.annotations["trace"].endswith("x…")
    assert NOTE in one.annotations


def test_64_labels_are_taken_and_65_are_not() -> None:
    labels = {f"l{n}": "v" for n in range(64)}
    assert cleaned(alert(labels), NOW).labels == labels
    with pytest.raises(Unfit, match="65 labels"):
        cleaned(alert({**labels, "one": "more"}), NOW)
    noted = cleaned(alert(annotations={f"a{n}": "v" for n in range(65)}), NOW)
    assert len(noted.annotations) == 65  # and one of them is the note
    assert noted.annotations[NOTE] == "annotations beyond 64 were left out"


@pytest.mark.parametrize("labels", [{}, {"alertname": ""}, {"": "x"}])
def test_an_alert_that_nothing_names_is_none(labels: dict[str, str]) -> None:
    with pytest.raises(Unfit):
        cleaned(alert(labels), NOW)


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "//x", "http://a b", "x"]
)
def test_a_link_that_is_no_address_of_the_web_is_left_out(link: str) -> None:
    one = cleaned(alert(generatorURL=link), NOW)
    assert (one.generatorURL, NOTE in one.annotations) == ("", True)


def test_a_key_that_is_too_long_still_tells_alerts_apart() -> None:
    keys = {cleaned(alert(key="x" * 999 + end), NOW).key for end in ("1", "2")}
    assert len(keys) == 2
    assert all(len(key) <= 256 for key in keys)


# ---- times --------------------------------------------------------------------------------------


def test_gos_first_day_is_no_time() -> None:
    zero = datetime(1, 1, 1, tzinfo=UTC)
    assert times(startsAt=zero, endsAt=zero) == (None, None, "")
    east = zero.replace(tzinfo=timezone(timedelta(hours=9)))
    assert times(startsAt=east) == (None, None, "")


def test_a_clock_that_goes_fast_is_set_back_with_both_its_times() -> None:
    starts, ends, note = times(startsAt=NOW + 10 * M, endsAt=NOW + 14 * M)
    assert (starts, ends) == (NOW, NOW + 4 * M)
    assert note == "startsAt 2026-03-03T09:10:00Z was ahead of this server's clock"


def test_a_few_seconds_are_not_worth_a_word() -> None:
    assert times(startsAt=NOW + timedelta(seconds=4)) == (NOW, None, "")


def test_a_start_more_than_an_hour_ahead_is_none_and_neither_is_an_end_after_it() -> None:
    starts, ends, note = times(startsAt=NOW + 48 * H, endsAt=NOW + 49 * H)
    assert (starts, ends) == (NOW, None)
    assert "2026-03-05T09:00:00Z was ahead" in note


def test_what_ended_before_it_began_began_when_it_ended() -> None:
    starts, ends, note = times(startsAt=NOW - M, endsAt=NOW - H)
    assert (starts, ends) == (NOW - H, NOW - H)
    assert note
    with pytest.raises(Unfit, match="before it starts"):
        cleaned(alert(startsAt=NOW - M, endsAt=NOW - H), NOW, strict=True)


def test_a_start_before_the_computers_is_left_out() -> None:
    starts, _, note = times(startsAt=datetime(1970, 1, 1, tzinfo=UTC))
    assert (starts, note) == (None, "startsAt 1970-01-01T00:00:00Z was left out: it is before 2000")


def test_an_end_that_nobody_lives_to_see_is_ten_years_away() -> None:
    west = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(-timedelta(hours=9)))
    assert times(endsAt=datetime(9999, 1, 1, tzinfo=UTC))[1] == NOW + cleaning.FURTHEST
    assert times(endsAt=west)[1] is None  # no time that can be said in UTC


def test_a_time_without_a_zone_is_one_in_utc() -> None:
    assert times(startsAt=(NOW - M).replace(tzinfo=None))[0] == NOW - M


# ---- batches ------------------------------------------------------------------------------------


def test_of_the_same_alert_the_latest_counts_wherever_it_stands() -> None:
    first, other = alert(startsAt=NOW - H), alert({"alertname": "y"})
    last = alert(startsAt=NOW - M)
    assert batch([first, other, last], NOW) == ([other, last], [])
    keyed = [alert({"alertname": "a"}, key="k"), alert({"alertname": "b"}, key="k")]
    assert batch(keyed, NOW)[0] == keyed[1:]


def test_a_bad_one_takes_no_good_one_with_it() -> None:
    good, bad = batch([alert(), alert({}), alert({"alertname": "y"})], NOW)
    assert [one.labels["alertname"] for one in good] == ["x", "y"]
    assert bad == ["alerts[1]: it has no labels; give it at least one, such as alertname"]


TEXTS = st.text(st.characters(exclude_categories=[]), max_size=40)
MOMENTS = st.none() | st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=14))))


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(TEXTS, TEXTS, max_size=70), st.dictionaries(TEXTS, TEXTS, max_size=70),
    MOMENTS, MOMENTS, TEXTS, TEXTS, st.booleans(),
)  # fmt: skip
def test_whatever_is_sent_is_refused_or_in_bounds_and_stays_so(
    labels: dict[str, str], annotations: dict[str, str], starts: Any, ends: Any, link: str,
    key: str, strict: bool,
) -> None:  # fmt: skip
    try:
        one = cleaned(Posted(labels, annotations, starts, ends, link, key), NOW, strict=strict)
    except Unfit:
        return
    assert 0 < len(one.labels) <= cleaning.MOST
    assert all(cleaning.is_name(name) for name in [*one.labels, *one.annotations])
    assert not any("\x00" in told for told in [*one.labels.values(), *one.annotations.values()])
    assert one.startsAt is None or (one.startsAt <= NOW and one.startsAt.tzinfo is not None)
    assert one.endsAt is None or one.endsAt <= NOW + cleaning.FURTHEST
    assert not (one.startsAt and one.endsAt and one.endsAt < one.startsAt)
    assert posted.decode(posted.encode([one])) == [one]
    again = cleaned(one, NOW)
    assert (again.labels, again.startsAt, again.endsAt, again.key) == (
        one.labels, one.startsAt, one.endsAt, one.key
    )  # fmt: skip


def test_a_senders_own_name_tells_its_alerts_apart_and_labels_where_it_has_none() -> None:
    named, worse = alert({"alertname": "a"}, key="k"), alert({"alertname": "b"}, key="k")
    assert posted.told_apart_by("door", named) == posted.told_apart_by("door", worse)
    assert posted.told_apart_by("other", named) != posted.told_apart_by("door", named)
    assert posted.told_apart_by("door", alert()) == posted.told_apart_by("other", alert())
    assert not any(cleaning.is_name(name) for name in posted.told_apart_by("door", named))
