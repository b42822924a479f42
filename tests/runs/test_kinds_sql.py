"""`sql` steps on both databases: bound parameters, read-only unless they change."""

import asyncio
import json
import sqlite3
from pathlib import Path

import psycopg
import pytest

from opsbook.base.database import metadata
from opsbook.runs.errands.results import JOURNAL
from tests.support.databases import all_tables
from tests.support.runs import Stage
from tests.support.servers import Postgres
from tests.support.targets import READER, WRITER, ShopDatabase, outcome, published

HOSTILE = [
    "'; DROP TABLE orders; --",
    '"; DELETE FROM orders; --',
    "$$; DROP TABLE orders; $$",
    "\\'; DROP TABLE orders; --",
    "%(shop)s %s :shop ? $1",
    "; rm -rf /",
    "한국 'x'",
]


@pytest.fixture
def shop_file(stage_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with orders, which the steps' user may change."""
    folder = stage_folder.parent / f"{stage_folder.name}-orders"
    folder.mkdir()
    folder.chmod(0o777)
    file = folder / "orders.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, shop TEXT, paid REAL)")
        connection.execute("INSERT INTO orders VALUES (1, 'seoul', 10.5), (2, 'busan', 3)")
    connection.close()
    file.chmod(0o666)
    return file


def of_file(file: Path, id: str = "orders") -> str:
    return f"  {id}: {{title: Orders, kind: sqlite, path: {file}}}\n"


@pytest.fixture(params=["sqlite", "postgresql"])
def orders(request: pytest.FixtureRequest) -> str:
    """The target `orders` on each of the databases."""
    if request.param == "sqlite":
        return of_file(request.getfixturevalue("shop_file"))
    shop: ShopDatabase = request.getfixturevalue("shop_database")
    return shop.target


def fence(statements: str, about: str = "effect=read") -> str:
    return f"```sql {{#s on=orders {about}}}\n{statements}\n```\n"


@pytest.mark.parametrize("value", HOSTILE)
async def test_a_value_is_bound_whatever_is_in_it(stage: Stage, orders: str, value: str) -> None:
    body = fence("INSERT INTO orders VALUES (3, :shop, 0); SELECT shop FROM orders WHERE id = 3",
                 "effect=change save=told")  # fmt: skip
    await published(stage, body, "params:\n  shop: {}", orders)
    run = await stage.run(shop=value)
    state, _, text = await outcome(stage, run)
    assert state == "succeeded", text
    assert (await stage.row(run))["saved"] == {"told": value}


async def test_what_looks_like_a_parameter_in_quotes_and_comments_is_none(
    stage: Stage, orders: str
) -> None:
    text = (
        "SELECT 'it''s :shop' AS one, \":shop\" AS two, -- :shop\n CAST(id AS text) || '%' AS three"
        " FROM (SELECT id, 'x' AS \":shop\" FROM orders /* :shop ; */) AS o WHERE id = :id"
    )
    await published(stage, fence(text, "effect=read save=told"), "params:\n  id: {}", orders)
    run = await stage.run(id="2")
    saved = json.loads((await stage.row(run))["saved"]["told"])
    assert saved == [{"one": "it's :shop", "two": "x", "three": "2%"}]


async def test_a_result_is_a_table_for_people_and_json_for_steps(stage: Stage, orders: str) -> None:
    await published(
        stage, fence("SELECT id, shop, paid FROM orders ORDER BY id", "effect=read save=rows"),
        targets=orders,
    )  # fmt: skip
    run = await stage.run()
    lines = [line.split() for line in (await stage.text(run, "s")).splitlines()]
    assert lines[0] == ["id", "shop", "paid"]
    assert lines[2][:2] == ["1", "seoul"]
    assert lines[-1] == ["(2", "rows)"]
    assert json.loads((await stage.row(run))["saved"]["rows"]) == [
        {"id": 1, "shop": "seoul", "paid": 10.5},
        {"id": 2, "shop": "busan", "paid": 3},
    ]


async def test_one_value_is_saved_as_it_is_and_can_be_asserted(stage: Stage, orders: str) -> None:
    about = 'effect=read save=n assert="value < 2"'
    await published(stage, fence("SELECT count(*) FROM orders", about), targets=orders)
    state, message, _ = await outcome(stage, await stage.run())
    assert (state, "2" in message) == ("failed", True)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO orders VALUES (3, 'x', 0)",
        "UPDATE orders SET paid = 0",
        "CREATE TABLE more (id integer)",
        "DROP TABLE orders",
    ],
)
async def test_a_step_that_reads_cannot_change(stage: Stage, orders: str, statement: str) -> None:
    await published(stage, fence(f"{statement}; SELECT 1"), targets=orders)
    state, _, text = await outcome(stage, await stage.run())
    assert state == "failed"
    assert "read" in text
    assert "nothing was changed" in text
    await published(stage, fence("SELECT count(*), sum(paid) FROM orders"), targets=orders)
    assert "13.5" in (await outcome(stage, await stage.run()))[2]


async def test_all_statements_of_a_step_are_one_transaction(stage: Stage, orders: str) -> None:
    body = fence("DELETE FROM orders; INSERT INTO nowhere VALUES (1)", "effect=change")
    await published(stage, body, targets=orders)
    state, _, text = await outcome(stage, await stage.run())
    assert (state, "nothing was changed" in text) == ("failed", True)
    await published(stage, fence("SELECT count(*) FROM orders"), targets=orders)
    assert "2" in (await outcome(stage, await stage.run()))[2].split()


async def test_a_long_result_is_cut_for_people_and_refused_as_a_value(
    stage: Stage, orders: str
) -> None:
    body = fence(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
        "SELECT i, 'some more words in each row' AS words FROM n",
        "effect=read save=rows",
    )
    await published(stage, body, targets=orders)
    state, message, text = await outcome(stage, await stage.run())
    assert (state, "64 KiB" in message) == ("failed", True)
    assert text.splitlines()[-1] == "(5,000 rows; the first 1,000 are shown)"
    assert len(text.splitlines()) == 1003


async def test_the_role_is_that_of_the_effect(stage: Stage, shop_database: ShopDatabase) -> None:
    body = (
        "```sql {#one on=orders effect=read save=reader}\nSELECT current_user\n```\n"
        "```sql {#two on=orders effect=change save=writer}\nSELECT current_user\n```\n"
    )
    await published(stage, body, targets=shop_database.target)
    run = await stage.run()
    assert (await stage.row(run))["saved"] == {"reader": READER, "writer": WRITER}


async def test_a_reading_step_cannot_make_its_transaction_writable(
    stage: Stage, shop_database: ShopDatabase
) -> None:
    """Its role may insert here: what holds it is the transaction alone."""
    for way in (
        "SET TRANSACTION READ WRITE; INSERT INTO orders VALUES (3, 'x', 0)",
        "SET transaction_read_only = off; INSERT INTO orders VALUES (3, 'x', 0)",
        "SET default_transaction_read_only = off; INSERT INTO orders VALUES (3, 'x', 0)",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; INSERT INTO orders VALUES (3,'',0)",
        "DO $$ BEGIN COMMIT; INSERT INTO orders VALUES (3, 'x', 0); END $$",
        "DO $$ BEGIN INSERT INTO orders VALUES (3, 'x', 0); END $$",
    ):
        await published(stage, fence(way), targets=shop_database.target)
        state, _, text = await outcome(stage, await stage.run())
        assert state == "failed", (way, text)
    assert shop_database.rows("SELECT count(*) FROM orders") == [(2,)]


async def test_values_of_every_sort_come_through(stage: Stage, shop_database: ShopDatabase) -> None:
    text = (
        "SELECT true AS b, null AS n, 1.10::numeric AS d, 'a'::bytea AS y, '10.0.0.1'::inet AS i,"
        " '00000000-0000-0000-0000-000000000001'::uuid AS u, '2026-03-03 09:00+00'::timestamptz AS"
        " t, '{\"a\": [1]}'::jsonb AS j, ARRAY[1, 2] AS l, '1 day'::interval AS v, 'x\ny' AS s"
    )
    await published(
        stage, fence(text, "effect=read save=row"), targets=shop_database.target
    )  # fmt: skip
    run = await stage.run()
    assert (await outcome(stage, run))[0] == "succeeded", await outcome(stage, run)
    (row,) = json.loads((await stage.row(run))["saved"]["row"])
    assert row == {
        "b": True, "n": None, "d": 1.1, "y": "\\x61", "i": "10.0.0.1", "j": {"a": [1]},
        "u": "00000000-0000-0000-0000-000000000001", "t": "2026-03-03T18:00:00+09:00",
        "l": [1, 2], "v": "1 day, 0:00:00", "s": "x\ny",
    }  # fmt: skip
    assert "x\\ny" in await stage.text(run, "s")


async def test_a_query_that_takes_too_long_is_ended_on_the_server_too(
    stage: Stage, shop_database: ShopDatabase
) -> None:
    body = fence("SELECT pg_sleep(60)", "effect=read timeout=1s")
    await published(stage, body, targets=shop_database.target)
    state, _, _ = await outcome(stage, await stage.run())
    assert state == "failed"
    still = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%'"
        " AND pid <> pg_backend_pid()"
    )
    for _ in range(100):
        if shop_database.rows(still) == [(0,)]:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the query still runs on the server")


async def test_what_cannot_be_reached_says_so_without_the_password(
    stage: Stage, shop_database: ShopDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_READ", "wrong-password-of-the-reader")
    await published(stage, fence("SELECT 1"), targets=shop_database.target)
    state, _, text = await outcome(stage, await stage.run())
    assert state == "failed"
    assert "no connection to PostgreSQL" in text
    assert "wrong-password" not in text


async def test_a_sqlite_step_stays_in_its_file(stage: Stage, shop_file: Path) -> None:
    for way, told in (
        (f"ATTACH '{shop_file}.other' AS o; CREATE TABLE o.x (i)", "not authorized"),
        (f"ATTACH '{stage.places.database}' AS o; SELECT * FROM o.account", "not authorized"),
        ("PRAGMA query_only = OFF; DELETE FROM orders", "not authorized"),
        ("PRAGMA writable_schema = ON", "not authorized"),
        ("VACUUM INTO '/tmp/opsbook-was-here.db'", "VACUUM"),
        ("SELECT load_extension('x')", "not authorized"),
    ):
        for effect in ("read", "change"):
            await published(stage, fence(way, f"effect={effect}"), targets=of_file(shop_file))
            state, _, text = await outcome(stage, await stage.run())
            if effect == "change" and way.startswith("PRAGMA"):
                continue
            assert (state, told in text) == ("failed", True), (way, effect, text)
    assert not Path("/tmp/opsbook-was-here.db").exists()


async def test_a_trigger_is_one_statement(stage: Stage, shop_file: Path) -> None:
    body = fence(
        "CREATE TRIGGER t AFTER INSERT ON orders BEGIN UPDATE orders SET paid = 1; "
        "UPDATE orders SET shop = 'x;y'; END; INSERT INTO orders VALUES (9, 'z', 0)",
        "effect=change",
    )
    await published(stage, body, targets=of_file(shop_file))
    assert (await outcome(stage, await stage.run()))[0] == "succeeded"
    with sqlite3.connect(shop_file) as connection:
        assert connection.execute("SELECT DISTINCT shop, paid FROM orders").fetchall() == [
            ("x;y", 1.0)
        ]


async def test_a_database_that_is_not_there_is_not_made(stage: Stage, shop_file: Path) -> None:
    missing = shop_file.with_name("missing.db")
    await published(stage, fence("SELECT 1", "effect=change"), targets=of_file(missing))
    assert (await outcome(stage, await stage.run()))[0] == "failed"
    assert not missing.exists()


async def test_no_step_reaches_the_servers_own_database(
    stage: Stage, shop_file: Path, stage_folder: Path
) -> None:
    link = shop_file.with_name("link.db")
    link.symlink_to(stage.places.database)
    for file in (stage.places.database, link, stage_folder / "work" / "x.db"):
        await published(stage, fence("SELECT 1"), targets=of_file(file))
        state, message, _ = await outcome(stage, await stage.run())
        assert (state, "own folder" in message) == ("failed", True), file


def test_what_a_journal_is_known_by_is_in_it() -> None:
    all_tables()
    assert set(JOURNAL) <= set(metadata.tables)


async def test_no_step_reaches_an_opsbook_database_under_any_name(
    stage: Stage, orders: str, shop_file: Path, request: pytest.FixtureRequest
) -> None:
    tables = "; ".join(f"CREATE TABLE {name} (id integer)" for name in JOURNAL)
    await published(stage, fence(tables, "effect=change"), targets=orders)
    if "postgresql" in orders:
        shop: ShopDatabase = request.getfixturevalue("shop_database")
        for name in JOURNAL:
            shop.execute(f"CREATE TABLE {name} (id integer)")
    else:
        assert (await outcome(stage, await stage.run()))[0] == "succeeded"
    for effect in ("read", "change"):
        await published(stage, fence("SELECT 1", f"effect={effect}"), targets=orders)
        state, _, text = await outcome(stage, await stage.run())
        assert (state, "database of an Opsbook server" in text) == ("failed", True)


def test_the_stand_in_asks_for_passwords(shop_database: ShopDatabase, postgres: Postgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(shop_database.url, user=READER, password="wrong")
