"""On call through the interface: who is called, taking over, swapping, and who may not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.api.asking import Caller, assert_problem
from tests.support.front_door import Up, start

BOOK = """
id: front
title: Front
timezone: Asia/Seoul
people:
  lead: {name: Lead, roles: [member, planner]}
  responder: {name: Responder, roles: [member]}
  viewer: {name: Viewer, roles: [member]}
roles: {member: ["incidents:write"], planner: ["people:write"]}
teams: {turning: {members: [lead, responder], rotation: days}}
rotations: {days: {layers: [{people: [lead, responder], shift: 1d, starts: 2026-01-05 09:00}]}}
"""
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def duty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("duty")
    folder.chmod(0o755)
    (folder / "front").mkdir()
    (folder / "front" / "book.yaml").write_text(BOOK)
    up = start(folder / "front", data=folder / "data")
    try:
        yield up
    finally:
        up.stop()


@pytest.fixture
def lead(duty):
    return Caller(duty, duty.make_token("lead", "read", "run", "approve"))


@pytest.fixture
def responder(duty):
    return Caller(duty, duty.make_token("responder", "read", "run", "approve"))


def asked(**more):
    times = {
        "starts_at": (NOW + timedelta(hours=1)).isoformat(),
        "ends_at": (NOW + timedelta(hours=2)).isoformat(),
    }
    return {"book": "front", "rotation": "days", **times, **more}


def first(caller, hours):
    at = (NOW + timedelta(hours=hours)).isoformat()
    (team,) = [
        one
        for one in caller.get("/oncall", params={"at": at}).json()["teams"]
        if one["team"] == "turning"
    ]
    return team["on_duty"][0]


def test_taking_over_changes_who_is_called_for_that_time(lead, responder):
    other = "responder" if first(lead, 1.5) == "lead" else "lead"
    by = responder if other == "responder" else lead
    made = by.post("/oncall/exceptions", json=asked(person=other, reason="a dentist"))
    assert made.status_code == 201, made.text
    assert first(lead, 1.5) == other
    shifts = lead.get("/oncall/days/shifts", params={"book": "front"}).json()
    assert [one["reason"] for one in shifts["exceptions"]] == ["a dentist"]
    assert "agreed" in {one["why"] for one in shifts["shifts"]}
    number = made.json()["id"]
    assert by.post(f"/oncall/exceptions/{number}/withdraw", json={}).status_code == 200
    assert first(lead, 1.5) != other
    assert_problem(by.post(f"/oncall/exceptions/{number}/withdraw", json={}), 409)


def test_a_swap_is_told_to_whom_it_is_asked_of_and_holds_once_accepted(duty, lead, responder):
    giver = first(lead, 1.5)
    taker = "responder" if giver == "lead" else "lead"
    asks, answers = (lead, responder) if giver == "lead" else (responder, lead)
    made = asks.post("/oncall/swaps", json=asked(giver=giver, taker=taker, reason="a concert"))
    assert made.status_code == 201, made.text
    swap = made.json()["id"]
    assert_problem(asks.post(f"/oncall/swaps/{swap}/accept", json={}), 403)
    assert answers.post(f"/oncall/swaps/{swap}/accept", json={}).json()["state"] == "accepted"
    assert first(lead, 1.5) == taker
    assert_problem(answers.post(f"/oncall/swaps/{swap}/decline", json={}), 409)


def test_what_cannot_be_is_refused_with_everything_that_is_wrong(lead):
    wrong = asked(person="nobody", rotation="moth")
    detail = assert_problem(lead.post("/oncall/exceptions", json=wrong), 422)["detail"]
    assert "nobody" in detail
    assert "moth" in detail


def test_programs_and_strangers_agree_upon_nothing(duty, lead):
    local = Caller(duty, (duty.data / "local.token").read_text())
    assert local.get("/oncall").status_code == 200
    assert_problem(local.post("/oncall/exceptions", json=asked(person="lead")), 403)
    viewer = Caller(duty, duty.make_token("viewer", "read", "run", "approve"))
    assert_problem(viewer.post("/oncall/exceptions", json=asked(person="viewer")), 403)
    stranger = Caller(duty, duty.make_token("stranger", "read"))
    assert_problem(stranger.get("/oncall/days/shifts"), 403)


def test_the_command_line_says_who_is_on_duty(duty):
    said = duty.call("oncall")
    assert said.status == 0
    assert "turning" in said.out
    well = duty.call("oncall", "--ahead", "31")
    assert well.status == 0
    assert "Nothing is wrong with duty" in well.out
    wrong = duty.call("oncall", "--at", "yesterday")
    assert wrong.status == 2
    assert "yesterday" in wrong.err
