"""From a fault to its first webhook, with an interval of one second, beside Prometheus.

A small server has TARGETS addresses that answer well until each of them is told to fail. On one
side a real Prometheus (Debian's) scrapes all of them every second, evaluates its rule every second
and sends to a real Alertmanager 0.25; on the other Opsbook looks at all of them every second with
its own HTTP checks and rules. Neither has anything to wait for: no `for`, `group_wait` 0, each
alert a group of its own. Both run at the same time and see the same faults, one after the other at
random moments of the second. Measured is the time until each side's webhook has come.

Half a second on average is the interval's own: a fault waits for the next look.

    python bench/fault_to_webhook.py [--faults 40]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from aiohttp import web

from tests.support.alertmanager import running_alertmanager
from tests.support.front_door import start
from tests.support.prometheus import running_prometheus

SETTLE_S = 8.0
PATIENCE_S = 20.0
BOOK = """\
id: shop
title: Shop
timezone: UTC
people: {{lead: {{name: Lead, roles: [lead]}}}}
roles: {{lead: ["*:admin"]}}
severities: {{P1: {{title: Down}}}}
webhooks:
  hook: {{title: Hook, url: "http://127.0.0.1:{port}/opsbook", events: [alerts], loopback: true}}
receivers:
  hook: {{to: [hook]}}
routing: {{receiver: hook, group_by: ["..."], group_wait: 0s}}
checks:
{checks}
rules:
{rules}
"""
CHECK = (
    "  t{n}: {{kind: http, title: T{n}, every: 1s, timeout: 1s, "
    'url: "http://127.0.0.1:{port}/up/{n}"}}'
)
RULE = "  r{n}: {{check: t{n}, when: critical, severity: P1, summary: T{n} is down}}"
PROMETHEUS = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]
scrape_configs:
{jobs}
"""
JOB = """\
  - job_name: t{n}
    metrics_path: /up/{n}
    static_configs: [{{targets: ["127.0.0.1:{port}"], labels: {{n: "{n}"}}}}]
"""
RULES = """\
groups:
  - name: up
    rules:
      - {alert: Down, expr: up == 0, labels: {severity: P1}}
"""
ALERTMANAGER = """\
route: {{receiver: hook, group_by: ["..."], group_wait: 0s}}
receivers:
  - {{name: hook, webhook_configs: [{{url: "http://127.0.0.1:{port}/alertmanager"}}]}}
"""


class World:
    """The targets, which can be broken, and where the webhooks of both come to."""

    def __init__(self) -> None:
        self.port = 0
        self.broken: set[str] = set()
        self.heard: dict[tuple[str, str], asyncio.Future[float]] = {}

    async def answer(self, request: web.Request) -> web.Response:
        """Be a target."""
        failing = request.match_info["n"] in self.broken
        return web.Response(status=500 if failing else 200, text="" if failing else "fine 1\n")

    async def hear(self, request: web.Request) -> web.Response:
        """Take a webhook, and note when each target's alert was first told."""
        at, body = time.perf_counter(), await request.json()
        for alert in body["alerts"]:
            labels = alert["labels"]
            n = labels.get("n") or labels["rule"].removeprefix("r")
            waits = self.heard.get((request.path, n))
            if waits is not None and not waits.done():
                waits.set_result(at)
        return web.Response()

    async def fault(self, n: str, sides: tuple[str, ...]) -> list[float]:
        """Break one target; return the seconds until each side told of it."""
        loop = asyncio.get_running_loop()
        for side in sides:
            self.heard[side, n] = loop.create_future()
        begun = time.perf_counter()
        self.broken.add(n)
        async with asyncio.timeout(PATIENCE_S):
            return [await self.heard[side, n] - begun for side in sides]


@contextlib.asynccontextmanager
async def running(world: World) -> AsyncIterator[None]:
    """Serve the targets and take the webhooks."""
    app = web.Application()
    app.router.add_get("/up/{n}", world.answer)
    app.router.add_post("/{side}", world.hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    world.port = runner.addresses[0][1]
    try:
        yield
    finally:
        await runner.cleanup()


@contextlib.contextmanager
def both(world: World, faults: int) -> Iterator[None]:
    """Start Alertmanager, Prometheus and Opsbook, all of them looking at the same targets."""
    names, port = range(faults), world.port
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        folder.chmod(0o711)
        (folder / "shop").mkdir()
        checks = "\n".join(CHECK.format(n=n, port=port) for n in names)
        rules = "\n".join(RULE.format(n=n) for n in names)
        book = BOOK.format(port=port, checks=checks, rules=rules)
        (folder / "shop" / "book.yaml").write_text(book)
        peer = stack.enter_context(running_alertmanager(ALERTMANAGER.format(port=port)))
        jobs = "".join(JOB.format(n=n, port=port) for n in names)
        told = PROMETHEUS.format(alertmanager=peer.removeprefix("http://"), jobs=jobs)
        stack.enter_context(running_prometheus(told, {"rules.yml": RULES}))
        up = start(folder / "shop", data=folder / "data")
        stack.callback(up.stop)
        yield


async def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--faults", type=int, default=40)
    faults = options.parse_args().faults
    world = World()
    async with running(world):
        servers = both(world, faults)
        await asyncio.to_thread(servers.__enter__)
        try:
            await asyncio.sleep(SETTLE_S)
            found = []
            for n in range(faults):
                await asyncio.sleep(random.uniform(0.2, 1.2))
                found.append(await world.fault(str(n), ("/alertmanager", "/opsbook")))
        finally:
            await asyncio.to_thread(servers.__exit__, None, None, None)
    sides = list(zip(*found, strict=True))
    for name, took in zip(("Prometheus + Alertmanager", "Opsbook"), sides, strict=True):
        late = sorted(took)[int(len(took) * 0.95)]
        print(f"{name:<26} {statistics.median(took):.2f} s median, {late:.2f} s p95")
    print(f"ratio {statistics.median(sides[1]) / statistics.median(sides[0]):.2f}")


if __name__ == "__main__":
    asyncio.run(main())
