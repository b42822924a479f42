"""What a sender says in its own words is routed, shown and told in the book's."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from opsbook.base.database import Database
from opsbook.notify.errors import Undelivered
from opsbook.notify.tables import delivery
from opsbook.notify.webhooks import store
from opsbook.notify.webhooks.loop import settled
from tests.alerts.pipeline.desk import GROUPED, Desk, book

WORDS = """\
intakes:
  prometheus: {kind: alertmanager, title: Prometheus, severities: {critical: P1, warning: P2}}
routing:
  receiver: quiet
  group_by: [alertname]
  group_wait: 0s
  routes:
    - {match: {severity: P1}, receiver: loud}
receivers: {quiet: {}, loud: {to: [hook]}}
"""
TEMPLATES = """\
intakes:
  prometheus: {kind: alertmanager, title: Prometheus}
rules:
  TargetDown: {promql: "up == 0", severity: P1, summary: "{{ $labels.job }} is down"}
  Slow: {promql: "slow > 1", severity: P2, summary: {en: It is slow, ko: 느립니다}}
"""


async def test_a_severity_in_the_senders_words_is_routed_as_it_is_shown(
    database: Database, now: datetime
) -> None:
    desk = Desk(database, now, book(WORDS))
    await desk.post("Full", severity="critical")
    await desk.post("Slow", severity="warning")
    full, slow = await desk.alerts()
    assert (full["severity"], full["labels"]["severity"]) == ("P1", "P1")
    assert (slow["severity"], slow["labels"]["severity"]) == ("P2", "P2")
    assert await desk.said() == [("firing", [("firing", "Full")])]
    await desk.over("Full", severity="critical")
    await desk.seconds(400)
    assert (await desk.said())[-1] == ("resolved", [("resolved", "Full")])


async def test_templates_of_a_rule_are_said_as_the_sender_filled_them_in(
    database: Database, now: datetime
) -> None:
    desk = Desk(database, now, book(TEMPLATES))
    await desk.post("TargetDown", annotations={"summary": "api is down"})
    await desk.post("Slow", annotations={"summary": "It is slow"})
    down, slow = await desk.alerts()
    assert down["summary"] == {"": "api is down"}
    assert slow["summary"] == {"en": "It is slow", "ko": "느립니다"}


@pytest.mark.parametrize("ends", [timedelta(days=365), None])
async def test_an_alert_that_does_not_say_when_it_began_begins_now(
    database: Database, now: datetime, ends: timedelta | None
) -> None:
    desk = Desk(database, now, book(GROUPED))
    await desk.post_without_start("Full", ends=ends)
    (row,) = await desk.alerts()
    assert row["fired_at"] == desk.now


async def test_a_message_that_waits_gives_way_to_a_later_one_of_its_group(
    database: Database, now: datetime
) -> None:
    desk = Desk(database, now, book(GROUPED))
    await desk.post("Full")
    await desk.post("Slow")
    await desk.seconds(11)
    lane = store.Lane("shop", "hook")
    until = desk.now + timedelta(minutes=1)
    first = await database.write(lambda tx: store.claim(tx, desk.now, lane, until))
    assert first is not None
    await desk.over("Full")
    await desk.seconds(60)
    refused = Undelivered("It answered 503 Service Unavailable.")
    await database.write(lambda tx: settled(tx, desk.now, desk.shop, first, refused))
    rows = await database.read(lambda tx: tx.rows(sa.select(delivery).order_by(delivery.c.id)))
    assert [(row["thread"] == first["thread"], row["state"]) for row in rows] == [
        (True, "replaced"), (False, "queued"), (True, "queued"),
    ]  # fmt: skip


async def test_only_what_waits_of_the_same_group_gives_way(
    database: Database, now: datetime
) -> None:
    desk = Desk(database, now, book(GROUPED))
    await desk.post("Full")
    await desk.post("Slow")
    await desk.seconds(11)
    await desk.post("Full", instance="2")
    await desk.seconds(60)
    rows = await database.read(lambda tx: tx.rows(sa.select(delivery).order_by(delivery.c.id)))
    assert [row["state"] for row in rows] == ["replaced", "queued", "queued"]
