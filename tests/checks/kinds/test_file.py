import os
from datetime import datetime
from pathlib import Path

import pytest

from opsbook.book import BookError
from opsbook.checks import own
from opsbook.checks.kinds import file
from opsbook.checks.model import CannotLook
from tests.checks.making import Looking


def aged(path: Path, now: datetime, seconds: float) -> str:
    path.write_bytes(b"x" * 2048)
    moment = now.timestamp() - seconds
    os.utime(path, (moment, moment))
    return str(path)


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


# ---- several files -------------------------------------------------------------------------------


async def test_of_the_files_that_match_the_newest_counts(
    looking: Looking, now: datetime, tmp_path: Path
) -> None:
    for days in (3, 1, 2):
        aged(tmp_path / f"shop-{days}.dump", now, days * 86400)
    aged(tmp_path / "other.log", now, 0)
    (tmp_path / "shop-folder.dump").mkdir()
    fields = {"kind": "file", "glob": f"{tmp_path}/shop-*.dump"}
    seen = await looking.look("age", bands={"warning": "> 26h"}, **fields)
    assert (seen.state, seen.value, seen.unit) == ("ok", 86400.0, "s")
    assert seen.message == "3 files, the newest shop-1.dump, last changed 2026-03-02 09:00:00 UTC"
    seen = await looking.look("size", measure="size", bands={"critical": "< 1KiB"}, **fields)
    assert (seen.state, seen.value, seen.unit) == ("ok", 2048.0, "bytes")
    seen = await looking.look("count", measure="count", bands={"critical": "< 7"}, **fields)
    assert (seen.state, seen.value, seen.unit) == ("critical", 3.0, "")


async def test_no_file_at_all_is_none_and_has_no_age(looking: Looking, tmp_path: Path) -> None:
    fields = {"kind": "file", "glob": f"{tmp_path}/*.dump"}
    seen = await looking.look("count", measure="count", bands={"critical": "< 1"}, **fields)
    assert (seen.state, seen.value) == ("critical", 0.0)
    seen = await looking.look("age", **fields)
    assert (seen.state, seen.message) == ("nodata", f"no file matches {tmp_path}/*.dump")


async def test_too_many_files_to_look_at_in_time_are_missing_data(
    looking: Looking, tmp_path: Path
) -> None:
    (tmp_path / "one").touch()
    spec = file.File(glob=f"{tmp_path}/*", measure="count")
    with pytest.raises(CannotLook, match="more files match"):
        file.measured(spec, looking.clock.now(), None, until=0.0)


# ---- what a file says ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "state", "told"),
    [
        ({"contains": "완료"}, "ok", "last changed"),
        ({"contains": "failed"}, "critical", "does not contain 'failed'"),
        ({"lacks": "failed"}, "ok", "last changed"),
        ({"lacks": "완료"}, "critical", "contains '완료'"),
        ({"matches": "^rows: [0-9,]+$"}, "ok", "last changed"),
        ({"matches": "^ROWS"}, "critical", "does not match '^ROWS'"),
        ({"matches": "(?i)^ROWS", "lacks": "완료"}, "critical", "contains '완료'"),
        ({"number": "rows: ([0-9,]+)", "bands": {"critical": "< 2000"}}, "critical", "read from"),
        ({"number": "rows: ([0-9,]+)", "lacks": "error"}, "ok", "read from"),
        ({"number": "pages: ([0-9]+)"}, "critical", "no number was found"),
    ],
)
async def test_what_a_file_says_can_be_asked(
    looking: Looking, tmp_path: Path, fields: dict[str, object], state: str, told: str
) -> None:
    (tmp_path / "report").write_bytes("backup 완료\nrows: 1,204\n".encode() + b"\xff")
    seen = await looking.look(kind="file", path=f"{tmp_path}/report", **fields)
    assert seen.state == state
    assert told in seen.message
    if "number" in fields and told == "read from":
        assert (seen.value, seen.unit) == (1204.0, "")


async def test_a_number_has_the_unit_that_the_book_says(looking: Looking, tmp_path: Path) -> None:
    (tmp_path / "temp").write_text("temperature 71.5\n")
    seen = await looking.look(
        kind="file", path=f"{tmp_path}/temp", number=r"temperature ([\d.]+)", unit="%",
        bands={"warning": "> 70%"},
    )  # fmt: skip
    assert (seen.state, seen.value, seen.unit) == ("warning", 71.5, "%")


async def test_only_the_beginning_of_a_large_file_is_read_and_that_is_said(
    looking: Looking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "MOST_BYTES", 1024)
    (tmp_path / "large").write_bytes(b"x" * 2000 + b"end")
    seen = await looking.look(kind="file", path=f"{tmp_path}/large", contains="end")
    assert seen.state == "critical"
    assert seen.message.endswith("(its first 1 KiB were read)")


async def test_a_pipe_holds_nobody_up(looking: Looking, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    seen = await looking.look(kind="file", path=f"{tmp_path}/pipe", contains="x")
    assert (seen.state, seen.message) == ("nodata", f"{tmp_path}/pipe is no regular file")


async def test_no_check_reads_the_servers_own_secrets(
    looking: Looking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "data_of", lambda context: tmp_path)
    (tmp_path / "seal.key").write_text("a secret")
    (tmp_path / "opsbook.log").write_text("a line")
    (tmp_path / "work" / "shop").mkdir(parents=True)
    (tmp_path / "work" / "shop" / "state").write_text("a state")
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.symlink_to(tmp_path / "seal.key")
    for path in (tmp_path / "seal.key", link, f"/proc/{os.getpid()}/environ", "/proc/self/status"):
        seen = await looking.look(kind="file", path=str(path), contains="a secret")
        assert seen.state == "nodata"
        assert seen.message == f"{path} is this server's own, and is not read for checks"
    for path in (tmp_path / "opsbook.log", tmp_path / "work" / "shop" / "state"):
        assert (await looking.look(kind="file", path=str(path), contains="a ")).state == "ok"
    assert (await looking.look(kind="file", path="/proc/loadavg", lacks="secret")).state == "ok"
    link.unlink()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "looks at a path or at a glob"),
        ({"path": "/a", "glob": "/b"}, "looks at a path or at a glob"),
        ({"path": "/a", "measure": "count"}, "a single file is not counted"),
        ({"path": "/a", "measure": "number"}, "belong together"),
        ({"path": "/a", "measure": "age", "number": "([0-9])"}, "belong together"),
        ({"path": "/a", "number": "[0-9]+"}, "has 0 groups"),
        ({"path": "/a", "number": "([0-9])([0-9])"}, "has 2 groups"),
        ({"path": "/a", "matches": "(a"}, "no regular expression of RE2"),
        ({"path": "/a", "matches": r"\b오류\b"}, "would find nothing beside letters"),
        ({"glob": "/a/**/b"}, "would walk through everything"),
    ],
)
async def test_a_book_must_say_what_fits_together(
    looking: Looking, fields: dict[str, object], told: str
) -> None:
    with pytest.raises(BookError, match=told):
        await looking.look(kind="file", **fields)
