"""``opsbook accounts``: who can sign in, inviting by a token that says so, and the way back in."""

import httpx2
import pytest

from tests.support.front_door import Up, call, start
from tests.support.shopbook import write_shop


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory):
    """A server of its own, with the token of somebody who looks after accounts."""
    folder = tmp_path_factory.mktemp("office")
    folder.chmod(0o755)
    up = start(write_shop(folder), data=folder / "data")
    up.token = up.make_token("lead", "read", "accounts")
    try:
        yield up
    finally:
        up.stop()


def test_the_list_says_who_cannot_sign_in_and_what_to_type(office: Up):
    answer = office.call("accounts")
    assert answer.status == 0
    assert "first administrator" in answer.out
    assert "no account" in answer.out
    assert "opsbook accounts invite viewer" in answer.out


def test_somebody_is_invited_shut_out_and_let_in_again(office: Up):
    refused = office.call("accounts", "invite", "viewer")
    assert refused.status == 1
    assert "scope accounts" in refused.err
    made = office.as_person("accounts", "invite", "viewer")
    assert made.status == 0
    assert "Send this to viewer alone" in made.out
    url = next(word for word in made.out.split() if "/sign-in/link/" in word)
    assert httpx2.get(url).status_code == 200
    newer = office.as_person("accounts", "link", "viewer", "-o", "json").json
    assert httpx2.get(url).status_code == 410
    assert httpx2.get(newer["url"]).status_code == 200
    assert office.as_person("accounts", "disable", "viewer").status == 0
    assert httpx2.get(newer["url"]).status_code == 410
    assert "disabled" in office.call("accounts", "list").out
    assert office.as_person("accounts", "enable", "viewer").status == 0


def test_an_account_that_is_not_there_is_named(office: Up):
    answer = office.as_person("accounts", "disable", "nobody-new")
    assert answer.status == 1
    assert "nobody-new" in answer.err
    assert "accounts list" in answer.err


def test_a_first_administrator_gets_back_in_with_the_data_folder(office: Up):
    made = office.call("accounts", "link", "lead", "--offline")
    assert made.status == 0, made.err
    url = next(word for word in made.out.split() if "/sign-in/link/" in word)
    assert url.startswith(office.url)
    assert "Sign in as lead" in httpx2.get(url).text
    entries = office.call("audit", "list", "--limit", "1").out
    assert "made by somebody with the data folder" in entries
    other = office.call("accounts", "link", "viewer", "--offline")
    assert other.status == 1
    assert "Name one of them: lead" in other.err


def test_the_way_back_needs_a_database_and_creates_none(tmp_path):
    answer = call("accounts", "link", "lead", "--offline", OPSBOOK_DATA=str(tmp_path / "none"))
    assert answer.status == 2
    assert "There is no database" in answer.err
    assert not (tmp_path / "none").exists()
    assert call("accounts", "link", "lead", "--database", "sqlite:////x").status == 2
