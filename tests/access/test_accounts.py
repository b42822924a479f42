"""Accounts, links, sessions and tokens: their lives, and what the audit keeps of them."""

import asyncio
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from opsbook.access import accounts, links, sessions, tokens
from opsbook.access.errors import LoginTaken
from opsbook.access.tables import access_token, session, sign_in_link
from opsbook.audit.tables import entry
from opsbook.base.database import Database
from opsbook.base.errors import Invalid, NotFound
from tests.access.cast import Cast
from tests.access.conftest import Play, another

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def actions(cast: Cast, subject: str) -> list[str]:
    mine = sa.select(entry.c.action).where(entry.c.subject == subject).order_by(entry.c.id)
    return [row["action"] for row in cast.tx.rows(mine)]


def test_an_account_is_a_name_and_a_name_is_taken_once(play: Play) -> None:
    def story(cast: Cast) -> None:
        with pytest.raises(LoginTaken, match="'lead'"):
            accounts.create(cast.tx, cast.now, " lead ")
        for wrong in ("", " ", "two words", "line\nbreak", "x" * 129, "a/b"):
            with pytest.raises(Invalid):
                accounts.create(cast.tx, cast.now, wrong)
        made = accounts.create(cast.tx, cast.now, "담당자")
        decomposed = "\u1103\u1161\u11b7\u1103\u1161\u11bc\u110c\u1161"
        found = accounts.by_login(cast.tx, decomposed)
        assert found is not None
        assert found["id"] == made
        assert accounts.all(cast.tx)[0]["first_admin"] is True
        with pytest.raises(NotFound):
            accounts.require(cast.tx, 99)

    play(story)


def test_preferences_are_kept_and_forgotten(play: Play) -> None:
    def story(cast: Cast) -> None:
        lead = cast.ids["lead"]
        accounts.prefer(cast.tx, lead, language="ko", theme="dark")
        accounts.prefer(cast.tx, lead, theme="")
        row = accounts.require(cast.tx, lead)
        assert (row["language"], row["theme"]) == ("ko", None)
        with pytest.raises(Invalid, match="theme"):
            accounts.prefer(cast.tx, lead, theme="pink")

    play(story)


def test_changing_a_password_ends_the_other_sessions_and_unused_links(play: Play) -> None:
    def story(cast: Cast) -> None:
        lead = cast.ids["lead"]
        mine, _ = sessions.open(cast.tx, cast.now, lead, "mine")
        accounts.set_password(cast.tx, cast.now, lead, "first hash")
        assert sessions.find(cast.tx, cast.now, mine) is not None
        thief, _ = sessions.open(cast.tx, cast.now, lead, "thief")
        letter = links.make(cast.tx, cast.now, lead, HOUR)
        accounts.set_password(cast.tx, cast.now, lead, "second hash", keep=mine)
        assert sessions.find(cast.tx, cast.now, mine) is not None
        assert sessions.find(cast.tx, cast.now, thief) is None
        assert links.look(cast.tx, cast.now, letter) is None
        assert actions(cast, f"account:{lead}").count("account.password_set") == 2

    play(story)


def test_a_hash_is_exchanged_only_while_the_password_is_the_same(play: Play) -> None:
    def story(cast: Cast) -> None:
        lead = cast.ids["lead"]
        accounts.set_password(cast.tx, cast.now, lead, "old")
        assert accounts.rehash(cast.tx, lead, "old", "new")
        assert not accounts.rehash(cast.tx, lead, "old", "newer")

    play(story)


def test_a_disabled_account_can_be_let_in_again_without_its_old_keys(play: Play) -> None:
    def story(cast: Cast) -> None:
        lead = cast.ids["lead"]
        raw, _ = sessions.open(cast.tx, cast.now, lead, "")
        assert accounts.disable(cast.tx, cast.now, lead, by="account:1")
        assert not accounts.disable(cast.tx, cast.now, lead, by="account:1")
        assert accounts.enable(cast.tx, cast.now, lead, by="account:1")
        assert not accounts.enable(cast.tx, cast.now, lead, by="account:1")
        assert sessions.find(cast.tx, cast.now, raw) is None
        assert actions(cast, f"account:{lead}")[-2:] == ["account.disabled", "account.enabled"]

    play(story)


def test_looking_at_a_link_does_not_use_it_and_time_does(play: Play) -> None:
    def story(cast: Cast) -> None:
        lead = cast.ids["lead"]
        raw = links.make(cast.tx, cast.now, lead, HOUR)
        for _ in range(3):
            seen = links.look(cast.tx, cast.now, raw)
            assert seen is not None
            assert seen["login"] == "lead"
        assert links.look(cast.tx, cast.now + HOUR, raw) is None
        assert links.use(cast.tx, cast.now + HOUR, raw) is None
        assert links.use(cast.tx, cast.now, "guess") is None
        assert links.use(cast.tx, cast.now, raw) == lead
        assert actions(cast, f"account:{lead}")[-2:] == ["link.made", "link.used"]
        assert raw not in str(cast.tx.rows(sa.select(sign_in_link)))

    play(story)


def test_only_the_newest_link_of_an_account_works(play: Play) -> None:
    def story(cast: Cast) -> None:
        old = links.make(cast.tx, cast.now, cast.ids["lead"], HOUR)
        others = links.make(cast.tx, cast.now, cast.ids["officer"], HOUR)
        new = links.make(cast.tx, cast.now, cast.ids["lead"], HOUR)
        assert links.use(cast.tx, cast.now, old) is None
        assert links.use(cast.tx, cast.now, new) == cast.ids["lead"]
        assert links.use(cast.tx, cast.now, others) == cast.ids["officer"]

    play(story)


async def test_of_two_who_press_a_link_at_once_one_gets_in(
    database: Database, now: datetime
) -> None:
    raw = await database.write(lambda tx: links.make(tx, now, Cast(tx, now).ids["lead"], HOUR))
    async with another(database) as other:
        uses = [one.write(lambda tx: links.use(tx, now, raw)) for one in (database, other)]
        won = await asyncio.gather(*uses)
    assert sorted(one is not None for one in won) == [False, True]


def test_a_session_lives_while_it_is_used_and_a_week_at_most(play: Play) -> None:
    def story(cast: Cast) -> None:
        raw, csrf = sessions.open(cast.tx, cast.now, cast.ids["lead"], "Fire\x1bfox " * 40)
        row = sessions.find(cast.tx, cast.now, raw)
        assert row is not None
        assert (row["login"], row["csrf"], row["first_admin"]) == ("lead", csrf, False)
        assert len(row["agent"]) == 200
        assert "\x1b" not in row["agent"]
        at = cast.now
        while at + 11 * HOUR < cast.now + 7 * DAY:
            at += 11 * HOUR
            assert sessions.find(cast.tx, at, raw) is not None
        assert sessions.find(cast.tx, cast.now + 7 * DAY, raw) is None
        assert raw not in str(cast.tx.rows(sa.select(session)))

    play(story)


def test_a_session_is_over_after_half_a_day_of_nothing(play: Play) -> None:
    def story(cast: Cast) -> None:
        raw, _ = sessions.open(cast.tx, cast.now, cast.ids["lead"], "")
        assert sessions.find(cast.tx, cast.now + 12 * HOUR - timedelta(seconds=1), raw) is not None
        other, _ = sessions.open(cast.tx, cast.now, cast.ids["lead"], "")
        assert sessions.find(cast.tx, cast.now + 12 * HOUR, other) is None

    play(story)


async def test_being_seen_is_written_once_a_minute_and_never_by_a_reader(
    database: Database, now: datetime
) -> None:
    raw = await database.write(lambda tx: sessions.open(tx, now, Cast(tx, now).ids["lead"], "")[0])

    async def seen(at: datetime, *, writing: bool) -> datetime:
        work = database.write if writing else database.read
        row = await work(lambda tx: sessions.find(tx, at, raw))
        assert row is not None
        return row["seen_at"]

    early, late = now + timedelta(seconds=59), now + timedelta(minutes=1)
    assert await seen(early, writing=True) == now
    if database.sqlite:
        assert await seen(late, writing=False) == now
    assert sessions.stale(now, late)
    assert not sessions.stale(now, early)
    assert await seen(late, writing=True) == late


def test_closing_a_session_is_on_record_once(play: Play) -> None:
    def story(cast: Cast) -> None:
        raw, _ = sessions.open(cast.tx, cast.now, cast.ids["lead"], "phone", how="link")
        sessions.open(cast.tx, cast.now, cast.ids["lead"], "laptop")
        assert len(sessions.of_account(cast.tx, cast.now, cast.ids["lead"])) == 2
        assert sessions.close(cast.tx, cast.now, raw)
        assert not sessions.close(cast.tx, cast.now, raw)
        told = actions(cast, f"account:{cast.ids['lead']}")
        assert told.count("account.signed_in") == 2
        assert told[-1] == "account.signed_out"

    play(story)


def test_a_token_is_shown_once_and_stored_as_a_hash(play: Play) -> None:
    def story(cast: Cast) -> None:
        lead = cast.ids["lead"]
        raw = tokens.create(cast.tx, cast.now, lead, " backup job ", ["run", "read"], DAY)
        assert raw.startswith("opb_")
        assert raw not in str(cast.tx.rows(sa.select(access_token)))
        assert raw not in str(cast.tx.rows(sa.select(entry)))
        row = tokens.find(cast.tx, cast.now, raw)
        assert row is not None
        assert (row["name"], row["scopes"], row["login"]) == ("backup job", ["read", "run"], "lead")
        assert tokens.find(cast.tx, cast.now + DAY, raw) is None
        assert tokens.find(cast.tx, cast.now, raw + "x") is None
        (listed,) = tokens.list(cast.tx, lead)
        assert listed["used_at"] == cast.now
        assert "digest" not in listed

    play(story)


def test_a_token_is_revoked_by_its_owner_alone_and_at_once(play: Play) -> None:
    def story(cast: Cast) -> None:
        lead = cast.ids["lead"]
        raw = tokens.create(cast.tx, cast.now, lead, "job", ["read"], DAY)
        (listed,) = tokens.list(cast.tx, lead)
        assert not tokens.revoke(cast.tx, cast.now, listed["id"], cast.ids["viewer"])
        assert tokens.revoke(cast.tx, cast.now, listed["id"], lead)
        assert not tokens.revoke(cast.tx, cast.now, listed["id"], lead)
        assert tokens.find(cast.tx, cast.now, raw) is None
        assert tokens.list(cast.tx, lead) == []
        assert actions(cast, f"token:{listed['id']}") == ["token.made", "token.revoked"]

    play(story)


@pytest.mark.parametrize(
    ("name", "scopes", "life"),
    [
        ("job", [], DAY),
        ("job", ["admin"], DAY),
        ("", ["read"], DAY),
        ("two\nlines", ["read"], DAY),
        ("job", ["read"], None),
        ("job", ["read"], timedelta(0)),
        ("job", ["read"], timedelta(days=400)),
    ],
)
def test_a_token_without_limits_is_not_made(
    play: Play, name: str, scopes: list[str], life: timedelta | None
) -> None:
    def story(cast: Cast) -> None:
        with pytest.raises(Invalid):
            tokens.create(cast.tx, cast.now, cast.ids["lead"], name, scopes, life)

    play(story)


def test_a_local_token_is_withdrawn_by_the_server_that_leaves_it(play: Play) -> None:
    def story(cast: Cast) -> None:
        raw = tokens.create(cast.tx, cast.now, None, "local", ["read", "run"], None)
        row = tokens.find(cast.tx, cast.now + 999 * DAY, raw)
        assert row is not None
        assert row["login"] is None
        assert row["first_admin"] is False
        assert tokens.withdraw(cast.tx, cast.now, raw)
        assert not tokens.withdraw(cast.tx, cast.now, raw)
        assert tokens.find(cast.tx, cast.now, raw) is None

    play(story)
