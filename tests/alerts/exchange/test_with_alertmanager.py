"""A real Alertmanager with an exported configuration tells whom the book says."""

import asyncio

import yaml

from opsbook.alerts.exchange import alertmanager_out
from tests.alerts.exchange.tools import amtool, made
from tests.support.alertmanager import listening, running_alertmanager

BOOK = """
intakes:
  back: {{title: Back, kind: webhook}}
webhooks:
  bot: {{title: Bot, url: "http://127.0.0.1:{port}/bot", loopback: true, events: [alerts]}}
routing:
  to: [bot]
  as: notify
  routes:
    - {{match: {{severity: P1}}, as: incident}}
inhibitions:
  outage: {{while: {{severity: P1}}, mutes: {{severity: P3}}, equal: [site]}}
"""


async def test_incidents_come_back_to_the_intake_and_webhooks_are_told_directly() -> None:
    async with listening() as ears:
        here = f"http://127.0.0.1:{ears.port}"
        out = alertmanager_out.write(made(BOOK.format(port=ears.port)), url=here)
        assert out.findings == ()
        with running_alertmanager(out.files["alertmanager.yml"]) as there:

            async def fire(name: str, severity: str, site: str) -> None:
                words = (f"alertname={name}", f"severity={severity}", f"site={site}")
                await asyncio.to_thread(
                    amtool, "alert", "add", *words, f"--alertmanager.url={there}"
                )

            await fire("Down", "P1", "seoul")
            await ears.until(1)
            await fire("Slow", "P3", "seoul")
            await fire("Late", "P3", "busan")
            await ears.until(2)
    told = {one.path: one.body["alerts"][0]["labels"]["alertname"] for one in ears.heard}
    assert told == {"/in/shop/back": "Down", "/bot": "Late"}
    assert yaml.safe_load(out.files["alertmanager.yml"])["route"]["group_wait"] == "0s"
