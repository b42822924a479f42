"""The book fragments in the reference pages are books."""

import re
from pathlib import Path

import pytest

from opsbook.book import load
from tests.notify.conftest import VOCABULARY

DOCS = Path(__file__).parents[2] / "docs" / "reference"
ABOUT = "id: shop\ntitle: Shop\ntimezone: Asia/Seoul\n"


@pytest.mark.parametrize("page", ["access.md", "notify.md"])
def test_every_fragment_of_a_book_can_be_loaded(page: str) -> None:
    found = re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert found
    for fragment in found:
        roles = "" if "roles:\n" in fragment else "roles: {}\n"
        book = load({"book.yaml": ABOUT + roles + fragment}, VOCABULARY)
        assert book.people


def test_the_reference_names_every_state_and_pause() -> None:
    text = (DOCS / "notify.md").read_text()
    for word in ("`queued`", "`sending`", "`retry`", "`sent`", "`failed`", "every 15 min"):
        assert word in text
