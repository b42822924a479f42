"""Who is waited for, as pages and the API say it: roles, persons, who is on duty, how many."""

from datetime import UTC, datetime

import pytest

from opsbook.book import Book, Vocabulary, load
from opsbook.web import waiting
from opsbook.web.api.models import ApprovalOut, WaitOut
from opsbook.web.i18n import Speech

BOOK = """
id: shop
title: Shop
timezone: Asia/Seoul
languages: [en, ko]
people:
  officer: {name: Officer, roles: [security]}
  second: {name: Second officer, roles: [security]}
  dba: {name: Database administrator, roles: [dba]}
roles:
  security: ["runs:read"]
  dba: ["runs:read"]
  empty: ["runs:read"]
"""
ROW = {"role": None, "approval_role": "security,dba", "need": 1}


@pytest.fixture(scope="module")
def shop() -> Book:
    return load({"book.yaml": BOOK}, Vocabulary(check_kinds={}))


def said(shop: Book, language: str = "en", **row: object) -> str:
    return waiting.whom(Speech(language), shop, {**ROW, **row})


def test_every_role_that_may_answer_is_named_with_its_people(shop: Book) -> None:
    assert said(shop) == (
        "waits for security, dba (Officer, Second officer, Database administrator)"
    )


def test_whoever_is_on_duty_comes_first(shop: Book) -> None:
    assert said(shop, duty=["second"], role="security") == (
        "waits for security (Second officer, on duty, Officer)"
    )


def test_nobody_is_named_who_takes_part_or_has_answered(shop: Book) -> None:
    assert said(shop, shut={"officer", "dba"}) == "waits for security, dba (Second officer)"
    shut = {"officer", "second", "dba"}
    assert said(shop, shut=shut).endswith("nobody else in the book has that role")
    assert said(shop, role="empty").endswith("nobody in the book has that role")


def test_how_many_have_answered_is_said_where_several_have_to(shop: Book) -> None:
    assert said(shop, role="dba", need=2, given=1).endswith(" · 1 of 2")
    assert said(shop, "ko", role="dba", need=2, given=1).endswith(" · 2명 중 1명")
    assert " of " not in said(shop, role="dba")


def test_the_api_tells_the_roles_apart_and_keeps_the_first_of_them() -> None:
    row = {
        "id": 3, "question": "Switch?", "role": "security,dba", "need": 2, "approved": 1,
        "state": "open", "expires_at": None,
    }  # fmt: skip
    asked = ApprovalOut(**row)
    assert (asked.role, asked.roles) == ("security", ["security", "dba"])
    anybody = ApprovalOut(**{**row, "role": None})
    assert (anybody.role, anybody.roles) == (None, [])
    wait = WaitOut(
        kind="approval", step="agree", title="Agree", role="security,dba", need=2, given=1,
        since=datetime(2026, 3, 3, tzinfo=UTC), due_at=None, approval=asked,
    )  # fmt: skip
    assert wait.model_dump()["approval"]["roles"] == ["security", "dba"]
    assert (wait.role, wait.roles) == ("security", ["security", "dba"])
