"""What runs while its book changes: checks, alerts, pages, routines and runs."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from opsbook import runs
from opsbook.runs.errors import DraftBook
from tests.revisions.making import BOOK, SECOND, House, write

WATCHING = """\
severities:
  P1: {title: Down, acknowledge_within: 1h, escalation: call}
escalation:
  call: {levels: [{page: [deputy]}, {after: 30m, page: [lead]}]}
checks:
  queue:
    kind: file
    title: Queue
    path: QUEUE
    measure: size
    every: 10s
    bands: {warning: "> 1kB", critical: "> 2kB"}
  other:
    kind: file
    title: Other
    path: QUEUE
    measure: size
    every: 10s
    bands: {warning: "> 1kB", critical: "> 2kB"}
rules:
  long: {check: queue, when: critical, for: 60s, severity: P1, summary: The queue is long}
"""
LOOK = """\
---
id: look
title: Look
risk: routine
---
```bash {#look effect=read timeout=20s}
echo looking
```
"""
ROUTINES = """\
routines:
  hourly: {title: Hourly, schedule: "30 * * * *", runbook: look}
"""
DRAFT = BOOK + "status: draft\n"


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    file = tmp_path / "queue"
    file.write_text("")
    return file


@pytest.fixture
def watching(queue: Path) -> str:
    return WATCHING.replace("QUEUE", str(queue))


@pytest.fixture
async def house(tmp_path: Path, watching: str) -> AsyncIterator[House]:
    files = {"book.yaml": BOOK, "checks.yaml": watching, "runbooks/look.md": LOOK,
             "routines.yaml": ROUTINES}  # fmt: skip
    made = House(tmp_path / "data", (write(tmp_path / "book", files),))
    await made.up()
    yield made
    await made.down()


def folder(house: House) -> Path:
    found = house.books[0]
    assert isinstance(found, Path)
    return found


async def one(house: House, query: str) -> dict[str, object]:
    (row,) = await house.rows(sa.text(query))
    return row


async def fires(house: House, queue: Path) -> None:
    queue.write_text("x" * 4000)
    await house.app.wind(90 * SECOND)
    assert (await one(house, "SELECT state FROM alert"))["state"] == "firing"


async def test_a_hold_goes_on_when_something_else_in_the_book_changes(
    house: House, queue: Path, watching: str
) -> None:
    queue.write_text("x" * 4000)
    await house.app.wind(30 * SECOND)
    before = await one(house, "SELECT state, pending_since FROM alert")
    assert before["state"] == "pending"
    write(folder(house), {"checks.yaml": watching.replace("title: Other", "title: Else")})
    await house.app.wind(10 * SECOND)
    assert "Else" in house.running("checks.yaml")
    assert await one(house, "SELECT state, pending_since FROM alert") == before
    await house.app.wind(40 * SECOND)
    assert (await one(house, "SELECT state FROM alert"))["state"] == "firing"


async def test_an_alert_whose_rule_has_vanished_is_resolved_with_the_reason(
    house: House, queue: Path, watching: str
) -> None:
    await fires(house, queue)
    write(folder(house), {"checks.yaml": watching.split("rules:", maxsplit=1)[0]})
    await house.app.wind(5 * SECOND)
    alert = await one(house, "SELECT state, reason FROM alert")
    assert alert["state"] == "resolved"
    assert "no longer has the rule long" in str(alert["reason"])
    assert (await one(house, "SELECT state FROM incident"))["state"] == "resolved"


async def test_a_check_that_is_removed_is_looked_at_no_more(
    house: House, queue: Path, watching: str
) -> None:
    await fires(house, queue)
    before, rest = watching.split("checks:", maxsplit=1)[0], "rules: {}\n"
    write(folder(house), {"checks.yaml": before + rest})
    await house.app.wind(5 * SECOND)
    seen = (await one(house, "SELECT count(*) AS n FROM observation"))["n"]
    await house.app.wind(120 * SECOND)
    assert (await one(house, "SELECT count(*) AS n FROM observation"))["n"] == seen
    assert (await one(house, "SELECT state FROM alert"))["state"] == "resolved"


async def test_a_book_that_becomes_a_draft_stops_and_says_so(house: House, queue: Path) -> None:
    await fires(house, queue)
    write(folder(house), {"book.yaml": DRAFT})
    await house.app.wind(5 * SECOND)
    alert = await one(house, "SELECT state, reason FROM alert")
    assert alert["state"] == "resolved"
    assert "is a draft now" in str(alert["reason"])
    assert (await one(house, "SELECT state FROM incident"))["state"] == "resolved"
    seen = (await one(house, "SELECT count(*) AS n FROM observation"))["n"]
    await house.app.wind(timedelta(minutes=40))
    assert (await one(house, "SELECT count(*) AS n FROM observation"))["n"] == seen
    assert await house.rows(sa.text("SELECT id FROM run")) == []
    app = house.app
    with pytest.raises(DraftBook, match="is a draft"):
        await app.database.write(
            lambda tx: runs.start(
                tx, app.clock.now(), book=app.library.current("shop"), runbook="look", params={},
                started_by="opsbook", attended=True,
            )
        )  # fmt: skip
    write(folder(house), {"book.yaml": BOOK})
    await app.wind(60 * SECOND)
    assert (
        await house.rows(sa.text("SELECT id FROM run")) == []
    )  # what it missed is not made up for
    await app.wind(timedelta(minutes=50))
    assert len(await house.rows(sa.text("SELECT id FROM run"))) == 1


async def test_a_page_to_somebody_who_left_goes_to_who_took_over(
    house: House, queue: Path, watching: str
) -> None:
    await fires(house, queue)
    paged = "SELECT DISTINCT person FROM page WHERE urgent ORDER BY person"
    assert [row["person"] for row in await house.rows(sa.text(paged))] == ["deputy"]
    fewer = BOOK.replace("  deputy: {name: Deputy, roles: [lead]}\n", "").replace(
        "[lead, deputy]", "[lead]"
    )
    ladder = watching.replace("[{page: [deputy]}, {after: 30m, page: [lead]}]", "[{page: [lead]}]")
    write(folder(house), {"book.yaml": fewer, "checks.yaml": ladder})
    await house.app.wind(10 * SECOND)
    assert "deputy" not in house.running()
    assert [row["person"] for row in await house.rows(sa.text(paged))] == ["deputy", "lead"]


async def test_the_ladder_of_an_open_incident_follows_the_running_book(
    house: House, queue: Path, watching: str
) -> None:
    await fires(house, queue)
    write(folder(house), {"checks.yaml": watching.replace("after: 30m", "after: 5m")})
    await house.app.wind(timedelta(minutes=6))
    paged = "SELECT DISTINCT person FROM page WHERE urgent ORDER BY person"
    assert [row["person"] for row in await house.rows(sa.text(paged))] == ["deputy", "lead"]


async def test_a_routine_that_is_removed_does_not_start_and_a_changed_one_keeps_its_new_time(
    house: House,
) -> None:
    moved = ROUTINES.replace("30 * * * *", "50 * * * *")
    write(folder(house), {"routines.yaml": moved})
    await house.app.wind(timedelta(minutes=40))
    assert await house.rows(sa.text("SELECT id FROM run")) == []
    write(folder(house), {"routines.yaml": "routines: {}\n"})
    await house.app.wind(timedelta(minutes=15))
    assert await house.rows(sa.text("SELECT id FROM run")) == []


async def test_a_run_under_way_keeps_the_book_it_was_started_with(house: House) -> None:
    slow = LOOK.replace("```bash", "```approval {#ask by=lead within=1h}\nSure?\n```\n```bash", 1)
    write(folder(house), {"runbooks/look.md": slow})
    await house.app.wind(3 * SECOND)
    app = house.app
    number = await app.database.write(
        lambda tx: runs.start(
            tx, app.clock.now(), book=app.library.current("shop"), runbook="look", params={},
            started_by="opsbook", attended=True,
        )
    )  # fmt: skip
    await app.settle()
    before = await one(house, f"SELECT revision, state FROM run WHERE id = {number}")
    write(folder(house), {"runbooks/look.md": slow.replace("echo looking", "echo other")})
    await app.wind(3 * SECOND)
    assert app.library.current("shop").revision != before["revision"]
    (asked,) = await house.approvals()
    await house.vote(asked["id"], "deputy")
    after = await one(house, f"SELECT revision, state FROM run WHERE id = {number}")
    assert after["revision"] == before["revision"]
    assert after["state"] == "succeeded"
    said = await house.rows(sa.text("SELECT text FROM attempt_output"))
    assert "looking\n" in {row["text"] for row in said}
