"""What once lost an alert, told it twice, or stopped all of them; each with its way to do so."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from opsbook.alerts import silences
from opsbook.alerts.intake import accepting
from opsbook.alerts.intake.posted import Posted
from opsbook.alerts.pipeline import store, telling
from opsbook.alerts.pipeline.loop import HELD_FOR
from opsbook.alerts.tables import door, intake
from opsbook.base import lease
from opsbook.base.database import Database, DiskFull
from opsbook.book import load
from opsbook.book.matchers import parse_all
from tests.alerts.pipeline.desk import GROUPED, VOCABULARY, Desk, Room, book

DAY = timedelta(days=1)
INCIDENTS = """\
inhibitions: {down: {title: Down, while: {severity: P1}, mutes: {severity: P2}}}
routing: {as: incident, to: [hook]}
"""
FAR = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.fixture
def desk(database: Database, now: datetime) -> Desk:
    return Desk(database, now, book(GROUPED))


@pytest.fixture
def room(database: Database, now: datetime) -> Room:
    return Room(Desk(database, now, book(INCIDENTS)))


async def hand_in(desk: Desk, *posted: Posted, source: str = "prometheus") -> None:
    await desk.database.write(
        lambda tx: accepting.accept(tx, desk.now, "shop", source, list(posted))
    )


@pytest.mark.parametrize(
    "strange",
    [
        {"startsAt": FAR},
        {"startsAt": datetime(9999, 12, 31, tzinfo=UTC), "endsAt": FAR},
        {"endsAt": FAR},
        {"startsAt": datetime(2, 1, 1, tzinfo=UTC)},
        {"generatorURL": "http://a/\0b"},
    ],
)
async def test_no_alert_stops_the_others(desk: Desk, strange: dict[str, Any]) -> None:
    odd = Posted({"alertname": "Odd"}, {}, **{"startsAt": desk.now, **strange})
    await hand_in(desk, odd, Posted({"alertname": "Good"}, {}, desk.now, desk.now + DAY))
    await desk.seconds(20)
    desk.restart()
    await desk.seconds(120)
    assert [row["state"] for row in await desk.alerts()] == ["firing", "firing"]
    assert sorted(await desk.said()) == [
        ("firing", [("firing", "Good")]), ("firing", [("firing", "Odd")])
    ]  # fmt: skip


async def test_an_alert_never_begins_after_it_was_handed_in(desk: Desk) -> None:
    await hand_in(desk, Posted({"alertname": "Soon"}, {}, desk.now + DAY, desk.now + 2 * DAY))
    await desk.seconds(1)
    (row,) = await desk.alerts()
    assert row["fired_at"] < desk.now


async def test_what_cannot_be_worked_in_is_set_aside_on_record(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = store._values

    def choosy(one: Any) -> dict[str, Any]:
        if one.labels["alertname"] == "Poison":
            raise OverflowError("date value out of range")
        return real(one)

    monkeypatch.setattr(store, "_values", choosy)
    await hand_in(desk, *(Posted({"alertname": name}, {}, desk.now) for name in ("A", "Poison")))
    await hand_in(desk, Posted({"alertname": "B"}, {}, desk.now))
    due = await desk.dispatcher.tick(desk.now)
    assert due is not None
    assert due <= desk.now + timedelta(seconds=10), "what waits is looked at again soon"
    await desk.seconds(30)
    assert [row["labels"]["alertname"] for row in await desk.alerts()] == ["A", "B"]
    assert await desk.count("alert.set_aside") == 1
    doors = await desk.database.read(lambda tx: tx.rows(sa.select(door)))
    assert [(one["refused"], "OverflowError" in one["error"]) for one in doors] == [(1, True)]
    assert sorted(await desk.said()) == [
        ("firing", [("firing", "A")]), ("firing", [("firing", "B")])
    ]  # fmt: skip


async def test_a_group_that_cannot_be_told_holds_back_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = telling.payload

    def choosy(news: telling.News, url: str) -> dict[str, Any]:
        if news.group.labels["alertname"] == "Poison":
            raise ValueError("it cannot be said")
        return real(news, url)

    with monkeypatch.context() as patched:
        patched.setattr(telling, "payload", choosy)
        await desk.post("Poison", "A", ends=DAY)
        await desk.seconds(200)
        assert await desk.said() == [("firing", [("firing", "A")])]
    await desk.seconds(200)
    assert sorted(await desk.said()) == [
        ("firing", [("firing", "A")]), ("firing", [("firing", "Poison")])
    ]  # fmt: skip


async def test_a_full_disk_within_a_turn_loses_and_repeats_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was written when there was no more room is undone with the rest of the turn."""
    await hand_in(desk, Posted({"alertname": "A"}, {}, desk.now - timedelta(minutes=1)))

    def full(*_: object) -> None:
        raise DiskFull

    for broken in ("begin", "remember", "end"):
        with monkeypatch.context() as patched:
            patched.setattr(store, broken, full)
            with pytest.raises(DiskFull):
                await desk.dispatcher.tick(desk.now)
        assert await desk.told() == []
        assert await desk.alerts() == []
    await desk.seconds(30)
    assert await desk.said() == [("firing", [("firing", "A")])]
    assert await desk.count("alert.fired") == 1


@pytest.mark.parametrize("by", ["inhibition", "silence"])
async def test_an_incident_ends_although_its_alert_was_kept_quiet_when_it_did(
    room: Room, by: str
) -> None:
    desk = room.desk
    await desk.post("Slow", severity="P2", ends=DAY)
    await room.settle()
    if by == "inhibition":
        await desk.post("Down", severity="P1", ends=DAY)
    else:
        wanted = silences.Wanted(
            parse_all('alertname="Slow"'), desk.now, desk.now + DAY, "operator", "maintenance"
        )
        await desk.database.write(lambda tx: silences.put(tx, desk.now, "shop", wanted, "me"))
    await room.settle(60)
    assert (await room.incidents())[0]["state"] == "open"
    await desk.over("Slow", severity="P2")
    await room.settle(60)
    assert (await room.incidents())[0]["state"] == "resolved"
    if by == "silence":
        return
    await desk.over("Down", severity="P1")
    await room.settle(60)
    await desk.post("Slow", severity="P2", ends=DAY)
    await room.settle(60)
    assert [one["state"] for one in await room.incidents()] == ["resolved", "resolved", "open"]


async def test_an_incident_ends_although_its_route_opens_none_any_more(room: Room) -> None:
    await room.desk.post("Slow", severity="P2", ends=DAY)
    await room.settle()
    room.desk.reload(GROUPED)
    await room.settle(60)
    await room.desk.over("Slow", severity="P2")
    await room.settle(300)
    assert [one["state"] for one in await room.incidents()] == ["resolved"]


async def test_a_book_without_severities_opens_incidents_that_page_nobody(
    database: Database, now: datetime
) -> None:
    bare = "id: shop\ntitle: Shop\ntimezone: UTC\npeople: {lead: {name: Lead}}\n"
    room = Room(Desk(database, now, load({"book.yaml": bare}, VOCABULARY)))
    await room.desk.post("Slow", ends=DAY)
    await room.settle()
    assert [(one["severity"], one["state"]) for one in await room.incidents()] == [("", "open")]


async def test_an_end_that_passes_while_the_book_changes_is_told(desk: Desk) -> None:
    await desk.post("X", ends=timedelta(minutes=5))
    await desk.seconds(30)
    desk.reload(GROUPED, "holidays: {country: KR}")
    desk.now += timedelta(minutes=10)
    await desk.seconds(120)
    assert [row["state"] for row in await desk.alerts()] == ["resolved"]
    assert [status for status, _ in await desk.said()] == ["firing", "resolved"]


async def test_an_end_that_passes_before_the_same_is_handed_in_again_is_another_alert(
    desk: Desk,
) -> None:
    await desk.post("X", ends=timedelta(minutes=1))
    tick, desk.dispatcher.tick = desk.dispatcher.tick, _nothing  # type: ignore[method-assign]
    desk.now += timedelta(minutes=2)
    await desk.post("X", ends=DAY)
    desk.dispatcher.tick = tick  # type: ignore[method-assign]
    assert desk.dispatcher.memory is not None
    known = desk.dispatcher.memory
    await desk.dispatcher.tick(desk.now)
    assert desk.dispatcher.memory is known, "the turn failed and had to be done in pieces"
    assert [row["state"] for row in await desk.alerts()] == ["resolved", "firing"]


async def _nothing(now: datetime) -> None:
    """A server that is held up."""


async def test_a_turn_that_the_database_begins_again_tells_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends one of two turns that wait for each other; what it did is not there then."""
    await desk.post("X", ends=DAY)
    real, ended = store.remember, []

    class Deadlock(Exception):
        sqlstate = "40P01"

    def once(tx: Any, told: Any) -> None:
        real(tx, told)
        if told and not ended:
            ended.append(1)
            raise sa.exc.OperationalError("…", None, Deadlock("deadlock detected"))

    monkeypatch.setattr(store, "remember", once)
    await desk.seconds(60)
    assert ended
    assert await desk.said() == [("firing", [("firing", "X")])]


async def test_a_senders_key_used_for_something_else_is_two_alerts(
    database: Database, now: datetime
) -> None:
    desk = Desk(
        database, now,
        book(
            "routing: {as: notify, to: [hook], group_by: [component], group_wait: 0s, "
            "group_interval: 5m}",
            "intakes: {pd: {kind: pagerduty, title: PD, token: \"env:PD_TOKEN\"}}",
        ),
    )  # fmt: skip

    def keyed(component: str, ends: datetime) -> Posted:
        labels = {"alertname": component, "component": component}
        return Posted(labels, {}, desk.now - timedelta(seconds=1), ends, "", "incident-1")

    await hand_in(desk, keyed("web", desk.now + DAY), source="pd")
    await desk.seconds(20)
    await hand_in(desk, keyed("web", desk.now), source="pd")
    await desk.seconds(5)
    await hand_in(desk, keyed("db", desk.now + DAY), source="pd")
    await desk.seconds(20)
    desk.restart()
    await desk.seconds(600)
    assert await desk.said() == [
        ("firing", [("firing", "web")]), ("firing", [("firing", "db")]),
        ("resolved", [("resolved", "web")]),
    ]  # fmt: skip
    assert [row["state"] for row in await desk.alerts()] == ["resolved", "firing"]


async def test_what_came_in_for_a_book_that_rests_is_worked_in_once_it_is_back(desk: Desk) -> None:
    await hand_in(desk, Posted({"alertname": "X"}, {}, desk.now, desk.now + DAY))
    desk.reload(GROUPED, "status: draft")
    await desk.seconds(60)
    assert await desk.alerts() == []
    desk.reload(GROUPED)
    await desk.seconds(60)
    assert await desk.said() == [("firing", [("firing", "X")])]
    assert await desk.database.read(lambda tx: tx.rows(sa.select(intake))) == []


async def test_what_is_kept_for_a_book_that_never_comes_back_is_let_go_of(desk: Desk) -> None:
    await hand_in(desk, Posted({"alertname": "X"}, {}, desk.now, desk.now + DAY))
    desk.reload(GROUPED, "status: draft")
    await desk.seconds(60)
    await desk.wind(HELD_FOR + timedelta(hours=2))
    assert await desk.database.read(lambda tx: tx.rows(sa.select(intake))) == []


async def test_a_server_that_leads_again_reads_what_another_told_meanwhile(desk: Desk) -> None:
    async def led_by(number: int) -> None:
        await desk.database.write(
            lambda tx: tx.execute(sa.update(lease.lease).values(epoch=number))
        )

    await desk.database.write(
        lambda tx: tx.insert(
            lease.lease, name=lease.NAME, holder="a", epoch=1, beat=0, renewed_at=desk.now
        )
    )
    mine = {"a": 1, "b": 2}
    first = desk.dispatcher
    first.leads = lambda: mine["a"]
    await desk.post("X", ends=DAY)
    desk.restart()
    desk.dispatcher.leads = lambda: mine["b"]
    await led_by(2)
    await desk.seconds(20)
    assert await desk.said() == [("firing", [("firing", "X")])]
    desk.dispatcher = first
    await desk.seconds(20)
    assert first.memory is None, "it does not lead, and decides nothing"
    mine["a"] = 3
    await led_by(3)
    await desk.seconds(20)
    assert await desk.said() == [("firing", [("firing", "X")])]


async def test_what_was_told_is_forgotten_in_memory_as_in_the_rows(desk: Desk) -> None:
    await desk.post("X", ends=timedelta(minutes=5))
    await desk.wind(timedelta(hours=8))
    assert desk.dispatcher.memory is not None
    assert desk.dispatcher.memory.entries == {}
