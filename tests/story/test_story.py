"""The whole thread: a service goes down, and everything that follows, through the front door."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from opsbook import audit
from opsbook.app import App, build
from opsbook.audit.tables import entry
from opsbook.base.clock import WoundClock
from opsbook.incidents import store
from opsbook.settings import Settings
from tests.support.visitor import Visitor
from tests.support.watched import Watched, step_user, write_book

SECOND = timedelta(seconds=1)
START = datetime(2026, 3, 2, 23, 55, tzinfo=UTC)  # five to nine in the morning in Seoul


@pytest.fixture(params=["sqlite", "postgresql"])
async def app(
    request: pytest.FixtureRequest, tmp_path: Path, watched: Watched
) -> AsyncIterator[App]:
    database = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    settings = Settings(
        books=(write_book(tmp_path / "book", watched),),
        data=tmp_path / "data",
        listen=("127.0.0.1", 0),
        database=database,
        step_user=step_user(),
    )
    app = build(settings, WoundClock(START))
    await app.start()
    yield app
    await app.stop()


@pytest.fixture
async def operator(app: App) -> AsyncIterator[Visitor]:
    """The person on duty, signed in by the one-time link."""
    visitor = Visitor(app.url)
    assert app.sign_in_link is not None
    await visitor.sign_in(app.sign_in_link)
    yield visitor
    await visitor.close()


async def actions(app: App, incident: int) -> list[str]:
    rows = await app.database.read(lambda tx: store.story(tx, incident))
    return [row["action"] for row in rows]


def ran(app: App) -> list[str]:
    """Which steps of the runbook ran, each appended by the step itself."""
    return (app.places.work / "shop" / "ran").read_text().split()


async def test_from_a_service_that_goes_down_to_an_incident_resolved(
    app: App, operator: Visitor, watched: Watched
) -> None:
    await app.wind(30 * SECOND)
    assert "Nothing needs you" in await operator.see("/")

    watched.stop()
    await app.wind(45 * SECOND)
    today = await operator.see("/")
    assert "1 incident needs you" in today
    assert "The shop does not answer" in await operator.see("/inbox")
    incident = await operator.see("/incidents/1")
    assert "looking at web" in incident
    assert ran(app) == ["processes", "port", "disk"]
    assert watched.starts() == 1

    await operator.send("/incidents/1", "/acknowledge")
    await operator.send("/incidents/1", "/approve")
    await app.settle()
    assert ran(app) == ["processes", "port", "disk", "restart"]
    watched.until_up()
    assert watched.starts() == 2

    await app.wind(40 * SECOND)
    incident = await operator.see("/incidents/1")
    assert "Resolved" in incident
    await operator.send("/runs/1", "/confirm", note="A deploy had stopped it.")
    await app.settle()
    assert "Succeeded" in await operator.see("/runs/1")
    today = await operator.see("/")
    assert "needs you" not in today
    assert "Operator is not reached by apprise" in today, "nobody listens at their contact"

    story = await actions(app, 1)
    for action in (
        "alert.fired", "incident.opened", "incident.paged", "page.sent", "incident.acknowledged",
        "approval.requested", "approval.approved", "incident.resolved", "run.succeeded",
    ):  # fmt: skip
        assert action in story, (action, story)
    await app.wind(2 * SECOND)
    verdict = await app.database.read(lambda tx: audit.verify(tx, app.places.audit))
    assert verdict.holds
    assert verdict.waiting == 0

    edit = sa.update(entry).where(entry.c.action == "approval.approved").values(actor="account:9")
    await app.database.write(lambda tx: tx.execute(edit))
    row = await app.database.read(
        lambda tx: tx.row(sa.select(entry).where(entry.c.action == "approval.approved"))
    )
    assert row is not None
    verdict = await app.database.read(lambda tx: audit.verify(tx, app.places.audit))
    assert row["seq"] in [fault.seq for fault in verdict.faults]


async def test_nobody_answers_and_the_next_person_is_paged(
    app: App, operator: Visitor, watched: Watched
) -> None:
    watched.stop()
    await app.wind(45 * SECOND)
    paged = await app.database.read(lambda tx: tx.rows(sa.text(PAGED)))
    assert {row["person"] for row in paged} == {"operator"}
    await app.wind(timedelta(minutes=10))
    paged = await app.database.read(lambda tx: tx.rows(sa.text(PAGED)))
    assert {row["person"] for row in paged} == {"operator", "standby"}
    await app.wind(timedelta(minutes=10))
    assert "incident.unanswered" in await actions(app, 1)


async def test_an_acknowledgement_stops_the_ladder(
    app: App, operator: Visitor, watched: Watched
) -> None:
    watched.stop()
    await app.wind(45 * SECOND)
    await operator.send("/incidents/1", "/acknowledge")
    await app.wind(timedelta(minutes=30))
    paged = await app.database.read(lambda tx: tx.rows(sa.text(PAGED)))
    assert {row["person"] for row in paged} == {"operator"}
    assert "incident.unanswered" not in await actions(app, 1)


async def test_a_run_that_fails_with_nobody_watching_is_told_of(
    app: App, operator: Visitor, watched: Watched
) -> None:
    watched.stop()
    await app.wind(45 * SECOND)
    await operator.send("/incidents/1", "/reject", note="Not now.")
    await app.settle()
    inbox = await operator.see("/inbox")
    assert "Run failed: Restart the shop" in inbox
    assert watched.starts() == 1


async def test_a_runbook_asked_for_a_check_that_does_not_exist_is_not_started(
    app: App, operator: Visitor
) -> None:
    page = "/book/shop/runbooks/restart-web/start"
    with pytest.raises(AssertionError, match="422"):
        await operator.send(page, "/start", check="nothing")
    assert await app.database.read(lambda tx: tx.rows(sa.text("SELECT id FROM run"))) == []


async def test_a_blip_shorter_than_the_hold_opens_nothing(
    app: App, operator: Visitor, watched: Watched
) -> None:
    await app.wind(15 * SECOND)
    watched.stop()
    await app.wind(20 * SECOND)
    watched.ctl("start", "web")
    watched.until_up()
    await app.wind(60 * SECOND)
    assert "Nothing needs you" in await operator.see("/")
    assert await app.database.read(lambda tx: tx.rows(sa.text("SELECT id FROM incident"))) == []


async def test_the_morning_routine_starts_its_run_and_waits_for_a_signature(
    app: App, operator: Visitor
) -> None:
    await app.wind(timedelta(minutes=4))
    assert await app.database.read(lambda tx: tx.rows(sa.text("SELECT id FROM run"))) == []
    await app.wind(timedelta(minutes=2))
    assert "Signed off" in await operator.see("/")
    await operator.send("/runs/1", "/confirm", note="")
    await app.settle()
    assert "Succeeded" in await operator.see("/runs/1")


PAGED = "SELECT person FROM page WHERE urgent"
