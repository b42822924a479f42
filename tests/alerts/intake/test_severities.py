"""How bad an alert from outside is, in the book's words."""

import pytest

from opsbook.alerts.intake.severities import severity_of
from opsbook.app import vocabulary
from opsbook.book import Book, load
from tests.alerts.intake.gate import BOOK


def book(*changes: tuple[str, str]) -> Book:
    text = BOOK
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return load({"book.yaml": text}, vocabulary())


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("Fatal", "P1"), ("FATAL", "P1"), ("bad", "P2"),
        ("P1", "P1"), ("p2", "P2"), ("mild", "P3"), ("", "P3"), (None, "P3"),
    ],
)  # fmt: skip
def test_the_senders_word_goes_first_then_the_books_own(word: str | None, wanted: str) -> None:
    shop = book()
    labels = {"alertname": "x"} if word is None else {"alertname": "x", "severity": word}
    assert severity_of(shop, shop.intakes["json"], labels) == wanted


def test_without_a_word_it_is_the_mildest_that_pages_somebody() -> None:
    shop = book()
    assert severity_of(shop, shop.intakes["webhook"], {"severity": "warning"}) == "P2"


def test_where_nothing_pages_it_is_the_mildest() -> None:
    shop = book((", escalation: duty", ""))
    assert severity_of(shop, shop.intakes["webhook"], {}) == "P3"


def test_a_book_without_severities_has_none_to_give() -> None:
    bare = load(
        {"book.yaml": "id: bare\ntitle: Bare\ntimezone: UTC\nlanguages: [en]\n"
         "intakes:\n  a: {kind: webhook, title: A}\n"}, vocabulary(),
    )  # fmt: skip
    assert severity_of(bare, bare.intakes["a"], {"severity": "critical"}) == ""
