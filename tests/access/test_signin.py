"""Signing in, and what stands in the way of those who guess."""

import asyncio
from datetime import datetime, timedelta

import argon2
import pytest
import sqlalchemy as sa

from opsbook.access import accounts, links, passwords, sessions, signin
from opsbook.access.errors import LinkSpent, SignInFailed, TooManyTries, WeakPassword
from opsbook.access.limits import SignInLimits, Window, network
from opsbook.audit.tables import entry
from opsbook.base.database import Database
from tests.access.cast import Cast

GOOD = "해돋이 보러 동해에 갑니다"
HASH = passwords.hash(GOOD)
QUICK = argon2.PasswordHasher(1, 8, 1).hash(passwords._plain(GOOD))  # to guess at often
WRONG = "not this one at all"
PLACE = "192.0.2.7"


@pytest.fixture
async def ids(sqlite_database: Database, now: datetime) -> dict[str, int]:
    """Accounts; the lead has a password, the viewer is disabled, the rest have none."""

    def make(tx: accounts.Transaction) -> dict[str, int]:
        cast = Cast(tx, now)
        for login in ("lead", "viewer"):
            accounts.set_password(tx, now, cast.ids[login], HASH)
        accounts.disable(tx, now, cast.ids["viewer"], by="account:1")
        return cast.ids

    return await sqlite_database.write(make)


async def audited(database: Database, *names: str) -> list[tuple[str, str, dict[str, str]]]:
    rows = await database.read(lambda tx: tx.rows(sa.select(entry).order_by(entry.c.id)))
    return [(row["action"], row["subject"], row["data"]) for row in rows if row["action"] in names]


async def enter(
    database: Database, now: datetime, limits: SignInLimits, login: str, password: str,
    address: str = PLACE,
) -> signin.Opened:  # fmt: skip
    return await signin.with_password(
        database, now, limits, login=login, password=password, address=address, agent="test"
    )


async def test_the_right_password_opens_a_session(
    sqlite_database: Database, now: datetime, ids: dict[str, int]
) -> None:
    limits = SignInLimits()
    opened = await enter(sqlite_database, now, limits, "lead", GOOD)
    found = await sqlite_database.read(lambda tx: sessions.find(tx, now, opened.raw))
    assert found is not None
    assert (opened.account_id, found["csrf"]) == (ids["lead"], opened.csrf)
    assert await audited(sqlite_database, "account.signed_in") == [
        ("account.signed_in", f"account:{ids['lead']}", {"how": "password"})
    ]
    assert len(limits.account) == len(limits.address) == 0


@pytest.mark.parametrize(
    ("login", "why"),
    [("lead", "password"), ("nobody-here", "unknown"), ("viewer", "disabled"),
     ("officer", "no_password")],
)  # fmt: skip
async def test_every_failure_reads_the_same_and_the_record_knows_which(
    sqlite_database: Database, now: datetime, ids: dict[str, int], login: str, why: str
) -> None:
    password = GOOD if why == "disabled" else WRONG
    with pytest.raises(SignInFailed) as failed:
        await enter(sqlite_database, now, SignInLimits(), login, password)
    assert failed.value.message == "That name and password do not fit together."
    subject = f"account:{ids[login]}" if login in ids else "sign-in"
    expected = [("account.sign_in_failed", subject, {"why": why})]
    assert await audited(sqlite_database, "account.sign_in_failed") == expected


async def test_nothing_that_was_typed_is_recorded(
    sqlite_database: Database, now: datetime, ids: dict[str, int]
) -> None:
    for login, password in (("typed-into-the-wrong-field", WRONG), ("lead", WRONG)):
        with pytest.raises(SignInFailed):
            await enter(sqlite_database, now, SignInLimits(), login, password)
    rows = str(await sqlite_database.read(lambda tx: tx.rows(sa.select(entry))))
    assert "typed-into-the-wrong-field" not in rows
    assert WRONG not in rows


async def test_guessing_at_a_name_is_stopped_and_recorded_once(
    sqlite_database: Database, now: datetime, ids: dict[str, int]
) -> None:
    await sqlite_database.write(lambda tx: accounts.set_password(tx, now, ids["officer"], QUICK))
    limits = SignInLimits()
    for index in range(10):
        with pytest.raises(SignInFailed):
            await enter(sqlite_database, now, limits, "officer", WRONG, f"192.0.2.{index}")
    for _ in range(3):
        with pytest.raises(TooManyTries) as paused:
            await enter(sqlite_database, now, limits, "officer", GOOD, "198.51.100.1")
    assert paused.value.status == 429
    assert "10 min" in paused.value.remedy
    told = await audited(sqlite_database, "account.sign_in_failed", "account.sign_in_paused")
    assert [action for action, _, _ in told].count("account.sign_in_paused") == 1
    assert len(told) == 11
    later = now + timedelta(minutes=10)
    with pytest.raises(SignInFailed):
        await enter(sqlite_database, later, limits, "officer", WRONG)


async def test_many_guesses_at_the_same_moment_are_counted_before_they_are_looked_at(
    sqlite_database: Database, now: datetime, ids: dict[str, int]
) -> None:
    await sqlite_database.write(lambda tx: accounts.set_password(tx, now, ids["officer"], QUICK))
    limits = SignInLimits()
    tries = [enter(sqlite_database, now, limits, "officer", WRONG) for _ in range(30)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, SignInFailed) for one in results) == 10
    assert sum(isinstance(one, TooManyTries) for one in results) == 20


async def test_whoever_changes_a_password_shows_the_old_one_under_the_same_limits(
    sqlite_database: Database, now: datetime, ids: dict[str, int]
) -> None:
    limits = SignInLimits()
    await sqlite_database.write(lambda tx: accounts.set_password(tx, now, ids["officer"], QUICK))

    async def prove(password: str) -> None:
        await signin.prove(
            sqlite_database, now, limits, account_id=ids["officer"], password=password,
            address=PLACE,
        )  # fmt: skip

    await prove(GOOD)
    for _ in range(10):
        with pytest.raises(SignInFailed):
            await prove(WRONG)
    with pytest.raises(TooManyTries):
        await prove(GOOD)
    assert len(await audited(sqlite_database, "account.sign_in_paused")) == 1


async def test_a_link_opens_a_session_even_while_the_name_is_paused(
    sqlite_database: Database, now: datetime, ids: dict[str, int]
) -> None:
    raw = await sqlite_database.write(
        lambda tx: links.make(tx, now, ids["officer"], timedelta(hours=1))
    )
    opened = await signin.with_link(
        sqlite_database, now, SignInLimits(), raw, address="::1", agent="test"
    )
    assert opened.account_id == ids["officer"]
    with pytest.raises(LinkSpent):
        await signin.with_link(
            sqlite_database, now, SignInLimits(), raw, address="::1", agent="test"
        )


async def test_a_hash_with_old_parameters_is_renewed_at_the_next_sign_in(
    sqlite_database: Database, now: datetime, ids: dict[str, int]
) -> None:
    old = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(
        passwords._plain(GOOD)
    )
    await sqlite_database.write(lambda tx: accounts.set_password(tx, now, ids["officer"], old))
    await enter(sqlite_database, now, SignInLimits(), "officer", GOOD)
    row = await sqlite_database.read(lambda tx: accounts.by_id(tx, ids["officer"]))
    assert row is not None
    assert passwords.stale(old)
    assert not passwords.stale(row["password_hash"])


def test_an_unknown_name_costs_the_same_as_a_known_one() -> None:
    assert not passwords.stale(passwords._NOBODY)
    assert not passwords.verify(None, GOOD)


def test_a_password_is_the_same_however_the_keyboard_composes_it() -> None:
    decomposed = "\u1112\u1162\u1103\u1169\u11ae\u110b\u1175" + GOOD[3:]
    assert decomposed != GOOD
    assert passwords.verify(HASH, decomposed)
    assert HASH.startswith("$argon2id$")


def test_what_is_no_hash_fits_nothing() -> None:
    assert not passwords.verify("plain text in the column", "plain text in the column")
    assert not passwords.verify(HASH, "\ud800" * 20)


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("short", "10 are the fewest"),
        ("x" * 1025, "1024 are the most"),
        ("Operations.Lead", "the name you sign in with"),
        ("aaaaaaaaaaaa", "fewer than four different"),
    ],
)
def test_a_password_that_cannot_be_used_is_refused_with_the_reason(
    password: str, says: str
) -> None:
    with pytest.raises(WeakPassword) as refused:
        passwords.check(password, "operations.lead")
    assert says in refused.value.message


def test_a_sentence_is_a_good_password() -> None:
    passwords.check(GOOD, "lead")


def test_a_window_slides_and_its_memory_is_bounded(now: datetime) -> None:
    window = Window(2, timedelta(minutes=10), keys=3)
    assert not window.take("a", now)
    assert window.take("a", now + timedelta(minutes=4))
    assert window.wait("a", now + timedelta(minutes=5)) == timedelta(minutes=5)
    assert window.wait("a", now + timedelta(minutes=10)) == timedelta(0)
    for index in range(100):
        window.take(f"key {index}", now)
    assert len(window) == 3
    window.give_back("key 99")
    assert len(window) == 2


def test_an_address_is_counted_by_what_one_client_owns() -> None:
    assert network("2001:db8:1:2:3:4:5:6") == network("2001:db8:1:2::1%eth0") == "2001:db8:1:2::/64"
    assert network("::ffff:192.0.2.7") == network("192.0.2.7") == "192.0.2.7"
    assert network("unix socket") == "unix socket"
