"""What loosens a book waits until somebody else has approved it."""

from pathlib import Path

import pytest

from opsbook.access import accounts
from opsbook.access.errors import NotApproved
from opsbook.app import App
from opsbook.runs import behind
from tests.revisions.making import BOOK, CHECKS, DEPLOY, LOOSER, SECOND, House, Origin, write

NO_QUESTION = DEPLOY.replace("```approval {#allow by=lead within=1h}\nDeploy now?\n```\n", "")


LOOK = "---\ntitle: Look\n---\n```bash {effect=read}\nls\n```\n"


async def hold(house: House, folder: Path, files: dict[str, str]) -> None:
    write(folder, files)
    await house.app.wind(3 * SECOND)


async def test_a_loosening_is_held_and_runs_once_it_is_approved(both: House, folder: Path) -> None:
    before = both.app.library.current("shop").revision
    await hold(both, folder, {"runbooks/deploy.md": NO_QUESTION})
    assert both.app.library.current("shop").revision == before
    waits = both.app.library.held("shop")
    assert waits is not None
    (asked,) = await both.approvals()
    assert asked["permission"] == "book:admin"
    assert "allow" in asked["question"]
    with pytest.raises(NotApproved, match="book:admin"):
        await both.vote(asked["id"], "editor")
    await both.vote(asked["id"], "deputy")
    assert both.running("runbooks/deploy.md") == NO_QUESTION
    assert both.app.library.held("shop") is None
    last = (await both.history())[0]
    assert last["approval_id"] == asked["id"]
    await both.app.wind(5 * SECOND)
    assert len(await both.history()) == 2
    assert len(await both.approvals()) == 1


async def test_those_who_may_approve_find_it_in_their_inbox(house: House, folder: Path) -> None:
    await hold(house, folder, {"book.yaml": LOOSER})
    import sqlalchemy as sa

    told = await house.rows(sa.text("SELECT person FROM page ORDER BY person"))
    assert [one["person"] for one in told] == ["deputy", "lead"]


async def test_a_rejected_revision_is_dropped_and_not_asked_for_again(
    both: House, folder: Path
) -> None:
    await hold(both, folder, {"book.yaml": LOOSER})
    await both.vote(1, "deputy", "reject")
    await both.app.wind(5 * SECOND)
    assert both.running() == BOOK
    assert both.app.library.held("shop") is None
    trouble = both.app.library.trouble("shop")
    assert trouble is not None
    assert trouble.kind == "rejected"
    await hold(both, folder, {"book.yaml": BOOK})
    assert both.app.library.trouble("shop") is None
    await hold(both, folder, {"book.yaml": LOOSER})
    assert len(await both.approvals()) == 1
    assert both.running() == BOOK
    await both.again()
    await both.leads()
    assert len(await both.approvals()) == 1
    assert both.running() == BOOK


async def test_a_newer_revision_takes_the_place_of_the_held_one(house: House, folder: Path) -> None:
    await hold(house, folder, {"book.yaml": LOOSER})
    await hold(house, folder, {"book.yaml": LOOSER.replace("Shop", "Store")})
    first, second = await house.approvals()
    assert (first["state"], second["state"]) == ("void", "open")
    await house.vote(second["id"], "deputy")
    assert "Store" in house.running()


async def test_going_back_to_what_runs_takes_the_question_back(house: House, folder: Path) -> None:
    await hold(house, folder, {"book.yaml": LOOSER})
    await hold(house, folder, {"book.yaml": BOOK})
    (asked,) = await house.approvals()
    assert asked["state"] == "void"
    assert house.app.library.held("shop") is None
    assert len(await house.history()) == 1


async def test_what_tightens_needs_nobody(house: House, folder: Path) -> None:
    fewer = BOOK.replace("  deputy: {name: Deputy, roles: [lead]}\n", "").replace(
        "[lead, deputy]", "[lead]"
    )
    await hold(house, folder, {"book.yaml": fewer})
    assert "deputy" not in house.running()
    assert await house.approvals() == []


async def test_an_author_in_git_may_not_approve_their_own_loosening(
    remote: House, origin: Origin
) -> None:
    await remote.person("deputy")
    await remote.person("lead")
    origin.push({"book.yaml": LOOSER}, who="deputy")
    await remote.app.wind(65 * SECOND)
    (asked,) = await remote.approvals()
    with pytest.raises(NotApproved, match="they wrote this revision"):
        await remote.vote(asked["id"], "deputy")
    await remote.vote(asked["id"], "lead")
    assert remote.running() == LOOSER


async def test_a_comma_on_top_does_not_make_ones_own_loosening_ones_to_approve(
    remote: House, origin: Origin
) -> None:
    await remote.person("deputy")
    await remote.person("lead")
    await remote.person("editor")
    origin.push({"book.yaml": LOOSER}, who="deputy")
    await remote.app.wind(65 * SECOND)
    origin.push({"checks.yaml": CHECKS.replace("Queue", "Line")}, who="editor")
    await remote.app.wind(65 * SECOND)
    asked = (await remote.approvals())[-1]
    assert asked["state"] == "open"
    with pytest.raises(NotApproved, match="they wrote this revision"):
        await remote.vote(asked["id"], "deputy")
    await remote.vote(asked["id"], "lead")
    assert "Line" in remote.running("checks.yaml")


async def test_the_author_of_an_earlier_unapproved_revision_is_excluded_too(
    remote: House, origin: Origin
) -> None:
    for login in ("deputy", "lead", "editor"):
        await remote.person(login)
    origin.push({"checks.yaml": CHECKS.replace("Queue", "Line")}, who="lead")
    await remote.app.wind(65 * SECOND)
    assert "Line" in remote.running("checks.yaml")
    origin.push({"book.yaml": LOOSER}, who="editor")
    await remote.app.wind(65 * SECOND)
    (asked,) = await remote.approvals()
    with pytest.raises(NotApproved, match="they wrote this revision"):
        await remote.vote(asked["id"], "lead")
    await remote.vote(asked["id"], "deputy")
    assert remote.running() == LOOSER


async def test_runs_know_who_wrote_what_nobody_else_has_approved(
    remote: House, origin: Origin
) -> None:
    ids = {one: (await remote.person(one)).account_id for one in ("deputy", "lead", "editor")}

    async def authors() -> set[str]:
        """The people that a run of what runs now may not be approved by, for that."""
        running = str(remote.app.library.current("shop").revision)
        found = await remote.app.database.read(lambda tx: set(behind.authors(tx, "shop", running)))
        return {login for login, id in ids.items() if f"account:{id}" in found}

    origin.push({"checks.yaml": CHECKS.replace("Queue", "Line")}, who="lead")
    origin.push({"checks.yaml": CHECKS.replace("Queue", "Row")}, who="editor")
    await remote.app.wind(65 * SECOND)
    assert await authors() == {"lead", "editor"}  # two commits, one revision
    origin.push({"book.yaml": LOOSER}, who="editor")
    await remote.app.wind(65 * SECOND)
    await remote.vote((await remote.approvals())[-1]["id"], "deputy")
    assert remote.running() == LOOSER
    assert await authors() == set()
    origin.push({"checks.yaml": CHECKS}, who="lead")
    await remote.app.wind(65 * SECOND)
    assert await authors() == {"lead"}


async def test_an_approval_that_was_given_just_before_a_stop_counts_after_it(
    both: House, folder: Path
) -> None:
    await hold(both, folder, {"book.yaml": LOOSER})
    app: App = both.app
    await app.loops.stop()  # nobody is left to act on what is decided
    from opsbook.access import approvals

    who, book, now = await both.person("deputy"), app.library.current("shop"), app.clock.now()
    await app.database.write(lambda tx: approvals.decide(tx, now, 1, who, book, "approve"))
    assert both.running() == BOOK
    await both.again()
    await both.leads()
    await both.app.settle()
    assert both.running() == LOOSER
    assert len(await both.history()) == 2


async def test_a_question_is_not_lost_by_removing_its_runbook_and_writing_it_again(
    house: House, folder: Path
) -> None:
    (folder / "runbooks" / "deploy.md").unlink()
    await house.app.wind(3 * SECOND)
    assert "deploy" in house.app.library.current("shop").runbooks
    assert [one["state"] for one in await house.approvals()] == ["open"]
    await hold(house, folder, {"runbooks/deploy.md": NO_QUESTION})
    assert "approval" in house.running("runbooks/deploy.md")
    write(folder, {"runbooks/deploy.md": DEPLOY, "runbooks/look.md": LOOK})
    await house.app.wind(3 * SECOND)
    (folder / "runbooks" / "look.md").unlink()  # it asks nobody, so nobody is asked
    await house.app.wind(3 * SECOND)
    assert list(house.app.library.current("shop").runbooks) == ["deploy"]
    assert not [one for one in await house.approvals() if one["state"] == "open"]


async def test_who_gets_an_account_only_afterwards_may_not_approve_their_own_loosening_either(
    remote: House, origin: Origin
) -> None:
    origin.push({"book.yaml": LOOSER}, who="deputy")  # who has never signed in
    await remote.app.wind(65 * SECOND)
    (asked,) = await remote.approvals()
    with pytest.raises(NotApproved, match="they wrote this revision"):
        await remote.vote(asked["id"], "deputy")
    assert remote.running() != LOOSER


async def test_a_stranger_who_pushes_is_given_no_account(remote: House, origin: Origin) -> None:
    origin.push({"book.yaml": LOOSER}, who="stranger")
    await remote.app.wind(65 * SECOND)
    assert len(await remote.approvals()) == 1
    logins = await remote.app.database.read(lambda tx: [one["login"] for one in accounts.all(tx)])
    assert "stranger" not in logins
