"""Editing a book through the interface: opened, changed, checked, published, or refused."""

from collections.abc import Iterator

import pytest

from opsbook.revisions.model import digest_of
from tests.api.asking import Caller, assert_problem
from tests.support.front_door import Up, start
from tests.support.shopbook import write_shop

PATH = "book.yaml"


@pytest.fixture
def own(tmp_path) -> Iterator[Up]:
    tmp_path.chmod(0o755)
    up = start(write_shop(tmp_path), data=tmp_path / "data")
    try:
        yield up
    finally:
        up.stop()


def caller(up: Up, login: str, *scopes: str) -> Caller:
    return Caller(up, up.make_token(login, *(scopes or ("read", "run", "approve"))))


def text_of(up: Up) -> str:
    """What the book's folder holds."""
    return next(up.data.parent.rglob(PATH)).read_text()


def test_a_draft_is_changed_checked_and_published(own: Up) -> None:
    lead = caller(own, "lead")
    before = text_of(own)
    made = lead.post("/books/shop/drafts")
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    after = before.replace("every: ", "every: 1", 1)
    wrong = {"path": PATH, "text": after, "seen": digest_of("something else")}
    assert_problem(lead.post(f"/drafts/{number}/change", json=wrong), 409)
    asked = {"path": PATH, "text": after, "seen": digest_of(before)}
    changed = lead.post(f"/drafts/{number}/change", json=asked).json()
    assert changed["files"] == [PATH]
    assert changed["contents"] == [{"path": PATH, "text": after, "digest": digest_of(after)}]
    assert changed["findings"] == []
    assert changed["plan"]["changes"]
    assert_problem(lead.post(f"/drafts/{number}/change", json=asked), 409)
    assert [one["id"] for one in lead.get("/books/shop/drafts").json()["drafts"]] == [number]
    assert_problem(lead.post(f"/drafts/{number}/publish", json={"reason": " "}), 422)
    done = lead.post(f"/drafts/{number}/publish", json={"reason": "less often"}).json()
    assert done["state"] == "published"
    assert text_of(own) == after
    assert_problem(lead.post(f"/drafts/{number}/discard"), 409)
    assert lead.get("/books/shop/drafts").json() == {"drafts": []}


def test_a_broken_draft_has_findings_and_is_not_published(own: Up) -> None:
    lead = caller(own, "lead")
    before = text_of(own)
    number = lead.post("/books/shop/drafts").json()["id"]
    asked = {"path": PATH, "text": before.replace("every: ", "every: x", 1),
             "seen": digest_of(before)}  # fmt: skip
    found = lead.post(f"/drafts/{number}/change", json=asked).json()["findings"]
    assert found[0]["file"] == PATH
    assert found[0]["line"] > 0
    refused = lead.post(f"/drafts/{number}/publish", json={"reason": "now"})
    told = assert_problem(refused, 422)["problems"]
    assert told[0]["message"].startswith(f"{PATH}:{found[0]['line']}:")
    assert text_of(own) == before
    assert lead.post(f"/drafts/{number}/discard").json()["state"] == "discarded"


def test_what_loosens_waits_and_is_listed_with_what_it_changes(own: Up) -> None:
    lead = caller(own, "lead")
    before = text_of(own)
    text = before.replace('viewer: ["*:read"]', 'viewer: ["*:read", "runs:write"]')
    number = lead.post("/books/shop/drafts").json()["id"]
    asked = {"path": PATH, "text": text, "seen": digest_of(before)}
    assert lead.post(f"/drafts/{number}/change", json=asked).json()["plan"]["loosens"] == 1
    waits = lead.post(f"/drafts/{number}/publish", json={"reason": "we are few"}).json()
    assert waits["state"] == "waiting"
    held = lead.get("/books/shop/held").json()["held"]
    assert [(one["draft"], one["approval"]) for one in held] == [(number, waits["approval"])]
    assert held[0]["changes"][0]["loosens"] is True
    assert held[0]["changes"][0]["sentence"]
    assert text_of(own) == before


def test_who_may_not_write_edits_nothing_and_a_program_opens_no_draft(own: Up) -> None:
    lead, viewer = caller(own, "lead"), caller(own, "viewer")
    number = lead.post("/books/shop/drafts").json()["id"]
    for answer in (
        viewer.get("/books/shop/drafts"), viewer.post("/books/shop/drafts"),
        viewer.get(f"/drafts/{number}"),
        viewer.post(f"/drafts/{number}/publish", json={"reason": "mine"}),
        viewer.post(f"/drafts/{number}/discard"),
        Caller(own, (own.data / "local.token").read_text()).post("/books/shop/drafts"),
        caller(own, "lead", "read").post("/books/shop/drafts"),
    ):  # fmt: skip
        assert_problem(answer, 403)
    assert lead.get(f"/drafts/{number}").json()["state"] == "open"
    assert_problem(lead.get("/drafts/999"), 404)
