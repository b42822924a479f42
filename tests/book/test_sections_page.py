"""docs/reference/sections.md is what the models say."""

from tools import write_sections


def test_the_page_of_sections_is_what_the_models_say():
    assert write_sections.PAGE.read_text() == write_sections.page(), "run `make docs`"
