"""A book's files: read once, hashed, stored, and the same again."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsbook.base.errors import Invalid
from opsbook.book import BookError, dump, files, load, parse, read_folder, revision_of
from tests.book.kinds import STARTER, VOCABULARY, starter


@pytest.fixture
def book(tmp_path):
    for name, text in starter().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def told(folder):
    with pytest.raises(BookError) as caught:
        read_folder(folder)
    return [str(problem) for problem in caught.value.problems]


def test_the_files_are_named_by_their_path_in_the_book(book):
    assert sorted(read_folder(book)) == [
        "alerts.yaml", "book.yaml", "checks.yaml", "incidents.yaml", "people.yaml", "routines.yaml",
        "runbooks/first-response.md", "runbooks/morning-check.md", "services.yaml",
    ]  # fmt: skip


def test_hidden_files_and_backups_are_no_part_of_the_book(book):
    before = revision_of(read_folder(book))
    (book / ".git").mkdir()
    (book / ".git" / "config").write_text("x")
    (book / ".book.yaml.swp").write_text("x")
    (book / "book.yaml~").write_text("x")
    assert revision_of(read_folder(book)) == before


def test_the_same_files_give_the_same_revision_and_any_change_another(book):
    before = load(read_folder(book), VOCABULARY).revision
    assert before == load(starter(), VOCABULARY).revision
    assert len(before) == 64
    assert before.short == before[:12]
    (book / "book.yaml").write_text((book / "book.yaml").read_text() + "# a comment\n")
    assert load(read_folder(book), VOCABULARY).revision != before


def test_a_name_and_its_content_cannot_be_mistaken_for_another():
    assert revision_of({"a": "bc"}) != revision_of({"ab": "c"})
    assert revision_of({"a": "", "b": ""}) != revision_of({"a": "b"})


@given(st.dictionaries(st.text(), st.text()))
def test_stored_files_come_back_as_they_were(files):
    assert parse(dump(files)) == files
    assert dump(files).isascii()
    assert "\x00" not in dump(files)


def test_bytes_that_are_no_text_survive_in_files(book):
    (book / "files").mkdir()
    (book / "files" / "tool.bin").write_bytes(bytes(range(256)))
    read = read_folder(book)
    stored = parse(dump(read))
    assert stored["files/tool.bin"].encode("utf-8", "surrogateescape") == bytes(range(256))
    assert load(stored, VOCABULARY).revision == load(read, VOCABULARY).revision


def test_yaml_in_files_is_for_steps_and_no_section(book):
    (book / "files").mkdir()
    (book / "files" / "deployment.yaml").write_text("apiVersion: apps/v1\n---\nkind: x\n")
    load(read_folder(book), VOCABULARY)


def test_what_was_not_stored_by_us_is_refused():
    for text in ("", "[]", "{", '{"a": 1}'):
        with pytest.raises(Invalid):
            parse(text)


def test_a_link_out_of_the_book_is_refused_and_one_inside_is_not(book, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "passwd.yaml"
    outside.write_text("services: {}\n")
    (book / "inside.yaml").symlink_to("services.yaml")
    assert read_folder(book)["inside.yaml"] == read_folder(book)["services.yaml"]
    (book / "link.yaml").symlink_to(outside)
    (book / "more").symlink_to(outside.parent)
    (book / "gone.yaml").symlink_to(book / "nowhere.yaml")
    assert told(book) == [
        "gone.yaml:1:1: the file cannot be read: No such file or directory. make it readable for "
        "this user.",
        "link.yaml:1:1: the file is a symbolic link out of the book. copy the file into the book.",
        "more:1:1: the file is a symbolic link to a folder. copy the folder here.",
    ]


def test_what_is_no_file_is_refused(book):
    os.mkfifo(book / "pipe.yaml")
    assert told(book) == ["pipe.yaml:1:1: the file is not a regular file. remove it from the book."]


def test_a_large_file_is_refused(book, monkeypatch):
    with (book / "large.md").open("wb") as file:
        file.truncate(files.MAX_FILE + 1)
    assert told(book) == [
        "large.md:1:1: the file is larger than 5 MiB. keep large files out of the book."
    ]
    (book / "large.md").unlink()
    monkeypatch.setattr(files, "MAX_BOOK", 100)
    assert "the book is larger than" in told(book)[0]
    monkeypatch.setattr(files, "MAX_FILES", 3)
    assert "more than 3 files. is this the right folder?" in told(book)[0]


def test_a_name_that_is_no_text_is_refused(book):
    (Path(os.fsdecode(os.fsencode(book) + b"/caf\xe9.yaml"))).write_text("x")
    assert told(book) == ["caf?.yaml:1:1: the file has a name that is not UTF-8. rename it."]


@pytest.mark.parametrize(
    ("name", "what"), [("nothing", "does not exist"), ("file", "is not a folder")]
)
def test_a_folder_that_is_not_there_is_named(tmp_path, name, what):
    (tmp_path / "file").write_text("x")
    assert told(tmp_path / name) == [
        f"{tmp_path / name}:1:1: the book {what}. give a book's folder."
    ]


def test_the_starter_is_read_from_its_own_folder():
    assert read_folder(STARTER) == starter()
