"""From a service that goes down to an alert, and back, over our own restart in between."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from opsbook.alerts import Rules, store
from opsbook.alerts.tables import alert
from opsbook.base.database import Database
from opsbook.book import Book
from tests.checks.making import FINE, Watch, answering, book, serving, silent


@contextlib.asynccontextmanager
async def server(database: Database, now: datetime, made: Book) -> AsyncIterator[Watch]:
    """A server that looks and follows its rules."""
    watch = Watch(database, now, made)
    wake = watch.loops.add("rules", Rules(database, watch.library).tick)
    watch.hub.on("checks", wake)
    watch.hub.on("books", wake)
    async with watch:
        yield watch


async def alerts(database: Database) -> list[dict[str, Any]]:
    return await database.read(lambda tx: tx.rows(sa.select(alert).order_by(alert.c.id)))


async def test_a_service_goes_down_and_comes_back(database: Database, now: datetime) -> None:
    up = await asyncio.start_server(answering(FINE), "127.0.0.1", 0)
    port = up.sockets[0].getsockname()[1]
    made = book(
        {
            "web": {
                "kind": "http",
                "url": f"http://127.0.0.1:{port}/",
                "every": "10s",
                "timeout": "5s",
            }
        },
        {"down": {"check": "web", "when": "critical", "for": "30s", "resolve_after": "15s"}},
    )
    async with server(database, now, made) as watch:
        await watch.wind(seconds=20)
        assert await alerts(database) == []
        up.close()
        down = watch.clock.now()
        await watch.wind(seconds=20)
        (row,) = await alerts(database)
        assert row["state"] == "pending"
        assert row["message"] == f"127.0.0.1:{port} refuses connections"

    away = watch.clock.now() + timedelta(seconds=3)  # our own restart: the hold is a row
    async with server(database, away, made) as watch:
        await watch.wind(seconds=25)
        (row,) = await alerts(database)
        assert row["state"] == "firing"
        assert timedelta(seconds=30) <= row["fired_at"] - row["pending_since"]
        assert row["fired_at"] - down <= timedelta(seconds=30 + 10 + 10)

        up = await asyncio.start_server(answering(FINE), "127.0.0.1", port)
        back = watch.clock.now()
        await watch.wind(seconds=30)
        (row,) = await alerts(database)
        assert row["state"] == "resolved"
        assert timedelta(seconds=15) <= row["resolved_at"] - back <= timedelta(seconds=30)
        up.close()


async def test_a_check_that_cannot_look_fires_the_rule_on_missing_data_alone(
    database: Database, now: datetime, tmp_path: Path
) -> None:
    rules = {
        "old": {"check": "backup", "when": "critical"},
        "unseen": {"check": "backup", "when": "nodata", "for": "15s"},
    }
    backup = {"kind": "file", "path": str(tmp_path / "gone"), "every": "10s"}
    async with server(database, now, book({"backup": backup}, rules)) as watch:
        await watch.wind(seconds=30)
    (row,) = await database.read(store.active)
    assert (row["rule"], row["state"]) == ("unseen", "firing")
    assert "gone" in row["message"]


async def test_a_target_that_stops_answering_fires_like_one_that_refuses(
    database: Database, now: datetime
) -> None:
    rules = {"down": {"check": "web", "when": "critical", "for": "15s"}}
    async with serving(silent) as port:
        url = f"http://127.0.0.1:{port}/"
        web = {"kind": "http", "url": url, "every": "10s", "timeout": "50ms"}
        async with server(database, now, book({"web": web}, rules)) as watch:
            await watch.wind(seconds=30)
    (row,) = await database.read(store.active)
    assert (row["rule"], row["state"]) == ("down", "firing")
    assert row["message"] == "no answer within 50ms"
