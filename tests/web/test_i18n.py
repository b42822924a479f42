"""Korean and English: which is chosen, and that no sentence is left in the other one."""

import re

import pytest

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
