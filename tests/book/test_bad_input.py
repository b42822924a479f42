"""What editors, other machines and half-finished saves leave in a book loads, or is told."""

import pytest

from opsbook.book import load
from tests.book.kinds import VOCABULARY, changed, problems, starter


def parts(book):
    """What a book says, without where and in which bytes it was written."""
    plain = {
        id: [(step.key, step.kind, step.body.split()) for step in runbook.steps]
        for id, runbook in book.runbooks.items()
    }
    hidden = {"files", "revision", "positions", "runbooks"}
    return {name: value for name, value in book if name not in hidden}, plain


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_book_from_any_editor_says_the_same_in_the_same_places(newline, mark):
    plain = load(starter(), VOCABULARY)
    files = {name: mark + text.replace("\n", newline) for name, text in starter().items()}
    book = load(files, VOCABULARY)
    assert parts(book) == parts(plain)
    for path in (("checks", "memory"), ("rules", "disk-full"), ("people", "operator")):
        assert book.where(*path) == plain.where(*path)
    steps = [step.line for step in plain.runbooks["first-response"].steps]
    assert [step.line for step in book.runbooks["first-response"].steps] == steps


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    every: 1m", "\tevery: 1m", "checks.yaml:10:1: a tab is used for indentation. "
         "indent with spaces."),
        ("every: 1m", "every: 1m\x00", "checks.yaml:10:14: this has a control character (U+0000). "
         "remove it."),
        ("every: 1m", "every: \udcff", "checks.yaml:10:12: this is not UTF-8 (byte 0xFF). save the "
         "file as UTF-8."),
        ("every: 1m", f"every: {'[' * 41}{']' * 41}", "checks.yaml:10:49: this is nested more than "
         "40 levels deep. flatten it."),
        ("every: 1m", 'every: "1m', None),
    ],
)  # fmt: skip
def test_a_bad_character_is_told_at_its_place_and_nothing_is_told_of_what_it_hides(old, new, told):
    found = problems(changed("checks.yaml", old, new))
    assert len(found) == 1
    assert told is None or found == [told]


def test_half_of_a_file_is_told_once_and_what_refers_to_the_rest_is_not():
    text = starter()["checks.yaml"]
    cut = text.index('bands: {warning: "> 90%"') + len("bands: {warn")
    found = problems({**starter(), "checks.yaml": text[:cut]})
    assert len(found) == 1
    assert found[0].startswith(f"checks.yaml:{text[:cut].count(chr(10)) + 1}:")


def test_a_page_too_long_for_anybody_is_refused_unread():
    page = starter()["runbooks/first-response.md"] + "word\n" * 200_000
    found = problems({**starter(), "runbooks/first-response.md": page})
    assert found == [
        "runbooks/first-response.md:1:1: this page is larger than 512 KiB. keep what steps need in "
        "files/, or make several pages of it."
    ]


def test_five_megabytes_of_values_in_a_book_are_refused_with_a_place():
    found = problems({**starter(), "more.yaml": "glossary:\n" + "  - a\n" * 800_000})
    assert any("more than 400,000 values" in line for line in found)
