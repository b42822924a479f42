"""Audit entries as sentences: every action has one, in both languages, and none breaks a page."""

import re
from pathlib import Path
from typing import Any

import pytest

import opsbook
from opsbook.web import sentences

SOURCE = Path(opsbook.__file__).parent
ACTION = re.compile(
    r'"((?:account|access|alert|approval|book|incident|link|page|routine|run|step|token|webhook)\.[a-z_]+)"'
)
# Names of events, files and columns that look like actions.
NO_ACTIONS = {
    "account.id", "alert.id", "approval.id", "approval.decided", "incident.id", "page.id", "run.id",
    "book.yaml", "run.finished", "run.changed", "run.created", "run.asks", "page.retried",
    "run.running", "run.waiting", "webhook.test",
}  # fmt: skip


def recorded() -> set[str]:
    """The actions that the packages below the pages record, found in their source."""
    found: set[str] = set()
    for file in SOURCE.rglob("*.py"):
        if "web" not in file.parts and "cli" not in file.parts:
            found |= set(ACTION.findall(file.read_text(encoding="utf-8")))
    return (found - NO_ACTIONS) | {"run.succeeded", "run.failed", "run.cancelled"}


def entry(
    action: str, data: dict[str, Any] | None = None, actor: str = "account:1"
) -> dict[str, Any]:
    subject = f"{action.partition('.')[0]}:7"
    return {"action": action, "subject": subject, "actor": actor, "data": data or {}}


def test_every_action_that_is_recorded_has_a_sentence() -> None:
    lacking = {one for one in recorded() if sentences.pattern(entry(one)) is None}
    assert lacking == set()


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_sentence_is_whole_even_for_an_entry_that_lacks_its_data(language: str) -> None:
    for action in sentences.PATTERNS:
        told = sentences.sentence(entry(action), "operator", language)
        assert told
        assert "%(" not in told


def test_who_acted_and_on_whose_work_choose_the_sentence() -> None:
    own = sentences.sentence(
        entry("approval.approved", {"by_oneself": True, "for": "run:5"}), "kim", "en"
    )
    assert own == "kim approved their own work (run 5), as the book allows."
    other = sentences.sentence(entry("approval.approved", {"for": "run:5"}), "kim", "en")
    assert other == "kim approved (run 5)."
    alone = sentences.sentence(entry("incident.resolved", actor="opsbook"), "Opsbook", "en")
    assert alone == "incident 7 is resolved: all its alerts are over."


def test_a_held_revision_says_who_may_approve_it() -> None:
    asked = entry("approval.requested", {"for": "book:shop/89ea39920fde", "role": None}, "opsbook")
    assert sentences.sentence(asked, "Opsbook", "en") == (
        "Revision 89ea39920fde of shop waits for an approval by somebody with book:admin."
    )
    assert sentences.sentence(asked, "Opsbook", "ko") == (
        "shop의 89ea39920fde 판이 book:admin 권한이 있는 사람의 승인을 기다립니다."
    )
    step = entry("approval.requested", {"for": "run:5", "role": "lead"}, "opsbook")
    assert sentences.sentence(step, "Opsbook", "en") == (
        "An approval is asked for (run 5), role lead."
    )


def test_the_token_of_this_machine_is_nobodys() -> None:
    data = {"account": None, "scopes": ["read", "run"]}
    assert sentences.sentence(entry("token.made", data, "opsbook"), "Opsbook", "en") == (
        "A token was made for programs on this machine (read, run)."
    )
    own = sentences.sentence(entry("token.made", data | {"account": 1}), "kim", "en")
    assert own == "kim made a token for: read, run."


def test_an_alert_says_its_value_with_its_unit() -> None:
    data = {
        "rule": "slow",
        "check_id": "web",
        "check_state": "critical",
        "value": 2980.0,
        "unit": "ms",
    }
    assert sentences.sentence(entry("alert.fired", data, "opsbook"), "Opsbook", "en") == (
        "The rule slow fired: web is critical (2.98 s)"
    )


def test_an_unknown_action_is_still_a_sentence() -> None:
    told = sentences.sentence(entry("drill.scored", {"score": 7}), "operator", "en")
    assert told == "drill: scored (drill:7) score 7"


def test_what_an_entry_holds_cannot_become_html() -> None:
    data = {"title": "<script>x</script>", "message": "<b>"}
    for action in ("step.failed", "drill.scored"):
        told = str(
            sentences._said(sentences.Speech("en"), entry(action, data), "<i>me</i>", plain=False)
        )
        assert "<script>" not in told
        assert "<b>" not in told
