"""The reference says what the program does."""

import re
from pathlib import Path

import pytest

from opsbook.revisions import parse
from opsbook.revisions.address import FolderAddress, RemoteAddress
from opsbook.revisions.errors import InvalidAddress
from opsbook.revisions.tables import draft
from opsbook.settings import InvalidSetting, Settings, one_book

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "reference" / "revisions.md").read_text()
SOURCE = "".join(
    file.read_text() for file in (ROOT / "src" / "opsbook" / "revisions").rglob("*.py")
)


def rows(heading: str) -> list[str]:
    """The first cells of the table under a heading."""
    part = REFERENCE.split(f"## {heading}", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| (.*?) \|", part, re.MULTILINE)[2:]


def test_every_address_of_the_reference_is_read_as_it_says() -> None:
    read = [parse(one_book(cell.strip("`"))) for cell in rows("Where a book comes from")]
    folder, *remotes = read
    assert isinstance(folder, FolderAddress)
    assert all(isinstance(one, RemoteAddress) for one in remotes)
    parts = [(one.branch, one.subfolder) for one in remotes if isinstance(one, RemoteAddress)]
    assert parts == [("", ""), ("live", ""), ("main", "shop"), ("", "shop")]


@pytest.mark.parametrize("begin", ["ext::", "http://", "git://"])
def test_what_the_reference_calls_no_address_is_none(begin: str) -> None:
    assert f"`{begin}…`" in REFERENCE
    with pytest.raises(InvalidAddress):
        parse(one_book(f"{begin}host/x.git"))


def test_the_setting_of_the_reference_is_read() -> None:
    given = {"OPSBOOK_FETCH_EVERY": "5s", "HOME": "/tmp"}
    assert Settings.from_env(["x"], environ=given).fetch_every.total_seconds() == 5
    for wrong in ("4s", "5", "soon"):
        with pytest.raises(InvalidSetting, match="OPSBOOK_FETCH_EVERY"):
            Settings.from_env(["x"], environ={**given, "OPSBOOK_FETCH_EVERY": wrong})


def test_the_states_of_a_draft_are_those_of_the_reference() -> None:
    states = {cell.strip("`") for cell in rows("Editing in the web page")}
    assert {state for state in states if f'"{state}"' not in SOURCE} == set()
    assert "state" in draft.c


def test_the_entries_that_the_reference_names_are_written() -> None:
    named = re.findall(r"`(book\.[a-z_]+)`", REFERENCE)
    assert named
    assert {one for one in named if f'"{one}"' not in SOURCE} == set()


def test_a_password_in_an_address_is_never_shown() -> None:
    for who in ("robot:s3cret", "s3cret", ":s3cret"):
        address = parse(f"https://{who}@host/books.git#main")
        assert isinstance(address, RemoteAddress)
        assert "s3cret" not in address.key
        assert "s3cret" in address.url
    plain = parse("ssh://git@host/books.git")
    assert plain.key == "ssh://git@host/books.git"
