"""Several roles, several people, taking a yes back, and taking part once it was asked."""

import functools
from datetime import UTC, datetime, timedelta

import pytest

from opsbook import people
from opsbook.access import approvals, approvers
from opsbook.access.errors import NotApproved, Settled, Voted
from opsbook.access.model import as_column, roles_of
from opsbook.audit.entries import timeline
from opsbook.base.errors import Invalid
from opsbook.book import Vocabulary, load
from tests.access.cast import Cast, book
from tests.access.conftest import Play

DUTY = """
id: shop
title: Shop
timezone: Asia/Seoul
people:
  lead: {name: Lead}
  officer: {name: Officer}
  second: {name: Second officer}
teams:
  office: {members: [lead]}
  guards: {members: [officer, second], rotation: weekly}
rotations:
  weekly:
    layers:
      - {people: [officer, second], shift: 7d, starts: "2026-03-02 09:00"}
"""
FORBID = book()
RECORD = book("record")


def vote(cast: Cast, asked: int, login: str, decision: str = "approve") -> str:
    who = cast.session(login)
    return approvals.decide(cast.tx, cast.now, asked, who, FORBID, decision)  # type: ignore[arg-type]


def test_a_column_names_one_role_or_several_or_none() -> None:
    assert roles_of(None) == ()
    assert roles_of("") == ()
    assert roles_of("dba") == ("dba",)
    assert roles_of("dba, lead,") == ("dba", "lead")
    assert as_column(()) is None
    assert roles_of(as_column(("dba", "lead"))) == ("dba", "lead")


def test_any_of_several_roles_may_answer_and_no_other(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID, role="security,viewer")
        with pytest.raises(NotApproved, match="the role security or viewer") as refused:
            vote(cast, asked, "editor")
        assert "Ask somebody with the role security or viewer." in str(refused.value)
        assert vote(cast, asked, "viewer") == "approved"
        requested = timeline(cast.tx, "incident:1")[0]["data"]
        assert (requested["role"], requested["roles"]) == ("security", ["security", "viewer"])

    play(story)


def test_those_who_could_answer_are_told_without_those_who_have(play: Play) -> None:
    def story(cast: Cast) -> None:
        row = approvals.require(cast.tx, cast.ask(FORBID, role="security,editor,viewer", need=2))
        logins = {cast.ids[one]: one for one in cast.ids}
        # The editor set the parameters, so that their role does not help.
        assert approvers.could_approve(FORBID, row, logins) == ["officer", "second", "viewer"]
        voted = [cast.ids["second-officer"]]
        assert approvers.could_approve(FORBID, row, logins, voted) == ["officer", "viewer"]

    play(story)


def test_a_yes_can_be_taken_back_while_others_are_waited_for(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID, need=2)
        officer = cast.session("officer")
        assert vote(cast, asked, "officer") == "open"
        approvals.withdraw(cast.tx, cast.now, asked, officer, FORBID, "the hash is another one")
        assert approvals.votes(cast.tx, asked) == []
        last = timeline(cast.tx, "incident:1")[-1]
        assert (last["action"], last["text"]) == ("approval.withdrawn", "the hash is another one")
        assert (last["data"]["approved"], last["data"]["need"]) == (0, 2)
        assert vote(cast, asked, "second-officer") == "open"
        assert vote(cast, asked, "officer") == "approved"
        with pytest.raises(Settled, match="approved already"):
            approvals.withdraw(cast.tx, cast.now, asked, officer, FORBID)

    play(story)


def test_nobody_takes_back_what_they_have_not_given(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID, need=2)
        vote(cast, asked, "officer")
        with pytest.raises(Settled, match="has not approved this"):
            approvals.withdraw(cast.tx, cast.now, asked, cast.session("second-officer"), FORBID)
        with pytest.raises(NotApproved, match="acts for no person"):
            approvals.withdraw(cast.tx, cast.now, asked, cast.token(None, "read", "run"), FORBID)
        with pytest.raises(NotApproved, match="belongs to the book"):
            approvals.withdraw(cast.tx, cast.now, asked, cast.session("officer"), book(id="other"))
        late = cast.now + timedelta(hours=4)
        with pytest.raises(Settled, match="expired"):
            approvals.withdraw(cast.tx, late, asked, cast.session("officer"), FORBID)
        assert len(approvals.votes(cast.tx, asked)) == 1

    play(story)


def test_whoever_takes_part_afterwards_may_not_approve_any_more(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked, over = cast.ask(FORBID, need=2), cast.ask(FORBID, subject="run:6")
        officer = cast.ids["officer"]
        approvals.exclude(cast.tx, cast.now, "run:5", officer, "steers", f"account:{officer}")
        with pytest.raises(NotApproved, match="they steer it"):
            vote(cast, asked, "officer")
        assert vote(cast, over, "officer") == "approved"  # another subject
        last = timeline(cast.tx, "incident:1")
        (entry,) = [one for one in last if one["action"] == "approval.excluded"]
        assert entry["data"]["because"] == "steers"
        # The others are still excluded for what they were.
        row = approvals.require(cast.tx, asked)
        assert row["excluded"] == sorted({cast.ids["lead"], cast.ids["editor"], officer})
        assert row["excluded_because"][str(cast.ids["editor"])] == "edited"

    play(story)


def test_whoever_has_voted_cannot_take_part_afterwards_unless_the_vote_is_taken_back(
    play: Play,
) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID, need=2)
        vote(cast, asked, "officer")
        officer = cast.ids["officer"]
        with pytest.raises(Voted, match="cannot take it over"):
            approvals.exclude(cast.tx, cast.now, "run:5", officer, "steers")
        assert officer not in approvals.require(cast.tx, asked)["excluded"]
        approvals.withdraw(cast.tx, cast.now, asked, cast.session("officer"), FORBID)
        approvals.exclude(cast.tx, cast.now, "run:5", officer, "steers")
        assert officer in approvals.require(cast.tx, asked)["excluded"]

    play(story)


def test_a_yes_of_somebody_who_takes_part_by_now_is_found(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID)
        vote(cast, asked, "officer")
        row, given = approvals.require(cast.tx, asked), approvals.votes(cast.tx, asked)
        officer = cast.ids["officer"]
        excluded = functools.partial(approvers.yes_of_excluded, cast.tx, cast.now, given)
        assert excluded([officer], row, FORBID) == [officer]
        assert excluded([cast.ids["lead"]], row, FORBID) == []
        assert excluded([officer], {**row, "self_approval": "record"}, RECORD) == []

    play(story)


def test_at_its_very_end_an_approval_takes_no_vote_and_one_moment_before_it_does(
    play: Play,
) -> None:
    def story(cast: Cast) -> None:
        end = cast.now + timedelta(hours=4)
        first, second = cast.ask(FORBID), cast.ask(FORBID)
        officer = cast.session("officer")
        with pytest.raises(Settled, match="expired"):
            approvals.decide(cast.tx, end, first, officer, FORBID, "approve")
        with pytest.raises(Settled, match="expired"):
            approvals.decide(cast.tx, end, first, officer, FORBID, "reject")
        before = end - timedelta(microseconds=1)
        assert approvals.decide(cast.tx, before, second, officer, FORBID, "approve") == "approved"
        approvals.expire(cast.tx, end)
        assert approvals.require(cast.tx, first)["state"] == "expired"
        assert approvals.require(cast.tx, second)["state"] == "approved"

    play(story)


@pytest.mark.parametrize("words", ["x" * 10_001, "a\0b", "\ud800"])
def test_words_that_no_database_holds_are_refused_and_not_a_crash(play: Play, words: str) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID)
        with pytest.raises(Invalid):
            approvals.decide(
                cast.tx, cast.now, asked, cast.session("officer"), FORBID, "reject", words
            )
        assert approvals.require(cast.tx, asked)["state"] == "open"

    play(story)


def test_whom_a_rotation_has_on_duty_is_asked_first() -> None:
    made = load({"book.yaml": DUTY}, Vocabulary(check_kinds={}))
    monday = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert approvers.on_duty(people.Duty(made), monday) == ["officer"]
    assert approvers.on_duty(people.Duty(made), monday + timedelta(weeks=1)) == ["second"]
    # A team that only says in which order to call its people says nothing of who is there.
    assert approvers.on_duty(people.Duty(FORBID), monday) == []
