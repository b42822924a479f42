"""The shop of the page tests with routes, doors and hours, and alerts handed in at its doors."""

import re
from collections.abc import Mapping
from datetime import timedelta
from html import unescape

import sqlalchemy as sa

from opsbook.alerts.intake import accepting
from opsbook.alerts.intake.posted import Posted
from opsbook.alerts.tables import alert
from opsbook.base import events
from opsbook.base.database import Transaction
from opsbook.book import Book, load
from opsbook.incidents import Response
from tests.web import cast
from tests.web.rig import Rig, vocabulary

ALERTING = """
routing:
  as: notify
  to: [operations]
  routes:
    - match: {severity: P1}
      as: incident
    - match: {team: web}
      to: [responder]
      group_by: [alertname]
      group_wait: 30s
inhibitions:
  down: {while: {alertname: Down}, mutes: {alertname: Slow}, equal: [zone]}
hours:
  office: {title: {ko: 근무 시간, en: Office hours}, open: "weekdays 09:00-18:00"}
intakes:
  prometheus: {kind: alertmanager, title: {ko: 프로메테우스, en: Prometheus}, token: "env:SHOP_TOKEN"}
  here: {kind: webhook, title: {ko: 이 서버, en: This machine}}
"""  # noqa: E501
FILES = cast.FILES | {"alerting.yaml": ALERTING}


async def open_shop(rig: Rig, **more: str) -> Book:
    """Let the site run the shop with its routes, and with files that are other than usual."""
    book, now = load(FILES | more, vocabulary()), rig.clock.now()
    await rig.database.write(lambda tx: rig.library.publish(tx, now, book, "opsbook", "folder"))
    rig.library.remember(book)
    return book


async def hand_in(
    rig: Rig, *given: Mapping[str, str], annotations: Mapping[str, str] | None = None,
    link: str = "", ends: timedelta = timedelta(hours=1), source: str = "prometheus",
) -> list[int]:  # fmt: skip
    """Hand alerts in by their labels, let what follows happen, and return their numbers."""
    now = rig.clock.now()
    posted = [
        Posted(dict(labels), dict(annotations or {}), now - timedelta(minutes=7), now + ends, link)
        for labels in given
    ]
    await rig.database.write(lambda tx: accepting.accept(tx, now, "shop", source, posted))
    await rig.dispatcher.tick(now)
    await events.drain(rig.database, Response(rig.library).consumer, now)

    def numbers(tx: Transaction) -> list[int]:
        found = tx.rows(sa.select(alert.c.id).where(alert.c.source == source).order_by(alert.c.id))
        return [row["id"] for row in found][-len(given) :]

    return await rig.database.read(numbers)


def text(page: str) -> str:
    """What a page says, without its marks."""
    said = re.sub(r"<[^>]+>", "", page.split("<main")[1].partition("</main>")[0])
    return " ".join(unescape(said).split())
