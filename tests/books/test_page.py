"""docs/reference/example-books.md says where each section is shown, and it is shown there."""

import re
from pathlib import Path

from opsbook.book.model import Sections
from tests.books import shelf

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "example-books.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| \[([\w./-]+)\]\(\.\./\.\./books/([\w./-]+)\) \|$", re.MULTILINE)


def test_every_section_is_on_the_page_and_in_the_file_it_names() -> None:
    told = ROW.findall(PAGE)
    assert [section for section, _, _ in told] == [
        field.alias or name for name, field in Sections.model_fields.items() if name != "ref"
    ]
    for section, shown, file in told:
        assert shown == file
        text = (shelf.FOLDER / file).read_text()
        assert re.search(rf"^{section}:", text, re.MULTILINE), (section, file)


def test_every_book_is_on_the_page() -> None:
    assert sorted(re.findall(r"^\| \[`([\w-]+)`\]", PAGE, re.MULTILINE)) == shelf.NAMES


def test_the_values_said_to_be_assumed_are() -> None:
    assumed = {
        name: [path[-1] for path, said in shelf.book(name).assumed.items() if said.assumed]
        for name in shelf.NAMES
    }
    assert assumed["compose"] == ["rto"]
    assert assumed["kubernetes"] == ["minimum"]
