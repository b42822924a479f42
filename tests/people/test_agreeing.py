"""Taking over and swapping: who may, what it changes, and what is refused with everything wrong."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from opsbook import people
from opsbook.audit.tables import entry
from opsbook.base import events
from opsbook.base.database import Database, Transaction
from opsbook.base.errors import Conflict, NotFound, Refused
from opsbook.book import Book, load
from opsbook.people import agreeing, store
from opsbook.people.agreeing import Acting, InvalidAgreement, Time
from opsbook.people.tables import swap
from tests.book.kinds import VOCABULARY

BOOK = """
id: shop
title: Shop
timezone: Asia/Seoul
people: {ann: {name: Ann}, bea: {name: Bea}, cid: {name: Cid}, eve: {name: Eve}}
teams: {ops: {members: [ann, bea, cid], rotation: week}}
rotations:
  week: {layers: [{people: [ann, bea], starts: 2026-01-05 09:00}]}
"""
NOW = datetime(2026, 1, 6, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANN, BEA, EVE = (Acting(f"account:{n}", who) for n, who in ((1, "ann"), (2, "bea"), (4, "eve")))
LEAD = Acting("account:9", None, manages=True)


def hours(start: float, end: float) -> Time:
    return Time("week", NOW + start * HOUR, NOW + end * HOUR)


@pytest.fixture
def shop() -> Book:
    return load({"book.yaml": BOOK}, VOCABULARY)


async def first(database: Database, shop: Book, at: datetime) -> str:
    return await database.read(lambda tx: people.duty(tx, shop, NOW).of("ops", at)[0])


async def test_who_takes_a_duty_over_is_called_first_for_that_time(
    database: Database, shop: Book
) -> None:
    number = await database.write(
        lambda tx: agreeing.take_over(tx, NOW, shop, hours(1, 3), "bea", BEA, "ann is ill")
    )
    assert [await first(database, shop, NOW + n * HOUR) for n in (0, 1, 2.9, 3)] == [
        "ann", "bea", "bea", "ann"
    ]  # fmt: skip
    await database.write(lambda tx: agreeing.withdraw(tx, NOW, shop, number, BEA))
    assert await first(database, shop, NOW + 2 * HOUR) == "ann"
    with pytest.raises(Conflict):
        await database.write(lambda tx: agreeing.withdraw(tx, NOW, shop, number, BEA))
    rows = await database.read(lambda tx: tx.rows(sa.select(entry.c.action, entry.c.text)))
    assert [(row["action"], row["text"]) for row in rows] == [
        ("duty.exception_made", "ann is ill"), ("duty.exception_withdrawn", "ann is ill")
    ]  # fmt: skip


async def test_the_exception_made_last_counts(database: Database, shop: Book) -> None:
    def both(tx: Transaction) -> None:
        agreeing.take_over(tx, NOW, shop, hours(0, 4), "bea", LEAD)
        agreeing.take_over(tx, NOW, shop, hours(1, 2), "cid", LEAD)

    await database.write(both)
    assert [await first(database, shop, NOW + n * HOUR) for n in (0, 1, 2)] == ["bea", "cid", "bea"]


@pytest.mark.parametrize(("person", "by"), [("bea", ANN), ("eve", EVE), ("ann", EVE)])
async def test_nobody_is_put_on_duty_by_somebody_else_nor_takes_a_strangers(
    database: Database, shop: Book, person: str, by: Acting
) -> None:
    with pytest.raises(Refused):
        await database.write(lambda tx: agreeing.take_over(tx, NOW, shop, hours(1, 3), person, by))


async def test_an_exception_is_withdrawn_by_whoever_made_it_or_looks_after_duty(
    database: Database, shop: Book
) -> None:
    number = await database.write(
        lambda tx: agreeing.take_over(tx, NOW, shop, hours(1, 3), "bea", BEA)
    )
    with pytest.raises(Refused):
        await database.write(lambda tx: agreeing.withdraw(tx, NOW, shop, number, ANN))
    await database.write(lambda tx: agreeing.withdraw(tx, NOW, shop, number, LEAD))
    with pytest.raises(NotFound):
        await database.write(lambda tx: agreeing.withdraw(tx, NOW, shop, 99, LEAD))


async def test_everything_that_is_wrong_is_told_at_once(database: Database, shop: Book) -> None:
    wrong = Time("moth", NOW - 2 * HOUR, NOW - 3 * HOUR)
    with pytest.raises(InvalidAgreement) as caught:
        await database.write(lambda tx: agreeing.take_over(tx, NOW, shop, wrong, "zoe", LEAD))
    said = caught.value.message
    assert all(one in said for one in ("'zoe'", "'moth'", "ends before", "over already")), said


async def test_a_swap_holds_once_it_is_accepted_and_both_times_change_hands(
    database: Database, shop: Book
) -> None:
    back = Time("week", NOW + 7 * 24 * HOUR, NOW + 7 * 24 * HOUR + HOUR)
    number = await database.write(
        lambda tx: agreeing.ask(tx, NOW, shop, hours(1, 3), "ann", "bea", ANN, back=back)
    )
    assert await first(database, shop, NOW + 2 * HOUR) == "ann"
    with pytest.raises(Refused):
        await database.write(lambda tx: agreeing.answer(tx, NOW, shop, number, ANN, accept=True))
    await database.write(lambda tx: agreeing.answer(tx, NOW, shop, number, BEA, accept=True))
    assert await first(database, shop, NOW + 2 * HOUR) == "bea"
    assert await first(database, shop, back.start) == "ann"
    with pytest.raises(Conflict):
        await database.write(lambda tx: agreeing.answer(tx, NOW, shop, number, BEA, accept=False))
    kinds = await database.read(lambda tx: tx.rows(sa.select(events.event.c.kind)))
    assert [one["kind"] for one in kinds] == [agreeing.ASKED, agreeing.ANSWERED]


async def test_a_swap_of_what_is_not_theirs_is_refused_when_asked_and_when_answered(
    database: Database, shop: Book
) -> None:
    with pytest.raises(InvalidAgreement, match="ann is on duty"):
        await database.write(lambda tx: agreeing.ask(tx, NOW, shop, hours(1, 3), "bea", "cid", BEA))
    with pytest.raises(InvalidAgreement, match="takes no turns"):
        await database.write(lambda tx: agreeing.ask(tx, NOW, shop, hours(1, 3), "ann", "eve", ANN))
    number = await database.write(
        lambda tx: agreeing.ask(tx, NOW, shop, hours(1, 3), "ann", "bea", ANN)
    )
    await database.write(lambda tx: agreeing.take_over(tx, NOW, shop, hours(2, 4), "cid", LEAD))
    with pytest.raises(InvalidAgreement, match="cid"):
        await database.write(lambda tx: agreeing.answer(tx, NOW, shop, number, BEA, accept=True))
    row = await database.read(lambda tx: store.swapping(tx, number))
    assert row is not None
    assert row["state"] == "asked", "a yes that cannot hold is no answer"


async def test_two_answers_at_once_are_one(database: Database, shop: Book) -> None:
    number = await database.write(
        lambda tx: agreeing.ask(tx, NOW, shop, hours(1, 3), "ann", "bea", ANN)
    )

    def answer(tx: Transaction) -> None:
        agreeing.answer(tx, NOW, shop, number, BEA, accept=True)

    await database.write(answer)
    with pytest.raises(Conflict):
        await database.write(answer)
    found = await database.read(lambda tx: store.exceptions(tx, "shop", "week", NOW))
    assert len(found) == 1


async def test_a_question_ends_when_its_time_begins_or_it_is_withdrawn(
    database: Database, shop: Book
) -> None:
    def ask(tx: Transaction) -> int:
        return agreeing.ask(tx, NOW, shop, hours(1, 3), "ann", "bea", ANN)

    first_, second = [await database.write(ask) for _ in range(2)]
    with pytest.raises(Refused):
        await database.write(lambda tx: agreeing.take_back(tx, NOW, shop, first_, BEA))
    await database.write(lambda tx: agreeing.take_back(tx, NOW, shop, first_, ANN))
    assert await database.write(lambda tx: agreeing.expire(tx, NOW)) == NOW + HOUR
    assert await database.write(lambda tx: agreeing.expire(tx, NOW + HOUR)) is None
    rows = await database.read(lambda tx: tx.rows(sa.select(swap).order_by(swap.c.id)))
    assert [(row["id"], row["state"]) for row in rows] == [
        (first_, "withdrawn"), (second, "expired")
    ]  # fmt: skip


async def test_an_exception_for_somebody_who_left_the_book_calls_nobody_away(
    database: Database, shop: Book
) -> None:
    await database.write(lambda tx: agreeing.take_over(tx, NOW, shop, hours(0, 4), "cid", LEAD))
    left = BOOK.replace(", cid: {name: Cid}", "").replace("[ann, bea, cid]", "[ann, bea]")
    assert await first(database, load({"book.yaml": left}, VOCABULARY), NOW) == "ann"
