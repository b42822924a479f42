"""Ways to get round an approval, each of them tried."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from opsbook.access import Principal, accounts, approvals, links, sessions, tokens
from opsbook.access.errors import NotApproved, Settled
from opsbook.base.database import Database
from opsbook.base.errors import Invalid, OpsbookError, Refused
from opsbook.book import Book
from tests.access.cast import Cast, book
from tests.access.conftest import Play, another

HOUR = timedelta(hours=1)
FORBID = book()
RECORD = book("record")


def refused(
    cast: Cast,
    asked: int,
    who: Principal,
    reason: str,
    *,
    by: Book = FORBID,
    after: timedelta = 0 * HOUR,
) -> OpsbookError:
    """Try to approve, see it refused for this reason, and see that nothing came of it."""
    state = approvals.require(cast.tx, asked)["state"]
    given = len(approvals.votes(cast.tx, asked))
    with pytest.raises((NotApproved, Settled)) as failure:
        approvals.decide(cast.tx, cast.now + after, asked, who, by, "approve")
    assert failure.value.details["reason"] == reason
    assert failure.value.remedy
    assert approvals.require(cast.tx, asked)["state"] == state
    assert len(approvals.votes(cast.tx, asked)) == given
    return failure.value


def test_the_local_token_cannot_approve(play: Play) -> None:
    def story(cast: Cast) -> None:
        error = refused(
            cast, cast.ask(RECORD), cast.token(None, "read", "run"), "program", by=RECORD
        )
        assert "web page" in error.remedy

    play(story)


def test_a_local_token_with_the_scope_approve_cannot_be_made(play: Play) -> None:
    def story(cast: Cast) -> None:
        with pytest.raises(Invalid, match="approve"):
            cast.token(None, "read", "approve")

    play(story)


def test_a_local_token_whose_row_was_given_the_scope_still_cannot(play: Play) -> None:
    def story(cast: Cast) -> None:
        row = {"id": 9, "account_id": None, "scopes": ["run", "approve"], "login": None,
               "first_admin": True}  # fmt: skip
        forged = Principal.of_token(row)
        assert not forged.first_admin
        refused(cast, cast.ask(FORBID), forged, "program")

    play(story)


def test_a_personal_token_without_the_scope_cannot_approve(play: Play) -> None:
    def story(cast: Cast) -> None:
        refused(cast, cast.ask(FORBID), cast.token("officer", "read", "run"), "scope")

    play(story)


def test_a_session_that_may_only_read_cannot_approve(play: Play) -> None:
    def story(cast: Cast) -> None:
        reading = replace(cast.session("officer"), scopes=frozenset({"read"}))
        refused(cast, cast.ask(FORBID), reading, "scope")

    play(story)


def test_whoever_started_it_cannot_approve_it(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID, role="admin")
        error = refused(cast, asked, cast.session("lead"), "excluded")
        assert "lead may not approve this: they started it" in error.message

    play(story)


def test_nor_with_a_token_of_their_own(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID, role="admin")
        refused(cast, asked, cast.token("lead", "read", "run", "approve"), "excluded")

    play(story)


def test_whoever_set_the_parameters_cannot_approve_them(play: Play) -> None:
    def story(cast: Cast) -> None:
        error = refused(cast, cast.ask(FORBID, role="editor"), cast.session("editor"), "excluded")
        assert "set its parameters" in error.message

    play(story)


def test_the_first_administrator_cannot_approve_their_own_either(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID, excluded=[cast.ids["first"]])
        refused(cast, asked, cast.session("first"), "excluded")

    play(story)


def test_somebody_without_the_role_cannot_approve(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID, excluded=[])
        for login in ("lead", "viewer", "stranger"):
            error = refused(cast, asked, cast.session(login), "role")
            assert "the role security" in error.message

    play(story)


def test_without_a_named_role_it_takes_the_right_to_change_runs(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID, role=None)
        refused(cast, asked, cast.session("viewer"), "role")
        officer = cast.token("officer", "approve")
        assert approvals.decide(cast.tx, cast.now, asked, officer, FORBID, "approve") == "approved"

    play(story)


def test_a_role_that_was_taken_away_meanwhile_is_no_role(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID)
        officer = cast.session("officer")
        bare = {
            **FORBID.people,
            "officer": FORBID.people["officer"].model_copy(update={"roles": ()}),
        }
        today = FORBID.model_copy(update={"people": bare})
        refused(cast, asked, officer, "role", by=today)

    play(story)


def test_a_role_in_another_book_is_worth_nothing_here(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID)
        error = refused(cast, asked, cast.session("officer"), "book", by=book(id="other"))
        assert "belongs to the book shop" in error.message

    play(story)


def test_an_approval_that_expired_cannot_be_given(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID)
        refused(cast, asked, cast.session("officer"), "expired", after=4 * HOUR)
        assert approvals.expire(cast.tx, cast.now + 4 * HOUR) is None
        refused(cast, asked, cast.session("officer"), "expired", after=5 * HOUR)

    play(story)


def test_one_account_is_one_voice_however_it_comes(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID, need=2)
        officer = cast.session("officer")
        assert approvals.decide(cast.tx, cast.now, asked, officer, FORBID, "approve") == "open"
        refused(cast, asked, officer, "twice")
        refused(cast, asked, cast.session("officer"), "twice")
        refused(cast, asked, cast.token("officer", "approve"), "twice")
        second = cast.session("second-officer")
        assert approvals.decide(cast.tx, cast.now, asked, second, FORBID, "approve") == "approved"

    play(story)


def test_what_was_rejected_cannot_be_approved_after_all(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID)
        approvals.decide(cast.tx, cast.now, asked, cast.session("officer"), FORBID, "reject")
        refused(cast, asked, cast.session("second-officer"), "rejected")

    play(story)


def test_a_yes_to_other_parameters_is_no_yes(play: Play) -> None:
    def story(cast: Cast) -> None:
        shown = approvals.binding(revision="a", params={"model": "safe"})
        other = approvals.binding(revision="a", params={"model": "evil"})
        asked = cast.ask(FORBID, bound_to=shown)
        officer = cast.session("officer")
        with pytest.raises(Settled, match="changed since you looked"):
            approvals.decide(cast.tx, cast.now, asked, officer, FORBID, "approve", seen=other)
        approvals.decide(cast.tx, cast.now, asked, officer, FORBID, "approve", seen=shown)
        assert approvals.granted(cast.tx, "run:5", other) is None
        assert approvals.granted(cast.tx, "run:6", shown) is None
        found = approvals.granted(cast.tx, "run:5", shown)
        assert found is not None
        assert found["id"] == asked

    play(story)


def test_an_approval_that_was_given_can_be_made_void_and_then_covers_nothing(
    play: Play,
) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID)
        bound = approvals.require(cast.tx, asked)["bound_to"]
        approvals.decide(cast.tx, cast.now, asked, cast.session("officer"), FORBID, "approve")
        assert approvals.void(cast.tx, cast.now, asked, "changed")
        assert not approvals.void(cast.tx, cast.now, asked, "changed")
        assert approvals.granted(cast.tx, "run:5", bound) is None
        refused(cast, asked, cast.session("second-officer"), "void")

    play(story)


def test_a_disabled_account_cannot_approve_with_what_it_had(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID)
        raw, _ = sessions.open(cast.tx, cast.now, cast.ids["officer"], "test")
        held = sessions.principal(cast.tx, cast.now, raw)
        program = tokens.create(
            cast.tx, cast.now, cast.ids["officer"], "program", ["approve"], HOUR
        )
        letter = links.make(cast.tx, cast.now, cast.ids["officer"], HOUR)
        assert held is not None
        accounts.disable(cast.tx, cast.now, cast.ids["officer"], by="account:1")
        refused(cast, asked, held, "disabled")
        assert sessions.find(cast.tx, cast.now, raw) is None
        assert tokens.find(cast.tx, cast.now, program) is None
        assert links.use(cast.tx, cast.now, letter) is None

    play(story)


def test_an_expired_session_is_nobody(play: Play) -> None:
    def story(cast: Cast) -> None:
        raw, _ = sessions.open(cast.tx, cast.now, cast.ids["officer"], "test")
        assert sessions.principal(cast.tx, cast.now + 12 * HOUR, raw) is None

    play(story)


def test_a_link_works_once(play: Play) -> None:
    def story(cast: Cast) -> None:
        raw = links.make(cast.tx, cast.now, cast.ids["officer"], HOUR)
        assert links.use(cast.tx, cast.now, raw) == cast.ids["officer"]
        assert links.use(cast.tx, cast.now, raw) is None
        assert links.look(cast.tx, cast.now, raw) is None

    play(story)


def test_loosening_the_book_does_not_loosen_what_waits(play: Play) -> None:
    def story(cast: Cast) -> None:
        asked = cast.ask(FORBID, role="admin")
        refused(cast, asked, cast.session("lead"), "excluded", by=RECORD)
        tightened = cast.ask(RECORD, role="admin")
        refused(cast, tightened, cast.session("lead"), "excluded", by=FORBID)

    play(story)


def test_a_token_never_reaches_an_admin_level(play: Play) -> None:
    def story(cast: Cast) -> None:
        token = cast.token("lead", "read", "run", "approve")
        assert cast.session("lead").may("access:admin", FORBID)
        assert not token.may("access:admin", FORBID)
        with pytest.raises(Refused, match="access:admin"):
            token.require("access:admin", FORBID)

    play(story)


async def test_two_votes_at_the_same_moment_are_counted_one_after_the_other(
    database: Database, now: datetime
) -> None:
    def begin(cast: Cast) -> tuple[int, Principal, Principal]:
        return cast.ask(FORBID), cast.session("officer"), cast.session("second-officer")

    asked, one, other = await database.write(lambda tx: begin(Cast(tx, now)))

    async def vote(server: Database, who: Principal) -> str:
        try:
            return await server.write(
                lambda tx: approvals.decide(tx, now, asked, who, FORBID, "approve")
            )
        except Settled:
            return "late"

    async with another(database) as second:
        states = await asyncio.gather(vote(database, one), vote(second, other))
    assert sorted(states) == ["approved", "late"]
    assert len(await database.read(lambda tx: approvals.votes(tx, asked))) == 1
