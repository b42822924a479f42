"""``/accounts`` of the interface: a token that says so, links told once, refusals on record."""

from pathlib import Path

import httpx2
import pytest

from tests.api.asking import Caller, assert_problem
from tests.support.front_door import start
from tests.support.shopbook import write_shop

PEOPLE = "  viewer: {name: Viewer, roles: [viewer]}\n"
MORE = PEOPLE + "  second: {name: Second, roles: [lead]}\n"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory):
    """A server of its own: accounts are made and disabled here."""
    folder = tmp_path_factory.mktemp("office")
    folder.chmod(0o755)
    book = write_shop(folder)
    file = next(one for one in Path(book).rglob("*.yaml") if PEOPLE in one.read_text())
    file.write_text(file.read_text().replace(PEOPLE, MORE))
    up = start(book, data=folder / "data")
    try:
        yield up
    finally:
        up.stop()


@pytest.fixture(scope="module")
def lead(office):
    return Caller(office, office.make_token("lead", "read", "accounts"))


def the(lead, login):
    listed = lead.get("/accounts").json()["accounts"]
    return next(one for one in listed if one["login"] == login)


def test_a_person_is_invited_comes_in_and_is_shut_out_again(lead, office):
    before = lead.get("/accounts").json()
    assert "second" in [one["login"] for one in before["without"]]
    answer = lead.post("/accounts", json={"login": "second"})
    assert answer.status_code == 201
    made = answer.json()
    assert made["url"].startswith(f"{office.url}/sign-in/link/")
    assert the(lead, "second")["state"] == "invited"
    assert the(lead, "second")["persons"][0]["roles"] == ["lead"]
    assert_problem(lead.post("/accounts", json={"login": "second"}), 409)

    again = lead.post(f"/accounts/{made['account']}/link").json()
    assert httpx2.get(made["url"]).status_code == 410
    assert httpx2.get(again["url"]).status_code == 200

    shut = lead.post(f"/accounts/{made['account']}/disable").json()
    assert (shut["state"], shut["login"]) == ("disabled", "second")
    assert httpx2.get(again["url"]).status_code == 410
    assert_problem(lead.post(f"/accounts/{made['account']}/link"), 403)
    assert lead.post(f"/accounts/{made['account']}/enable").json()["state"] == "late"


@pytest.mark.parametrize("scopes", [("read",), ("read", "run", "approve")])
def test_a_token_without_the_scope_changes_nothing_and_the_refusal_is_on_record(
    scopes, lead, office
):
    narrow = Caller(office, office.make_token("lead", *scopes))
    assert narrow.get("/accounts").status_code == 200
    problem = assert_problem(narrow.post("/accounts", json={"login": "nobody-new"}), 403)
    assert "scope accounts" in problem["remedy"]
    (newest, *_) = lead.get("/audit", params={"limit": 1}).json()["entries"]
    assert newest["action"] == "access.refused"
    assert newest["data"]["request"] == "POST /api/v1/accounts"


def test_the_local_token_reads_accounts_and_changes_none(office):
    local = Caller(office, (office.data / "local.token").read_text())
    assert local.get("/accounts").status_code == 200
    assert_problem(local.post("/accounts", json={"login": "second"}), 403)


def test_who_may_only_read_is_refused_and_a_stranger_sees_nothing(lead, office):
    viewer = Caller(office, office.make_token("viewer", "read", "accounts"))
    number = the(lead, "lead")["id"]
    assert_problem(viewer.post(f"/accounts/{number}/disable"), 403)
    assert_problem(viewer.post(f"/accounts/{number}/link"), 403)
    (newest, *_) = lead.get("/audit", params={"limit": 1}).json()["entries"]
    assert newest["subject"] == f"account:{number}"
    stranger = Caller(office, office.make_token("stranger", "read", "accounts"))
    assert_problem(stranger.get("/accounts"), 403)


def test_what_is_no_account_or_no_name_is_said(lead):
    assert_problem(lead.post("/accounts/999999/disable"), 404)
    assert_problem(lead.post("/accounts", json={"login": "two words"}), 422)
    assert_problem(lead.post("/accounts", json={}), 422)
    assert_problem(lead.post("/accounts", json={"login": "x", "roles": ["lead"]}), 422)


def test_the_description_knows_the_shapes(lead):
    described = lead.get("/openapi.json").json()
    assert {"/api/v1/accounts", "/api/v1/accounts/{account_id}/link"} <= set(described["paths"])
    assert {"AccountOut", "LinkMade", "Invite"} <= set(described["components"]["schemas"])
