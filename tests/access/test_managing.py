"""Who lets whom in, and which accounts count as one person because of a link."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from opsbook.access import accounts, links, managing, sessions, signin, tokens
from opsbook.access.errors import LinkSpent, LoginTaken, TooManyTries
from opsbook.access.limits import SignInLimits
from opsbook.access.managing import Made
from opsbook.access.tables import account, sign_in_link
from opsbook.audit.tables import entry
from opsbook.base.database import Database
from opsbook.base.errors import NotFound, Refused
from opsbook.book import Book, Vocabulary, load
from tests.access.cast import Cast, book
from tests.access.conftest import Play

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DESK = """
id: desk
title: Desk
timezone: Asia/Seoul
people:
  clerk: {name: Clerk, account: officer, roles: [desk]}
  chief: {name: Chief, roles: [chief]}
  hand: {name: Hand, roles: [hand]}
  guest: {name: Guest, account: viewer, roles: [hand]}
roles:
  desk: ["access:admin"]
  chief: ["book:admin"]
  hand: ["runs:write"]
"""


def desk() -> Book:
    return load({"book.yaml": DESK}, Vocabulary(check_kinds={}))


def use(cast: Cast, made: Made, after: timedelta = timedelta(0)) -> str:
    """Use a link as the page does, and return the session's raw token."""
    at = cast.now + after
    row = links.look(cast.tx, at, made.raw)
    assert row is not None
    assert links.use(cast.tx, at, made.raw) == made.account_id
    raw, _ = sessions.open(cast.tx, at, made.account_id, "test", how="link", link_by=row["made_by"])
    return raw


def one(cast: Cast, login: str, after: timedelta = timedelta(0)) -> set[str]:
    """The other logins that count as one person with this one."""
    row = accounts.by_login(cast.tx, login)
    assert row is not None
    found = links.one_person(cast.tx, cast.now + after, row["id"])
    return set(accounts.logins(cast.tx, list(found)).values()) - {login}


# ---- who may -----------------------------------------------------------------------------------


def test_an_invitation_is_an_account_with_a_link_that_lives_a_week(play: Play) -> None:
    def story(cast: Cast) -> None:
        made = managing.invite(cast.tx, cast.now, cast.session("first"), [desk()], " hand ")
        assert (made.login, made.fresh) == ("hand", True)
        assert links.look(cast.tx, cast.now + timedelta(days=7, seconds=-1), made.raw) is not None
        assert links.look(cast.tx, cast.now + timedelta(days=7), made.raw) is None
        row = cast.tx.row(
            sa.select(sign_in_link).where(sign_in_link.c.account_id == made.account_id)
        )
        assert row is not None
        assert row["made_by"] == cast.ids["first"]
        with pytest.raises(LoginTaken):
            managing.invite(cast.tx, cast.now, cast.session("first"), [desk()], "hand")

    play(story)


@pytest.mark.parametrize(
    ("who", "login", "why"),
    [
        ("officer", "hand", None),  # access:admin in the book, and nothing above it there
        ("officer", "chief", "book:admin"),  # would be let in to what they may not
        ("officer", "nobody-knows", "No running book knows"),
        ("lead", "hand", "access:admin"),  # everything in another book is nothing here
        ("stranger", "hand", "access:admin"),
        ("first", "chief", None),
        ("first", "nobody-knows", None),
    ],
)
def test_nobody_gets_a_way_into_what_they_may_not_administer(
    play: Play, who: str, login: str, why: str | None
) -> None:
    def story(cast: Cast) -> None:
        asking = cast.session(who)
        if why is None:
            managing.invite(cast.tx, cast.now, asking, [book(), desk()], login)
            return
        with pytest.raises(Refused, match=why):
            managing.invite(cast.tx, cast.now, asking, [book(), desk()], login)
        assert accounts.by_login(cast.tx, login) is None

    play(story)


def test_a_person_of_two_books_is_managed_by_who_may_in_both(play: Play) -> None:
    def story(cast: Cast) -> None:
        viewer = cast.ids["viewer"]  # a viewer in the shop, a guest at the desk
        with pytest.raises(Refused, match="access:admin"):
            managing.link(cast.tx, cast.now, cast.session("officer"), [book(), desk()], viewer)
        managing.link(cast.tx, cast.now, cast.session("officer"), [desk()], viewer)

    play(story)


def test_only_a_first_administrator_touches_another(play: Play) -> None:
    def story(cast: Cast) -> None:
        lead, first = cast.session("lead"), cast.ids["first"]
        for wish in (managing.link, managing.disable, managing.enable, managing.end_sessions):
            with pytest.raises(Refused, match="first administrator"):
                wish(cast.tx, cast.now, lead, [book()], first)
        with pytest.raises(Refused, match="first administrator"):
            managing.appoint(
                cast.tx, cast.now, lead, [book()], cast.ids["viewer"], first_admin=True
            )

    play(story)


def test_the_last_first_administrator_stays_one(play: Play) -> None:
    def story(cast: Cast) -> None:
        first, other = cast.session("first"), cast.ids["viewer"]
        for wish in (managing.link, managing.disable, managing.end_sessions):
            with pytest.raises(Refused):
                wish(cast.tx, cast.now, first, [book()], cast.ids["first"])
        for which in (True, False):
            with pytest.raises(Refused, match="themself"):
                managing.appoint(cast.tx, cast.now, first, [], cast.ids["first"], first_admin=which)
        assert managing.appoint(cast.tx, cast.now, first, [], other, first_admin=True)
        assert not managing.appoint(cast.tx, cast.now, first, [], other, first_admin=True)
        second = cast.session("viewer")
        assert managing.appoint(cast.tx, cast.now, second, [], cast.ids["first"], first_admin=False)
        # `first` still holds what it was a moment ago; what counts is what it is now
        with pytest.raises(Refused):
            managing.appoint(cast.tx, cast.now, first, [], other, first_admin=False)
        told = cast.tx.rows(sa.select(entry).where(entry.c.action == "account.dismissed"))
        assert [row["subject"] for row in told] == [f"account:{cast.ids['first']}"]

    play(story)


def test_a_token_changes_accounts_only_where_it_says_so_and_appoints_nobody(play: Play) -> None:
    def story(cast: Cast) -> None:
        for scopes in (["read", "run", "approve"], ["read"]):
            with pytest.raises(Refused, match="token"):
                managing.invite(cast.tx, cast.now, cast.token("first", *scopes), [], "hand")
        with pytest.raises(Refused, match="token"):
            managing.invite(cast.tx, cast.now, cast.token(None, "read", "run"), [desk()], "hand")
        wide = cast.token("first", "accounts")
        made = managing.invite(cast.tx, cast.now, wide, [desk()], "hand")
        mine = entry.c.subject == f"account:{made.account_id}"
        created = sa.select(entry).where(entry.c.action == "account.created", mine)
        told = cast.tx.row(created)
        assert told is not None
        assert told["actor"] == wide.actor
        assert not wide.may("book:admin", book())
        with pytest.raises(Refused, match="signed in"):
            managing.appoint(cast.tx, cast.now, wide, [], made.account_id, first_admin=True)

    play(story)


def test_somebody_disabled_a_moment_ago_changes_nothing_more(play: Play) -> None:
    def story(cast: Cast) -> None:
        lead = cast.session("lead")
        accounts.disable(cast.tx, cast.now, cast.ids["lead"], by="account:1")
        with pytest.raises(Refused, match="disabled"):
            managing.link(cast.tx, cast.now, lead, [book()], cast.ids["viewer"])
        with pytest.raises(Refused, match="disabled"):
            managing.link(cast.tx, cast.now, cast.session("first"), [], cast.ids["lead"])

    play(story)


def test_ending_somebodys_sessions_is_on_record_and_leaves_the_password(play: Play) -> None:
    def story(cast: Cast) -> None:
        viewer = cast.ids["viewer"]
        accounts.set_password(cast.tx, cast.now, viewer, "a hash")
        sessions.open(cast.tx, cast.now, viewer, "lost phone")
        assert managing.end_sessions(cast.tx, cast.now, cast.session("lead"), [book()], viewer) == 1
        assert sessions.of_account(cast.tx, cast.now, viewer) == []
        assert accounts.require(cast.tx, viewer)["password_hash"] == "a hash"

    play(story)


def test_how_far_somebody_has_come_in(play: Play) -> None:
    def story(cast: Cast) -> None:
        made = managing.invite(cast.tx, cast.now, cast.session("first"), [desk()], "hand")

        def state(after: timedelta) -> str:
            rows = accounts.overview(cast.tx, cast.now + after)
            row = next(row for row in rows if row["login"] == "hand")
            return managing.state(row, cast.now + after)

        assert state(DAY) == "invited"
        assert state(8 * DAY) == "late"
        use(cast, made, DAY)
        assert state(DAY) == "in"
        again = managing.link(cast.tx, cast.now + DAY, cast.session("first"), [], made.account_id)
        assert not again.fresh
        assert state(9 * DAY) == "in"
        managing.disable(cast.tx, cast.now, cast.session("first"), [], made.account_id)
        assert state(DAY) == "disabled"

    play(story)


def test_the_way_back_is_for_first_administrators_and_on_record(play: Play) -> None:
    def story(cast: Cast) -> None:
        raw = managing.way_back(cast.tx, cast.now, "first")
        assert links.look(cast.tx, cast.now + HOUR, raw) is None
        assert links.use(cast.tx, cast.now, raw) == cast.ids["first"]
        with pytest.raises(Refused, match="no first administrator"):
            managing.way_back(cast.tx, cast.now, "lead")
        with pytest.raises(NotFound):
            managing.way_back(cast.tx, cast.now, "nobody-knows")
        told = cast.tx.row(sa.select(entry).where(entry.c.action == "link.made"))
        assert told is not None
        assert (told["actor"], told["data"]["kind"]) == ("opsbook", "offline")

    play(story)


# ---- one person --------------------------------------------------------------------------------


def test_maker_and_account_are_one_person_from_the_use_of_the_link_for_an_hour(play: Play) -> None:
    def story(cast: Cast) -> None:
        made = managing.invite(cast.tx, cast.now, cast.session("first"), [], "hand")
        assert one(cast, "hand") == set()
        raw = use(cast, made, HOUR)
        accounts.set_password(cast.tx, cast.now + HOUR, made.account_id, "hash", keep=raw)
        assert one(cast, "hand", HOUR) == {"first"}
        assert one(cast, "first", HOUR) == {"hand"}
        assert one(cast, "hand", 2 * HOUR - timedelta(seconds=1)) == {"first"}
        assert one(cast, "hand", 2 * HOUR) == set()
        assert one(cast, "first", 2 * HOUR) == set()

    play(story)


def test_a_session_in_which_no_password_was_set_stays_its_makers_while_it_lives(
    play: Play,
) -> None:
    def story(cast: Cast) -> None:
        viewer = cast.ids["viewer"]
        accounts.set_password(cast.tx, cast.now, viewer, "the viewer's own")
        made = managing.link(cast.tx, cast.now, cast.session("lead"), [book()], viewer)
        raw = use(cast, made)
        for day in range(1, 10):
            sessions.find(cast.tx, cast.now + day * 10 * HOUR, raw)
        assert one(cast, "viewer", 90 * HOUR) == {"lead"}
        assert one(cast, "viewer", 90 * HOUR + sessions.IDLE) == set()

    play(story)


def test_a_token_made_in_such_a_session_is_no_way_out(play: Play) -> None:
    def story(cast: Cast) -> None:
        viewer = cast.ids["viewer"]
        made = managing.link(cast.tx, cast.now, cast.session("lead"), [book()], viewer)
        row = sessions.find(cast.tx, cast.now, use(cast, made))
        assert row is not None
        tokens.create(
            cast.tx, cast.now, viewer, "job", ["approve"], 30 * DAY, link_by=row["link_by"]
        )
        assert one(cast, "viewer", 20 * DAY) == {"lead"}
        (listed,) = tokens.list(cast.tx, viewer)
        tokens.revoke(cast.tx, cast.now, listed["id"], viewer)
        assert one(cast, "viewer", 20 * DAY) == set()

    play(story)


def test_who_made_links_for_two_accounts_holds_both(play: Play) -> None:
    def story(cast: Cast) -> None:
        lead = cast.session("lead")
        for login in ("viewer", "editor"):
            use(cast, managing.link(cast.tx, cast.now, lead, [book()], cast.ids[login]))
        assert one(cast, "viewer") == {"lead", "editor"}
        assert one(cast, "officer") == set()

    play(story)


def test_a_link_of_the_servers_own_makes_nobody_one_person(play: Play) -> None:
    def story(cast: Cast) -> None:
        raw = links.make(cast.tx, cast.now, cast.ids["lead"], HOUR)
        use(cast, Made(cast.ids["lead"], "lead", raw, cast.now + HOUR, fresh=True))
        assert one(cast, "lead") == set()

    play(story)


def test_the_record_says_by_whose_link_somebody_came_in(play: Play) -> None:
    def story(cast: Cast) -> None:
        made = managing.link(cast.tx, cast.now, cast.session("lead"), [book()], cast.ids["viewer"])
        use(cast, made)
        lead = f"account:{cast.ids['lead']}"
        told = {
            row["action"]: row
            for row in cast.tx.rows(
                sa.select(entry).where(entry.c.subject == f"account:{cast.ids['viewer']}")
            )
        }
        assert told["link.made"]["actor"] == lead
        assert told["link.used"]["data"]["made_by"] == lead
        assert told["account.signed_in"]["data"]["link_by"] == lead
        assert made.raw not in str(told)

    play(story)


# ---- sessions, and links that are none ---------------------------------------------------------


def test_one_session_is_ended_by_its_mark_and_by_its_owner_alone(play: Play) -> None:
    def story(cast: Cast) -> None:
        lead, viewer = cast.ids["lead"], cast.ids["viewer"]
        raw, _ = sessions.open(cast.tx, cast.now, lead, "lost phone")
        kept, _ = sessions.open(cast.tx, cast.now, lead, "laptop")
        mark = next(
            row["mark"]
            for row in sessions.of_account(cast.tx, cast.now, lead)
            if row["agent"] == "lost phone"
        )
        assert not sessions.close_one(cast.tx, cast.now, viewer, mark)
        assert sessions.close_one(cast.tx, cast.now, lead, mark)
        assert not sessions.close_one(cast.tx, cast.now, lead, mark)
        assert sessions.find(cast.tx, cast.now, raw) is None
        assert sessions.find(cast.tx, cast.now, kept) is not None

    play(story)


def test_when_an_account_was_last_used_outlives_its_sessions_and_tokens(play: Play) -> None:
    def story(cast: Cast) -> None:
        lead = cast.ids["lead"]

        def seen() -> object:
            return cast.tx.scalar(sa.select(account.c.seen_at).where(account.c.id == lead))

        assert seen() is None
        raw, _ = sessions.open(cast.tx, cast.now, lead, "laptop")
        assert seen() == cast.now
        sessions.find(cast.tx, cast.now + HOUR, raw)
        assert seen() == cast.now + HOUR
        sessions.close_all(cast.tx, lead)
        token = tokens.create(cast.tx, cast.now, lead, "job", ["read"], DAY)
        tokens.find(cast.tx, cast.now + 2 * HOUR, token)
        assert seen() == cast.now + 2 * HOUR

    play(story)


async def test_asking_for_link_after_link_is_stopped_and_a_good_one_costs_nothing(
    sqlite_database: Database, now: datetime
) -> None:
    limits = SignInLimits()
    ids = await sqlite_database.write(lambda tx: Cast(tx, now).ids)
    raw = await sqlite_database.write(lambda tx: links.make(tx, now, ids["lead"], HOUR))

    async def look(given: str, address: str = "192.0.2.7") -> None:
        await signin.look_at_link(sqlite_database, now, limits, given, address=address)

    for _ in range(60):
        await look(raw)
    for n in range(50):
        with pytest.raises(LinkSpent):
            await look(f"guess{n}")
    with pytest.raises(TooManyTries):
        await look(raw)
    await look(raw, "192.0.2.8")
