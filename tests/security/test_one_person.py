"""One person with two accounts: whoever made a sign-in link could be the one who used it."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from opsbook import runs
from opsbook.access import Principal, accounts, approvals, approvers, links, sessions
from opsbook.access.errors import NotApproved, Settled, Voted
from opsbook.base.database import Transaction
from opsbook.base.errors import Conflict
from tests.runs.crew import AGREE, ASK_TWO, CHANGE, DAY, HAND, HOUR, begun, excluded, shop, vote
from tests.support.runs import Stage
from tests.web.conftest import Enter, enter, trouble
from tests.web.rig import Rig

__all__ = ["enter", "trouble"]
LINKED = "count as one person, by a sign-in link, with somebody who takes part"
TWICE = "counts as one person, by a sign-in link, with somebody who has approved this already"


async def lend(stage: Stage, maker: str, login: str) -> None:
    """Let one person make another's sign-in link, and somebody use it."""
    by, of = await stage.person(maker), await stage.person(login)

    def use(tx: Transaction) -> None:
        now = stage.clock.now()
        raw = links.make(tx, now, of.account_id or 0, HOUR, by=by.actor, made_by=by.account_id)
        assert links.use(tx, now, raw) == of.account_id

    await stage.write(use)


@pytest.mark.parametrize("before", [True, False], ids=["before it asks", "while it waits"])
async def test_who_starts_a_run_does_not_approve_it_through_an_account_of_their_making(
    stage: Stage, before: bool
) -> None:
    if before:
        await lend(stage, "operator", "officer")
    run_id, _ = await begun(stage, AGREE + CHANGE)
    if before:
        assert await excluded(stage, run_id) == {"operator": "started", "officer": "linked"}
    else:
        await lend(stage, "operator", "officer")
    with pytest.raises(NotApproved, match=LINKED) as failure:
        await vote(stage, run_id, "officer")
    assert failure.value.details["reason"] == "excluded"
    assert stage.ran() == []
    assert await vote(stage, run_id, "second") == "approved"
    assert stage.ran() == ["change"]


async def test_nor_starts_it_through_that_account_and_approves_as_themself(stage: Stage) -> None:
    await lend(stage, "second", "operator")
    run_id, _ = await begun(stage, AGREE + CHANGE, by="operator")
    with pytest.raises(NotApproved, match=LINKED):
        await vote(stage, run_id, "second")
    assert stage.ran() == []


async def test_nor_starts_it_through_one_such_account_and_approves_through_another(
    stage: Stage,
) -> None:
    await lend(stage, "relief", "operator")
    await lend(stage, "relief", "officer")
    run_id, _ = await begun(stage, AGREE + CHANGE, by="operator")
    with pytest.raises(NotApproved, match=LINKED):
        await vote(stage, run_id, "officer")
    assert stage.ran() == []


async def test_whoever_is_excluded_may_say_no_under_either_account(stage: Stage) -> None:
    await lend(stage, "operator", "officer")
    run_id, _ = await begun(stage, AGREE + CHANGE)
    assert await vote(stage, run_id, "officer", "reject") == "rejected"
    assert stage.ran() == []


async def test_where_two_people_are_needed_two_accounts_of_one_are_one(stage: Stage) -> None:
    run_id, _ = await begun(stage, ASK_TWO + CHANGE)
    assert await vote(stage, run_id, "dba") == "open"
    await lend(stage, "dba", "officer")
    with pytest.raises(Settled, match=TWICE):
        await vote(stage, run_id, "officer")
    assert stage.ran() == []
    assert await vote(stage, run_id, "second") == "approved"
    assert stage.ran() == ["change"]


async def test_signing_out_of_the_borrowed_account_does_not_make_two_yeses_of_one(
    stage: Stage,
) -> None:
    """A session that a link opened is its maker's while it lives; the yes outlives the session."""
    run_id, book = await begun(stage, ASK_TWO + CHANGE)
    dba, officer = await stage.person("dba"), await stage.person("officer")

    def borrowed(tx: Transaction) -> tuple[str, Principal]:
        now, account = stage.clock.now(), officer.account_id or 0
        raw, _ = sessions.open(tx, now, account, "a", how="link", link_by=dba.account_id)
        found = sessions.principal(tx, now, raw)
        assert found is not None
        return raw, found

    raw, inside = await stage.write(borrowed)
    asked = (await stage.waits(run_id))[0]["approval_id"]
    assert await stage.act(approvals.decide, asked, inside, book, "approve") == "open"
    await stage.write(lambda tx: sessions.close(tx, stage.clock.now(), raw))
    alone = await stage.write(
        lambda tx: links.one_person(tx, stage.clock.now(), dba.account_id or 0)
    )
    assert alone == {dba.account_id}
    with pytest.raises(Settled, match=TWICE):
        await vote(stage, run_id, "dba")
    assert stage.ran() == []


async def test_a_manual_step_for_two_people_is_not_done_by_two_accounts_of_one(
    stage: Stage,
) -> None:
    run_id, book = await begun(stage, HAND.replace("by=responder", "by=responder need=2"))
    await lend(stage, "operator", "relief")
    operator, relief = await stage.person("operator"), await stage.person("relief")
    await stage.act(runs.confirm, run_id, "count", operator, book)
    with pytest.raises(Conflict, match="counts as one person, by a sign-in link"):
        await stage.act(runs.confirm, run_id, "count", relief, book)
    assert (await stage.states(run_id))["count"] == "waiting"
    await stage.act(runs.confirm, run_id, "count", await stage.person("officer"), book)
    assert (await stage.states(run_id))["count"] == "succeeded"


async def test_who_has_voted_under_another_account_does_not_take_the_run_over(
    stage: Stage,
) -> None:
    run_id, book = await begun(stage, ASK_TWO + CHANGE)
    await lend(stage, "relief", "officer")
    assert await vote(stage, run_id, "officer") == "open"
    with pytest.raises(Voted):
        await stage.act(runs.take_over, run_id, await stage.person("relief"), book)
    assert (await stage.row(run_id))["steered_by"] == (await stage.person("operator")).actor


async def test_a_yes_of_somebody_who_is_one_person_with_who_takes_part_is_found(
    stage: Stage,
) -> None:
    """What the run asks once more before it goes on: to vote and to take part can cross."""
    run_id, book = await begun(stage, ASK_TWO + CHANGE)
    await vote(stage, run_id, "officer")
    await lend(stage, "relief", "officer")
    asked = (await stage.waits(run_id))[0]["approval_id"]
    relief, officer = await stage.person("relief"), await stage.person("officer")

    def found(tx: Transaction) -> list[int]:
        given, row = approvals.votes(tx, asked), approvals.require(tx, asked)
        part = [relief.account_id or 0]
        return approvers.yes_of_excluded(tx, stage.clock.now(), given, part, row, book)

    assert await stage.write(found) == [officer.account_id]


async def test_after_a_day_they_are_two_people_again(stage: Stage) -> None:
    await lend(stage, "operator", "officer")
    await stage.wind(DAY + timedelta(minutes=1))
    run_id, _ = await begun(stage, AGREE + CHANGE)
    assert await excluded(stage, run_id) == {"operator": "started"}
    assert await vote(stage, run_id, "officer") == "approved"


async def test_nobody_waits_for_an_account_that_is_the_starters_by_a_link(stage: Stage) -> None:
    await lend(stage, "operator", "officer")
    run_id, book = await begun(stage, AGREE + CHANGE)
    asked = (await stage.waits(run_id))[0]["approval_id"]

    def could(tx: Transaction) -> list[str]:
        row = approvals.require(tx, asked)
        return approvers.could_approve(book, row, accounts.logins(tx, row["excluded"]))

    assert await stage.write(could) == ["second"]
    assert shop(CHANGE).self_approval == "forbid"


async def test_the_page_shows_no_button_that_would_be_refused(trouble: Rig, enter: Enter) -> None:
    """Run 2 of the seeded shop asks; its starter is made the operator, under the strict rule."""
    ids, now = trouble.ids, trouble.clock.now()
    change = f"UPDATE approval SET self_approval = 'forbid', excluded = '[{ids['operator']}]'"
    book = trouble.library.current("shop")
    strict = book.model_copy(update={"self_approval": "forbid"})
    trouble.library.remember(strict)
    await trouble.database.write(lambda tx: tx.execute(sa.text(change)))
    approver = await enter(trouble, "approver")
    assert "/runs/2/steps/allow/approve" in await approver.see("/runs/2")

    def used(tx: Transaction) -> None:
        raw = links.make(tx, now, ids["approver"], HOUR, by="x", made_by=ids["operator"])
        assert links.use(tx, now, raw)

    await trouble.database.write(used)
    page = await approver.see("/runs/2")
    assert "/approve" not in page
    assert "/reject" in page or "so somebody else approves" in page
