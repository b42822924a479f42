"""Korean and English: which is chosen, and that no sentence is left in the other one."""

import re
from typing import Any

import pytest

from opsbook.book import params
from opsbook.web import i18n, sayings
from opsbook.web.i18n import Speech
from tests.web import messages

PLACE = re.compile(r"%\((\w+)\)s")


def test_every_sentence_of_the_pages_has_a_korean_translation() -> None:
    assert messages.missing() == []


def test_the_catalogue_holds_nothing_that_is_no_longer_said() -> None:
    assert set(messages.korean()) - {message for _, _, message in messages.said()} == set()


def test_translations_name_the_same_values_as_their_sentences() -> None:
    for sentence, translation in messages.korean().items():
        forms = [sentence] if isinstance(sentence, str) else list(sentence)
        given = [translation] if isinstance(translation, str) else list(translation)
        expected = {name for form in forms for name in PLACE.findall(form)}
        for one in given:
            assert set(PLACE.findall(one)) <= expected, sentence
            assert set(PLACE.findall(one)) >= expected - {"n"} or "parameter" in str(sentence), one


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("ko-KR,ko;q=0.9,en-US;q=0.8", "ko"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("fr-FR,ko;q=0.3,en;q=0.7", "en"),
        ("fr, de", "en"),
        ("", "en"),
        ("ko;q=nonsense,en", "en"),
        ("ko;q=0", "en"),
    ],
)
def test_the_browser_chooses_where_nobody_else_did(header: str, language: str) -> None:
    assert i18n.accepted(header) == language


def test_the_account_goes_before_the_cookie_and_the_cookie_before_the_browser() -> None:
    assert i18n.chosen("ko", "en", header="en") == "ko"
    assert i18n.chosen(None, "ko", header="en") == "ko"
    assert i18n.chosen(None, "xx", header="en") == "en"


def test_values_in_a_sentence_are_escaped_where_it_becomes_html() -> None:
    told = Speech("en").html("%(who)s acknowledged.", who="<b>x</b>")
    assert told == "&lt;b&gt;x&lt;/b&gt; acknowledged."


def test_a_known_refusal_is_said_in_korean_with_its_values() -> None:
    told = sayings.told(Speech("ko"), "Incident 12 is already resolved.")
    assert "장애 12" in told
    assert "resolved" in told


def test_several_known_sentences_are_each_said_in_korean() -> None:
    said = "It has 4 characters; 10 are the fewest. It is the name you sign in with."
    told = sayings.told(Speech("ko"), said)
    assert told == "4자입니다. 10자 이상이어야 합니다. 계정 이름과 같습니다."


def test_an_unknown_refusal_is_shown_as_it_was_said() -> None:
    assert sayings.told(Speech("ko"), "The moon is full.") == "The moon is full."


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "3. Export: 1 of 6 failed: step 1: exit code 4",
            "3. Export: 6개 중 1개 실패: step 1: 종료 코드 4",
        ),
        ("step 2 of 6 failed: exit code 4", "step 2 of 6 failed: 종료 코드 4"),
        (
            "its keeper is gone and has left no outcome; processes of the step may still run",
            "감시 프로세스가 결과를 남기지 않고 사라짐. 단계의 프로세스가 아직 돌고 있을 수 있음",
        ),
        ("it was told to end", "종료 요청을 받아 끝남"),
        (
            "it was told to end; 2 processes of the step could not be ended",
            "종료 요청을 받아 끝남; 끝내지 못한 단계의 프로세스 2개",
        ),
        (
            "Run 4 cannot be taken over before check: step enable is failed.",
            "실행 4에서 check 앞을 이어받을 수 없습니다: 단계 enable – 실패.",
        ),
    ],
)
def test_why_something_ended_is_said_in_korean(said: str, told: str) -> None:
    assert sayings.told(Speech("ko"), said) == told


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"pattern": "v[0-9]+ .*"}, "형식 v[0-9]+ .*"),
        ({"choices": ["a", "b"]}, "a, b 중 하나"),
        ({"choices": ["a1", "b1"], "pattern": "[a-z]1"}, "a1, b1 중 하나, 형식 [a-z]1"),
        ({"type": "integer"}, "정수"),
        ({"type": "integer", "range": ("1", "9")}, "정수, 1 이상 9 이하"),
        ({"type": "integer", "range": ("1", None)}, "정수, 1 이상"),
        ({"type": "size", "range": (None, "4Gi")}, "4Gi, 20GB 같은 크기, 4Gi 이하"),
        ({"type": "path", "under": "/srv"}, "'..'이 없는 경로, /srv 아래"),
        ({"type": "list", "of": "integer"}, "쉼표로 구분한 여러 값. 값마다 정수"),
        ({"type": "list"}, "쉼표로 구분한 여러 값. 값마다 글"),
        ({}, "한 줄의 글"),
    ],
)
def test_what_a_parameter_accepts_is_said_in_korean(written: dict[str, Any], told: str) -> None:
    said = params.accepted(params.Param.model_validate(written))
    refused = f"parameter x: is required. {said}."
    assert sayings.told(Speech("ko"), refused).endswith(f"가능한 값: {told}.")


BARE = re.compile(
    r"%\(\w+\)s[”’]*"
    r"(?:(?:이|가|을|를|은|는|과|와|으로|로)(?=[ .,:;]|$)|이어야|이므로|였|이었|이 아)"
)
"""A particle whose form depends on the value before it: right for some and wrong for others."""


def test_no_particle_hangs_on_a_value_that_may_ask_for_its_other_form() -> None:
    wrong = []
    for translation in messages.korean().values():
        for one in [translation] if isinstance(translation, str) else translation:
            wrong += [one] if BARE.search(one) else []
    assert wrong == []
