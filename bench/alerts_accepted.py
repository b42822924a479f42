"""Alerts accepted per CPU second, memory at 50,000 active, and posted to first webhook.

A real Alertmanager (Debian's, in memory) and Opsbook (on disk before the answer, SQLite FULL) are
sent the same requests by the same client, one after the other: batches of 1 and of 100, the first
time as new alerts and then again as Prometheus repeats them. Processor time is the whole server's,
from the first request until everything has been worked in. Then 50,000 alerts are made active and
the memory of both is read; and single alerts are posted whose route waits for nothing, until their
webhook comes.

    python bench/alerts_accepted.py [--singles 4000] [--hundreds 40000] [--active 50000]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import aiohttp
from aiohttp import web

from tests.support.front_door import start
from tests.support.servers import free_port, needs

AT_ONCE = 32
LATENCIES = 60
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_KB = os.sysconf("SC_PAGE_SIZE") / 1024
BOOK = """\
id: shop
title: Shop
timezone: UTC
people: {{lead: {{name: Lead, roles: [lead]}}}}
roles: {{lead: ["*:admin"]}}
severities: {{P1: {{title: Down}}}}
webhooks:
  hook: {{title: Hook, url: "http://127.0.0.1:{port}/hook", events: [alerts], loopback: true}}
intakes:
  here: {{kind: alertmanager, title: Here, default: true, at_most: 10000000}}
receivers:
  nobody: {{}}
  hook: {{to: [hook]}}
routing:
  receiver: nobody
  group_by: [alertname]
  routes:
    - {{match: {{now: "yes"}}, receiver: hook, group_by: ["..."], group_wait: 0s}}
"""
YML = """\
route:
  receiver: nobody
  group_by: [alertname]
  routes:
    - {{matchers: ['now="yes"'], receiver: hook, group_by: ["..."], group_wait: 0s}}
receivers:
  - name: nobody
  - {{name: hook, webhook_configs: [{{url: "http://127.0.0.1:{port}/hook"}}]}}
"""


class Server:
    """One of the two: its address and its process."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self) -> float:
        """MB that are its own."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
        return 0.0


@contextlib.contextmanager
def alertmanager(folder: Path, port: int) -> Iterator[Server]:
    """A real Alertmanager."""
    listen = free_port()
    (folder / "alertmanager.yml").write_text(YML.format(port=port))
    process = subprocess.Popen(
        [
            str(needs("prometheus-alertmanager")), f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/data", f"--web.listen-address=127.0.0.1:{listen}",
            "--cluster.listen-address=", "--log.level=error",
        ]
    )  # fmt: skip
    time.sleep(2)
    try:
        yield Server(f"http://127.0.0.1:{listen}", process.pid)
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def opsbook(folder: Path, port: int) -> Iterator[Server]:
    """Opsbook with its embedded database."""
    book = folder / "shop"
    book.mkdir()
    (book / "book.yaml").write_text(BOOK.format(port=port))
    up = start(book, data=folder / "data")
    try:
        yield Server(up.url, up.process.pid)
    finally:
        up.stop()


def bodies(count: int, size: int, name: str) -> list[bytes]:
    """Requests with so many alerts in all, so many in each."""
    now = datetime.now(UTC)
    ends = (now + timedelta(minutes=30)).isoformat()
    return [
        json.dumps(
            [
                {
                    "labels": {
                        "alertname": f"Alert{n % 50}", "instance": f"host-{n}:9100",
                        "job": "node", "severity": "P1", "series": name, "cluster": "a",
                    },
                    "annotations": {"summary": f"Something is wrong on host {n}"},
                    "startsAt": now.isoformat(), "endsAt": ends,
                    "generatorURL": "http://prometheus.example/graph?g0.expr=up",
                }
                for n in range(at, at + size)
            ]
        ).encode()
        for at in range(0, count, size)
    ]  # fmt: skip


async def send(server: Server, requests: list[bytes]) -> float:
    """Send requests, so many at once; seconds of the server's processor time until it rests."""
    before = server.cpu()
    left = iter(requests)
    headers = {"Content-Type": "application/json"}

    async def worker(session: aiohttp.ClientSession) -> None:
        for body in left:
            async with session.post(
                f"{server.url}/api/v2/alerts", data=body, headers=headers
            ) as answer:
                if answer.status != 200:
                    raise SystemExit(f"{answer.status}: {await answer.text()}")

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(worker(session) for _ in range(AT_ONCE)))
        async with session.get(f"{server.url}/api/v2/alerts?filter=none%3D%22x%22") as answer:
            await answer.read()
    for _ in range(100):
        now = server.cpu()
        await asyncio.sleep(0.3)
        if server.cpu() - now < 0.02:
            break
    return server.cpu() - before


@contextlib.asynccontextmanager
async def ears() -> AsyncIterator[tuple[int, asyncio.Queue[float]]]:
    """Where webhooks come to, and when they came."""
    heard: asyncio.Queue[float] = asyncio.Queue()

    async def hear(request: web.Request) -> web.Response:
        heard.put_nowait(time.perf_counter())
        await request.read()
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1], heard
    finally:
        await runner.cleanup()


async def latency(server: Server, heard: asyncio.Queue[float]) -> list[float]:
    """Milliseconds from posting an alert whose route waits for nothing to its webhook."""
    found = []
    async with aiohttp.ClientSession() as session:
        for n in range(LATENCIES):
            body = json.loads(bodies(1, 1, f"now-{n}")[0])
            body[0]["labels"]["now"] = "yes"
            begun = time.perf_counter()
            async with session.post(f"{server.url}/api/v2/alerts", json=body) as answer:
                await answer.read()
            found.append((await asyncio.wait_for(heard.get(), 20) - begun) * 1000)
            await asyncio.sleep(0.1)
    return found


async def measured(server: Server, heard: asyncio.Queue[float], asked: argparse.Namespace) -> None:
    """Measure one server and print what was found."""
    for size, count in ((1, asked.singles), (100, asked.hundreds)):
        requests = bodies(count, size, f"batch-{size}")
        for what in ("new", "again", "again"):
            spent = await send(server, requests)
            print(f"  batches of {size:>3}, {what:<5} {count / spent:>10,.0f} alerts a CPU second")
    waits = await latency(server, heard)
    late = sorted(waits)[int(len(waits) * 0.95)]
    print(f"  posted to webhook   {statistics.median(waits):>8.1f} ms median, {late:.1f} ms p95")
    await send(server, bodies(asked.active, 100, "active"))
    total = asked.active + asked.singles + asked.hundreds
    print(f"  memory at {total:,} active {server.memory():>8.0f} MB")


async def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--singles", type=int, default=4_000)
    options.add_argument("--hundreds", type=int, default=40_000)
    options.add_argument("--active", type=int, default=50_000)
    asked = options.parse_args()
    for name, made in (("alertmanager", alertmanager), ("opsbook", opsbook)):
        with folder() as place:
            async with ears() as (port, heard):
                with made(place, port) as server:
                    print(name)
                    await measured(server, heard, asked)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder that a step's user may walk through."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


if __name__ == "__main__":
    asyncio.run(main())
