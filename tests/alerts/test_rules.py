"""The rows: alerts, events and audit entries, whatever is cut off when."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from opsbook.alerts import Rules, fingerprint, store
from opsbook.alerts.rules import CONSUMER, watched
from opsbook.alerts.tables import alert
from opsbook.audit.tables import entry
from opsbook.base import events
from opsbook.base.database import Database, Transaction, metadata
from opsbook.book import Book, Vocabulary
from opsbook.book.library import Library
from opsbook.checks import KINDS, Observation
from opsbook.checks import store as observations
from opsbook.checks.tables import observation, status
from tests.checks.making import book

START = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
CHECKS = {"web": {"kind": "tcp", "host": "127.0.0.1", "port": 1, "service": "front"}}
SERVICES = {"front": {"title": "Front"}}
DOWN = {"check": "web", "when": "critical", "for": "30s", "resolve_after": "20s"}


def shop(*, checks: Any = None, **rules: Any) -> Book:
    return book(checks or CHECKS, rules, services=SERVICES)


def seen(second: int, state: str, value: float | None = None) -> Observation:
    at = START + timedelta(seconds=second)
    return Observation("shop", "web", at, state, value, "ms", 1.0, f"{state}!")  # type: ignore[arg-type]


def library(database: Database, *books: Book) -> Library:
    made = Library(database, Vocabulary({name: kind.model for name, kind in KINDS.items()}))
    for one in books:
        made.remember(one)
    return made


async def told(database: Database) -> list[tuple[str, str, datetime]]:
    """Every event so far: its kind, its subject and when it happened."""
    rows = await database.read(
        lambda tx: tx.rows(sa.select(events.event).order_by(events.event.c.id))
    )
    return [(row["kind"], row["subject"], row["at"]) for row in rows]


async def test_an_alert_goes_from_pending_through_firing_to_resolved(
    database: Database, now: datetime
) -> None:
    rules = Rules(database, library(database, shop(down={**DOWN, "labels": {"tier": "1"}})))
    day = timedelta(days=1)

    async def see(*more: Observation) -> dict[str, Any]:
        await database.write(lambda tx: observations.keep(tx, more))
        await rules.tick(now + day)
        (row,) = await database.read(lambda tx: tx.rows(sa.select(alert)))
        return row

    row = await see(seen(0, "ok"), seen(10, "critical", 7.0))
    assert (row["state"], row["pending_since"]) == ("pending", START + timedelta(seconds=10))
    assert await told(database) == []
    row = await see(seen(20, "critical", 8.0))
    assert (row["state"], row["value"], row["unit"]) == ("pending", 8.0, "ms")
    row = await see(seen(40, "critical", 9.0))
    fired = START + timedelta(seconds=40)
    assert (row["state"], row["fired_at"], row["message"]) == ("firing", fired, "critical!")
    assert row["fingerprint"] == fingerprint("shop", "down", "web")
    assert row["summary"] == {"": "down!"}
    assert row["labels"] == {
        "alertname": "down", "book": "shop", "rule": "down", "check": "web", "severity": "P1",
        "service": "front", "tier": "1",
    }  # fmt: skip
    row = await see(seen(50, "ok", 1.0), seen(60, "nodata"))
    assert (row["state"], row["check_state"]) == ("firing", "nodata")
    assert row["clear_since"] == START + timedelta(seconds=50)
    row = await see(seen(70, "ok", 1.0))
    over = START + timedelta(seconds=70)
    assert (row["state"], row["resolved_at"], row["reason"]) == ("resolved", over, "")
    assert await told(database) == [
        ("alert.fired", f"alert:{row['id']}", fired),
        ("alert.resolved", f"alert:{row['id']}", over),
    ]
    kept = await database.read(lambda tx: tx.rows(sa.select(entry).order_by(entry.c.id)))
    assert [(one["action"], one["subject"], one["at"]) for one in kept] == [
        ("alert.fired", f"alert:{row['id']}", now + day),
        ("alert.resolved", f"alert:{row['id']}", now + day),
    ]
    assert kept[0]["data"]["pending_since"] == "2026-03-03T09:00:10+00:00"


async def test_an_event_says_what_an_incident_needs(database: Database, now: datetime) -> None:
    made = shop(down={**DOWN, "for": "0s"})
    rules = Rules(database, library(database, made))
    await database.write(lambda tx: observations.keep(tx, [seen(0, "critical")]))
    await rules.tick(now)
    (event,) = await database.read(lambda tx: tx.rows(sa.select(events.event)))
    (row,) = await database.read(store.active)
    assert event["data"] == {
        "alert": row["id"], "rule": "down", "book": "shop", "revision": str(made.revision),
        "fingerprint": row["fingerprint"], "severity": "P1",
    }  # fmt: skip
    assert await database.read(store.recent) == [row]
    assert await database.read(lambda tx: store.get(tx, row["id"])) == row
    assert await database.read(lambda tx: store.active(tx, "other")) == []


async def test_one_check_may_have_several_rules(database: Database, now: datetime) -> None:
    silent = {"check": "web", "when": "nodata"}
    slow = {"check": "web", "when": "> 500ms"}
    rules = Rules(database, library(database, shop(down=DOWN, silent=silent, slow=slow)))
    await database.write(
        lambda tx: observations.keep(tx, [seen(0, "critical", 700.0), seen(1, "nodata")])
    )
    await rules.tick(now)
    rows = await database.read(store.active)
    assert {row["rule"]: row["state"] for row in rows} == {
        "down": "pending", "slow": "firing", "silent": "firing",
    }  # fmt: skip


async def test_a_rule_that_is_gone_takes_its_alerts_with_it_and_says_so(
    database: Database, now: datetime
) -> None:
    quick, slow = {**DOWN, "for": "0s"}, {**DOWN, "for": "1h"}
    books = library(database, shop(quick=quick, slow=slow, kept=quick))
    rules = Rules(database, books)
    await database.write(lambda tx: observations.keep(tx, [seen(0, "critical")]))
    await rules.tick(now)
    later = now + timedelta(minutes=5)
    books.remember(shop(kept=quick))
    await rules.tick(later)
    rows = {row["rule"]: row for row in await database.read(lambda tx: tx.rows(sa.select(alert)))}
    assert {name: row["state"] for name, row in rows.items()} == {
        "kept": "firing", "quick": "resolved", "slow": "cleared",
    }  # fmt: skip
    assert rows["quick"]["reason"] == "the book shop no longer has the rule quick over this check"
    assert (await told(database))[2:] == [("alert.resolved", f"alert:{rows['quick']['id']}", later)]


async def test_a_rule_moved_to_another_check_begins_anew(database: Database, now: datetime) -> None:
    books = library(database, shop(down={**DOWN, "for": "0s"}))
    rules = Rules(database, books)
    await database.write(lambda tx: observations.keep(tx, [seen(0, "critical")]))
    await rules.tick(now)
    both = {**CHECKS, "api": CHECKS["web"]}
    books.remember(shop(checks=both, down={**DOWN, "for": "0s", "check": "api"}))
    await rules.tick(now)
    assert await database.read(store.active) == []


async def test_a_draft_and_a_book_that_no_longer_runs_have_no_alerts(
    database: Database, now: datetime
) -> None:
    firing = {**DOWN, "for": "0s"}
    await database.write(lambda tx: observations.keep(tx, [seen(0, "critical")]))
    books = library(database, shop(down=firing))
    await Rules(database, books).tick(now)
    assert len(await database.read(store.active)) == 1
    books.remember(book(CHECKS, {"down": firing}, services=SERVICES, status="draft"))
    await Rules(database, books).tick(now)
    assert await database.read(store.active) == []


async def test_what_nobody_ever_heard_of_is_forgotten(database: Database, now: datetime) -> None:
    rules = Rules(database, library(database, shop(down=DOWN)))
    flaps = [seen(n, "critical" if n % 2 else "ok") for n in range(10)]
    await database.write(lambda tx: observations.keep(tx, flaps))
    await rules.tick(now)
    assert len(await database.read(lambda tx: tx.rows(sa.select(alert)))) == 5
    assert await database.read(store.recent) == []
    await rules.tick(now + timedelta(days=2))
    left = await database.read(lambda tx: tx.rows(sa.select(alert)))
    assert [row["state"] for row in left] == ["pending"]


@cache
def engine() -> sa.Engine:
    """A database in memory for the histories, emptied before each."""
    made = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    metadata.create_all(made)
    return made


@contextmanager
def transaction() -> Iterator[Transaction]:
    with engine().begin() as connection:
        yield Transaction(connection)


class Crash(Exception):
    """The server dies before its commit."""


def follow(made: Book, batch: int, *, crash: bool) -> int:
    """One batch by a server that knows nothing but the database and its book."""
    rules = Rules(Database("sqlite://"), library(Database("sqlite://"), made), batch)
    try:
        with transaction() as tx:
            done = rules.follow(tx, START, watched([made]))
            if crash:
                raise Crash
    except Crash:
        return 1
    return done


def outcome() -> list[Any]:
    """Everything that anybody could know of the alerts; ids are left out."""
    columns = [column for column in alert.c if column.name != "id"]
    with transaction() as tx:
        rows = tx.rows(sa.select(*columns).order_by(alert.c.id))
        happened = tx.rows(
            sa.select(events.event.c.kind, events.event.c.at).order_by(events.event.c.id)
        )
        entries = tx.rows(sa.select(entry.c.action).order_by(entry.c.id))
        return [rows, happened, entries, events.position(tx, CONSUMER)]


def empty() -> None:
    with transaction() as tx:
        for table in (events.event, events.cursor, alert, entry):
            tx.execute(sa.delete(table))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["ok", "warning", "critical", "nodata"]), min_size=1, max_size=40),
    st.sampled_from(["warning", "critical", "nodata"]),
    st.sampled_from([0, 10, 35]),
    st.sampled_from([0, 10, 25]),
    st.data(),
)
def test_a_server_that_dies_at_any_moment_decides_as_one_that_never_did(
    states: list[Any], when: str, hold: int, after: int, data: st.DataObject
) -> None:
    rule = {"check": "web", "when": when, "for": f"{hold}s", "resolve_after": f"{after}s"}
    made = shop(down=rule, other={**rule, "when": "nodata"})
    empty()
    with transaction() as tx:
        tx.execute(sa.delete(observation))
        tx.execute(sa.delete(status))
        observations.keep(tx, [seen(10 * n, state) for n, state in enumerate(states)])
    while follow(made, 500, crash=False):
        pass
    uninterrupted = outcome()
    empty()
    left = True
    while left:
        batch = data.draw(st.integers(1, 7))
        if data.draw(st.booleans()):
            follow(made, batch, crash=True)
        left = bool(follow(made, batch, crash=False))
    assert outcome() == uninterrupted
