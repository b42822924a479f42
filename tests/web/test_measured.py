"""What a rule measures and what it measured, in words, in both languages and in a form."""

from typing import Any

import pytest

from opsbook.book import Vocabulary, load
from opsbook.book.measures import MEASURES, Condition, Traffic
from opsbook.checks import KINDS
from opsbook.web import measured, words
from opsbook.web.edit import guided
from opsbook.web.edit.desk import Desk
from opsbook.web.i18n import Speech
from tests.alerts.histories import Look, a_rule, judged

KO, EN = Speech("ko"), Speech("en")

SAID: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "average": ({"over": "10m", "at_least": 5}, "> 80%",
                "average over 10 min > 80 % (with at least 5 values)",
                "10분 평균 > 80 % (값 5개 이상)"),
    "minimum": ({"over": "5m"}, "> 90%", "minimum over 5 min > 90 %", "5분 최솟값 > 90 %"),
    "maximum": ({"over": "30m"}, "< 5ms", "maximum over 30 min < 5 ms", "30분 최댓값 < 5 ms"),
    "p50": ({"over": "15m"}, "> 5s", "p50 over 15 min > 5 s", "15분 p50(중앙값) > 5초"),
    "p95": ({"over": "10m"}, "> 1s", "p95 over 10 min > 1 s", "10분 p95 > 1초"),
    "sum": ({"over": "1h"}, ">= 50", "sum over 1 h >= 50", "1시간 합계 >= 50"),
    "count": ({"over": "10m"}, "< 3", "number of values over 10 min < 3",
              "10분 동안 값의 수 < 3"),
    "rate": ({"over": "5m"}, "> 10/min", "rate over 5 min > 10/m", "5분 증가 속도 > 10/m"),
    "increase": ({"over": "1h"}, ">= 3", "increase over 1 h >= 3", "1시간 증가량 >= 3"),
    "change": ({"over": "1h"}, "> 20%", "change over 1 h > 20 %", "1시간 사이 변화 > 20 %"),
    "drop": ({"against": "same_hour", "usual": ">= 50"}, "> 40%",
             "drop against the same hour of 4 weeks > 40 % (where >= 50 is usual)",
             "지난 4주 같은 요일·시간 대비 감소 > 40 % (평소 >= 50일 때만)"),
}  # fmt: skip


def test_every_measure_has_its_words() -> None:
    assert set(SAID) == set(MEASURES) - {"state", "last"} == set(words.MEASURE)


@pytest.mark.parametrize("measure", SAID)
def test_a_measure_is_said_with_its_time_and_its_band(measure: str) -> None:
    more, band, english, korean = SAID[measure]
    when = Condition.of({measure: band, **more})
    assert words.condition(EN, when) == english
    assert words.condition(KO, when) == korean


def test_a_state_a_last_value_and_the_traffic_are_said_as_well() -> None:
    assert words.condition(KO, Condition.of("nodata")) == "데이터 없음"
    assert words.condition(EN, Condition.of("> 90%")) == "> 90 %"
    traffic = Traffic.model_validate({"check": "hits", "is": ">= 50"})
    told = words.condition(EN, Condition.of("> 5%"), traffic)
    assert told == "> 5 %, while hits is >= 50"
    assert words.condition(KO, Condition.of("> 5%"), traffic) == "> 5 %, hits >= 50인 동안만"


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ("> 90%", "> 90%"),
        ({"average": "> 80%", "over": "10m", "at_least": 5},
         "> 80% on average over 10m (of at least 5 values)"),
        ({"p95": "> 1s", "over": "10m"}, "> 1s at p95 over 10m"),
        ({"count": "< 3", "over": "10m"}, "seen with < 3 values over 10m"),
        ({"rate": "> 10/min", "over": "5m"}, "growing at > 10/m over 5m"),
        ({"drop": "> 40%", "against": "same_hour", "usual": ">= 50"},
         "down by > 40% against the same hour of 4 weeks (where >= 50 is usual)"),
    ],
)  # fmt: skip
def test_a_plan_says_when_the_check_is_what(when: Any, text: str) -> None:
    assert a_rule(when).condition == text
    traffic = {"check": "hits", "is": ">= 50"}
    assert a_rule(when, traffic=traffic).condition == f"{text}, while hits is >= 50"


def test_what_was_measured_is_told_in_korean() -> None:
    looks = [Look(30.0 * n, 10.0 * n, "ms") for n in range(4)]
    found = judged({"average": "> 10", "over": "2m"}, *looks)
    assert measured.told(KO, found) == ["2분 평균 15 ms (값 4개)", "울리는 기준 > 10"]
    few = judged({"average": "> 10", "over": "2m", "at_least": 9}, *looks)
    assert measured.told(KO, few) == ["2분 동안 값이 4개뿐임 (9개 이상 필요)"]
    state = judged("critical", *looks)
    assert measured.told(KO, state) == ["점검 상태: 정상", "울리는 상태: 위험"]
    assert measured.told(EN, state) == ["the check is ok", "it fires at critical"]


def test_a_form_shows_a_measures_band_and_its_time_and_not_the_map_they_stand_in() -> None:
    text = """
id: shop
title: Shop
timezone: Asia/Seoul
severities: {P1: {title: Down}}
checks:
  it: {kind: host, title: Memory, metric: memory, every: 30s}
rules:
  short:
    check: it
    when: {average: "> 80%", over: 10m, at_least: 5}
    severity: P1
    summary: Short
"""
    kinds = {name: kind.model for name, kind in KINDS.items()}
    files = {"book.yaml": text}
    desk = Desk(load(files, Vocabulary(check_kinds=kinds)), None, files)
    made = guided.form(EN, desk, "checks", "it")
    slots = {slot.name: (slot.value, slot.hint) for slot in made.groups[1].slots}
    assert slots["rules.short.when.average"] == ("> 80%", "Average")
    assert slots["rules.short.when.over"] == ("10m", "")
    assert "rules.short.when" not in slots
    changed = guided.applied(made, desk, {"rules.short.when.average": "> 85%"})
    assert '    when: {average: "> 85%", over: 10m, at_least: 5}\n' in changed["book.yaml"]
