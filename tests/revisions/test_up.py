"""`opsbook up` of a book that changes, as people run it."""

import json
from pathlib import Path

from tests.revisions.making import Origin, write
from tests.support.front_door import call, start
from tests.support.shopbook import write_shop


def test_a_broken_folder_that_ran_before_starts_and_says_plainly_what_is_wrong(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o755)
    book, data = write_shop(tmp_path), tmp_path / "data"
    server = start(book, data=data)
    assert server.stop() == 0
    good = (book / "book.yaml").read_text()
    (book / "book.yaml").write_text(good.replace("kind: file", "kind: fiel"))
    again = start(book, data=data, form="table")
    said = "".join(again.lines)
    assert "goes on from the database" in said
    assert "there is no kind 'fiel'" in said
    assert again.stop() == 0
    alone = call("up", book, "--data", tmp_path / "other")
    assert alone.status == 2
    assert "nothing was started" in alone.err


def test_a_git_remote_is_run_by_its_address(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    book = write_shop(tmp_path)
    files = {
        f"shop/{file.relative_to(book)}": file.read_text()
        for file in book.rglob("*") if file.is_file()
    }  # fmt: skip
    origin = Origin.make(tmp_path / "git", files)
    server = start(f"{origin.url}#main:shop", data=tmp_path / "data")
    assert server.started["books"][0]["id"] == "shop"
    entry = json.loads(server.until('"book.published"'))
    assert entry["data"]["origin"].startswith("git:")
    assert server.stop() == 0
    write(origin.clone, {})
    wrong = call("up", f"{origin.url}#nowhere", "--data", tmp_path / "other")
    assert wrong.status == 2
    assert "no branch 'nowhere'" in wrong.err
