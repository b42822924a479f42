"""Whose turn it is: rotations, layers, overrides, and the nights the clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from opsbook.book import load
from opsbook.people import Duty
from tests.book.kinds import VOCABULARY

SEOUL = ZoneInfo("Asia/Seoul")
BOOK = """
id: shop
title: Shop
timezone: {zone}
people:
  first: {{name: First}}
  second: {{name: Second}}
  third: {{name: Third}}
teams:
  operations: {{members: [first, second, third], rotation: weekly}}
rotations:
  weekly:
{rotation}
escalation:
  standard: {{levels: [{{page: [operations]}}]}}
"""
WEEKLY = """
    layers:
      - {people: [first, second, third], starts: 2026-01-05 09:00}
"""


def book(rotation=WEEKLY, zone="Asia/Seoul"):
    return load({"book.yaml": BOOK.format(zone=zone, rotation=rotation)}, VOCABULARY)


def seoul(text):
    return datetime.fromisoformat(text).replace(tzinfo=SEOUL)


@pytest.mark.parametrize(
    ("at", "order"),
    [
        ("2026-01-05 09:00", ["first", "second", "third"]),
        ("2026-01-12 08:59:59", ["first", "second", "third"]),
        ("2026-01-12 09:00", ["second", "third", "first"]),
        ("2026-01-26 09:00", ["first", "second", "third"]),
        ("2025-12-01 00:00", ["first", "second", "third"]),  # before the first turn
    ],
)
def test_turns_change_at_the_time_of_day_at_which_the_first_began(at, order):
    assert Duty(book()).of("operations", seoul(at)) == order


def test_an_escalation_reaches_whoever_has_the_turn():
    assert Duty(book()).reached(["operations"], seoul("2026-01-13 03:00")) == ["second"]


def test_a_shift_ends_with_its_turn():
    shifts = Duty(book()).shifts("weekly", seoul("2026-01-06 12:00"), seoul("2026-01-20 00:00"))
    assert [(one.person, one.end) for one in shifts] == [
        ("first", seoul("2026-01-12 09:00")), ("second", seoul("2026-01-19 09:00")),
        ("third", seoul("2026-01-20 00:00")),
    ]  # fmt: skip


def test_an_override_stands_above_every_layer_and_a_day_alone_means_all_of_it():
    shop = book(
        WEEKLY
        + "    overrides:\n"
        + "      - {from: 2026-01-07, to: 2026-01-08, person: third, reason: a swap}\n"
        + "      - {from: 2026-01-08 12:00, to: 2026-01-08 13:00, person: second}\n"
    )
    first = {
        at: Duty(shop).on_turn("weekly", seoul(at))[0]
        for at in (
            "2026-01-06 23:59", "2026-01-07 00:00", "2026-01-08 11:59", "2026-01-08 12:00",
            "2026-01-08 13:00", "2026-01-08 23:59", "2026-01-09 00:00",
        )
    }  # fmt: skip
    assert list(first.values()) == [
        "first", "third", "third", "second", "third", "third", "first",
    ]  # fmt: skip


def test_a_layer_holds_only_in_its_hours_and_the_later_layer_stands_above():
    shop = book(
        "    layers:\n"
        "      - {people: [first], starts: 2026-01-05}\n"
        "      - people: [second, third]\n        shift: 1d\n        starts: 2026-01-05\n"
        "        only: weekdays 09:00-18:00\n"
    )
    assert Duty(shop).on_turn("weekly", seoul("2026-01-05 10:00")) == ["second", "first", "third"]
    assert Duty(shop).on_turn("weekly", seoul("2026-01-06 10:00")) == ["third", "first", "second"]
    assert Duty(shop).on_turn("weekly", seoul("2026-01-06 20:00"))[0] == "first"
    assert Duty(shop).on_turn("weekly", seoul("2026-01-10 10:00"))[0] == "first"


def test_when_nobodys_hours_hold_somebody_is_named_all_the_same():
    shop = book(
        "    layers:\n"
        "      - {people: [second, third], starts: 2026-01-05, only: weekdays 09:00-18:00}\n"
    )
    assert Duty(shop).on_turn("weekly", seoul("2026-01-10 03:00")) == ["second", "third"]


def test_turns_of_days_follow_the_clock_on_the_wall_and_shorter_ones_the_real_time():
    berlin = ZoneInfo("Europe/Berlin")
    daily = book(
        "    layers:\n      - {people: [first, second], shift: 1d, starts: 2026-03-28 09:00}\n",
        zone="Europe/Berlin",
    )
    change = datetime(2026, 3, 29, 9, 0, tzinfo=berlin)  # an hour was left out that night
    assert Duty(daily).on_turn("weekly", change - timedelta(minutes=1))[0] == "first"
    assert Duty(daily).on_turn("weekly", change)[0] == "second"
    eight = book(
        "    layers:\n      - {people: [first, second, third], shift: 8h, starts: 2026-03-28}\n",
        zone="Europe/Berlin",
    )
    start = datetime(2026, 3, 28, tzinfo=berlin).astimezone(UTC)
    names = [Duty(eight).on_turn("weekly", start + timedelta(hours=8 * n))[0] for n in range(7)]
    assert names == ["first", "second", "third", "first", "second", "third", "first"]
