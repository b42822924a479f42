"""``POST /runs/plan``: everything about a run that has not been started, and nothing is."""

import pytest

from tests.api.asking import Caller, assert_problem


@pytest.fixture(scope="module")
def lead(shop):
    return Caller(shop, shop.make_token("lead", "read", "run", "approve"))


@pytest.fixture(scope="module")
def viewer(shop):
    return Caller(shop, shop.make_token("viewer", "read", "run", "approve"))


def test_a_plan_tells_the_steps_and_starts_nothing(shop, lead):
    before = lead.get("/runs?limit=1").json()
    answer = lead.post("/runs/plan", json={"runbook": "deploy"})
    assert answer.status_code == 200, answer.text
    plan = answer.json()
    assert [one["key"] for one in plan["steps"]] == ["before", "allow", "apply", "tell"]
    assert [one["kind"] for one in plan["steps"]] == ["bash", "approval", "bash", "manual"]
    assert (plan["changes"], plan["approvals"], plan["manual"]) == (1, 1, 1)
    assert plan["steps"][1]["ask"]["roles"] == ["lead"]
    assert lead.get("/runs?limit=1").json() == before


def test_everything_wrong_is_in_the_plan_and_none_of_it_is_a_refusal(lead):
    asked = {"runbook": "greet", "params": {"nam": "crew", "times": "9", "name": "CREW"}}
    plan = lead.post("/runs/plan", json=asked).json()
    assert {one["param"] for one in plan["faults"] if one["sure"]} == {"nam", "times", "name"}


def test_who_may_only_read_is_told_what_would_happen_and_that_they_may_not_start_it(viewer, local):
    plan = viewer.post("/runs/plan", json={"runbook": "look"}).json()
    assert plan["steps"]
    assert plan["faults"][0]["message"].startswith("You may not start it: viewer")
    assert local.post("/runs/plan", json={"runbook": "look"}).json()["faults"] == []


@pytest.fixture(scope="module")
def local(shop):
    return Caller(shop, (shop.data / "local.token").read_text())


def test_what_is_not_there_or_not_mine_is_a_problem(shop, lead):
    assert_problem(lead.post("/runs/plan", json={"runbook": "nope"}), 404)
    assert_problem(lead.post("/runs/plan", json={"runbook": "look", "book": "nope"}), 404)
    assert_problem(lead.post("/runs/plan", json={"runbook": "look", "wish": 1}), 422)
    assert_problem(Caller(shop, "").post("/runs/plan", json={"runbook": "look"}), 401)
    stranger = Caller(shop, shop.make_token("stranger", "read", "run", "approve"))
    assert_problem(stranger.post("/runs/plan", json={"runbook": "look"}), 403)


def test_the_command_line_shows_the_plan_and_exits_by_whether_it_must_fail(shop):
    before = shop.call("runs", "list", "--limit", "1", "-o", "json").json
    answer = shop.call("run", "deploy", "--dry-run")
    assert answer.status == 0, answer.err
    summary = "1 step changes something · 1 approval · 1 step by hand"
    for told in ("WHAT HAPPENS", summary, "asks lead:", "Nothing was started."):
        assert told in answer.out, answer.out
    bad = shop.call("run", "greet", "-p", "times=9", "--dry-run")
    assert bad.status == 1
    assert "WILL FAIL" in bad.out
    assert "outside its range" in bad.out
    data = shop.call("run", "greet", "-p", "name=crew", "--dry-run", "-o", "json").json
    assert data["params"]["name"]["value"] == "crew"
    assert shop.call("runs", "list", "--limit", "1", "-o", "json").json == before
