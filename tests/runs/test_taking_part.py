"""Who takes part in a run and may not approve it, and what a yes is a yes to."""

from collections.abc import Callable

import pytest

from opsbook import audit
from opsbook.access import Principal, approvals, tokens
from opsbook.access.errors import NotApproved
from opsbook.audit.entries import timeline
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.runs import behind
from tests.runs.crew import AGREE, CHANGE, DAY, MINUTE, account, begun, excluded, shop, start, vote
from tests.support.runs import Stage


async def test_whoever_started_a_run_does_not_approve_it(stage: Stage) -> None:
    run_id, _ = await begun(stage, AGREE + CHANGE, by="officer")
    assert await excluded(stage, run_id) == {"officer": "started"}
    with pytest.raises(NotApproved, match="they started it"):
        await vote(stage, run_id, "officer")
    assert await vote(stage, run_id, "second") == "approved"


async def test_nor_does_the_person_behind_a_token_that_started_it(stage: Stage) -> None:
    book = await stage.publish(shop(AGREE + CHANGE))
    officer = await account(stage, "officer")

    def token(tx: Transaction) -> Principal:
        now = stage.clock.now()
        raw = tokens.create(tx, now, officer, "deploy", ["read", "run"], DAY)
        found = tokens.principal(tx, now, raw)
        assert found is not None
        return found

    program = await stage.write(token)
    run_id = await start(stage, book, by=program.actor)
    assert await excluded(stage, run_id) == {"officer": "started"}


async def test_nor_whoever_gave_the_parameters_or_started_what_it_is_part_of(stage: Stage) -> None:
    book = await stage.publish(shop(AGREE + CHANGE))
    officer, dba = await stage.person("officer"), await stage.person("dba")
    operator = await stage.person("operator")
    first = await start(stage, book, by=dba.actor)
    again = await start(stage, book, by=operator.actor, rerun_of=first)
    assert await excluded(stage, again) == {"operator": "started", "dba": "edited"}
    above = await start(stage, book, by=officer.actor)
    below = await start(stage, book, parent_id=above, trigger=f"run:{above}")
    assert await excluded(stage, below) == {"officer": "triggered"}
    beneath = await start(stage, book, by=operator.actor, parent_id=again)
    assert await excluded(stage, beneath) == {"operator": "started", "dba": "edited"}


async def test_nor_whoever_called_the_incident_that_started_it_but_whoever_answers_it_does(
    stage: Stage,
) -> None:
    book = await stage.publish(shop(AGREE + CHANGE))
    officer, second = await stage.person("officer"), await stage.person("second")

    def acknowledge(tx: Transaction, who: Principal) -> None:
        audit.record(tx, stage.clock.now(), who.actor, "incident.acknowledged", "incident:7")

    await stage.write(lambda tx: acknowledge(tx, officer))
    run_id = await start(stage, book, trigger="incident:7")
    await stage.wind(MINUTE)
    await stage.write(lambda tx: acknowledge(tx, second))
    assert await excluded(stage, run_id) == {"officer": "triggered"}
    assert await vote(stage, run_id, "second") == "approved"
    # Where a person started it by hand it runs because of that person and of nobody else.
    by_hand = await start(
        stage, book, by=(await stage.person("operator")).actor, trigger="incident:7"
    )
    assert await excluded(stage, by_hand) == {"operator": "started"}
    other = await start(stage, book, trigger="routine:shop/morning")
    assert await excluded(stage, other) == {}


def publish(stage: Stage, body: str, author: str, *others: int) -> Callable[[Transaction], Book]:
    """Let a revision run as the pages do: with its author, and whoever else had a hand in it."""

    def write(tx: Transaction) -> Book:
        book = shop(body)
        stage.library.publish(tx, stage.clock.now(), book, author, "edit")
        audit.record(
            tx, stage.clock.now(), author, "book.published", "book:shop",
            data={"revision": book.revision, "accounts": list(others)},
        )  # fmt: skip
        return book

    return write


async def test_nobody_approves_what_they_wrote_since_the_last_approval(stage: Stage) -> None:
    operator = await stage.person("operator")
    actors = {one: (await stage.person(one)).actor for one in ("officer", "second", "dba")}
    relief = await account(stage, "relief")
    written = []
    for n, (author, others) in enumerate((("officer", ()), ("second", (relief,)), ("dba", ()))):
        body = f"{AGREE}{CHANGE}\nRevision {n}.\n"
        written.append(await stage.write(publish(stage, body, actors[author], *others)))
        stage.library.remember(written[-1])
        await stage.wind(MINUTE)
    first, second, third = written

    run_id = await start(stage, third, by=operator.actor)
    everybody = {"officer": "authored", "second": "authored", "relief": "authored",
                 "dba": "authored", "operator": "started"}  # fmt: skip
    assert await excluded(stage, run_id) == everybody

    bound = approvals.binding(book="shop", revision=second.revision, over=first.revision)

    def approve(tx: Transaction, login: str, who: Principal, shut: list[int]) -> None:
        asked = approvals.request(
            tx, stage.clock.now(), book=shop(CHANGE, self_approval="record"),
            subject=f"book:shop/{second.revision[:12]}", thread=None, question="Loosen?",
            role="security", need=1, bound_to=bound, excluded=shut, expires_at=None,
        )  # fmt: skip
        allowing = shop(CHANGE, self_approval="record")
        approvals.decide(tx, stage.clock.now(), asked, who, allowing, "approve")

    # An author who approves their own work is nobody else.
    author = await stage.person("second")
    own = [await account(stage, "second")]
    await stage.write(lambda tx: approve(tx, "second", author, own))
    assert await excluded(stage, await start(stage, third, by=operator.actor)) == everybody

    officer = await stage.person("officer")
    await stage.write(lambda tx: approve(tx, "officer", officer, own))
    run_id = await start(stage, third, by=operator.actor)
    assert await excluded(stage, run_id) == {"dba": "authored", "operator": "started"}
    # What was approved itself was read by two.
    older = await start(stage, second, by=operator.actor)
    assert await excluded(stage, older) == {"operator": "started"}


async def test_however_long_a_book_is_not_approved_the_search_for_its_authors_ends(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(behind, "MOST_REVISIONS", 3)
    for n in range(6):
        body = f"{AGREE}{CHANGE}\nRevision {n}.\n"
        book = await stage.write(publish(stage, body, f"account:{n + 1}"))
        await stage.wind(MINUTE)
    found = await stage.write(lambda tx: set(behind.authors(tx, "shop", str(book.revision))))
    assert found == {"account:4", "account:5", "account:6"}


async def test_a_team_of_one_approves_its_own_where_the_book_says_so(stage: Stage) -> None:
    run_id, _ = await begun(stage, AGREE + CHANGE, by="officer", self_approval="record")
    assert await vote(stage, run_id, "officer") == "approved"
    assert stage.ran() == ["change"]
    entry = await stage.write(lambda tx: timeline(tx, f"run:{run_id}"))
    (voted,) = [one for one in entry if one["action"] == "approval.approved"]
    assert voted["data"]["by_oneself"] is True


async def test_a_run_that_started_by_itself_excludes_those_behind_it_as_well(stage: Stage) -> None:
    book = await stage.publish(shop(CHANGE))
    officer = await stage.person("officer")
    await stage.write(
        lambda tx: audit.record(
            tx, stage.clock.now(), officer.actor, "incident.acknowledged", "incident:7"
        )
    )
    run_id = await start(stage, book, trigger="incident:7")
    assert (await stage.waits(run_id))[0]["data"] == {"leave": True}
    with pytest.raises(NotApproved, match="it runs because of them"):
        await vote(stage, run_id, "officer")
    assert await vote(stage, run_id, "relief") == "approved"
    assert stage.ran() == ["change"]
