"""A book's files: read once, hashed, stored, and the same again."""

import errno
import os
import shutil
import socket
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsbook.base.errors import Invalid
from opsbook.book import BookError, dump, files, folder, load, parse, read_folder, revision_of
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
        "this user, or remove it.",
        "link.yaml:1:1: the file is a symbolic link out of the book. copy the file into the book.",
        "more:1:1: the file is a symbolic link to a folder. copy the folder here.",
    ]


def test_a_pipe_or_socket_is_refused_and_not_waited_for(book):
    os.mkfifo(book / "pipe.yaml")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(book / "socket.yaml"))
        assert told(book) == [
            f"{name}.yaml:1:1: the file is not a regular file. remove it from the book."
            for name in ("pipe", "socket")
        ]


def test_a_file_that_becomes_a_pipe_between_two_looks_is_not_waited_for(book, monkeypatch):
    seen = (book / "book.yaml").lstat()
    (book / "book.yaml").unlink()
    os.mkfifo(book / "book.yaml")
    lstat = Path.lstat
    monkeypatch.setattr(Path, "lstat", lambda at: seen if at.name == "book.yaml" else lstat(at))
    assert told(book) == ["book.yaml:1:1: the file is not a regular file. remove it from the book."]


def test_links_that_go_in_a_circle_are_refused(book):
    (book / "one.yaml").symlink_to("two.yaml")
    (book / "two.yaml").symlink_to("one.yaml")
    (book / "round").symlink_to(".")
    assert told(book) == [
        "one.yaml:1:1: the file cannot be read: Too many levels of symbolic links. make it "
        "readable for this user, or remove it.",
        "round:1:1: the file is a symbolic link to a folder. copy the folder here.",
        "two.yaml:1:1: the file cannot be read: Too many levels of symbolic links. make it "
        "readable for this user, or remove it.",
    ]


def test_what_this_user_may_not_read_is_named(book, monkeypatch):
    def denied(call):
        def guarded(at, *args):
            if str(at).endswith(("/book.yaml", "/runbooks")):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return call(at, *args)

        return guarded

    monkeypatch.setattr(os, "open", denied(os.open))
    monkeypatch.setattr(os, "scandir", denied(os.scandir))
    assert told(book) == [
        "book.yaml:1:1: the file cannot be read: Permission denied. make it readable for this "
        "user, or remove it.",
        "runbooks:1:1: the folder cannot be read: Permission denied. make it readable for this "
        "user.",
    ]


def test_names_that_are_one_file_on_other_machines_are_refused(book):
    (book / "Book.yaml").write_text("x")
    (book / "runbooks" / unicodedata.normalize("NFC", "복구.md")).write_text("x")
    (book / "runbooks" / unicodedata.normalize("NFD", "복구.md")).write_text("x")
    if len(list(book.rglob("*복구*")) + list(book.glob("?ook.yaml"))) < 3:
        return  # this machine is one of those
    found = told(book)
    assert found[0] == (
        "book.yaml:1:1: the file has the name of Book.yaml but for case or accents. rename one of "
        "the two: on many machines they are one file."
    )
    assert len(found) == 2


def test_a_name_with_a_line_break_is_refused_and_told_on_one_line(book):
    (book / "a\nb.yaml").write_text("x")
    assert told(book) == [
        "a\\nb.yaml:1:1: the file has a name with a control character. rename it."
    ]


def test_folders_without_end_are_refused(book):
    deep = book / "/".join(f"{n}" for n in range(folder.MAX_DEPTH + 2))
    deep.mkdir(parents=True)
    (deep / "x.yaml").write_text("x")
    assert "the folder is more than 20 folders deep. move it up." in told(book)[0]


def test_a_folder_of_far_too_many_files_is_refused_and_not_read(book):
    for n in range(folder.MAX_FILES + 1):
        os.close(os.open(book / "files" / f"{n}", os.O_CREAT)) if n else (book / "files").mkdir()
    for n in range(5):
        (book / f"extra-{n}.yaml").write_text("x")
    assert "the book has more than 10,000 files. is this the right folder?" in told(book)[0]


def test_a_file_that_changes_while_it_is_read_is_not_taken(book, monkeypatch):
    read = os.read

    def slowly(handle, length):
        content = read(handle, length)
        if content.startswith(b"# What is looked at"):
            with (book / "checks.yaml").open("a") as file:
                file.write("# more\n")
        return content

    monkeypatch.setattr(os, "read", slowly)
    assert told(book) == [
        "checks.yaml:1:1: the file has changed while it was read. try again when it is saved."
    ]


def test_a_file_that_is_gone_again_is_named(book, monkeypatch):
    monkeypatch.setattr(folder, "_walk", lambda root, problems: walked)
    walked = [(entry, entry.name) for entry in os.scandir(book) if entry.name == "book.yaml"]
    (book / "book.yaml").unlink()
    assert told(book)[0].startswith("book.yaml:1:1: the file cannot be read: No such file")


def test_a_signature_changes_with_whatever_is_done_to_the_folder(book):
    first = files.signature(book)
    assert files.signature(book) == first
    assert [name for name, *_ in first.entries] == sorted(read_folder(book))
    changes = [
        lambda: (book / "book.yaml").write_text((book / "book.yaml").read_text() + "#"),
        lambda: (book / "new.yaml").write_text(""),
        lambda: (book / "new.yaml").rename(book / "newer.yaml"),
        lambda: os.utime(book / "book.yaml", ns=(1, 1)),
        (book / "newer.yaml").unlink,
        lambda: (
            shutil.copy(book / "book.yaml", book / ".book.yaml.swp")
            and (book / ".book.yaml.swp").replace(book / "book.yaml")
        ),
        lambda: (book / "link.yaml").symlink_to("nowhere"),
    ]
    for change in changes:
        before = files.signature(book)
        change()
        assert files.signature(book) != before
    (book / ".hidden").write_text("x")
    assert files.signature(book) == files.signature(book)
    assert files.signature(book / "nowhere") == files.Signature()


def test_a_folder_is_settled_when_two_looks_agree_and_there_is_something():
    empty, one = files.Signature(), files.Signature((("book.yaml", 5, 1, 1, 1),))
    longer = files.Signature((("book.yaml", 9, 2, 2, 1),))
    assert files.settled(one, one)
    assert not files.settled(one, longer)
    assert not files.settled(empty, empty)


def test_what_is_read_is_what_was_seen_or_nothing(book, monkeypatch):
    seen = files.signature(book)
    assert files.read_as_seen(book, seen) == read_folder(book)
    (book / "checks.yaml").write_text("checks:\n  dis")
    assert files.read_as_seen(book, seen) is None
    (book / "checks.yaml").unlink()
    (book / "checks.yaml").symlink_to("/etc/hostname")
    assert files.read_as_seen(book, seen) is None
    with pytest.raises(BookError, match="link out of the book"):
        files.read_as_seen(book, files.signature(book))


def test_a_large_file_is_refused(book, monkeypatch):
    with (book / "large.md").open("wb") as file:
        file.truncate(files.MAX_FILE + 1)
    assert told(book) == [
        "large.md:1:1: the file is larger than 5 MiB. keep large files out of the book."
    ]
    (book / "large.md").unlink()
    monkeypatch.setattr(folder, "MAX_BOOK", 100)
    assert "the book is larger than" in told(book)[0]
    monkeypatch.setattr(folder, "MAX_FILES", 3)
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
