from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from opsbook.checks.plan import Plan
from tests.checks.making import FACTS, book

MINUTE = timedelta(minutes=1)


def tcp(**fields: Any) -> dict[str, Any]:
    return {"kind": "tcp", "host": "127.0.0.1", "port": 1, "every": "1m", **fields}


def looks(plan: Plan, start: datetime, seconds: int) -> list[int]:
    """The seconds at which something was due, looked for every second and finished at once."""
    return [
        second for second in range(seconds) if plan.due(start + timedelta(seconds=second))
    ]  # fmt: skip


def test_looks_keep_their_interval_and_do_not_drift(now: datetime) -> None:
    plan = Plan(FACTS.by_name())
    plan.renew([book({"it": tcp()})], now)
    found = looks(plan, now, 600)
    assert len(found) == 10
    assert {later - earlier for earlier, later in pairwise(found)} == {60}
    due = plan.next_due()
    assert due is not None
    late = plan.due(due + timedelta(seconds=30))
    assert len(late) == 1
    assert plan.next_due() == due + MINUTE


def test_a_look_still_under_way_is_not_started_twice(now: datetime) -> None:
    plan = Plan(FACTS.by_name())
    plan.renew([book({"it": tcp()})], now)
    (first,) = plan.due(now + timedelta(seconds=10))
    first.under_way = True
    assert plan.due(now + timedelta(seconds=70)) == []
    assert plan.skipped == 1
    first.under_way = False
    assert plan.due(now + timedelta(seconds=130)) == [first]


def test_after_a_long_pause_looks_are_spread_again(now: datetime) -> None:
    plan = Plan(FACTS.by_name())
    plan.renew([book({f"c{n}": tcp() for n in range(50)})], now)
    plan.due(now + timedelta(seconds=10))
    woken = now + timedelta(hours=8)
    assert plan.due(woken) == []
    each = [len(plan.due(woken + timedelta(seconds=second))) for second in range(1, 11)]
    assert sum(each) == 50
    assert max(each) < 15


def test_an_edit_leaves_the_times_of_other_checks_alone(now: datetime) -> None:
    plan = Plan(FACTS.by_name())
    assert plan.renew([book({"kept": tcp(), "gone": tcp(), "other": tcp()})], now)
    assert not plan.renew([book({"kept": tcp(), "gone": tcp(), "other": tcp()})], now)
    before = dict(plan.planned)
    later = now + timedelta(seconds=30)
    plan.due(later)
    assert plan.renew([book({"kept": tcp(), "other": tcp(port=2), "new": tcp()})], later)
    assert plan.planned["shop", "kept"] is before["shop", "kept"]
    assert before["shop", "gone"].gone
    assert before["shop", "other"].gone
    soon = plan.due(later + timedelta(seconds=10))
    assert {planned.check.id for planned in soon} == {"new", "other"}


def test_what_a_check_remembers_outlives_new_bands_and_not_a_new_target(now: datetime) -> None:
    plan = Plan(FACTS.by_name())
    plan.renew([book({"it": tcp()})], now)
    plan.planned["shop", "it"].memory["seen"] = 1
    plan.renew([book({"it": tcp(bands={"warning": "> 1s"})})], now)
    assert plan.planned["shop", "it"].memory == {"seen": 1}
    plan.renew([book({"it": tcp(port=2)})], now)
    assert plan.planned["shop", "it"].memory == {}


def test_a_draft_is_not_watched(now: datetime) -> None:
    plan = Plan(FACTS.by_name())
    plan.renew([book({"it": tcp()}, status="draft")], now)
    assert plan.next_due() is None


def test_the_servers_own_facts_are_filled_in_and_judged_again(now: datetime) -> None:
    plan = Plan(FACTS.by_name())
    checks = {"good": tcp(port="{opsbook.port}"), "bad": tcp(port="{opsbook.url}")}
    plan.renew([book(checks)], now)
    good, bad = plan.planned["shop", "good"], plan.planned["shop", "bad"]
    assert good.spec.model_dump()["port"] == 8420
    assert good.fault == ""
    assert "is not a port number" in bad.fault
