"""What docs/reference/oncall.md says of its example is so."""

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from opsbook.book import Book, load
from opsbook.people import Duty
from tests.book.kinds import VOCABULARY

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "oncall.md"
HEAD = "id: shop\ntitle: Shop\ntimezone: Asia/Seoul\n"


@pytest.fixture(scope="module")
def shop() -> Book:
    found = re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return load({"book.yaml": HEAD + found[1]}, VOCABULARY)


@pytest.mark.parametrize(
    ("at", "who"),
    [
        ("2026-01-05 10:00", "seoul-one"),
        ("2026-01-05 17:00", "berlin-one"),
        ("2026-01-06 00:59", "berlin-one"),
        ("2026-01-06 01:00", "seoul-one"),
        ("2026-01-12 10:00", "seoul-two"),
        ("2026-02-17 20:00", "seoul-two"),
        ("2026-07-06 16:00", "berlin-one"),  # an hour earlier in summer: Seoul has none
    ],
)
def test_the_example_calls_who_the_page_says(shop: Book, at: str, who: str) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo("Asia/Seoul"))
    assert Duty(shop).of("operations", moment)[0] == who
