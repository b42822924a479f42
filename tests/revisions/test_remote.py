"""A book that is followed in a git remote."""

import shutil
from pathlib import Path

import pytest

from opsbook.base.errors import StartError
from opsbook.revisions.errors import InvalidAddress
from tests.revisions.making import (
    BOOK,
    CHECKS,
    FILES,
    LOOSER,
    MINUTE,
    SECOND,
    House,
    Origin,
    git,
)

LINE = CHECKS.replace("Queue", "Line")
PAST = 65 * SECOND


async def test_what_is_pushed_runs_within_a_minute_with_its_commit_and_author(
    remote: House, origin: Origin
) -> None:
    lead = await remote.person("lead")
    commit = origin.push({"checks.yaml": LINE}, who="lead")
    await remote.app.wind(PAST)
    assert remote.running("checks.yaml") == LINE
    last = (await remote.history())[0]
    assert last["origin"] == f"git:{commit}"
    assert last["author"] == f"account:{lead.account_id}"
    stranger = origin.push({"checks.yaml": CHECKS}, who="stranger")
    await remote.app.wind(PAST)
    last = (await remote.history())[0]
    assert last["origin"] == f"git:{stranger}"
    assert last["author"] == "stranger <stranger@example.org>"


async def test_a_book_may_lie_in_a_folder_of_a_branch(tmp_path: Path) -> None:
    inside = {f"books/shop/{name}": text for name, text in FILES.items()}
    origin = Origin.make(tmp_path / "git", {**inside, "README.md": "no book", "x.yaml": "a: ["})
    git(origin.clone, "push", "--quiet", "origin", "HEAD:refs/heads/live/eu")
    house = House(tmp_path / "data", (f"{origin.url}#live/eu:books/shop",))
    await house.up()
    assert house.running() == BOOK
    await house.down()


async def test_a_broken_commit_leaves_the_good_one_running(remote: House, origin: Origin) -> None:
    origin.push({"checks.yaml": CHECKS.replace("file", "fiel")})
    await remote.app.wind(PAST)
    trouble = remote.app.library.trouble("shop")
    assert trouble is not None
    assert trouble.kind == "broken"
    assert trouble.problems[0].file == "checks.yaml"
    await remote.app.wind(3 * MINUTE)
    assert len(await remote.entries("book.source_trouble")) == 1
    origin.push({"checks.yaml": LINE})
    await remote.app.wind(PAST)
    assert remote.app.library.trouble("shop") is None
    assert remote.running("checks.yaml") == LINE


async def test_a_remote_that_is_gone_is_told_of_once_and_followed_when_it_is_back(
    remote: House, origin: Origin
) -> None:
    away = origin.bare.with_name("away.git")
    origin.bare.rename(away)
    await remote.app.wind(5 * MINUTE)
    trouble = remote.app.library.trouble("shop")
    assert trouble is not None
    assert trouble.kind == "gone"
    assert remote.running() == BOOK
    assert len(await remote.entries("book.source_trouble")) == 1
    away.rename(origin.bare)
    commit = origin.push({"checks.yaml": LINE})
    await remote.app.wind(PAST)
    assert remote.app.library.trouble("shop") is None
    assert (await remote.history())[0]["origin"] == f"git:{commit}"
    assert len(await remote.entries("book.source_well")) == 1


async def test_a_remote_that_is_gone_at_the_start_runs_from_the_database(
    remote: House, origin: Origin
) -> None:
    await remote.down()
    origin.bare.rename(origin.bare.with_name("away.git"))
    await remote.up()
    assert remote.running() == BOOK
    trouble = remote.app.library.trouble("shop")
    assert trouble is not None
    assert trouble.kind == "gone"


async def test_an_empty_remote_starts_nothing_and_says_so(tmp_path: Path) -> None:
    origin = Origin.make(tmp_path / "git", {})
    with pytest.raises(StartError, match="no commits yet") as told:
        await House(tmp_path / "data", (origin.url,)).up()
    assert "Push the book" in told.value.remedy


async def test_a_branch_that_vanishes_is_trouble_and_no_end(remote: House, origin: Origin) -> None:
    git(origin.bare, "update-ref", "-d", "refs/heads/main")
    await remote.app.wind(PAST)
    trouble = remote.app.library.trouble("shop")
    assert trouble is not None
    assert trouble.kind == "empty"
    assert remote.running() == BOOK


async def test_a_rewritten_branch_waits_for_somebody(remote: House, origin: Origin) -> None:
    origin.push({"checks.yaml": LINE})
    await remote.app.wind(PAST)
    git(origin.clone, "reset", "--quiet", "--hard", "HEAD~1")
    origin.push({"book.yaml": BOOK.replace("title: Shop", "title: Store")}, "stranger", "--force")
    await remote.app.wind(PAST)
    assert remote.running("checks.yaml") == LINE
    trouble = remote.app.library.trouble("shop")
    assert trouble is not None
    assert trouble.kind == "rewritten"
    await remote.app.wind(3 * MINUTE)
    (asked,) = await remote.approvals()
    await remote.vote(asked["id"], "deputy")
    await remote.app.wind(PAST)
    assert "Store" in remote.running()
    assert remote.app.library.trouble("shop") is None
    origin.push({"checks.yaml": LINE})
    await remote.app.wind(PAST)
    assert remote.running("checks.yaml") == LINE
    assert len(await remote.approvals()) == 1


async def test_a_clone_that_is_lost_or_broken_is_made_again(
    remote: House, origin: Origin, tmp_path: Path
) -> None:
    clones = tmp_path / "data" / "clones"
    (clone,) = clones.iterdir()
    await remote.down()
    for damage in (lambda: shutil.rmtree(clone), lambda: (clone / "HEAD").write_text("?"),
                   lambda: (clone / "config.lock").write_text("")):  # fmt: skip
        damage()
        await remote.up()
        assert remote.app.library.trouble("shop") is None
        await remote.down()
    await remote.up()
    origin.push({"checks.yaml": LINE})
    await remote.app.wind(PAST)
    assert remote.running("checks.yaml") == LINE


async def test_links_in_a_commit_lead_nowhere_outside(remote: House, origin: Origin) -> None:
    (origin.clone / "files").mkdir()
    (origin.clone / "files" / "passwd").symlink_to("/etc/passwd")
    (origin.clone / "files" / "same").symlink_to("../checks.yaml")
    origin.push({})
    await remote.app.wind(PAST)
    trouble = remote.app.library.trouble("shop")
    assert trouble is not None
    assert [one.file for one in trouble.problems] == ["files/passwd"]
    (origin.clone / "files" / "passwd").unlink()
    origin.push({})
    await remote.app.wind(PAST)
    assert remote.running("files/same") == CHECKS


async def test_a_hook_of_a_repository_is_never_run(
    remote: House, origin: Origin, tmp_path: Path
) -> None:
    (clone,) = (tmp_path / "data" / "clones").iterdir()
    (clone / "hooks").mkdir(exist_ok=True)
    for name in ("reference-transaction", "post-checkout", "post-update"):
        (clone / "hooks" / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (clone / "hooks" / name).chmod(0o755)
    origin.push({"checks.yaml": LINE})
    await remote.app.wind(PAST)
    assert remote.running("checks.yaml") == LINE
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "address", ["ext::sh -c true", "http://host/x.git", "git://host/x", "https://host/x#../y",
                "https://host/x#main:../up"],
)  # fmt: skip
async def test_what_runs_programs_or_is_not_encrypted_is_no_address(
    tmp_path: Path, address: str
) -> None:
    with pytest.raises(InvalidAddress):
        await House(tmp_path / "data", (address,)).up()


async def test_loosening_in_git_is_held_while_later_commits_still_count(
    remote: House, origin: Origin
) -> None:
    origin.push({"book.yaml": LOOSER})
    await remote.app.wind(PAST)
    assert remote.app.library.held("shop") is not None
    origin.push({"book.yaml": BOOK, "checks.yaml": LINE})
    await remote.app.wind(PAST)
    assert remote.app.library.held("shop") is None
    assert remote.running("checks.yaml") == LINE
