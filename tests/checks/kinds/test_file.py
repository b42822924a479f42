import os
from datetime import datetime
from pathlib import Path

import pytest

from opsbook.book import BookError
from tests.checks.making import Looking


def aged(file: Path, now: datetime, seconds: float) -> str:
    file.write_bytes(b"x" * 2048)
    moment = now.timestamp() - seconds
    os.utime(file, (moment, moment))
    return str(file)


async def test_the_age_is_counted_from_the_last_change(
    looking: Looking, now: datetime, tmp_path: Path
) -> None:
    path = aged(tmp_path / "backup.tar", now, 3 * 3600)
    seen = await looking.look(kind="file", path=path, bands={"warning": "> 2h"})
    assert (seen.state, seen.value, seen.unit) == ("warning", 10800.0, "s")
    assert seen.message == "last changed 2026-03-03 06:00:00 UTC"


async def test_the_size_is_counted_in_bytes(
    looking: Looking, now: datetime, tmp_path: Path
) -> None:
    path = aged(tmp_path / "backup.tar", now, 0)
    bands = {"critical": "< 4KiB"}
    seen = await looking.look(kind="file", path=path, measure="size", bands=bands)
    assert (seen.state, seen.value, seen.unit) == ("critical", 2048.0, "bytes")


async def test_a_missing_file_is_missing_data(looking: Looking, tmp_path: Path) -> None:
    seen = await looking.look(kind="file", path=f"{tmp_path}/none")
    assert (seen.state, seen.value) == ("nodata", None)
    assert seen.message == f"{tmp_path}/none: No such file or directory"


async def test_the_size_of_a_folder_and_an_age_below_zero_say_nothing(
    looking: Looking, now: datetime, tmp_path: Path
) -> None:
    seen = await looking.look(kind="file", path=str(tmp_path), measure="size")
    assert seen.state == "nodata"
    path = aged(tmp_path / "backup.tar", now, -3600)
    seen = await looking.look(kind="file", path=path)
    assert seen.state == "nodata"
    assert "in the future" in seen.message


async def test_a_path_must_say_from_where(looking: Looking) -> None:
    with pytest.raises(BookError, match="no absolute path"):
        await looking.look(kind="file", path="backup.tar")
