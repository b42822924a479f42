"""What is wrong with duty in the time to come is found before it happens."""

from datetime import UTC, datetime, timedelta

from opsbook.book import Book, load
from opsbook.people import Duty, ahead
from opsbook.people.duty import Agreed
from tests.book.kinds import VOCABULARY

BOOK = """
id: shop
title: Shop
timezone: UTC
people: {ann: {name: Ann, roles: [admin]}, bea: {name: Bea}, cid: {name: Cid}}
roles: {admin: ["*:admin"], auditor: ["audit:read"]}
teams:
  web: {members: [ann, bea], rotation: days}
  shop: {members: [ann, bea], rotation: days}
  data: {members: [bea, cid], rotation: nights}
rotations:
  days:
    layers:
      - {people: [ann, bea], shift: 1d, starts: 2026-01-05 09:00, only: "every day 08:00-20:00"}
  nights:
    layers:
      - {people: [cid], starts: 2026-01-05, only: "every day 20:00-08:00"}
      - {people: [bea], starts: 2026-01-05, only: "Monday 18:00-22:00"}
  unused:
    layers:
      - {people: [ann], starts: 2026-01-05}
"""
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def hour(number: float) -> datetime:
    return MONDAY + timedelta(hours=number)


def shop() -> Book:
    return load({"book.yaml": BOOK}, VOCABULARY)


def test_time_that_nobody_planned_to_be_there_is_a_gap() -> None:
    found = ahead.gaps(Duty(shop()), MONDAY, MONDAY + DAY)
    days = [(one.start, one.end) for one in found if one.rotation == "days"]
    assert days == [(hour(0), hour(8)), (hour(20), hour(24))]
    nights = [(one.start, one.end, one.person) for one in found if one.rotation == "nights"]
    assert nights == [(hour(8), hour(18), "bea")]


def test_an_exception_closes_a_gap() -> None:
    duty = Duty(shop(), (Agreed("days", "cid", hour(0), hour(8)),))
    found = [one.start for one in ahead.gaps(duty, MONDAY, MONDAY + DAY) if one.rotation == "days"]
    assert found == [hour(20)]


def test_one_person_first_in_two_rotations_at_once_is_a_clash() -> None:
    """Two teams that share a rotation are none: answering for both is what was wanted."""
    found = ahead.clashes(Duty(shop()), MONDAY, MONDAY + 2 * DAY)
    assert [(one.person, one.rotations, one.start, one.end) for one in found] == [
        ("bea", ("days", "nights"), hour(24 + 9), hour(24 + 20))
    ]
