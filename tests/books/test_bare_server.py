"""The book for one server, run: its routines, its restore test, a deployment that is undone."""

import hashlib
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.books import shelf
from tests.books.running import START, Around, Running, running
from tests.support.servers import Nginx

ROUTINES = sorted(shelf.book("bare-server").routines)


@pytest.fixture
async def replaced(
    around: Around, nginx: Nginx, shop_database: Path
) -> AsyncIterator[dict[str, str]]:
    """This machine's addresses and folders for the book's."""
    backup, root = around.writable("backup"), around.writable("srv")
    for version in ("1.4.1", "1.4.2", "9.9.9"):
        release = around.writable(f"srv/releases/{version}")
        (release / "app").write_text(version)
        digest = hashlib.sha256(version.encode()).hexdigest()
        (release / "SHA256SUMS").write_text(f"{digest}  app\n")
    (root / "current").symlink_to("releases/1.4.1")
    (nginx.root / "index.html").write_text("the shop")
    (around.folder / "app.log").write_text("")
    (around.folder / "access.log").write_text("")
    async with around.open() as (plain, _):
        yield {
            "http://127.0.0.1:80/": f"{nginx.url}/index.html",
            "http://127.0.0.1:8000/health": f"http://127.0.0.1:{plain}/health",
            "port: 5432\n    bands": f"port: {plain}\n    bands",
            "/etc/nginx/tls/shop.pem": f"{around.folder}/server.pem",
            "/var/log/shop/app.log": f"{around.folder}/app.log",
            "/var/log/nginx/access.log": f"{around.folder}/access.log",
            "/backup/shop": str(backup),
            "/srv/shop": str(root),
            "/var/run/postgresql": str(shop_database),
            "default: opsbook}": "default: postgres}",
        }


@pytest.fixture
async def server(
    around: Around, replaced: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    async with running("bare-server", around, monkeypatch, replaced=replaced) as one:
        yield one


@pytest.mark.parametrize("routine", ROUTINES)
async def test_a_routine_fires_at_its_time_and_reads_by_itself(
    around: Around, replaced: dict[str, str], monkeypatch: pytest.MonkeyPatch, routine: str
) -> None:
    due = shelf.book("bare-server").schedule(routine).next_after(START)
    (around.folder / "backup" / "shop-old.dump").write_text("")
    before = due - timedelta(seconds=40)
    async with running("bare-server", around, monkeypatch, at=before, replaced=replaced) as one:
        if routine == "weekly-restore-test":
            backup = await one.begin("backup-database", "dba")
            assert (await one.states(backup))["dump"] == "succeeded", await one.said(backup)
        assert await one.of_trigger(f"routine:bare-server/{routine}") == []
        await one.app.wind(timedelta(seconds=60))
        (run,) = await one.of_trigger(f"routine:bare-server/{routine}")
        await one.reads_by_itself(run["id"])
        assert around.told("happened") == []


async def test_the_nightly_dump_comes_back_in_the_restore_test(
    server: Running, around: Around
) -> None:
    backup = await server.begin("backup-database", "dba")
    assert (await server.to_the_end(backup))["state"] == "succeeded", await server.said(backup)
    test = await server.begin("restore-test", "lead")
    ended = await server.to_the_end(test)
    assert ended["state"] == "succeeded", (ended["reason"], await server.said(test))
    assert ended["saved"]["orders"] == "12"
    assert (await server.states(test))["drop"] == "succeeded"


async def test_a_restore_test_that_finds_too_little_fails_and_leaves_no_database(
    server: Running, around: Around
) -> None:
    backup = await server.begin("backup-database", "dba")
    assert (await server.to_the_end(backup))["state"] == "succeeded", await server.said(backup)
    test = await server.begin("restore-test", "lead", least_rows="500")
    assert (await server.to_the_end(test))["state"] == "failed"
    states = await server.states(test)
    assert (states["rows"], states["enough"], states["drop"]) == (
        "succeeded", "failed", "succeeded",
    )  # fmt: skip


async def test_a_deployment_switches_the_link_and_is_allowed_by_somebody_else(
    server: Running, around: Around
) -> None:
    run = await server.begin("deploy-app", "operator", version="1.4.2")
    states = await server.states(run)
    assert (states["ready"], states["allow"], states["switch"]) == (
        "succeeded", "waiting", "pending",
    )  # fmt: skip
    ended = await server.to_the_end(run)
    assert ended["state"] == "succeeded", (ended["reason"], await server.said(run))
    assert (around.folder / "srv" / "current").readlink() == Path("releases/1.4.2")
    assert around.told("happened") == ["restart shop.service"]


async def test_a_deployment_that_does_not_hold_is_undone(server: Running, around: Around) -> None:
    run = await server.begin("deploy-app", "operator", version="1.4.2")
    around.answers["/health"] = 500
    assert (await server.to_the_end(run))["state"] == "failed"
    states = await server.states(run)
    assert (states["switch"], states["healthy"]) == ("succeeded", "failed")
    assert (states["back"], states["restart-back"], states["what-runs"]) == ("succeeded",) * 3
    assert (around.folder / "srv" / "current").readlink() == Path("releases/1.4.1")
    assert around.told("happened") == ["restart shop.service"] * 2


async def test_a_site_that_goes_down_is_looked_at_and_restarted_only_after_a_yes(
    server: Running, around: Around
) -> None:
    around.answers["/health"] = 500
    await server.app.wind(timedelta(minutes=4))
    (run,) = await server.of_trigger("incident:1")
    await server.reads_by_itself(run["id"])
    assert run["runbook"] == "restart-service"
    assert around.told("happened") == []
    assert list((server.app.places.work / "bare-server" / "evidence").iterdir())
    around.answers.clear()
    ended = await server.to_the_end(run["id"])
    assert ended["state"] == "succeeded", (ended["reason"], await server.said(run["id"]))
    assert around.told("happened") == ["restart shop.service"]


async def test_the_list_that_was_allowed_is_the_list_that_is_deleted(
    server: Running, around: Around
) -> None:
    backup = around.folder / "backup"
    for number in range(9):
        file = backup / f"shop-{number}.dump"
        file.write_text("x")
        then = server.app.clock.now().timestamp() - 10**8 - number
        os.utime(file, (then, then))
    run = await server.begin("tidy-backups", "lead")
    (backup / "shop-99.dump").write_text("came meanwhile")
    assert (await server.to_the_end(run))["state"] == "succeeded", await server.said(run)
    left = sorted(file.name for file in backup.glob("*.dump"))
    assert left == sorted([*(f"shop-{n}.dump" for n in range(7)), "shop-99.dump"])
