"""`opsbook fmt` as people use it: what it changes, what it says, and how it ends."""

import pytest

from tests.support.front_door import call


@pytest.fixture
def book(tmp_path):
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "book.yaml").write_text("a:   1\r\nb:\r\n- 1\r\n")
    (tmp_path / "fine.yaml").write_text("a: 1\n")
    (tmp_path / "runbooks" / "x.md").write_text("# T   \n")
    return tmp_path


def test_it_lays_out_the_book_and_a_second_time_nothing_is_left_to_do(book):
    first = call("fmt", cwd=book)
    assert (first.status, first.err) == (0, "")
    assert first.out.splitlines() == [
        "laid out book.yaml",
        "laid out runbooks/x.md",
        "2 files laid out, 1 file fine as they were.",
    ]
    assert (book / "book.yaml").read_bytes() == b"a: 1\nb:\n  - 1\n"
    assert call("fmt", book, "--check").status == 0


def test_check_and_diff_change_nothing(book):
    before = (book / "book.yaml").read_bytes()
    check = call("fmt", "--check", book)
    assert check.status == 1
    assert f"would lay out {book}/book.yaml" in check.out
    diff = call("fmt", "--diff", book)
    assert diff.status == 0
    assert "-- 1\n+  - 1\n" in diff.out
    assert (book / "book.yaml").read_bytes() == before


def test_a_difference_that_no_line_shows_is_said_in_words(book):
    (book / "book.yaml").write_bytes(b"a: 1\r\n")
    assert "only the ends of lines" in call("fmt", "--diff", book / "book.yaml").out


def test_what_cannot_be_read_is_named_and_left_and_the_rest_is_laid_out(book):
    (book / "bad.yaml").write_text("a:   [\n")
    (book / "runbooks" / "open.md").write_text("# T\n```bash\nls   \n")
    answer = call("fmt", book)
    assert answer.status == 1
    assert f"{book}/bad.yaml:" in answer.err
    assert f"{book}/runbooks/open.md:2:1: this code fence is not closed." in answer.err
    assert (book / "bad.yaml").read_text() == "a:   [\n"
    assert (book / "book.yaml").read_text() == "a: 1\nb:\n  - 1\n"


def test_the_answer_for_scripts_has_every_file_and_every_problem(book):
    (book / "bad.yaml").write_text("a:   [\n")
    told = call("fmt", ".", "-o", "json", cwd=book).json
    assert {one["file"]: one["state"] for one in told["files"]} == {
        "bad.yaml": "left", "book.yaml": "changed", "fine.yaml": "fine",
        "runbooks/x.md": "changed",
    }  # fmt: skip
    assert [problem["file"] for problem in told["problems"]] == ["bad.yaml"]


def test_a_path_that_is_not_there_is_a_misuse(book):
    answer = call("fmt", book / "nope")
    assert answer.status == 2
    assert "No such file" in answer.err


def test_a_file_named_twice_is_laid_out_once(book):
    assert "1 file laid out" in call("fmt", "book.yaml", "./book.yaml", cwd=book).out


def test_a_folder_with_nothing_to_lay_out_says_so(tmp_path):
    assert "Nothing to lay out" in call("fmt", tmp_path).out
