"""Editing a book in the web page, from the draft to its source and back."""

import asyncio
import stat
from pathlib import Path

import pytest

from opsbook.base.errors import Invalid, Refused
from opsbook.book import BookError
from opsbook.revisions import drafts
from opsbook.revisions.errors import (
    DraftClosed,
    DraftConflict,
    NotWritten,
    SourceBusy,
    WasRejected,
)
from opsbook.revisions.model import digest_of
from tests.revisions.making import (
    BOOK,
    CHECKS,
    DEPLOY,
    LOOSER,
    MINUTE,
    SECOND,
    House,
    Origin,
    git,
    write,
)

LINE = CHECKS.replace("Queue", "Line")
STORE = BOOK.replace("title: Shop", "title: Store")
SOON = DEPLOY.replace("echo applied", "echo done")


async def test_an_edit_is_written_to_the_folder_and_runs_as_its_editors(
    both: House, folder: Path
) -> None:
    (folder / "checks.yaml").chmod(0o640)
    number = await both.draft("editor", {"checks.yaml": LINE, "files/new.sh": "echo\n"})
    checked = await drafts.check(both.app.revisions, number, both.app.clock.now())
    assert checked.problems == ()
    assert any("queue" in str(change) for change in checked.plan.changes)
    done = await both.publish(number, "editor", "the queue is a line")
    assert not done.waits
    assert (folder / "checks.yaml").read_text() == LINE
    assert stat.S_IMODE((folder / "checks.yaml").stat().st_mode) == 0o640
    assert (folder / "files" / "new.sh").read_text() == "echo\n"
    assert both.running("checks.yaml") == LINE
    editor = await both.person("editor")
    last = (await both.history())[0]
    assert (last["author"], last["origin"]) == (editor.actor, f"edit:{number}")
    told = (await both.entries("book.published"))[-1]
    assert told["actor"] == editor.actor
    await both.app.wind(5 * SECOND)
    assert len(await both.history()) == 2
    assert (await both.state(number))["state"] == "published"
    assert sorted(one.name for one in folder.iterdir()) == [
        "book.yaml", "checks.yaml", "files", "runbooks",
    ]  # fmt: skip


async def test_an_edit_may_remove_a_file(house: House, folder: Path) -> None:
    number = await house.draft("editor", {"checks.yaml": None})
    await house.publish(number, "editor")
    assert not (folder / "checks.yaml").exists()
    assert not house.app.library.current("shop").checks


async def test_two_who_edit_different_files_both_get_through(both: House, folder: Path) -> None:
    first = await both.draft("lead", {"checks.yaml": LINE})
    second = await both.draft("editor", {"runbooks/deploy.md": SOON})
    await both.publish(first, "lead")
    await both.publish(second, "editor")
    assert both.running("checks.yaml") == LINE
    assert both.running("runbooks/deploy.md") == SOON
    assert (folder / "checks.yaml").read_text() == LINE
    assert (folder / "runbooks" / "deploy.md").read_text() == SOON


async def test_the_second_to_publish_the_same_file_is_told_who_was_first(both: House) -> None:
    first = await both.draft("lead", {"checks.yaml": LINE})
    second = await both.draft("editor", {"checks.yaml": CHECKS.replace("Queue", "Row")})
    done = await both.publish(first, "lead")
    with pytest.raises(DraftConflict) as told:
        await both.publish(second, "editor")
    lead = await both.person("lead")
    (clash,) = told.value.details["files"]
    assert (clash["path"], clash["author"], clash["revision"]) == (
        "checks.yaml", lead.actor, done.revision,
    )  # fmt: skip
    assert both.running("checks.yaml") == LINE
    row = await both.state(second)
    assert row["state"] == "conflict"
    assert row["files"]["checks.yaml"]["text"].count("Row") == 1


async def test_a_conflict_is_resolved_by_reading_theirs(house: House) -> None:
    first = await house.draft("lead", {"checks.yaml": LINE})
    second = await house.draft("editor", {"checks.yaml": CHECKS.replace("10m", "5m")})
    await house.publish(first, "lead")
    with pytest.raises(DraftConflict):
        await house.publish(second, "editor")
    app, who = house.app, await house.person("editor")
    now, running = app.clock.now(), app.library.current("shop")
    unseen = {"checks.yaml": digest_of(CHECKS)}
    with pytest.raises(DraftConflict):
        await app.database.write(lambda tx: drafts.renew(tx, now, second, who, running, unseen))
    seen = {"checks.yaml": digest_of(LINE)}
    await app.database.write(lambda tx: drafts.renew(tx, now, second, who, running, seen))
    await house.change(second, "editor", {"checks.yaml": LINE.replace("10m", "5m")})
    await house.publish(second, "editor")
    assert "Line" in house.running("checks.yaml")
    assert "5m" in house.running("checks.yaml")


async def test_of_two_who_publish_the_same_file_at_once_one_gets_through(both: House) -> None:
    texts = {login: CHECKS.replace("Queue", f"Queue of {login}") for login in ("lead", "editor")}
    numbers = {login: await both.draft(login, {"checks.yaml": text})
               for login, text in texts.items()}  # fmt: skip
    found = await asyncio.gather(
        *(both.publish(number, login) for login, number in numbers.items()),
        return_exceptions=True,
    )
    assert [type(one).__name__ for one in found] == ["Published", "DraftConflict"]
    assert both.running("checks.yaml") == texts["lead"]


async def test_of_two_who_publish_different_files_at_once_both_get_through(
    both: House, folder: Path
) -> None:
    first = await both.draft("lead", {"checks.yaml": LINE})
    second = await both.draft("editor", {"runbooks/deploy.md": SOON})
    await asyncio.gather(both.publish(first, "lead"), both.publish(second, "editor"))
    assert both.running("checks.yaml") == LINE
    assert both.running("runbooks/deploy.md") == SOON
    assert len(await both.history()) == 3


async def test_somebody_who_saves_in_the_folder_meanwhile_is_not_overwritten(
    house: House, folder: Path
) -> None:
    number = await house.draft("editor", {"checks.yaml": LINE})
    theirs = CHECKS.replace("Queue", "Theirs")
    write(folder, {"checks.yaml": theirs})
    with pytest.raises(DraftConflict, match=r"checks\.yaml"):
        await house.publish(number, "editor")
    assert (folder / "checks.yaml").read_text() == theirs
    assert house.running("checks.yaml") == theirs


async def test_an_edit_is_not_put_on_top_of_what_does_not_run(house: House, folder: Path) -> None:
    number = await house.draft("editor", {"checks.yaml": LINE})
    write(folder, {"book.yaml": "id: ["})
    await house.app.wind(3 * SECOND)
    with pytest.raises(SourceBusy, match="problem"):
        await house.publish(number, "editor")
    write(folder, {"book.yaml": LOOSER})
    await house.app.wind(3 * SECOND)
    with pytest.raises(SourceBusy, match="waits for approval"):
        await house.publish(number, "editor")
    assert (folder / "checks.yaml").read_text() == CHECKS
    write(folder, {"book.yaml": BOOK})
    await house.publish(number, "editor")
    assert house.running("checks.yaml") == LINE


async def test_a_broken_draft_is_refused_with_all_its_problems(house: House, folder: Path) -> None:
    number = await house.draft(
        "editor", {"checks.yaml": CHECKS.replace("file", "fiel"), "book.yaml": BOOK + "x: 1\n"}
    )
    checked = await drafts.check(house.app.revisions, number, house.app.clock.now())
    assert {one.file for one in checked.problems} == {"checks.yaml", "book.yaml"}
    with pytest.raises(BookError) as told:
        await house.publish(number, "editor")
    assert set(told.value.problems) == set(checked.problems)
    assert (folder / "checks.yaml").read_text() == CHECKS
    assert (await house.state(number))["state"] == "open"


async def test_two_pages_of_one_editor_do_not_overwrite_each_other(house: House) -> None:
    number = await house.draft("editor", {"checks.yaml": LINE})
    who, now = await house.person("editor"), house.app.clock.now()
    for seen in (digest_of(CHECKS), None):
        with pytest.raises(DraftConflict, match="not what you changed"):
            await house.app.database.write(
                lambda tx, seen=seen: drafts.change(tx, now, number, who, "checks.yaml", "x", seen)
            )


async def test_who_may_not_edit_is_refused(house: House) -> None:
    with pytest.raises(Refused, match="book:write"):
        await house.draft("visitor", {})
    number = await house.draft("editor", {"checks.yaml": LINE})
    with pytest.raises(Refused, match="somebody else's"):
        await house.change(number, "lead", {"checks.yaml": LINE})
    with pytest.raises(Refused, match="somebody else's"):
        await house.publish(number, "lead")


@pytest.mark.parametrize(
    "path", ["../up.yaml", "/etc/passwd", "a/../../b", ".git/config", "a//b", "a\\b", "x~", "",
             "files/.hidden", "a\nb"],
)  # fmt: skip
async def test_a_path_leads_nowhere_but_into_the_book(house: House, path: str) -> None:
    with pytest.raises(Invalid):
        await house.draft("editor", {path: "x"})


async def test_a_link_in_the_folder_is_not_written_through(house: House, folder: Path) -> None:
    (folder / "files").mkdir()
    (folder / "files" / "same").symlink_to("../checks.yaml")
    await house.app.wind(3 * SECOND)
    number = await house.draft("editor", {"files/same": LINE})
    with pytest.raises(NotWritten, match="symbolic link"):
        await house.publish(number, "editor")
    assert (folder / "checks.yaml").read_text() == CHECKS
    assert (await house.state(number))["state"] == "open"


async def test_what_is_discarded_or_published_is_closed(house: House) -> None:
    number = await house.draft("editor", {"checks.yaml": LINE})
    who, now = await house.person("editor"), house.app.clock.now()
    await house.app.database.write(lambda tx: drafts.discard(tx, now, number, who))
    with pytest.raises(DraftClosed, match="discarded"):
        await house.publish(number, "editor")
    empty = await house.draft("editor", {"checks.yaml": CHECKS})
    with pytest.raises(Invalid, match="changes nothing"):
        await house.publish(empty, "editor")


async def test_a_loosening_edit_is_written_only_once_it_is_approved(
    both: House, folder: Path
) -> None:
    number = await both.draft("deputy", {"book.yaml": LOOSER})
    waits = await both.publish(number, "deputy")
    assert waits.waits
    assert (folder / "book.yaml").read_text() == BOOK
    await both.app.wind(5 * SECOND)
    assert both.running() == BOOK
    from opsbook.access.errors import NotApproved

    with pytest.raises(NotApproved, match="they wrote this revision"):
        await both.vote(waits.approval_id, "deputy")
    await both.vote(waits.approval_id, "lead")
    assert (folder / "book.yaml").read_text() == LOOSER
    assert both.running() == LOOSER
    last = (await both.history())[0]
    deputy = await both.person("deputy")
    assert (last["author"], last["approval_id"]) == (deputy.actor, waits.approval_id)
    assert (await both.state(number))["state"] == "published"
    await both.app.wind(5 * SECOND)
    assert len(await both.approvals()) == 1


async def test_a_rejected_edit_is_its_editors_again(house: House, folder: Path) -> None:
    number = await house.draft("deputy", {"book.yaml": LOOSER})
    waits = await house.publish(number, "deputy")
    await house.vote(waits.approval_id, "lead", "reject")
    row = await house.state(number)
    assert row["state"] == "open"
    assert "refused" in row["said"]
    with pytest.raises(WasRejected):
        await house.publish(number, "deputy")
    assert (folder / "book.yaml").read_text() == BOOK


async def test_changing_a_waiting_edit_makes_its_approval_void(house: House) -> None:
    number = await house.draft("deputy", {"book.yaml": LOOSER})
    await house.publish(number, "deputy")
    await house.change(number, "deputy", {"book.yaml": LOOSER.replace("Shop", "Store")})
    (asked,) = await house.approvals()
    assert asked["state"] == "void"
    assert (await house.state(number))["state"] == "open"


async def test_an_edit_that_waits_is_asked_for_anew_when_something_else_is_published(
    house: House, folder: Path
) -> None:
    number = await house.draft("deputy", {"book.yaml": LOOSER})
    await house.publish(number, "deputy")
    other = await house.draft("editor", {"checks.yaml": LINE})
    await house.publish(other, "editor")
    await house.app.settle()
    first, second = await house.approvals()
    assert (first["state"], second["state"]) == ("void", "open")
    await house.vote(second["id"], "lead")
    assert house.running() == LOOSER
    assert house.running("checks.yaml") == LINE


async def test_a_folder_that_cannot_be_written_publishes_nothing(
    house: House, folder: Path
) -> None:
    (folder / "zz.yaml").mkdir()
    (folder / "zz.yaml" / "inside").write_text("")
    await house.app.wind(3 * SECOND)
    number = await house.draft("editor", {"checks.yaml": LINE, "zz.yaml": "services: {}\n"})
    with pytest.raises((NotWritten, DraftConflict)):
        await house.publish(number, "editor")
    assert (folder / "checks.yaml").read_text() == CHECKS
    assert house.running("checks.yaml") == CHECKS
    assert not [one for one in folder.iterdir() if one.name.endswith(".opsbook")]


class Checkout:
    """The folder as a git checkout, with something of its owner's under way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        git(folder, "init", "--quiet")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "-m", "first")

    def log(self, form: str) -> str:
        return git(self.folder, "log", "-1", f"--format={form}")


async def test_in_a_checkout_an_edit_is_a_commit_of_just_its_files(
    house: House, folder: Path
) -> None:
    checkout = Checkout(folder)
    write(folder, {"runbooks/deploy.md": SOON})
    git(folder, "add", "--all")  # staged by its owner, and not ours to commit
    await house.app.wind(3 * SECOND)
    (folder / ".git" / "hooks").mkdir(exist_ok=True)
    hook = folder / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    number = await house.draft("editor", {"checks.yaml": LINE, "files/new.sh": "echo\n"})
    await house.publish(number, "editor", "the queue\n\n# is a line")
    assert checkout.log("%an <%ae>") == "Editor <editor@opsbook.invalid>"
    assert checkout.log("%B") == "the queue\n\n# is a line"
    changed = git(folder, "show", "--name-only", "--format=", "HEAD").split()
    assert changed == ["checks.yaml", "files/new.sh"]
    assert git(folder, "status", "--porcelain") == "M  runbooks/deploy.md"
    assert house.running("checks.yaml") == LINE
    assert (await house.history())[0]["origin"] == f"edit:{number}"


async def test_in_a_checkout_files_with_uncommitted_changes_are_not_touched(
    house: House, folder: Path
) -> None:
    checkout = Checkout(folder)
    write(folder, {"checks.yaml": CHECKS.replace("Queue", "Mine")})
    await house.app.wind(3 * SECOND)
    number = await house.draft("editor", {"checks.yaml": LINE})
    with pytest.raises(DraftConflict, match=r"not committed: checks\.yaml"):
        await house.publish(number, "editor")
    assert "Mine" in (folder / "checks.yaml").read_text()
    git(folder, "commit", "--quiet", "-am", "mine")
    await house.publish(number, "editor")
    assert house.running("checks.yaml") == LINE
    assert checkout.log("%an") == "Editor"


async def test_in_a_checkout_a_refused_commit_leaves_everything_as_it_was(
    house: House, folder: Path
) -> None:
    checkout = Checkout(folder)
    await house.app.wind(3 * SECOND)
    (folder / ".git" / "index.lock").write_text("")
    number = await house.draft("editor", {"checks.yaml": LINE, "files/new.sh": "echo\n"})
    with pytest.raises(NotWritten, match=r"index\.lock"):
        await house.publish(number, "editor")
    assert (folder / "checks.yaml").read_text() == CHECKS
    assert not (folder / "files" / "new.sh").exists()
    (folder / ".git" / "index.lock").unlink()
    assert git(folder, "status", "--porcelain") == ""
    assert checkout.log("%s") == "first"
    await house.publish(number, "editor")
    assert house.running("checks.yaml") == LINE


async def test_an_edit_of_a_followed_remote_is_pushed_there(remote: House, origin: Origin) -> None:
    origin.push({"files/notes.txt": "once\n"}, who="lead")
    await remote.app.wind(2 * MINUTE)
    number = await remote.draft("editor", {"checks.yaml": LINE, "files/notes.txt": None})
    await remote.publish(number, "editor", "simpler")
    assert remote.running("checks.yaml") == LINE
    said = git(origin.bare, "log", "-1", "--format=%an <%ae> %s", "main")
    assert said == "Editor <editor@opsbook.invalid> simpler"
    assert git(origin.bare, "show", "main:checks.yaml") + "\n" == LINE
    assert "files" not in git(origin.bare, "ls-tree", "--name-only", "main").split()
    editor = await remote.person("editor")
    last = (await remote.history())[0]
    assert (last["author"], last["origin"]) == (editor.actor, f"edit:{number}")
    await remote.app.wind(3 * MINUTE)
    assert len(await remote.history()) == 3


async def test_an_edit_of_a_remote_that_has_moved_on_is_put_on_top(
    remote: House, origin: Origin
) -> None:
    number = await remote.draft("editor", {"checks.yaml": LINE})
    origin.push({"runbooks/deploy.md": SOON}, who="lead")
    await remote.publish(number, "editor")
    assert remote.running("checks.yaml") == LINE
    assert remote.running("runbooks/deploy.md") == SOON


MEANWHILE = """#!/bin/sh
test -f {once} || exit 0
rm {once}
env -u GIT_QUARANTINE_PATH git update-ref refs/heads/main refs/heads/next
exit 1
"""


def moves_at_the_push(origin: Origin, files: dict[str, str]) -> None:
    """Let somebody else's commit arrive between the editor's fetch and push."""
    git(origin.clone, "checkout", "--quiet", "-b", "next")
    write(origin.clone, files)
    git(origin.clone, "commit", "--quiet", "-am", "meanwhile", who="lead")
    git(origin.clone, "push", "--quiet", "origin", "next")
    once = origin.bare / "once"
    once.write_text("")
    hook = origin.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(MEANWHILE.format(once=once))
    hook.chmod(0o755)


async def test_a_remote_that_moves_at_the_push_is_followed_and_the_edit_put_on_top(
    remote: House, origin: Origin
) -> None:
    moves_at_the_push(origin, {"runbooks/deploy.md": SOON})
    number = await remote.draft("editor", {"checks.yaml": LINE})
    await remote.publish(number, "editor")
    assert remote.running("checks.yaml") == LINE
    assert remote.running("runbooks/deploy.md") == SOON
    subjects = git(origin.bare, "log", "--format=%s", "main").split("\n")
    assert subjects == ["because", "meanwhile", "change"]


async def test_a_remote_that_moves_at_the_push_in_the_same_file_is_a_conflict(
    remote: House, origin: Origin
) -> None:
    moves_at_the_push(origin, {"checks.yaml": CHECKS.replace("Queue", "Row")})
    number = await remote.draft("editor", {"checks.yaml": LINE})
    with pytest.raises(DraftConflict, match=r"checks\.yaml by"):
        await remote.publish(number, "editor")
    assert "Row" in remote.running("checks.yaml")
    assert git(origin.bare, "log", "-1", "--format=%s", "main") == "meanwhile"


async def test_an_edit_of_what_somebody_pushed_meanwhile_is_a_conflict(
    remote: House, origin: Origin
) -> None:
    number = await remote.draft("editor", {"checks.yaml": LINE})
    commit = origin.push({"checks.yaml": CHECKS.replace("Queue", "Row")}, who="lead")
    with pytest.raises(DraftConflict, match=r"checks\.yaml by"):
        await remote.publish(number, "editor")
    assert git(origin.bare, "rev-parse", "main") == commit


async def test_a_push_that_is_refused_publishes_nothing(remote: House, origin: Origin) -> None:
    before = remote.app.library.current("shop").revision
    hook = origin.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'no edits on Mondays' >&2\nexit 1\n")
    hook.chmod(0o755)
    number = await remote.draft("editor", {"checks.yaml": LINE})
    with pytest.raises(NotWritten, match="did not take the edit"):
        await remote.publish(number, "editor")
    await remote.app.wind(2 * MINUTE)
    assert remote.app.library.current("shop").revision == before
    assert (await remote.state(number))["state"] == "open"
    hook.unlink()
    await remote.publish(number, "editor")
    assert remote.running("checks.yaml") == LINE


async def test_with_the_remote_gone_nothing_is_published(remote: House, origin: Origin) -> None:
    number = await remote.draft("editor", {"checks.yaml": LINE})
    origin.bare.rename(origin.bare.with_name("away.git"))
    with pytest.raises(SourceBusy, match="cannot be reached"):
        await remote.publish(number, "editor")
    assert remote.running("checks.yaml") == CHECKS
    assert (await remote.state(number))["state"] == "open"
