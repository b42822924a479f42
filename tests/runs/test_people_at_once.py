"""Two people at the same moment, on two servers: what each of them is told, and what happens."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from opsbook import runs
from opsbook.access import Principal, approvals
from opsbook.access.errors import NotApproved, Settled, Voted
from opsbook.base.database import Database, Transaction
from opsbook.base.errors import Conflict
from opsbook.book import Book
from opsbook.runs.tables import person_done
from tests.runs.crew import (
    AGREE,
    ASK_TWO,
    CHANGE,
    HAND,
    HOUR,
    begun,
    vote,
)
from tests.support.runs import Stage

Work = Callable[[Transaction], Any]


Servers = tuple[Database, Database]


@pytest.fixture
async def others(any_stage: Stage) -> AsyncIterator[Servers]:
    """Two more servers' connections to the same database, of which the engine is not told."""
    both = Database(any_stage.database.url), Database(any_stage.database.url)
    for one in both:
        one.start()
    yield both
    for one in both:
        await one.stop()


async def crossing(stage: Stage, others: Servers, first: Work, second: Work) -> list[Any]:
    """Do two things at once: the second begins while the first has not been committed."""
    held = threading.Event()

    def slowly(tx: Transaction) -> Any:
        done = first(tx)
        held.set()
        time.sleep(0.1)
        return done

    one = asyncio.create_task(others[0].write(slowly))
    assert await asyncio.to_thread(held.wait, 10)
    two = asyncio.create_task(others[1].write(second))
    found = await asyncio.gather(one, two, return_exceptions=True)
    stage.hub.touch(["events", "runs", "approvals"])
    await stage.settle()
    return found


async def parts(stage: Stage, body: str) -> tuple[int, int, Book, dict[str, Principal]]:
    run_id, book = await begun(stage, body)
    asked = (await stage.waits(run_id))[0]["approval_id"]
    people = {one: await stage.person(one) for one in ("operator", "officer", "second", "dba")}
    return run_id, asked, book, people


def voting(stage: Stage, asked: int, who: Principal, book: Book, decision: Any = "approve") -> Work:
    return lambda tx: runs.vote(tx, stage.clock.now(), asked, who, book, decision)


async def test_of_two_votes_at_once_each_counts_once(any_stage: Stage, others: Servers) -> None:
    stage = any_stage
    run_id, asked, book, people = await parts(stage, ASK_TWO + CHANGE)
    one = voting(stage, asked, people["dba"], book)
    assert await crossing(stage, others, one, voting(stage, asked, people["second"], book)) == [
        "open", "approved",
    ]  # fmt: skip
    assert stage.ran() == ["change"]
    assert (await stage.row(run_id))["state"] == "succeeded"


async def test_the_same_person_twice_at_once_is_one_person(
    any_stage: Stage, others: Servers
) -> None:
    stage = any_stage
    _, asked, book, people = await parts(stage, ASK_TWO + CHANGE)
    one = voting(stage, asked, people["dba"], book)
    first, second = await crossing(stage, others, one, one)
    assert first == "open"
    assert isinstance(second, Settled)
    assert stage.ran() == []


async def test_of_a_yes_and_a_no_at_once_the_first_one_counts(
    any_stage: Stage, others: Servers
) -> None:
    stage = any_stage
    _, asked, book, people = await parts(stage, AGREE + CHANGE)
    no = voting(stage, asked, people["officer"], book, "reject")
    first, second = await crossing(stage, others, no, voting(stage, asked, people["second"], book))
    assert first == "rejected"
    assert isinstance(second, Settled)
    assert stage.ran() == []


@pytest.mark.parametrize("vote_first", [True, False])
async def test_a_vote_and_a_cancel_at_once(
    any_stage: Stage, others: Servers, vote_first: bool
) -> None:
    stage = any_stage
    run_id, asked, book, people = await parts(stage, AGREE + CHANGE)
    yes = voting(stage, asked, people["second"], book)

    def cancel(tx: Transaction) -> None:
        runs.cancel(tx, stage.clock.now(), run_id, people["operator"], book)

    both = (yes, cancel) if vote_first else (cancel, yes)
    first, second = await crossing(stage, others, *both)
    assert first == ("approved" if vote_first else None)
    assert second is None if vote_first else isinstance(second, Settled)
    assert (await stage.row(run_id))["state"] == "cancelled"
    assert stage.ran() == []
    state = (await stage.write(lambda tx: approvals.require(tx, asked)))["state"]
    assert state == "void"


@pytest.mark.parametrize("vote_first", [True, False])
async def test_a_vote_and_a_take_over_by_the_same_person_at_once(
    any_stage: Stage, others: Servers, vote_first: bool
) -> None:
    stage = any_stage
    run_id, asked, book, people = await parts(stage, AGREE + CHANGE)
    officer = people["officer"]
    yes = voting(stage, asked, officer, book)

    def take(tx: Transaction) -> None:
        runs.take_over(tx, stage.clock.now(), run_id, officer, book, "")

    both = (yes, take) if vote_first else (take, yes)
    first, second = await crossing(stage, others, *both)
    row = await stage.row(run_id)
    if vote_first:
        assert first == "approved"
        assert isinstance(second, Voted)
        assert row["steered_by"] != officer.actor
        assert stage.ran() == ["change"]
    else:
        assert first is None
        assert isinstance(second, NotApproved)
        assert row["steered_by"] == officer.actor
        assert stage.ran() == []


@pytest.mark.parametrize("vote_first", [True, False])
async def test_the_last_vote_and_the_end_of_its_time_at_once(
    any_stage: Stage, others: Servers, vote_first: bool
) -> None:
    stage = any_stage
    run_id, asked, book, people = await parts(stage, ASK_TWO + CHANGE)
    await vote(stage, run_id, "dba")
    end = stage.clock.now() + 4 * HOUR

    def yes(tx: Transaction) -> str:
        before = end - timedelta(microseconds=1)
        return runs.vote(tx, before, asked, people["second"], book, "approve")

    def expire(tx: Transaction) -> None:
        approvals.expire(tx, end)

    both = (yes, expire) if vote_first else (expire, yes)
    _, second = await crossing(stage, others, *both)
    state = (await stage.write(lambda tx: approvals.require(tx, asked)))["state"]
    told = [one for one in await stage.actions(run_id) if one.startswith("approval.")]
    if vote_first:
        assert (state, stage.ran()) == ("approved", ["change"])
        assert "approval.expired" not in told
    else:
        assert isinstance(second, Settled)
        assert (state, stage.ran()) == ("expired", [])
        assert "approval.approved" not in told


async def test_of_two_last_confirmations_at_once_one_ends_the_step(
    any_stage: Stage, others: Servers
) -> None:
    stage = any_stage
    run_id, book = await begun(stage, HAND.replace("by=responder", "need=2") + CHANGE)
    now = stage.clock.now()
    people = [await stage.person(one) for one in ("operator", "relief", "officer")]
    confirm = [
        lambda tx, who=who: runs.confirm(tx, now, run_id, "count", who, book) for who in people
    ]
    await stage.write(confirm[0])
    first, second = await crossing(stage, others, confirm[1], confirm[2])
    assert first is None
    assert isinstance(second, Conflict)
    assert (await stage.row(run_id))["state"] == "succeeded"
    rows = await stage.write(lambda tx: tx.rows(sa.select(person_done)))
    assert len(rows) == 2
    assert stage.ran() == ["change"]
