"""What checks are let in with, as a plan tells it."""

from typing import Any

import pytest

from opsbook.book import Book
from opsbook.revisions.plan import compare
from tests.checks import making
from tests.revisions.planned import NOW

METRICS: dict[str, Any] = {"kind": "promql", "url": "http://127.0.0.1:9090", "query": "up"}
TOKEN = {"Authorization": "env:METRICS"}


def book(**checks: Any) -> Book:
    return making.book(checks)


def loosened(old: Book, new: Book) -> list[str]:
    return [str(change) for change in compare(old, new, NOW).changes if change.loosens]


def test_a_new_check_that_brings_a_secret_loosens_and_one_without_does_not() -> None:
    assert loosened(book(), book(up=METRICS)) == []
    assert loosened(book(), book(up={**METRICS, "headers": TOKEN})) == [
        "The check up, which is new, is let in with: env:METRICS."
    ]
    assert loosened(book(up={**METRICS, "headers": TOKEN}), book()) == []


def test_another_secret_loosens_and_one_that_is_taken_away_does_not() -> None:
    without, with_one = book(up=METRICS), book(up={**METRICS, "headers": TOKEN})
    assert loosened(without, with_one) == [
        "The check up is let in with something else: env:METRICS."
    ]
    assert loosened(with_one, without) == []


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ({"url": "http://elsewhere.example"}, "url"),
        ({"ca": "/tmp/mine.pem"}, "ca"),
        ({"query": "up == 0"}, ""),
        ({"every": "5m"}, ""),
    ],
)
def test_the_same_secret_shown_to_somebody_else_loosens(edit: dict[str, str], told: str) -> None:
    check = {**METRICS, "headers": TOKEN}
    sentence = f"What lets the check up in is used in another place: its {told} differs."
    assert loosened(book(up=check), book(up={**check, **edit})) == ([sentence] if told else [])
