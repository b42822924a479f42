"""What sessions and tokens may do in a book."""

from dataclasses import replace

import pytest

from opsbook.access import Principal
from opsbook.base.errors import Refused
from tests.access.cast import book

BOOK = book()
SESSION = {"account_id": 3, "login": "officer", "first_admin": False}


def session(login: str, *, first_admin: bool = False) -> Principal:
    return Principal.of_session({"account_id": 3, "login": login, "first_admin": first_admin})


def token(login: str | None, *scopes: str) -> Principal:
    account = None if login is None else 3
    return Principal.of_token(
        {"id": 9, "account_id": account, "login": login, "first_admin": False, "scopes": scopes}
    )


@pytest.mark.parametrize(
    ("login", "permission", "allowed"),
    [
        ("lead", "access:admin", True),
        ("lead", "runs:read", True),
        ("officer", "runs:write", True),
        ("officer", "runs:read", True),
        ("officer", "runs:admin", False),
        ("officer", "audit:read", True),
        ("officer", "audit:write", False),
        ("officer", "checks:read", False),
        ("second-officer", "audit:read", True),
        ("second", "audit:read", False),
        ("viewer", "runs:read", True),
        ("viewer", "runs:write", False),
        ("stranger", "runs:read", False),
    ],
)
def test_a_session_may_what_the_roles_of_its_person_say(
    login: str, permission: str, allowed: bool
) -> None:
    assert session(login).may(permission, BOOK) is allowed


def test_the_first_administrator_may_do_everything_in_every_book() -> None:
    first = session("nobody-in-the-book", first_admin=True)
    assert first.may("access:admin", BOOK)
    assert first.holds("security", BOOK)
    assert first.person(BOOK) is None


@pytest.mark.parametrize(
    ("scopes", "permission", "allowed"),
    [
        (["read"], "runs:read", True),
        (["run"], "runs:read", False),
        (["read"], "runs:write", False),
        (["run"], "runs:write", True),
        (["approve"], "runs:write", False),
        (["approve"], "incidents:write", True),
        (["run"], "incidents:write", True),
        (["read", "run", "approve"], "checks:read", False),
    ],
)
def test_a_token_narrows_what_its_person_may(
    scopes: list[str], permission: str, allowed: bool
) -> None:
    assert token("officer", *scopes).may(permission, BOOK) is allowed


def test_the_local_token_reads_and_starts_and_acts_for_nobody() -> None:
    local = token(None, "read", "run")
    assert (local.actor, local.kind, local.account_id) == ("token:9", "local", None)
    assert local.may("audit:read", BOOK)
    assert local.may("runs:write", BOOK)
    assert not local.may("access:admin", BOOK)
    assert not local.holds("admin", BOOK)
    with pytest.raises(Refused, match="acts for no person"):
        local.require_person()


def test_acting_as_a_person_takes_the_scope_approve() -> None:
    session("viewer").require_person()
    token("officer", "approve").require_person()
    with pytest.raises(Refused, match="does not act as officer"):
        token("officer", "read", "run").require_person()
    with pytest.raises(Refused, match="session does not act as"):
        replace(session("officer"), scopes=frozenset({"read"})).require_person()


def test_a_refusal_names_the_permission_and_who_has_it() -> None:
    with pytest.raises(Refused) as refused:
        session("viewer").require("runs:write", BOOK)
    assert refused.value.message == "viewer has no runs:write in the book shop."
    assert "Roles that have it: admin, responder." in refused.value.remedy
    with pytest.raises(Refused, match="stranger is nobody in the book shop"):
        session("stranger").require("runs:read", BOOK)
    with pytest.raises(Refused, match="it is for read, and runs:write needs run"):
        token("officer", "read").require("runs:write", BOOK)


def test_a_person_is_found_by_their_account_in_each_book() -> None:
    second = session("second-officer")
    person = second.person(BOOK)
    assert person is not None
    assert person.id == "second"
    assert second.roles(BOOK) == {"security"}
    assert second.persons([BOOK, book(id="other")]) == [("shop", "second"), ("other", "second")]
    assert session("stranger").persons([BOOK]) == []
