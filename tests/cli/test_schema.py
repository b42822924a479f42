"""`opsbook schema` as people use it."""

import json

import pytest

from opsbook.book import editor
from opsbook.book.model import Sections
from tests.support.front_door import call


def test_it_writes_a_schema_of_every_section():
    told = call("schema").json
    assert told["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert set(told["properties"]) == set(Sections.model_fields)


def test_it_writes_to_a_file_and_says_what_to_type_in_a_book(tmp_path):
    answer = call("schema", "--to", "book.json", cwd=tmp_path)
    assert answer.status == 0
    assert "# yaml-language-server: $schema=book.json" in answer.out
    assert "checks" in json.loads((tmp_path / "book.json").read_text())["properties"]
    nowhere = call("schema", "--to", tmp_path / "no" / "book.json")
    assert nowhere.status == 1
    assert "No such file" in nowhere.err


@pytest.mark.parametrize("page", ["runbook", "drill"])
def test_the_front_matter_of_a_page_has_a_schema_of_its_own(page):
    told = call("schema", "--for", page).json
    assert set(told["properties"]) == {
        field.alias or name for name, field in editor.PAGES[page].model_fields.items()
    }


def test_for_people_it_is_a_table_of_the_keys():
    answer = call("schema", "-o", "table")
    assert answer.out.splitlines()[0].split() == ["KEY", "WHAT", "IT", "IS"]
    assert "What is looked at." in answer.out


def test_the_version_is_told_in_both_ways():
    assert call("--version").out == call("version").out
