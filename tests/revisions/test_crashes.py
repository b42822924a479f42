"""kill -9 at every moment of an edit's way, then a start: nothing is lost, nothing is twice."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.revisions import dying_editor
from tests.revisions.dying_editor import EDIT
from tests.revisions.making import CHECKS, MINUTE, SECOND, House, Origin, git, write

PROGRAM = Path(dying_editor.__file__)


def dies(moment: str, data: Path, book: str) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), moment, str(data), book], check=False, timeout=100,
        capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROGRAM.parents[2]), *sys.path])},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]


async def published(house: House, database_id: int = 1) -> None:
    """The edit runs, once, as its editor's."""
    for name, text in EDIT.items():
        assert house.running(name) == text
    rows = await house.history()
    editor = await house.person("editor")
    assert [row["author"] for row in rows] == [editor.actor, rows[1]["author"]]
    assert rows[0]["origin"] == f"edit:{database_id}"
    assert (await house.state(database_id))["state"] == "published"
    assert len(await house.entries("book.published")) == 2


@pytest.mark.parametrize(
    "moment", ["before_any_file", "between_two_files", "before_it_is_published",
               "before_it_is_remembered", "after_the_intent"],
)  # fmt: skip
async def test_in_a_folder(tmp_path: Path, folder: Path, moment: str) -> None:
    dies(moment, tmp_path / "data", str(folder))
    house = House(tmp_path / "data", (folder,))
    await house.up()
    await published(house)
    for name, text in EDIT.items():
        assert (folder / name).read_text() == text
    await house.app.wind(5 * SECOND)
    await published(house)
    await house.down()


@pytest.mark.parametrize("moment", ["between_two_files", "before_the_commit"])
async def test_in_a_checkout(tmp_path: Path, folder: Path, moment: str) -> None:
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "first")
    dies(moment, tmp_path / "data", str(folder))
    house = House(tmp_path / "data", (folder,))
    await house.up()
    await published(house)
    assert git(folder, "log", "--format=%an %s").split("\n") == ["Editor both", "operator first"]
    assert git(folder, "status", "--porcelain") == ""
    await house.down()


async def test_after_the_push(tmp_path: Path, origin: Origin) -> None:
    dies("after_the_push", tmp_path / "data", origin.url)
    house = House(tmp_path / "data", (origin.url,))
    await house.up()
    await published(house)
    await house.down()


async def test_before_the_push_the_edit_is_its_editors_again(
    tmp_path: Path, origin: Origin
) -> None:
    dies("before_the_push", tmp_path / "data", origin.url)
    house = House(tmp_path / "data", (origin.url,))
    await house.up()
    assert house.running("checks.yaml") == CHECKS
    row = await house.state(1)
    assert row["files"].keys() == EDIT.keys()
    assert row["state"] in {"open", "conflict"}
    await house.publish(1, "editor", "both")
    await published(house)
    await house.down()


async def test_after_the_push_with_the_remote_gone_at_the_start(
    tmp_path: Path, origin: Origin
) -> None:
    dies("after_the_push", tmp_path / "data", origin.url)
    away = origin.bare.with_name("away.git")
    origin.bare.rename(away)
    house = House(tmp_path / "data", (origin.url,))
    await house.up()
    assert house.running("checks.yaml") == CHECKS
    assert (await house.state(1))["state"] == "writing"
    away.rename(origin.bare)
    await house.app.wind(2 * MINUTE)
    await published(house)
    await house.down()


async def test_somebody_who_saved_between_the_crash_and_the_start_is_not_overwritten(
    tmp_path: Path, folder: Path
) -> None:
    dies("between_two_files", tmp_path / "data", str(folder))
    theirs = EDIT["runbooks/deploy.md"].replace("done", "theirs")
    write(folder, {"runbooks/deploy.md": theirs})
    house = House(tmp_path / "data", (folder,))
    await house.up()
    assert (folder / "runbooks" / "deploy.md").read_text() == theirs
    row = await house.state(1)
    assert row["state"] == "conflict"
    assert row["files"]["runbooks/deploy.md"]["text"] == EDIT["runbooks/deploy.md"]
    await house.down()
