"""Approvals as the engine and the pages use them: rows, events and the audit story."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from opsbook.access import accounts, approvals, approvers
from opsbook.access.errors import NotApproved
from opsbook.audit.entries import timeline
from opsbook.base import events
from opsbook.base.errors import Invalid, NotFound
from tests.access.cast import Cast, book
from tests.access.conftest import Play

HOUR = timedelta(hours=1)
FORBID = book()
RECORD = book("record")


def decided(cast: Cast) -> list[tuple[str, dict[str, Any]]]:
    found = cast.tx.rows(sa.select(events.event).order_by(events.event.c.id))
    return [(row["subject"], row["data"]) for row in found if row["kind"] == approvals.DECIDED]


def told(cast: Cast, thread: str = "incident:1") -> list[str]:
    return [entry["action"] for entry in timeline(cast.tx, thread)]


def test_a_granted_approval_tells_whoever_asked(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID)
        assert [row["id"] for row in approvals.open(cast.tx, "shop")] == [asked]
        assert approvals.open(cast.tx, "other") == []
        state = approvals.decide(
            cast.tx, cast.now, asked, cast.session("officer"), FORBID, "approve", "  hash checked "
        )
        assert state == "approved"
        assert decided(cast) == [("run:5", {"approval_id": asked, "state": "approved"})]
        assert approvals.open(cast.tx) == []
        (vote,) = approvals.votes(cast.tx, asked)
        assert (vote["decision"], vote["by_oneself"], vote["note"]) == (
            "approve", False, "hash checked",
        )  # fmt: skip
        requested, approved = timeline(cast.tx, "incident:1")
        assert requested["action"] == "approval.requested"
        assert requested["data"]["excluded"] == {
            f"account:{cast.ids['lead']}": "started",
            f"account:{cast.ids['editor']}": "edited",
        }
        assert approved["actor"] == f"account:{cast.ids['officer']}"
        assert (approved["action"], approved["text"]) == ("approval.approved", "hash checked")
        assert "hash checked" not in str(approved["data"])

    play(story)


def test_a_quorum_is_a_story_of_its_votes(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID, need=2)
        for login in ("officer", "second-officer"):
            approvals.decide(cast.tx, cast.now, asked, cast.session(login), FORBID, "approve")
        assert told(cast) == ["approval.requested", "approval.voted", "approval.approved"]
        assert timeline(cast.tx, "incident:1")[-1]["data"]["approved"] == 2
        assert len(decided(cast)) == 1

    play(story)


def test_a_team_of_one_approves_its_own_and_the_record_says_so(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(RECORD, role="admin")
        approvals.decide(cast.tx, cast.now, asked, cast.session("lead"), RECORD, "approve")
        assert approvals.votes(cast.tx, asked)[0]["by_oneself"]
        assert timeline(cast.tx, "incident:1")[-1]["data"]["by_oneself"] is True

    play(story)


def test_the_first_administrator_stands_in_for_a_role_and_the_record_says_so(
    play: Play,
) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID)
        approvals.decide(cast.tx, cast.now, asked, cast.session("first"), FORBID, "approve")
        assert timeline(cast.tx, "incident:1")[-1]["data"]["stands_in"] is True

    play(story)


def test_the_starter_may_take_it_back_by_rejecting(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID, role="admin")
        state = approvals.decide(
            cast.tx, cast.now, asked, cast.session("lead"), FORBID, "reject", "not today"
        )
        assert state == "rejected"
        assert told(cast)[-1] == "approval.rejected"
        assert decided(cast)[-1][1]["state"] == "rejected"

    play(story)


def test_a_yes_can_become_a_no_while_others_are_waited_for(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID, need=2)
        officer = cast.session("officer")
        approvals.decide(cast.tx, cast.now, asked, officer, FORBID, "approve")
        approvals.decide(cast.tx, cast.now, asked, officer, FORBID, "reject")
        (vote,) = approvals.votes(cast.tx, asked)
        assert vote["decision"] == "reject"

    play(story)


def test_expiry_is_due_when_it_is_due_and_happens_once(play: Play) -> None:
    def story(cast: Cast) -> None:
        first, late = cast.ask(FORBID), cast.ask(FORBID, expires_at=cast.now + 6 * HOUR)
        never = cast.ask(FORBID, expires_at=None)
        assert approvals.expire(cast.tx, cast.now) == cast.now + 4 * HOUR
        assert approvals.expire(cast.tx, cast.now + 4 * HOUR) == cast.now + 6 * HOUR
        assert approvals.expire(cast.tx, cast.now + 5 * HOUR) == cast.now + 6 * HOUR
        assert [row["id"] for row in approvals.open(cast.tx)] == [late, never]
        assert decided(cast) == [("run:5", {"approval_id": first, "state": "expired"})]
        assert told(cast).count("approval.expired") == 1

    play(story)


def test_a_refused_vote_can_be_put_on_record(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked, lead = cast.ask(FORBID, role="admin"), cast.session("lead")
        with pytest.raises(NotApproved) as refused:
            approvals.decide(cast.tx, cast.now, asked, lead, FORBID, "approve", "please")
        approvals.record_refusal(cast.tx, cast.now, asked, lead, refused.value)
        last = timeline(cast.tx, "incident:1")[-1]
        assert (last["action"], last["actor"]) == ("approval.refused", lead.actor)
        assert last["data"] == {"for": "run:5", "reason": "excluded"}

    play(story)


def test_a_page_can_say_who_is_waited_for_and_why_one_may_not(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = approvals.require(cast.tx, cast.ask(FORBID))
        mine = approvals.require(cast.tx, cast.ask(FORBID, role="admin"))
        logins = accounts.logins(cast.tx, mine["excluded"])
        assert approvers.could_approve(FORBID, asked, logins) == ["officer", "second"]
        assert approvers.could_approve(FORBID, mine, logins) == []
        assert approvers.could_approve(RECORD, {**mine, "self_approval": "record"}, logins) == [
            "lead"
        ]
        anybody = approvals.require(cast.tx, cast.ask(FORBID, role=None))
        assert approvers.could_approve(FORBID, anybody, logins) == ["officer"]
        lead, officer = cast.session("lead"), cast.session("officer")
        why = approvers.why_not(cast.tx, cast.now, mine, [], lead, FORBID)
        assert why is not None
        assert why.details["reason"] == "excluded"
        assert approvers.why_not(cast.tx, cast.now, asked, [], officer, FORBID) is None

    play(story)


def test_an_approval_that_is_not_there_and_a_note_that_is_too_long(play: Play) -> None:
    def story(cast: Cast) -> None:
        officer = cast.session("officer")
        with pytest.raises(NotFound):
            approvals.decide(cast.tx, cast.now, 99, officer, FORBID, "approve")
        with pytest.raises(Invalid, match="10000 fit"):
            approvals.decide(
                cast.tx, cast.now, cast.ask(FORBID), officer, FORBID, "approve", "x" * 10_001
            )

    play(story)


def test_a_binding_does_not_depend_on_the_order_of_its_parts() -> None:
    one = approvals.binding(revision="r", params={"a": "1", "b": "2"})
    assert one == approvals.binding(params={"b": "2", "a": "1"}, revision="r")
    assert one != approvals.binding(revision="r", params={"a": "1", "b": "3"})
