"""Bodies that Alertmanager's interface is given: what is kept as it came, cleaned, or refused."""

import json
import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsbook.alerts.intake import cleaning, posted
from opsbook.base.errors import Invalid
from opsbook.web.alertmanager import forms


def alert(**more: Any) -> dict[str, Any]:
    return {"labels": {"alertname": "A"}, **more}


def body(*alerts: Any, ascii_only: bool = True) -> bytes:
    return json.dumps(alerts, ensure_ascii=ascii_only).encode()


@pytest.mark.parametrize("ascii_only", [True, False])
def test_signs_that_nobody_sees_are_replaced_in_labels_and_annotations(ascii_only: bool) -> None:
    unseen = "a\x07b\x00c\u202ed\x7fe\x85f\u2066"
    given = alert(labels={"x": unseen, "none": ""}, annotations={"y": unseen})
    good, bad, clean = forms.alerts(body(given, ascii_only=ascii_only))
    told = "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\ufffd"
    assert (good[0].labels, good[0].annotations) == ({"x": told}, {"y": told})
    assert (bad, clean) == ([], False)


@pytest.mark.parametrize(
    "more",
    [
        {"annotations": {"summary": 'tab\tline\nquote" back\\slash'}},
        {"annotations": {"summary": "디스크가 찬다 💾"}},
        {"generatorURL": "http://prometheus.example.org/graph?g0.expr=a<b&g0.tab=1"},
    ],
)
def test_a_usual_batch_is_kept_as_it_came(more: dict[str, Any]) -> None:
    as_go_writes = body(alert(**more), ascii_only=False)
    for sign in "&<>":
        as_go_writes = as_go_writes.replace(sign.encode(), f"\\u{ord(sign):04x}".encode())
    assert forms.alerts(as_go_writes) == ([msgspec.convert(alert(**more), forms.Given)], [], True)


@given(st.text(max_size=20), st.booleans())
def test_nothing_that_would_be_replaced_is_kept_as_it_came(value: str, ascii_only: bool) -> None:
    written = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    if cleaning.text(value) != value:
        assert cleaning.may_hide(written), [unicodedata.category(one) for one in value]


def test_each_alert_is_refused_by_itself_with_all_that_is_wrong() -> None:
    good, bad, clean = forms.alerts(
        body(
            alert(),
            alert(startsAt="2027-01-01T00:00:00Z", endsAt="2026-06-01T00:00:00Z"),
            alert(labels={"a": 1}, startsAt="noon"),
            alert(labels={"a b": "c"}),
            alert(labels={"a": ""}),
            alert(startsAt="2026-01-01T00:00:00"),
            7,
        )
    )
    assert [one.labels for one in good] == [{"alertname": "A"}]
    assert not clean
    assert bad == [
        "alert 1: start time must be before end time: startsAt is 2027-01-01T00:00:00.000Z and "
        "endsAt 2026-06-01T00:00:00.000Z",
        "alert 2: labels.a is 1, and not text (put it in quotes); startsAt is 'noon', and not a "
        "time (write it as 2026-01-31T18:00:00Z)",
        "alert 3: 'a b' is no name of a label; use letters, digits and _, not starting with a "
        "digit",
        "alert 4: it has no label; give it at least one, such as alertname",
        "alert 5: startsAt 2026-01-01 00:00:00 has no zone; write it as 2026-01-31T18:00:00Z",
        "alert 6: it is 7, and not an object (write it as {…})",
    ]


@pytest.mark.parametrize("given", [b"", b"{", b"{}", b"7", b"\xff", b"[" * 100_000, b"[{]"])
def test_what_is_no_list_of_alerts_is_refused_in_words(given: bytes) -> None:
    with pytest.raises(forms.InvalidAlert, match="The body is no list of alerts: ") as refused:
        forms.alerts(given)
    assert "$" not in refused.value.message


def test_everything_wrong_with_a_silence_is_told_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        forms.silence(b'{"matchers": [{"name": 1, "isRegex": false}], "startsAt": "now"}')
    assert refused.value.message == (
        "The body is no silence: matchers[0].name is 1, and not text (put it in quotes); "
        "matchers[0].value is missing (send it); startsAt is 'now', and not a time (write it as "
        "2026-01-31T18:00:00Z); endsAt is missing (send it)."
    )


@pytest.mark.parametrize("name", ["key", "k\\u0065y"])
@pytest.mark.parametrize("value", ['"x"', "5", "null", '{"a": []}'])
def test_a_field_called_key_is_one_that_nobody_knows(name: str, value: str) -> None:
    """Two alerts that a stranger gives one key are two: on disk such a word would make them one."""
    pair = ", ".join(f'{{"labels": {{"alertname": "{n}"}}, "{name}": {value}}}' for n in "AB")
    good, bad, clean = forms.alerts(f"[{pair}]".encode())
    assert ([one.labels["alertname"] for one in good], bad, clean) == (["A", "B"], [], False)
    assert [one.key for one in posted.decode(posted.encode(good))] == ["", ""]


def test_a_label_called_key_is_a_label() -> None:
    good, bad, clean = forms.alerts(body(alert(labels={"key": "x"})))
    assert ([one.labels for one in good], bad, clean) == ([{"key": "x"}], [], True)


def test_a_silence_that_is_nested_without_end_is_refused_in_words() -> None:
    deep = b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(Invalid, match="it is nested too deeply"):
        forms.silence(deep)
