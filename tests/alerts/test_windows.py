"""What rules look back at: the copy in memory is what the rows say, whatever is cut off when."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from opsbook.alerts import Rules, rules, store
from opsbook.alerts.rules import CONSUMER, watched
from opsbook.alerts.series import Series
from opsbook.alerts.tables import alert
from opsbook.alerts.windows import Windows, needs
from opsbook.audit.tables import entry
from opsbook.base import events
from opsbook.base.database import Database, Transaction, metadata
from opsbook.book import Book, Vocabulary
from opsbook.book.library import Library
from opsbook.checks import KINDS, Observation
from opsbook.checks import store as observations
from opsbook.checks.retention import roll
from opsbook.checks.tables import observation, rollup, status
from tests.alerts.histories import START, Look, histories
from tests.checks.making import book

LOG = {"kind": "log", "path": "/var/log/x", "pattern": "x", "every": "30s"}
CHECKS = {"it": LOG, "hits": LOG}
MEASURES: dict[str, dict[str, Any]] = {
    "average": {"average": "> 10", "over": "2m"},
    "minimum": {"minimum": "> 3", "over": "2m"},
    "maximum": {"maximum": "> 30", "over": "5m"},
    "p50": {"p50": "> 10", "over": "5m"},
    "p95": {"p95": "> 25", "over": "3m", "at_least": 3},
    "sum": {"sum": "> 60", "over": "2m"},
    "count": {"count": "< 3", "over": "2m"},
    "rate": {"rate": "> 5/min", "over": "4m"},
    "increase": {"increase": "> 20", "over": "4m"},
    "change": {"change": "> 50%", "over": "3m"},
    "drop": {"drop": "> 40%", "against": "same_hour"},
}


def watching(**more: Any) -> Book:
    """A book with a rule for each measure over the one check, some with traffic of the other."""
    made: dict[str, Any] = {
        name: {"check": "it", "when": when, "for": "1m", "resolve_after": "30s"}
        for name, when in MEASURES.items()
    }
    made["quiet"] = {"check": "it", "when": "> 20", "traffic": {"check": "hits", "is": ">= 10"}}
    return book({**CHECKS, **more.pop("checks", {})}, made, **more)


BOOK = watching()


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


def library(database: Database, *books: Book) -> Library:
    made = Library(database, Vocabulary({name: kind.model for name, kind in KINDS.items()}))
    for one in books:
        made.remember(one)
    return made


def following(batch: int = 500, most: int | None = None) -> Rules:
    """A server that knows nothing but the database and its book."""
    made = Rules(Database("sqlite://"), library(Database("sqlite://"), BOOK), batch)
    if most is not None:
        made._windows = Windows(needs(one for ones in WATCHED.values() for one in ones), most)
        made._windows_for = WATCHED
    return made


WATCHED = watched([BOOK])


def stored(looks: list[Look], check: str = "it") -> list[Observation]:
    return [
        Observation(
            "shop", check, one.at, "nodata" if one.value is None else "ok", one.value, one.unit,
            1.0, "seen",
        )
        for one in looks
    ]  # fmt: skip


def empty() -> None:
    with transaction() as tx:
        for table in (events.event, events.cursor, alert, entry):
            tx.execute(sa.delete(table))


def fill(*series: list[Observation]) -> None:
    """Store looks in the order given, in place of all that was there."""
    empty()
    with transaction() as tx:
        for table in (observation, status, rollup):
            tx.execute(sa.delete(table))
        for n in (1, 2, 3):
            start = START.replace(minute=0) - timedelta(days=7 * n)
            tx.insert(
                rollup, book="shop", check_id="it", span_s=3600, start=start, count=120, ok=120,
                warning=0, critical=0, nodata=0, mean=20.0 + n, unit="",
            )  # fmt: skip
        for some in series:
            for one in some:
                observations.keep(tx, [one])


def outcome() -> list[Any]:
    """Everything that anybody could know of the alerts; ids are left out."""
    columns = [column for column in alert.c if column.name != "id"]
    with transaction() as tx:
        rows = tx.rows(sa.select(*columns).order_by(alert.c.id))
        happened = tx.rows(
            sa.select(events.event.c.kind, events.event.c.at).order_by(events.event.c.id)
        )
        return [rows, happened, events.position(tx, CONSUMER)]


def mingled(one: list[Observation], other: list[Observation], turns: list[bool]) -> list[Any]:
    """Two histories as one, each in its own order."""
    left, right = [*one], [*other]
    both = [source.pop(0) for turn in turns if (source := left if turn else right)]
    return [*both, *left, *right]


class Crash(Exception):
    """The server dies before its commit."""


@settings(max_examples=40, deadline=None)
@given(histories(), histories(), st.lists(st.booleans(), max_size=60), st.data())
def test_a_restart_or_a_rollback_at_any_moment_changes_nothing(
    looks: list[Look], traffic: list[Look], turns: list[bool], data: st.DataObject
) -> None:
    fill(mingled(stored(looks), stored(traffic, "hits"), turns))
    server = following()
    with transaction() as tx:
        while server.follow(tx, START, WATCHED):
            pass
    uninterrupted = outcome()
    empty()
    server, left = following(3), 1
    while left:
        match data.draw(st.sampled_from(["on", "on", "restart", "crash", "small"])):
            case "restart":
                server = following(data.draw(st.integers(1, 7)))
            case "small":
                server = following(2, most=data.draw(st.integers(0, 9)))
            case "crash":
                try:
                    with transaction() as tx:
                        server.follow(tx, START, WATCHED)
                        raise Crash
                except Crash:
                    pass
        with transaction() as tx:
            left = server.follow(tx, START, WATCHED)
    assert outcome() == uninterrupted


def plain(series: Series) -> tuple[list[int], list[float | None], str]:
    """A series that compares; where there is no value, its unit says nothing."""
    values = [None if math.isnan(value) else value for value in series.values]
    some = any(value is not None for value in values)
    return list(series.times), values, series.unit if some else ""


@settings(max_examples=40, deadline=None)
@given(
    histories(),
    st.lists(st.sampled_from(["", "", "", "ms", "s", "bytes"]), max_size=40),
    st.sampled_from([0, 5, 1000]),
)
def test_the_copy_is_what_the_rows_say_at_every_row(
    looks: list[Look], units: list[str], most: int
) -> None:
    odd = [
        Look(one.second, one.value, units[n]) if n < len(units) else one
        for n, one in enumerate(looks)
    ]
    fill(stored(odd if units else looks))
    key, reach = ("shop", "it"), timedelta(minutes=4)
    copy = Windows({key: reach}, most)
    with transaction() as tx:
        for row in tx.rows(sa.select(observation).order_by(observation.c.id)):
            copy.see(row)
            for back in (reach, reach / 2, reach / 20):
                read = Windows().series(tx, key, row, back)
                assert plain(copy.series(tx, key, row, back)) == plain(read)
            assert copy.size == sum(len(one.times) for one in copy._kept.values()) <= max(most, 0)


def test_what_is_held_is_bounded_and_the_rest_is_read() -> None:
    checks = dict.fromkeys(("a", "b", "c"), LOG)
    fill(*(stored([Look(30.0 * n, 1.0) for n in range(10)], name) for name in checks))
    held = Windows({("shop", name): timedelta(minutes=10) for name in checks}, 25)
    with transaction() as tx:
        last = tx.rows(sa.select(observation).order_by(observation.c.id))[-1]
        for name in ("a", "b", "c", "a", "c"):
            assert len(held.series(tx, ("shop", name), last, timedelta(minutes=5)).times) == 10
    assert (list(held._kept), held.size) == ([("shop", "a"), ("shop", "b")], 20)
    for n in range(10, 16):
        held.see({**last, "check_id": "a", "at": START + timedelta(seconds=30 * n)})
    assert (list(held._kept), held.size) == ([("shop", "b")], 10)


def test_what_nobody_asks_for_any_more_is_let_go_of() -> None:
    fill(stored([Look(30.0 * n, float(n)) for n in range(1000)]))
    key, reach = ("shop", "it"), timedelta(minutes=5)
    held = Windows({key: reach})
    with transaction() as tx:
        for row in tx.rows(sa.select(observation).order_by(observation.c.id)):
            held.see(row)
            held.series(tx, key, row, reach)
    assert held.size <= 16


def test_windows_are_read_once_and_not_again_with_every_look() -> None:
    fill(stored([Look(30.0 * n, 1.0) for n in range(100)]))
    asked: list[str] = []

    @sa.event.listens_for(engine(), "before_cursor_execute")
    def _asked(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    try:
        server = following(50)
        with transaction() as tx:
            while server.follow(tx, START, WATCHED):
                pass
    finally:
        sa.event.remove(engine(), "before_cursor_execute", _asked)
    windows = [one for one in asked if "observation.at >=" in one]
    assert len(windows) == 3  # of "it", of "hits", and the hour four weeks ago


def test_rules_that_look_back_at_nothing_read_nothing() -> None:
    made = book(CHECKS, {"one": {"check": "it", "when": "critical"}})
    found = watched([made])
    assert needs(one for ones in found.values() for one in ones) == {}


async def test_an_average_fires_and_is_over_and_the_alert_shows_what_was_measured(
    database: Database,
) -> None:
    made = book(
        {"it": {**LOG, "unit": "ms"}},
        {"slow": {"check": "it", "when": {"average": "> 100", "over": "2m", "at_least": 3}}},
    )
    following = Rules(database, library(database, made))
    now = START + timedelta(days=1)

    async def see(*looks: Look) -> dict[str, Any] | None:
        some = stored(list(looks))
        await database.write(lambda tx: observations.keep(tx, some))
        await following.tick(now)
        return await database.read(
            lambda tx: tx.row(sa.select(alert).order_by(alert.c.id.desc()).limit(1))
        )

    ms = "ms"
    assert await see(Look(0, 900.0, ms), Look(30, 20.0, ms)) is None
    row = await see(Look(60, 10.0, ms))
    assert row is not None
    assert (row["state"], row["value"], row["unit"]) == ("firing", 310.0, "ms")
    assert row["message"] == "the average over 2m is 310 ms (values: 3); it fires at > 100"
    row = await see(Look(90, None))
    assert row is not None
    assert (row["state"], row["value"], row["check_state"]) == ("firing", None, "nodata")
    assert row["message"] == "the look brought no value"
    row = await see(Look(120, 30.0, ms))
    assert row is not None
    assert (row["state"], row["value"]) == ("resolved", 20.0)
    (rule,) = made.rules.values()
    found = await database.read(lambda tx: rules.explained(tx, made, rule))
    assert found is not None
    at, told = found
    assert (at, told.meets, str(told)) == (START + timedelta(seconds=120), False, row["message"])


async def test_a_check_without_a_look_is_explained_by_nothing(database: Database) -> None:
    rule = BOOK.rules["average"]
    assert await database.read(lambda tx: rules.explained(tx, BOOK, rule)) is None


async def test_a_share_of_very_little_pages_nobody(database: Database) -> None:
    enough = {"check": "hits", "is": ">= 50"}
    made = book(
        {"errors": {**LOG, "unit": "%"}, "hits": LOG},
        {"failing": {"check": "errors", "when": "> 5%", "traffic": enough}},
    )
    following = Rules(database, library(database, made))

    async def see(second: int, hits: float | None, share: float) -> list[dict[str, Any]]:
        some = [
            *stored([Look(second, hits)], "hits"),
            *stored([Look(second, share, "%")], "errors"),
        ]
        await database.write(lambda tx: observations.keep(tx, some))
        await following.tick(START)
        return await database.read(store.active)

    assert await see(0, 3.0, 33.0) == []
    (row,) = await see(30, 120.0, 33.0)
    assert (row["state"], row["message"]) == ("firing", "seen")
    (row,) = await see(60, 2.0, 0.0)
    assert row["state"] == "firing"
    assert row["message"].endswith("too little traffic: hits is 2, and the rule wants >= 50")
    (row,) = await see(90, None, 0.0)
    assert row["state"] == "firing"
    assert await see(120, 60.0, 0.0) == []


async def test_orders_that_drop_against_the_same_hour_fire_and_christmas_does_not(
    database: Database,
) -> None:
    when = {"drop": "> 40%", "against": "same_hour", "usual": ">= 50"}
    hour = START.replace(minute=0)
    made = book(
        {"it": LOG},
        {"dropping": {"check": "it", "when": when}},
        holidays={"also": {(hour - timedelta(days=14)).date(): "Off"}},
    )
    following = Rules(database, library(database, made))

    def week(tx: Transaction, n: int, mean: float) -> None:
        start = hour - timedelta(days=7 * n)
        tx.insert(
            rollup, book="shop", check_id="it", span_s=3600, start=start, count=120, ok=120,
            warning=0, critical=0, nodata=0, mean=mean, unit="",
        )  # fmt: skip

    def told() -> Any:
        rule = made.rules["dropping"]
        return database.read(lambda tx: rules.explained(tx, made, rule))

    some = stored([Look(30.0 * n, 50.0) for n in range(40)])
    await database.write(lambda tx: (week(tx, 1, 100.0), week(tx, 2, 10.0)))
    await database.write(lambda tx: observations.keep(tx, some[:35]))
    await following.tick(START)
    assert await database.read(store.active) == []
    assert str((await told())[1]) == ("the same hour can be compared in 1 of 4 weeks; 2 are needed")
    await database.write(lambda tx: week(tx, 3, 90.0))
    following = Rules(database, library(database, made))  # which knew what that hour had
    await database.write(lambda tx: observations.keep(tx, some[35:]))
    await following.tick(START)
    (row,) = await database.read(store.active)
    assert (row["state"], row["unit"]) == ("firing", "%")
    assert row["message"] == (
        "this hour's average is 50 (values: 40), 47.4 % below the usual 95 (weeks: 2); "
        "it fires at > 40%"
    )


@settings(max_examples=15, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(0, 100)), min_size=8, max_size=30))
def test_an_hour_is_the_same_from_its_rollup_and_from_the_looks_it_was_made_of(
    values: list[float | None],
) -> None:
    fill()
    made = book({"it": LOG}, {"dropping": {"check": "it", "when": MEASURES["drop"]}})
    hour, rule = START.replace(minute=0), made.rules["dropping"]
    with transaction() as tx:
        tx.execute(sa.delete(rollup))
        for n in (4, 3, 2, 1):
            began = (hour - START - timedelta(days=7 * n)).total_seconds()
            looks = [Look(began + 100 * k, value) for k, value in enumerate(values)]
            observations.keep(tx, stored(looks))
        observations.keep(tx, stored([Look(30.0 * k, 1.0) for k in range(40)]))
        looked = rules.explained(tx, made, rule)
        while roll(tx, "shop", "it", hour - timedelta(days=10), readers=()):
            pass
        assert tx.scalar(sa.select(sa.func.count()).where(rollup.c.span_s == 3600)) == 3
        assert rules.explained(tx, made, rule) == looked
