import asyncio
import contextlib
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from opsbook.book import BookError
from opsbook.checks.databases.session import OURS
from opsbook.runs.errands import results
from tests.checks.making import Looking, book, closed_port, serving, silent
from tests.support.servers import Postgres
from tests.support.standby import Pair


@contextlib.contextmanager
def session(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@contextlib.contextmanager
def role(url: str, name: str, *, grant: str = "") -> Iterator[str]:
    """A role without rights, and the address with it."""
    with session(url) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN {grant}")
    try:
        yield url.replace("postgres@", f"{name}@")
    finally:
        with session(url) as admin:
            admin.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


async def test_connections_are_a_share_of_those_that_are_open_to_all(
    looking: Looking, postgres_url: str
) -> None:
    first = await looking.look(kind="sql", url=postgres_url, metric="connections")
    held = [psycopg.connect(postgres_url) for _ in range(5)]
    held[0].execute("SELECT 1")
    seen = await looking.look()
    with role(postgres_url, "nobody_much") as url:
        unseen = await looking.look("2", kind="sql", url=url, metric="connections")
    for one in held:
        one.close()
    assert first.value is not None
    assert seen.value is not None
    assert seen.value - first.value == pytest.approx(100 * 5 / 197, abs=2.2)
    assert (seen.state, seen.unit) == ("ok", "%")
    assert "of 197 connections (3 more are kept for superusers): 1 active, 1 idle in a" in (
        seen.message
    )
    assert unseen.value == pytest.approx(seen.value, abs=2.2)


async def test_a_server_without_a_connection_left_is_critical_and_says_so(
    looking: Looking, postgres_url: str
) -> None:
    with role(postgres_url, "the_last", grant="CONNECTION LIMIT 0") as url:
        seen = await looking.look(kind="sql", url=url, metric="connections")
    assert (seen.state, seen.value) == ("critical", None)
    assert "has no connection left: too many connections for role" in seen.message


async def test_slow_statements_are_counted_and_the_oldest_told_without_its_text(
    looking: Looking, postgres_url: str
) -> None:
    asked = {"kind": "sql", "url": postgres_url, "metric": "slow_queries", "longer_than": "50ms"}
    none = await looking.look(**asked)
    assert (none.value, none.message) == (0.0, "0 statements longer than 50 ms")
    slow = threading.Thread(target=_sleep, args=(postgres_url,))
    slow.start()
    try:
        _until(
            postgres_url,
            "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE %s AND "
            "now() - query_start > '60ms' AND state = 'active' AND pid <> pg_backend_pid()",
        )
        seen = await looking.look("2", **asked, bands={"warning": ">= 1"})
        with role(postgres_url, "blind") as url:
            blind = await looking.look("3", **{**asked, "url": url})
    finally:
        with session(postgres_url) as admin:
            admin.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                "WHERE query LIKE '%secret words%' AND pid <> pg_backend_pid()"
            )
        slow.join()
    assert (seen.state, seen.value) == ("warning", 1.0)
    assert seen.message.startswith("1 statement longer than 50 ms; the oldest for ")
    assert "of postgres" in seen.message
    assert "secret words" not in seen.message
    assert blind.state == "nodata"
    assert "GRANT pg_read_all_stats" in blind.message


def _sleep(url: str) -> None:
    with session(url) as connection, contextlib.suppress(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(20), 'secret words'")


def _until(url: str, question: str) -> None:
    deadline = time.monotonic() + 10
    with session(url) as connection:
        while not (connection.execute(question, ["%secret words%"]).fetchone() or (0,))[0]:  # type: ignore[call-overload]
            assert time.monotonic() < deadline
            time.sleep(0.01)


async def test_who_waits_for_a_lock_is_told_with_who_holds_it_up(
    looking: Looking, postgres_url: str
) -> None:
    with session(postgres_url) as admin:
        admin.execute("CREATE TABLE orders (id int)")
    holder = psycopg.connect(postgres_url)
    holder.execute("LOCK TABLE orders")
    waiter = await psycopg.AsyncConnection.connect(postgres_url)
    waiting = asyncio.create_task(waiter.execute("SELECT * FROM orders"))
    asked = {"kind": "sql", "url": postgres_url, "metric": "locks"}
    try:
        while not (await looking.look("now", **asked, longer_than="10ms")).value:
            await asyncio.sleep(0.01)
        seen = await looking.look("now")
        later = await looking.look("later", **asked, longer_than="1h")
    finally:
        holder.close()
        await waiting
        await waiter.close()
    assert (seen.state, seen.value) == ("ok", 1.0)
    assert f"held up by {holder.info.backend_pid if not holder.closed else ''}" in seen.message
    assert later.value == 0.0


async def test_deadlocks_are_counted_within_the_window(looking: Looking, postgres_url: str) -> None:
    with session(postgres_url) as admin:
        admin.execute("CREATE TABLE a (id int); CREATE TABLE b (id int)")
    asked = {"kind": "sql", "url": postgres_url, "metric": "deadlocks", "window": "10m"}
    before = await looking.look(**asked)
    assert (before.value, before.message) == (
        0.0,
        "0 deadlocks since 09:00:00 UTC, when counting began; "
        "0 since the server's statistics began",
    )
    await _deadlock(postgres_url)
    while not (seen := await looking.look()).value:
        await asyncio.sleep(0.05)  # the server writes its statistics when a session is idle
    assert (seen.value, seen.message[:11]) == (1.0, "1 deadlock ")
    looking.clock.advance(timedelta(minutes=10))
    assert (await looking.look()).value == 0.0


async def _deadlock(url: str) -> None:
    async def locks(first: str, second: str, met: asyncio.Barrier) -> None:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute("SET deadlock_timeout = '10ms'")
            await connection.execute(f"LOCK TABLE {first}")  # type: ignore[call-overload]
            await met.wait()
            with contextlib.suppress(psycopg.errors.DeadlockDetected):
                await connection.execute(f"LOCK TABLE {second}")  # type: ignore[call-overload]

    met = asyncio.Barrier(2)
    await asyncio.gather(locks("a", "b", met), locks("b", "a", met))


async def test_size_cache_dead_rows_and_age_are_what_the_server_says(
    looking: Looking, postgres_url: str
) -> None:
    with session(postgres_url) as admin:
        admin.execute(
            "CREATE TABLE orders WITH (autovacuum_enabled = off) AS "
            "SELECT generate_series(1, 4000) AS id"
        )
        admin.execute("DELETE FROM orders WHERE id <= 1000")
        expected = admin.execute("SELECT pg_database_size(current_database())").fetchone()
        age = admin.execute("SELECT max(age(datfrozenxid)) FROM pg_database").fetchone()
    assert expected
    assert age
    size = await looking.look("size", kind="sql", url=postgres_url, metric="database_size")
    assert (size.value, size.unit) == (expected[0], "bytes")
    cache = await looking.look("cache", kind="sql", url=postgres_url, metric="cache_hit")
    assert cache.value is not None
    assert 0 < cache.value <= 100
    assert cache.message.endswith("of blocks from the cache since the server's statistics began")
    wrap = await looking.look("wrap", kind="sql", url=postgres_url, metric="transaction_age")
    assert wrap.value == pytest.approx(100 * age[0] / 2**31, rel=0.05)
    asked = {"kind": "sql", "url": postgres_url, "metric": "dead_rows"}
    small = await looking.look("small", **asked)
    assert (small.value, small.message) == (0.0, "no table has 10,000 rows")
    while not (dead := await looking.look("dead", **asked, least_rows=1000)).value:
        await asyncio.sleep(0.05)
    assert (dead.value, dead.unit) == (25.0, "%")
    assert dead.message == ("public.orders: 1,000 of 4,000 rows are dead; last autovacuum never")


async def test_a_query_gives_a_number_and_a_text(looking: Looking, postgres_url: str) -> None:
    async def of(query: str, **more: Any) -> Any:
        return await looking.look(kind="sql", url=postgres_url, query=query, **more)

    seen = await of(
        "SELECT 42.5, '100% of ' || current_database()", unit="orders", bands={"warning": "> 40"}
    )
    assert (seen.state, seen.value, seen.unit) == ("warning", 42.5, "orders")
    assert seen.message.startswith("100% of opsbook_")
    assert (await of("WITH one AS (SELECT 7) TABLE one")).value == 7
    age = await of("SELECT interval '90 minutes'", bands={"warning": "> 1h"})
    assert (age.value, age.unit, age.state) == (5400.0, "s", "warning")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT 1 WHERE false", "the query gives no row; let it give one"),
        ("SELECT generate_series(1, 100000)", "the query gives several rows"),
        ("SELECT 1, 2, 3", "the query gives 3 columns; write a number, and a text"),
        ("SELECT NULL::int", "the query gives NULL, which is no number"),
        ("SELECT 'many'", "the query gives 'many', which is no number"),
        ("SELECT true", "the query gives True, which is no number"),
        ("SELECT 'NaN'::numeric", "the query gives NaN, which is no number"),
        ("SELECT count(*) FROM ordrs", 'relation "ordrs" does not exist'),
        ("SELECT 1 FROM pg_sleep(5)", "the query took longer than a look may take"),
        ("SELECT nextval('numbers')", "cannot execute nextval() in a read-only transaction"),
        ("WITH gone AS (DELETE FROM numbers RETURNING 1) SELECT count(*) FROM gone", "DECLARE"),
    ],
)
async def test_what_is_no_number_is_missing_data(
    looking: Looking, postgres_url: str, query: str, told: str
) -> None:
    with session(postgres_url) as admin:
        admin.execute("CREATE SEQUENCE numbers")
    seen = await looking.look(kind="sql", url=postgres_url, query=query, timeout="500ms")
    assert (seen.state, seen.value) == ("nodata", None)
    assert told in seen.message


async def test_the_database_of_an_opsbook_server_is_measured_and_not_queried(
    looking: Looking, postgres_url: str
) -> None:
    assert set(results.JOURNAL) == OURS
    with session(postgres_url) as admin:
        for table in OURS:
            admin.execute(f"CREATE TABLE {table} (id int)")  # type: ignore[call-overload]
    asked = {"kind": "sql", "url": postgres_url}
    seen = await looking.look(**asked, query="SELECT count(*) FROM attempt")
    assert (seen.state, seen.value) == ("nodata", None)
    assert "the database of an Opsbook server, which no check queries; use a metric" in seen.message
    assert (await looking.look("2", **asked, metric="connections")).state == "ok"


async def test_a_target_lets_in_with_its_credential_for_reading_alone(
    looking: Looking, postgres: Postgres, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("READ", "sesame-open-up-17")
    with role(postgres_url, "reader", grant="PASSWORD 'x'") as url:
        looking.targets = {
            "orders": {
                "title": "Orders", "kind": "postgresql", "url": url.replace("reader@", ""),
                "read": {"user": "reader", "password": "env:READ"},
                "change": {"user": "postgres", "password": "env:NOT_THIS"},
            }
        }  # fmt: skip
        seen = await looking.look(kind="sql", on="orders", query="SELECT 1, current_user")
        monkeypatch.delenv("READ")
        missing = await looking.look()
    assert (seen.value, seen.message) == (1.0, "reader")
    assert missing.state == "nodata"
    assert "The secret env:READ is not set" in missing.message


async def test_a_refusal_and_a_missing_database_are_critical_and_a_stranger_is_missing_data(
    looking: Looking, postgres: Postgres, postgres_url: str
) -> None:
    with closed_port() as port:
        url = f"postgresql://127.0.0.1:{port}/shop"
        refused = await looking.look("1", kind="sql", url=url, query="SELECT 1")
    assert (refused.state, refused.message) == ("critical", f"127.0.0.1:{port} refuses connections")
    gone = await looking.look("2", kind="sql", url=postgres.url("shop"), query="SELECT 1")
    assert gone.state == "critical"
    assert 'database "shop" does not exist' in gone.message
    stranger = postgres_url.replace("postgres@", "stranger@")
    seen = await looking.look("3", kind="sql", url=stranger, query="SELECT 1")
    assert seen.state == "nodata"
    assert 'role "stranger" does not exist' in seen.message
    nowhere = "postgresql://no-such-host.invalid/shop"
    unknown = await looking.look("4", kind="sql", url=nowhere, query="SELECT 1")
    assert unknown.state in {"critical", "nodata"}
    assert "the name of no-such-host.invalid:5432" in unknown.message


@pytest.mark.parametrize(
    ("code", "words", "state", "told"),
    [
        ("53300", "최대 동시 접속자 수를 초과했습니다.", "critical", "has no connection left: "),
        ("57P03", "시스템이 새로 가동 중입니다.", "critical", ": "),
        ("28P01", "사용자 패스워드 인증을 실패했습니다", "nodata", ": "),
    ],
)
async def test_a_server_that_refuses_in_another_language_is_understood_by_its_code(
    looking: Looking, code: str, words: str, state: str, told: str
) -> None:
    said = "".join(f"{key}{value}\0" for key, value in
                   {"S": "치명적오류", "V": "FATAL", "C": code, "M": words}.items())  # fmt: skip
    refusal = said.encode() + b"\0"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = int.from_bytes(await reader.readexactly(4), "big")
                if int.from_bytes((await reader.readexactly(size - 4))[:4], "big") >> 16 == 3:
                    break
                writer.write(b"N")  # no TLS here
            writer.write(b"E" + (len(refusal) + 4).to_bytes(4, "big") + refusal)
            await writer.drain()
        writer.close()

    async with serving(refuse) as port:
        url = f"postgresql://127.0.0.1:{port}/shop"
        seen = await looking.look(kind="sql", url=url, metric="connections", user="me")
    assert (seen.state, seen.value) == (state, None)
    assert seen.message.startswith(f"127.0.0.1:{port}")
    assert f"{told}치명적오류:  {words}".replace("  ", " ") in seen.message


async def test_a_server_that_hangs_costs_no_more_than_its_time(
    looking: Looking, postgres: Postgres, postgres_url: str
) -> None:
    async with serving(silent) as port:
        url = f"postgresql://127.0.0.1:{port}/shop"
        seen = await looking.look("1", kind="sql", url=url, query="SELECT 1", timeout="100ms")
        assert (seen.state, seen.message) == ("critical", "no answer within 100ms")
    asked = {"kind": "sql", "url": postgres_url, "timeout": "1s"}
    stopped = asyncio.create_task(looking.look("3", **asked, query="SELECT 1 FROM pg_sleep(30)"))
    pid = await asyncio.to_thread(_backend, postgres_url)
    os.kill(pid, signal.SIGSTOP)
    try:
        seen = await stopped
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (seen.state, seen.message) == ("critical", "no answer within 1s")
    assert seen.latency_ms < 4000
    await asyncio.to_thread(_gone, postgres_url, pid)


def _backend(url: str) -> int:
    with session(url) as admin:
        for _ in range(1000):
            row = admin.execute(
                "SELECT pid FROM pg_stat_activity "
                "WHERE application_name = 'opsbook' AND wait_event = 'PgSleep'"
            ).fetchone()
            if row:
                pid: int = row[0]
                return pid
            time.sleep(0.005)
    raise AssertionError("it never ran")


def _gone(url: str, pid: int) -> None:
    """The server notices that we are gone, at the latest when it is told to."""
    with session(url) as admin:
        admin.execute("SELECT pg_terminate_backend(%s)", [pid])


async def test_a_primary_and_its_standby_tell_how_far_the_replay_is_behind(
    looking: Looking, pair: Pair
) -> None:
    pair.on_primary("CREATE TABLE IF NOT EXISTS orders (id int)", "INSERT INTO orders VALUES (1)")
    pair.caught_up()
    primary = {"kind": "sql", "url": pair.primary.url("postgres"), "role": "primary"}
    standby = {"kind": "sql", "url": pair.standby.url("postgres"), "role": "standby"}
    bands = {"warning": "> 10s", "critical": "> 1m"}

    async def told() -> dict[str, Any]:
        return {
            "primary": await looking.look("p", **primary, metric="replication_lag", bands=bands),
            "standby": await looking.look("s", **standby, metric="replication_lag", bands=bands),
            "bytes": await looking.look("pb", **primary, metric="replication_lag_bytes"),
            "its bytes": await looking.look("sb", **standby, metric="replication_lag_bytes"),
        }

    before = await told()
    most = {"s": 2.0, "bytes": 2000.0}  # the server writes a little by itself
    assert {one.state for one in before.values()} == {"ok"}
    assert all(0 <= one.value < most[one.unit] for one in before.values())
    assert before["standby"].message.startswith("it replays")
    assert before["primary"].message.startswith("second (streaming): ")

    pair.on_standby("SELECT pg_wal_replay_pause()")
    try:
        pair.until(pair.standby, "SELECT pg_get_wal_replay_pause_state() = 'paused'")
        pair.on_primary("INSERT INTO orders SELECT generate_series(1, 5000)")
        pair.until(
            pair.standby,
            "SELECT pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn() + 100000",
        )
        pair.until(
            pair.primary,
            "SELECT bool_and(flush_lsn = pg_current_wal_lsn()) FROM pg_stat_replication",
        )
        await looking.look("p")  # it remembers where the log ends now
        looking.clock.advance(timedelta(seconds=90))
        keys = {"primary": "p", "standby": "s", "bytes": "pb", "its bytes": "sb"}
        behind: dict[str, Any] = {name: await looking.look(key) for name, key in keys.items()}
    finally:
        pair.on_standby("SELECT pg_wal_replay_resume()")
    assert behind["primary"].value == pytest.approx(90, abs=1)
    assert behind["primary"].state == "critical"
    assert "not replayed for 90 s" in behind["primary"].message
    assert behind["bytes"].value > 100_000
    assert behind["its bytes"].value > 100_000
    assert 0 < behind["standby"].value < 60  # by the server's clock, which nobody winds
    assert "its replay is paused" in behind["standby"].message
    pair.caught_up()
    again: list[Any] = [await looking.look(key) for key in ("p", "s", "pb", "sb")]
    assert all(0 <= one.value < most[one.unit] for one in again)


async def test_a_server_that_is_not_what_it_should_be_is_critical(
    looking: Looking, pair: Pair, postgres_url: str
) -> None:
    asked = {"kind": "sql", "metric": "replication_lag"}
    primary, standby = pair.primary.url("postgres"), pair.standby.url("postgres")
    promoted = await looking.look("1", **asked, url=primary, role="standby")
    assert (promoted.state, promoted.message) == (
        "critical",
        "it is no standby: it was promoted, or never was one",
    )
    other = await looking.look("2", **asked, url=standby, role="primary")
    assert (other.state, other.message) == (
        "critical",
        "it is no primary: it replays another's log",
    )
    few = await looking.look("3", **asked, url=primary, standbys=2)
    assert (few.state, few.message) == ("critical", "1 of 2 standbys are connected: second")
    alone = await looking.look("4", **asked, url=postgres_url)
    assert (alone.state, alone.message) == (
        "critical",
        "no standby is connected, and it is none itself",
    )
    none = await looking.look("5", **asked, url=postgres_url, standbys=0)
    assert (none.state, none.value) == ("ok", 0.0)


async def test_an_sqlite_file_is_read_and_nothing_else(
    looking: Looking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = tmp_path / "stock.db", tmp_path / "other.db"
    for path in (file, other):
        with sqlite3.connect(path) as made:
            made.execute("CREATE TABLE stock (what text, count int)")
            made.execute("INSERT INTO stock VALUES ('screws', 12), ('nails', 3)")
        made.close()

    async def of(query: str, path: Path = file) -> Any:
        return await looking.look(
            kind="sql", path=str(path), query=query, timeout="300ms",
            bands={"warning": "< 5"},
        )  # fmt: skip

    seen = await of("SELECT min(count), what FROM stock")
    assert (seen.state, seen.value, seen.message) == ("warning", 3.0, "nails")
    looking.targets = {"stock": {"title": "Stock", "kind": "sqlite", "path": str(file)}}
    named = await looking.look(
        "named", kind="sql", on="stock", query="SELECT sum(count) FROM stock"
    )
    assert named.value == 15.0
    endless = (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    )
    assert (await of(endless)).message == "the query took longer than a look may take"
    assert "not authorized" in (await of("SELECT name FROM pragma_database_list")).message
    assert "readfile" in (await of("SELECT readfile('/etc/passwd')")).message
    assert "No such file" in (await of("SELECT 1", tmp_path / "none.db")).message
    assert not (tmp_path / "none.db").exists()
    file.write_bytes(b"rubbish" * 1000)
    rubbish = await of("SELECT 1 FROM stock")
    assert (rubbish.state, rubbish.message) == ("nodata", f"{file}: file is not a database")
    with sqlite3.connect(other) as made:
        for table in OURS:
            made.execute(f"CREATE TABLE {table} (id int)")
    made.close()
    assert "database of an Opsbook server" in (await of("SELECT 1 FROM stock", other)).message


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"url": "postgresql://h/d"}, "it gives one number. write metric: or query:"),
        ({"url": "postgresql://h/d", "metric": "locks", "query": "SELECT 1"}, "it gives one"),
        ({"path": "/srv/stock.db", "metric": "locks"}, "locks is PostgreSQL's, not a file's"),
        ({"url": "postgresql://u:p@h/d", "metric": "locks"}, "it carries a password"),
        ({"url": "mysql://h/d", "metric": "locks"}, "it is no address of a database"),
        ({"url": "postgresql://h/d", "query": "DELETE FROM orders"}, "its query is not one SELECT"),
        ({"url": "postgresql://h/d", "query": "SELECT 1; SELECT 2"}, "its query is not one SELECT"),
        ({"url": "postgresql://h/d", "query": "SELECT 'a"}, "its query cannot be read"),
        ({"on": "orders", "user": "me", "metric": "locks"}, "user means nothing beside on"),
        ({"on": "stock", "metric": "locks"}, "a check of kind sql cannot ask stock"),
        ({"on": "orders", "metric": "locks", "bands": {"warning": "> 5s"}}, "cannot be compared"),
    ],
)
def test_a_book_asks_for_one_number_in_one_place(fields: dict[str, Any], told: str) -> None:
    targets = {
        "orders": {"title": "Orders", "kind": "postgresql", "url": "postgresql://db/orders"},
        "stock": {"title": "Stock", "kind": "sqlite", "path": "/srv/stock.db"},
    }
    with pytest.raises(BookError) as caught:
        book({"it": {"kind": "sql", **fields}}, targets=targets)
    said = [str(problem) for problem in caught.value.problems]
    assert len(said) == 1, said
    assert told in said[0]
