"""Two servers on one PostgreSQL: the deciding one is killed, and nothing is lost or told twice."""

import asyncio
import signal
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
import sqlalchemy as sa

from opsbook.base.database import Database, Transaction
from tests.support.alertmanager import Ears, listening
from tests.support.front_door import Up, start

TAKEN_OVER_WITHIN = 20.0
"""Seconds: fifteen in which nobody renews the lease, and what a busy machine adds."""
EVERY = 0.25
BOOK = """\
id: shop
title: Shop
timezone: UTC
people: {{lead: {{name: Lead, roles: [lead]}}}}
roles: {{lead: ["*:admin"]}}
severities: {{P1: {{title: Down}}}}
webhooks:
  hook: {{title: Hook, url: "http://127.0.0.1:{port}/hook", events: [alerts], loopback: true}}
routing: {{as: notify, to: [hook]}}
"""


async def hand_in(url: str, name: str) -> bool:
    """Hand an alert in; whether it was acknowledged."""
    now = datetime.now(UTC).isoformat()
    body = [{"labels": {"alertname": name}, "startsAt": now}]
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
            session.post(f"{url}/api/v2/alerts", json=body) as answer,
        ):
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def names(ears: Ears) -> Counter[str]:
    """How often each alert was told of."""
    return Counter(each["labels"]["alertname"] for one in ears.heard for each in one.body["alerts"])


def holder(url: str) -> str:
    """Which server decides."""
    database = Database(url)
    with database.engine.connect() as connection:
        found = Transaction(connection).scalar(sa.text("SELECT holder FROM lease"))
    database.engine.dispose()
    return str(found)


@pytest.mark.prove
@pytest.mark.timeout(180)
async def test_the_other_takes_over_and_every_accepted_alert_is_told_once(
    tmp_path: Path, postgres_url: str
) -> None:
    tmp_path.chmod(0o755)
    async with listening() as ears:
        folder = tmp_path / "shop"
        folder.mkdir()
        (folder / "book.yaml").write_text(BOOK.format(port=ears.port))
        servers: list[Up] = []
        accepted: list[str] = []
        try:
            for n in range(2):
                data = tmp_path / f"data{n}"
                up = await asyncio.to_thread(
                    start, folder, data=data, OPSBOOK_DATABASE=postgres_url
                )
                servers.append(up)
            leader = next(one for one in servers if f"-{one.process.pid}-" in holder(postgres_url))
            (other,) = [one for one in servers if one is not leader]
            stop = asyncio.Event()

            async def flood() -> None:
                count = 0
                while not stop.is_set():
                    count += 1
                    url = (other if count % 2 else leader).url
                    if await hand_in(url, f"A{count}"):
                        accepted.append(f"A{count}")
                    await asyncio.sleep(EVERY)

            task = asyncio.create_task(flood())
            await asyncio.sleep(3)
            leader.process.send_signal(signal.SIGKILL)
            killed = time.monotonic()
            await asyncio.to_thread(leader.process.wait)
            before = len(ears.heard)
            while len(ears.heard) <= before + 2:
                assert time.monotonic() - killed < TAKEN_OVER_WITHIN, "nobody took over in time"
                await asyncio.sleep(0.1)
            await asyncio.sleep(2)
            stop.set()
            await task
            async with asyncio.timeout(30):
                while set(names(ears)) < set(accepted):
                    await asyncio.sleep(0.1)
        finally:
            for one in servers:
                if one.process.poll() is None:
                    await asyncio.to_thread(one.stop)
                elif one.process.stdout is not None:
                    one.process.stdout.close()
        told = names(ears)
        assert len(accepted) > 30
        assert set(told) >= set(accepted)
        twice = {name: n for name, n in told.items() if n > 1}
        assert len(twice) <= 5, "only what was on its way at the moment may come again"
