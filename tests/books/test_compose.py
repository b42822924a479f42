"""The compose shop's book, run: against a docker that keeps what it was told, and real Redis."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from tests.books import shelf
from tests.books.running import START, Around, Running, running
from tests.support.servers import Nginx, Postgres

ROUTINES = sorted(shelf.book("compose").routines)
ENV = "WEB_TAG=1.0.0\nAPI_TAG=1.4.1\nWORKER_TAG=1.4.1\nPAYMENT_MODE=direct\n"


@pytest.fixture
async def replaced(
    around: Around, nginx: Nginx, redis_port: int, shop_database: Path
) -> AsyncIterator[dict[str, str]]:
    """This machine's addresses and folders for the book's."""
    project = around.writable("shop")
    for name in ("run", "logs", "secrets"):
        around.writable(f"shop/{name}")
    (project / ".env").write_text(ENV)
    (project / "logs" / "api.log").write_text("")
    around.keeps("schema", "0042_orders")
    around.keeps("redis-port", str(redis_port))
    around.keeps("db-host", str(shop_database))
    (nginx.root / "index.html").write_text("the shop")
    async with around.open() as (plain, tls):
        yield {
            "http://127.0.0.1:8080/": f"{nginx.url}/index.html",
            "http://127.0.0.1:8081/health": f"http://127.0.0.1:{plain}/api",
            "http://127.0.0.1:8090/health": f"http://127.0.0.1:{plain}/payment",
            "port: 6379": f"port: {redis_port}",
            "port: 5432": f"port: {plain}",
            "port: 8443": f"port: {tls}",
            "/backup/compose-shop": str(around.writable("backup")),
            "path: /srv/shop/run/worker.heartbeat": f"path: {around.folder}/backup/heartbeat",
            "/srv/shop": str(project),
        }


@pytest.fixture
async def shop(
    around: Around, replaced: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    async with running("compose", around, monkeypatch, replaced=replaced) as one:
        yield one


def tags(around: Around) -> str:
    return (around.folder / "shop" / ".env").read_text()


@pytest.mark.parametrize("routine", ROUTINES)
async def test_a_routine_fires_at_its_time_and_reads_by_itself(
    around: Around, replaced: dict[str, str], monkeypatch: pytest.MonkeyPatch, routine: str
) -> None:
    before = shelf.book("compose").schedule(routine).next_after(START) - timedelta(seconds=40)
    async with running("compose", around, monkeypatch, at=before, replaced=replaced) as one:
        if routine == "monthly-restore-test":
            backup = await one.begin("backup-database", "dba")
            assert (await one.states(backup))["dump"] == "succeeded", await one.said(backup)
        assert await one.of_trigger(f"routine:compose-shop/{routine}") == []
        await one.app.wind(timedelta(seconds=60))
        (run,) = await one.of_trigger(f"routine:compose-shop/{routine}")
        await one.reads_by_itself(run["id"])
        assert around.told("happened") == []
        assert tags(around) == ENV


async def test_a_deployment_changes_one_tag_once_somebody_else_has_allowed_it(
    shop: Running, around: Around
) -> None:
    run = await shop.begin("deploy", "developer", service="api", tag="1.5.0")
    assert (await shop.states(run))["allow"] == "waiting"
    assert tags(around) == ENV
    ended = await shop.to_the_end(run)
    assert ended["state"] == "succeeded", (ended["reason"], await shop.said(run))
    assert tags(around) == ENV.replace("API_TAG=1.4.1", "API_TAG=1.5.0")
    verbs = [call.split()[3] for call in around.told() if call.startswith("compose ")]
    assert verbs.index("pull") < verbs.index("up")


async def test_a_tag_that_never_becomes_healthy_is_taken_back(
    shop: Running, around: Around
) -> None:
    run = await shop.begin("deploy", "developer", service="api", tag="9.9.9")
    assert (await shop.to_the_end(run))["state"] == "failed"
    states = await shop.states(run)
    assert (states["pull"], states["switch"], states["api-holds"]) == (
        "succeeded", "failed", "skipped",
    )  # fmt: skip
    assert (states["back"], states["result"]) == ("succeeded", "succeeded")
    assert tags(around) == ENV
    assert [line.split()[3] for line in around.told("happened")] == [
        "API_TAG=9.9.9", "API_TAG=1.4.1",
    ]  # fmt: skip


async def test_a_refused_deployment_changes_nothing(shop: Running, around: Around) -> None:
    run = await shop.begin("deploy", "developer", service="web", tag="2.0.0")
    await shop.answer(run, by="operator", decision="reject")
    assert (await shop.to_the_end(run))["state"] == "failed"
    assert (await shop.states(run))["switch"] == "skipped"
    assert around.told("happened") == []
    assert tags(around) == ENV


async def test_a_migration_that_fails_goes_back_and_keeps_its_dump(
    shop: Running, around: Around
) -> None:
    run = await shop.begin("migrate-database", "developer", target="0043_broken")
    assert (await shop.states(run))["allow"] == "waiting"
    (dump,) = (around.folder / "backup").glob("before-0043_broken-*.dump")
    assert dump.read_bytes().startswith(b"PGDMP")
    ended = await shop.to_the_end(run)
    assert (ended["state"], ended["saved"]["dump"]) == ("failed", str(dump))
    states = await shop.states(run)
    assert (states["migrate"], states["page-off"]) == ("failed", "skipped")
    assert (states["migrate-back"], states["page-off-again"]) == ("succeeded", "succeeded")
    assert around.told("happened") == [
        "migrate 0043_broken with the page on", "migrate 0042_orders with the page on",
    ]  # fmt: skip
    assert not (around.folder / "shop" / "run" / "maintenance").exists()


async def test_a_migration_that_arrives_takes_the_maintenance_page_away(
    shop: Running, around: Around
) -> None:
    run = await shop.begin("migrate-database", "developer", target="0043_totals")
    ended = await shop.to_the_end(run)
    assert ended["state"] == "succeeded", (ended["reason"], await shop.said(run))
    assert (around.state / "schema").read_text() == "0043_totals"
    assert not (around.folder / "shop" / "run" / "maintenance").exists()


async def test_orders_that_stop_are_told_to_whoever_sells(
    shop: Running, around: Around, postgres: Postgres
) -> None:
    run = await shop.begin("orders-dropping", "owner")
    ended = await shop.to_the_end(run)
    assert ended["state"] == "succeeded", (ended["reason"], await shop.said(run))
    said = await shop.said(run)
    assert " 12 |" in said.replace("  ", " ")
    with psycopg.connect(postgres.url("shop")) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (12,)


async def test_a_worker_whose_heartbeat_stops_is_restarted_after_a_yes(
    shop: Running, around: Around
) -> None:
    heartbeat = around.folder / "backup" / "heartbeat"
    heartbeat.write_text("")
    around.dated(shop.app.clock.now())
    around.since = float("inf")
    await shop.app.wind(timedelta(minutes=15))
    (run,) = await shop.of_trigger("incident:1")
    assert run["runbook"] == "restart-worker"
    await shop.reads_by_itself(run["id"])
    assert (await shop.run(run["id"]))["saved"]["length"] == "0"
    assert around.told("happened") == []
    around.since = 0.0
    ended = await shop.to_the_end(run["id"])
    assert ended["state"] == "succeeded", (ended["reason"], await shop.said(run["id"]))
    assert around.told("happened")[0] == "stopped"
    assert around.told("happened")[1].startswith("up worker")
