"""A group of alerts has one incident: it opens once, gets worse, and ends with its last alert."""

from datetime import datetime, timedelta

import pytest

from opsbook.base.database import Database
from opsbook.incidents import store
from tests.alerts.pipeline.desk import Desk, Room, book

TOGETHER = (
    "routing: {as: incident, to: [hook], group_by: [service], group_wait: 0s, group_interval: 1m}"
)


@pytest.fixture
def room(database: Database, now: datetime) -> Room:
    return Room(Desk(database, now, book(TOGETHER)))


async def test_what_belongs_together_is_one_incident(room: Room) -> None:
    await room.desk.post("Slow", service="api", severity="P2")
    await room.settle()
    await room.desk.post("Slower", service="api", severity="P2")
    await room.desk.post("Slow", service="web", severity="P2")
    await room.settle(90)
    api, web = await room.incidents()
    assert (api["severity"], api["title"], api["state"]) == ("P2", {"": "Slow"}, "open")
    answered = await room.desk.database.read(lambda tx: store.alerts_of(tx, api["id"]))
    assert [one["labels"]["alertname"] for one in answered] == ["Slow", "Slower"]
    assert web["id"] != api["id"]
    assert await room.paged() == ["P2 Slow", "P2 Slow"]


async def test_it_ends_with_the_last_of_its_alerts(room: Room) -> None:
    await room.desk.post("A", "B", service="api", severity="P2", ends=timedelta(hours=5))
    await room.settle()
    await room.desk.over("A", service="api", severity="P2")
    await room.settle(120)
    assert [one["state"] for one in await room.incidents()] == ["open"]
    await room.desk.over("B", service="api", severity="P2")
    await room.settle(120)
    assert [one["state"] for one in await room.incidents()] == ["resolved"]


async def test_something_worse_raises_it_and_pages_anew(room: Room) -> None:
    await room.desk.post("Slow", service="api", severity="P2")
    await room.settle()
    await room.desk.post("Down", service="api", severity="P1")
    await room.settle(90)
    (one,) = await room.incidents()
    assert one["severity"] == "P1"
    assert await room.paged() == ["P2 Slow", "P1 Slow"]
    assert await room.desk.count("incident.severity_raised") == 1


async def test_something_milder_changes_nothing(room: Room) -> None:
    await room.desk.post("Down", service="api", severity="P1")
    await room.settle()
    await room.desk.post("Odd", service="api", severity="P3")
    await room.settle(90)
    (one,) = await room.incidents()
    assert one["severity"] == "P1"
    assert len(await room.paged()) == 1


async def test_after_its_end_the_group_opens_another(room: Room) -> None:
    await room.desk.post("Down", service="api", severity="P1")
    await room.settle()
    await room.desk.over("Down", service="api", severity="P1")
    await room.settle(90)
    await room.desk.post("Down", service="api", severity="P1")
    await room.settle(90)
    assert [one["state"] for one in await room.incidents()] == ["resolved", "open"]


async def test_a_restart_between_the_alert_and_its_incident_delays_it_only(room: Room) -> None:
    await room.desk.post("Down", service="api", severity="P1")
    room.desk.restart()
    later = Room(room.desk)
    await later.settle(60)
    await later.settle(120)
    assert len(await later.incidents()) == 1
    assert len(await later.paged()) == 1


async def test_who_is_told_beside_the_incident_hears_of_its_end_too(room: Room) -> None:
    await room.desk.post("Down", service="api", severity="P1")
    await room.settle()
    await room.desk.over("Down", service="api", severity="P1")
    await room.settle(90)
    assert [status for status, _ in await room.desk.said()] == ["firing", "resolved"]
