"""Incidents through the interface: the whole story of one, and who may answer it."""

import pytest

from tests.api.asking import Caller, assert_problem


@pytest.fixture(scope="module")
def lead(troubled):
    return Caller(troubled, troubled.make_token("lead", "read", "run", "approve"))


def caller(troubled, login, *scopes):
    return Caller(troubled, troubled.make_token(login, *scopes))


def test_an_incident_comes_with_its_alert_its_page_its_run_and_its_story(lead):
    listed = lead.get("/incidents", params={"state": "active"}).json()
    assert [one["id"] for one in listed["incidents"]] == [1]
    one = lead.get("/incidents/1").json()
    assert one["title"] == "The queue is long" or one["title"] == "Queue"
    assert [alert["state"] for alert in one["alerts"]] == ["firing"]
    assert [page["person"] for page in one["pages"]] == ["lead"]
    assert one["run"]["runbook"] == "look"
    assert one["run"]["attended"] is False
    story = [entry["action"] for entry in one["timeline"]]
    assert story.index("incident.opened") < story.index("incident.paged")
    assert all(entry["sentence"] for entry in one["timeline"])


def test_who_may_not_answer_is_refused_and_that_is_part_of_the_record(troubled, lead):
    viewer = caller(troubled, "viewer", "read", "run", "approve")
    for how in ("acknowledge", "resolve", "note"):
        assert_problem(viewer.post(f"/incidents/1/{how}", json={"note": "me"}), 403)
    refused = [
        one
        for one in lead.get("/audit", params={"thread": "incident:1"}).json()["entries"]
        if one["action"] == "access.refused"
    ]
    assert len(refused) == 3
    assert_problem(caller(troubled, "stranger", "read").get("/incidents/1"), 404)


def test_acknowledging_takes_a_person(troubled):
    local = Caller(troubled, (troubled.data / "local.token").read_text())
    assert local.get("/incidents/1").status_code == 200
    assert "local token" in assert_problem(
        local.post("/incidents/1/acknowledge", json={}), 403
    )["detail"]  # fmt: skip
    without = caller(troubled, "lead", "read", "run")
    assert_problem(without.post("/incidents/1/acknowledge", json={}), 403)


def test_of_two_people_one_is_first_and_the_story_has_their_words(lead):
    answer = lead.post("/incidents/1/acknowledge", json={"note": "on it"})
    assert answer.status_code == 200
    one = answer.json()
    assert one["state"] == "acknowledged"
    assert one["acknowledged_by"] == "Lead"
    assert_problem(lead.post("/incidents/1/acknowledge", json={}), 409)
    assert_problem(lead.post("/incidents/1/note", json={"note": "  "}), 422)
    assert_problem(lead.post("/incidents/1/note", json={"note": "x" * 20_000}), 422)
    noted = lead.post("/incidents/1/note", json={"note": "emptied"}).json()
    assert [one["text"] for one in noted["timeline"] if one["text"]] == ["on it", "emptied"]
    resolved = lead.post("/incidents/1/resolve", json={}).json()
    assert resolved["state"] == "resolved"
    assert_problem(lead.post("/incidents/1/resolve", json={}), 409)
    assert lead.get("/incidents", params={"state": "active"}).json()["incidents"] == []
    assert [one["id"] for one in lead.get("/incidents").json()["incidents"]] == [1]
