"""Who may approve, as a table of values."""

from datetime import UTC, datetime, timedelta

import pytest

from opsbook.access.errors import NotApproved, Settled
from opsbook.access.model import Asked, Ruling, State, Vote, Voter, rule

NOW = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


def asked(
    *, state: State = "open", need: int = 1, record: bool = False, role: str | None = "security"
) -> Asked:
    return Asked(
        state,
        (role,) if role else (),
        need,
        {1: "started", 2: "edited"},
        record,
        NOW + timedelta(hours=1),
    )


def voter(
    account: int | None = 7, *, acts: bool = True, on: bool = True, may: bool = True
) -> Voter:
    return Voter(account, "officer", acts, on, may, frozenset({account} if account else ()))


def test_one_yes_is_enough_where_one_is_needed() -> None:
    assert rule(asked(), voter(), [], "approve", NOW) == Ruling("approved", by_oneself=False)


def test_a_quorum_waits_for_the_second_person() -> None:
    assert rule(asked(need=2), voter(), [], "approve", NOW) == Ruling("open", by_oneself=False)
    others = [Vote(8, "approve")]
    assert rule(asked(need=2), voter(), others, "approve", NOW).state == "approved"


def test_one_no_settles_it_whatever_the_quorum() -> None:
    ruling = rule(asked(need=3), voter(), [Vote(8, "approve")], "reject", NOW)
    assert ruling == Ruling("rejected", by_oneself=False)


def test_whoever_said_yes_may_still_say_no_while_it_is_open() -> None:
    ruling = rule(asked(need=2), voter(), [Vote(7, "approve")], "reject", NOW)
    assert ruling.state == "rejected"


def test_an_excluded_person_may_always_say_no() -> None:
    assert rule(asked(), voter(1), [], "reject", NOW) == Ruling("rejected", by_oneself=True)


def test_record_lets_an_excluded_person_approve_and_says_so() -> None:
    ruling = rule(asked(record=True), voter(1), [], "approve", NOW)
    assert ruling == Ruling("approved", by_oneself=True)


@pytest.mark.parametrize(
    ("who", "reason", "says", "advice"),
    [
        (voter(None), "program", "local token", "web page"),
        (voter(acts=False), "scope", "scope approve", "make a token"),
        (voter(on=False), "disabled", "disabled", "role security"),
        (voter(may=False), "role", "takes the role security", "role security"),
        (voter(1), "excluded", "they started it", "role security"),
        (voter(2), "excluded", "they set its parameters", "role security"),
    ],
)
def test_a_refusal_says_who_why_and_what_to_do(
    who: Voter, reason: str, says: str, advice: str
) -> None:
    with pytest.raises(NotApproved) as refused:
        rule(asked(), who, [], "approve", NOW)
    assert refused.value.details["reason"] == reason
    assert says in refused.value.message
    assert advice in refused.value.remedy
    assert refused.value.status == 403


@pytest.mark.parametrize("state", ["approved", "rejected", "expired", "void"])
def test_what_is_settled_stays_settled(state: State) -> None:
    with pytest.raises(Settled) as conflict:
        rule(asked(state=state), voter(), [], "approve", NOW)
    assert conflict.value.details["state"] == state


def test_time_runs_out_even_before_the_loop_has_noticed() -> None:
    with pytest.raises(Settled) as conflict:
        rule(asked(), voter(), [], "approve", NOW + timedelta(hours=1))
    assert "2026-03-03 10:00 UTC" in conflict.value.message


def test_a_stranger_learns_nothing_about_the_state() -> None:
    with pytest.raises(NotApproved):
        rule(asked(state="approved"), voter(may=False), [], "approve", NOW)


def test_without_a_role_the_refusal_names_the_permission() -> None:
    with pytest.raises(NotApproved, match="runs:write"):
        rule(asked(role=None), voter(may=False), [], "approve", NOW)
