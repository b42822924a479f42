import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from opsbook.checks.kinds import log
from opsbook.checks.kinds.log import matching_lines
from opsbook.checks.model import Observation
from opsbook.checks.patterns import compiled
from tests.checks.making import Looking

ERRORS = r"(?i)\berror\b"


class Following:
    """A log that is written to and looked at, a minute between looks."""

    def __init__(self, looking: Looking, file: Path, **fields: Any) -> None:
        self.looking = looking
        self.file = file
        self.fields = {
            "kind": "log",
            "path": str(file),
            "pattern": ERRORS,
            "window": "5m",
            **fields,
        }

    async def look(self, text: str | bytes = b"", minutes: float = 1) -> Observation:
        if text:
            with self.file.open("ab") as file:
                file.write(text.encode() if isinstance(text, str) else text)
        self.looking.clock.advance(timedelta(minutes=minutes))
        fields, self.fields = self.fields, {}
        return await self.looking.look("log", **fields)


@pytest.fixture
def following(looking: Looking, tmp_path: Path) -> Following:
    file = tmp_path / "app.log"
    file.write_text("ERROR long ago\n")
    return Following(looking, file)


async def test_counting_begins_at_the_end_and_counts_what_is_appended(following: Following) -> None:
    seen = await following.look()
    assert (seen.state, seen.value, seen.unit) == ("ok", 0.0, "")
    assert seen.message == "0 lines matched since 09:01:00 UTC, when counting began"
    seen = await following.look("fine\nERROR one\nan error, another error\n")
    assert seen.value == 2.0
    assert (await following.look()).value == 2.0


async def test_lines_leave_the_window_as_it_moves_on(following: Following) -> None:
    await following.look()
    assert (await following.look("error\n")).value == 1.0
    assert (await following.look("error\n", minutes=3)).value == 2.0
    seen = await following.look(minutes=2)
    assert (seen.value, seen.message) == (1.0, "1 line matched")
    assert (await following.look(minutes=3)).value == 0.0


async def test_a_line_counts_once_it_is_whole(following: Following) -> None:
    await following.look()
    assert (await following.look("fine\nERR")).value == 0.0
    assert (await following.look("OR in two parts")).value == 0.0
    assert (await following.look("\n")).value == 1.0


async def test_rotation_loses_no_line_and_counts_none_twice(following: Following) -> None:
    await following.look()
    await following.look("error 1\n")
    with following.file.open("a") as file:
        file.write("error 2\nerror 3 without an end")
    following.file.rename(following.file.with_suffix(".1"))
    seen = await following.look("error 4\nfine\n")
    assert seen.value == 4.0
    assert (await following.look("error 5\n")).value == 5.0


async def test_a_gap_between_two_files_is_missing_data_and_loses_nothing(
    following: Following,
) -> None:
    await following.look()
    with following.file.open("a") as file:
        file.write("error 1\n")
    following.file.rename(following.file.with_suffix(".1"))
    seen = await following.look()
    assert (seen.state, seen.value) == ("nodata", None)
    assert "No such file" in seen.message
    assert (await following.look("error 2\n")).value == 2.0


async def test_a_truncated_file_is_read_from_its_beginning(following: Following) -> None:
    await following.look()
    await following.look("error 1\n" + "fine\n" * 10)
    following.file.write_text("")
    assert (await following.look("error 2\n")).value == 2.0


async def test_a_file_that_appears_later_is_new_from_its_first_line(
    looking: Looking, tmp_path: Path
) -> None:
    following = Following(looking, tmp_path / "later.log")
    assert (await following.look()).state == "nodata"
    assert (await following.look("error\n")).value == 1.0


async def test_what_is_no_file_holds_nobody_up(looking: Looking, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    seen = await Following(looking, tmp_path / "pipe").look()
    assert (seen.state, seen.message) == ("nodata", f"{tmp_path}/pipe is no regular file")


async def test_a_flood_is_read_only_so_far_and_that_is_said(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "MOST_BYTES", 1000)
    await following.look()
    seen = await following.look("error\n" * 1000)
    assert seen.value == pytest.approx(1000 / 6, abs=1)
    assert "5,000 bytes passed over" in seen.message


async def test_lines_longer_than_a_piece_and_bytes_that_are_no_text_are_survived(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "PIECE", 64)
    await following.look()
    seen = await following.look(b"x" * 1000 + b"\n\xff\xfe error \xff\n" + "오류 error\n".encode())
    assert seen.value == 2.0


@pytest.mark.parametrize(
    ("pattern", "text", "count"),
    [
        ("a", "a a a\nb\na\n", 2),
        ("^b", "ab\nb\nbb\n", 2),
        ("b$", "ab\nba\nb", 2),
        (r"a\s", "a\na\na\n", 3),
        (r"a\nb", "a\nb\na\nb\n", 2),
        ("x*", "a\n\nb\n", 3),
        ("[오류]", "오\n류\n가\n", 2),
        ("a", "", 0),
    ],
)
def test_a_line_is_counted_once_however_often_it_matches(
    pattern: str, text: str, count: int
) -> None:
    assert matching_lines(compiled(pattern, lines=True), text.encode()) == count


async def test_a_forgotten_file_is_closed(following: Following) -> None:
    await following.look()
    closing = following.looking.planned.pop("log").memory["follower"]._open.close
    while closing.alive:  # the thread that looked may hold it for a moment longer
        await asyncio.sleep(0.001)
