"""What was handed in is worked in once, told once, and survives whatever dies in between."""

import contextlib
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from opsbook.alerts import silences
from opsbook.alerts.intake.handing import hand_in
from opsbook.alerts.pipeline import store
from opsbook.alerts.pipeline.loop import CONSUMER, WRITE_EVERY
from opsbook.alerts.pipeline.memory import GRACE
from opsbook.alerts.silences import InvalidSilence, Wanted
from opsbook.alerts.tables import alert, silence
from opsbook.base import events
from opsbook.base.database import Database, DiskFull, Transaction
from opsbook.book.matchers import parse_all
from opsbook.checks.tables import status
from tests.alerts.pipeline.desk import GROUPED, Desk, book

MINUTE = timedelta(minutes=1)


@pytest.fixture
def desk(database: Database, now: datetime) -> Desk:
    return Desk(database, now, book(GROUPED))


@pytest.fixture
def alone(database: Database, now: datetime) -> Desk:
    """A book without routing: every alert is an incident, told alone and at once."""
    return Desk(database, now, book())


async def test_handed_in_again_and_again_it_is_one_alert_with_a_counter(desk: Desk) -> None:
    for _ in range(5):
        await desk.post("Full", severity="P1")
        await desk.seconds(20)
    (row,) = await desk.alerts()
    assert (row["state"], row["severity"], row["received"]) == ("firing", "P1", 5)
    assert row["labels"] == {"alertname": "Full", "severity": "P1"}
    assert await desk.count("alert.fired") == 1
    assert await desk.said() == [("firing", [("firing", "Full")])]


async def test_what_ended_and_fires_again_is_another_alert(desk: Desk) -> None:
    await desk.post("Full")
    await desk.over("Full")
    await desk.post("Full")
    first, second = await desk.alerts()
    assert (first["state"], second["state"]) == ("resolved", "firing")
    assert (await desk.count("alert.fired"), await desk.count("alert.resolved")) == (2, 1)


async def test_over_and_back_within_one_batch_is_two_alerts(desk: Desk) -> None:
    await desk.post("Full")
    tick, desk.dispatcher.tick = desk.dispatcher.tick, _nothing  # type: ignore[method-assign]
    await desk.over("Full")
    desk.now += timedelta(seconds=2)
    await desk.post("Full")
    await desk.over("Full")
    desk.dispatcher.tick = tick  # type: ignore[method-assign]
    await desk.dispatcher.tick(desk.now)
    assert [row["state"] for row in await desk.alerts()] == ["resolved", "resolved"]


async def _nothing(now: datetime) -> None:
    """A server that is away."""


async def test_an_end_that_was_only_ours_to_set_never_outweighs_a_real_one(desk: Desk) -> None:
    await desk.post("Full", ends=timedelta(hours=1))
    await desk.post("Full", ends=None)
    await desk.seconds(400)
    (row,) = await desk.alerts()
    assert row["state"] == "firing"


async def test_an_alert_that_nobody_repeats_ends_by_itself(desk: Desk) -> None:
    await desk.post("Full", ends=None)
    await desk.seconds(299)
    assert [row["state"] for row in await desk.alerts()] == ["firing"]
    await desk.seconds(2)
    (row,) = await desk.alerts()
    assert (row["state"], row["resolved_at"]) == ("resolved", row["fired_at"] + 5 * MINUTE)
    await desk.seconds(120)
    assert await desk.said() == [
        ("firing", [("firing", "Full")]),
        ("resolved", [("resolved", "Full")]),
    ]


async def test_what_was_accepted_while_nobody_worked_is_worked_in_later(desk: Desk) -> None:
    tick, desk.dispatcher.tick = desk.dispatcher.tick, _nothing  # type: ignore[method-assign]
    await desk.post("A", "B")
    await desk.over("B")
    desk.now += timedelta(seconds=30)
    desk.dispatcher.tick = tick  # type: ignore[method-assign]
    await desk.seconds(11)
    assert await desk.said() == [("firing", [("firing", "A")])]


async def test_a_restart_at_any_moment_tells_nothing_twice_and_forgets_nothing(desk: Desk) -> None:
    await desk.post("A", instance="1")
    desk.restart()
    await desk.seconds(11)
    desk.restart()
    await desk.post("A", instance="2")
    desk.restart()
    await desk.seconds(70)
    desk.restart()
    await desk.over("A", instance="1")
    desk.restart()
    await desk.seconds(70)
    desk.restart()
    await desk.seconds(200)
    firing, over = ("firing", "A"), ("resolved", "A")
    assert await desk.said() == [
        ("firing", [firing]),
        ("firing", [firing, firing]),
        ("firing", [over, firing]),
        ("resolved", [over]),
    ]


async def test_repetitions_that_were_only_counted_survive_a_crash(desk: Desk) -> None:
    await desk.post("A")
    for _ in range(3):
        desk.now += timedelta(seconds=2)
        await desk.post("A")
    (row,) = await desk.alerts()
    assert row["received"] < 4, "written now and then"
    end = desk.now + 5 * MINUTE
    desk.restart()
    await desk.wind(end - desk.now - timedelta(seconds=1))
    assert [row["state"] for row in await desk.alerts()] == ["firing"]
    desk.now += WRITE_EVERY
    await desk.dispatcher.tick(desk.now)
    (row,) = await desk.alerts()
    assert (row["state"], row["received"]) == ("resolved", 4)
    assert await desk.database.read(store.newest) == 0, "its batches are not needed any more"


async def test_an_alert_whose_end_passed_while_we_were_away_may_still_be_repeated(
    desk: Desk,
) -> None:
    await desk.post("A")
    await desk.seconds(11)
    desk.restart()
    desk.now += timedelta(minutes=30)
    await desk.post("A")
    await desk.seconds(200)
    assert await desk.said() == [("firing", [("firing", "A")])], "no end, no second beginning"


async def test_an_alert_that_nobody_repeats_after_we_were_away_is_over(desk: Desk) -> None:
    await desk.post("A")
    await desk.seconds(11)
    desk.restart()
    desk.now += timedelta(minutes=30)
    await desk.wind(GRACE + 2 * MINUTE)
    assert [status for status, _ in await desk.said()] == ["firing", "resolved"]


@pytest.mark.parametrize("error", [DiskFull, RuntimeError])
async def test_what_cannot_be_written_is_decided_again_and_told_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    await desk.post("A")
    desk.now += timedelta(seconds=11)

    def broken(*_: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(store, "remember", broken)
        with contextlib.suppress(DiskFull):
            await desk.dispatcher.tick(desk.now)
    assert await desk.told() == []
    await desk.seconds(90)
    assert await desk.said() == [("firing", [("firing", "A")])]


async def test_a_server_that_takes_over_goes_on_where_the_other_was(desk: Desk) -> None:
    await desk.post("A")
    await desk.seconds(11)
    first = desk.dispatcher
    desk.restart()
    await desk.post("A", instance="2")
    await desk.seconds(70)
    await first.tick(desk.now)
    await first.tick(desk.now)
    assert [status for status, _ in await desk.said()] == ["firing", "firing"]


async def test_another_revision_of_the_book_tells_nobody_again(desk: Desk) -> None:
    await desk.post("A")
    await desk.seconds(11)
    desk.reload(GROUPED, "version: '2'")
    await desk.seconds(120)
    assert await desk.said() == [("firing", [("firing", "A")])]
    desk.reload(GROUPED.replace("alertname", "severity"))
    await desk.seconds(120)
    assert len(await desk.told()) == 2, "another group has not been told of yet"


async def test_without_routing_every_alert_is_an_incident_at_once(alone: Desk) -> None:
    await alone.post("A", "B", severity="P1")
    first, second = await alone.events("group.firing")
    assert {first["severity"], second["severity"]} == {"P1"}
    assert len(first["firing"]) == len(second["firing"]) == 1
    await alone.over("A", severity="P1")
    (over,) = await alone.events("group.resolved")
    assert over["resolved"] == first["firing"]


async def test_severities_in_the_senders_words_and_of_nobodys(alone: Desk) -> None:
    alone.reload("intakes: {prometheus: {kind: alertmanager, title: P, severities: {page: P1}}}")
    await alone.post("A", severity="page")
    await alone.post("B", severity="p2")
    await alone.post("C", severity="curious")
    await alone.post("D")
    assert [row["severity"] for row in await alone.alerts()] == ["P1", "P2", "P2", "P2"]


async def test_a_rule_over_received_alerts_gives_them_its_severity_and_words(alone: Desk) -> None:
    alone.reload(
        "rules: {full: {received: ['alertname=~\"Disk.*\"'], severity: P3, summary: Disk full,"
        " labels: {team: storage}}}"
    )
    await alone.post("DiskFull", severity="P1")
    await alone.post("Other", severity="P1")
    disk, other = await alone.alerts()
    assert (disk["rule"], disk["severity"], disk["summary"]) == ("full", "P3", {"": "Disk full"})
    assert disk["labels"]["team"] == "storage"
    assert (other["rule"], other["severity"]) == ("", "P1")


async def test_a_silence_keeps_an_alert_quiet_and_it_is_told_when_lifted(alone: Desk) -> None:
    made = await alone.database.write(lambda tx: silences.put(
        tx, alone.now, "shop", wanted(alone.now, 'alertname="A"'), "account:1"
    ))  # fmt: skip
    await alone.post("A", "B")
    assert len(await alone.events("group.firing")) == 1
    await alone.database.write(
        lambda tx: silences.expire(tx, alone.now, "shop", made.uuid, "account:1")
    )
    alone.now += timedelta(seconds=1)
    await alone.dispatcher.tick(alone.now)
    assert len(await alone.events("group.firing")) == 2


async def test_a_recurring_silence_holds_in_its_window_only(alone: Desk) -> None:
    at = alone.now
    again = wanted(at, 'alertname="A"', schedule="매일 10:00", length=timedelta(hours=1))
    await alone.database.write(lambda tx: silences.put(tx, at, "shop", again, "account:1"))
    await alone.seconds(3700)
    await alone.post("A", ends=timedelta(hours=3))
    assert await alone.events("group.firing") == []
    await alone.seconds(3600)
    assert len(await alone.events("group.firing")) == 1


@pytest.mark.parametrize(
    ("matchers", "more"),
    [
        ("", {}),
        ('a=~".*"', {}),
        ('a!="x"', {}),
        ('a="x"', {"comment": " "}),
        ('a="x"', {"ends_in": -MINUTE}),
        ('a="x"', {"schedule": "whenever", "length": MINUTE}),
        ('a="x"', {"schedule": "매일 10:00"}),
        (f'a=~"{"x" * 1_001}"', {}),
        ('a=~"(.{1,90}x){9}"', {}),
    ],
)
async def test_a_silence_that_would_be_a_mistake_is_refused(
    alone: Desk, matchers: str, more: dict[str, object]
) -> None:
    asked = wanted(alone.now, matchers, **more)
    with pytest.raises(InvalidSilence):
        await alone.database.write(lambda tx: silences.put(tx, alone.now, "shop", asked, "x"))


async def test_a_book_takes_a_thousand_silences_and_says_what_to_do_then(alone: Desk) -> None:
    row = {
        "book": "shop", "matchers": [{"name": "a", "op": "=", "value": "x"}],
        "starts_at": alone.now, "ends_at": alone.now + MINUTE, "created_by": "lead",
        "comment": "why", "created_at": alone.now, "updated_at": alone.now,
    }  # fmt: skip
    rows = [{**row, "uuid": str(n), "book": "other" if n < 5 else "shop"} for n in range(1_004)]
    await alone.database.write(lambda tx: tx.execute(sa.insert(silence), rows))

    async def put(matchers: str, **more: object) -> None:
        asked = wanted(alone.now, matchers, **more)
        await alone.database.write(lambda tx: silences.put(tx, alone.now, "shop", asked, "x"))

    await put('a="y"')
    with pytest.raises(InvalidSilence, match="has 1,000 silences"):
        await put('a="z"')
    await put('a="z"', uuid="7")  # instead of another
    alone.now += 2 * MINUTE
    await put('a="z"')


def wanted(now: datetime, matchers: str, **more: object) -> Wanted:
    ends_in = more.pop("ends_in", timedelta(days=2))
    assert isinstance(ends_in, timedelta)
    values = {"created_by": "lead", "comment": "why", **more}
    return Wanted(parse_all(matchers), now, now + ends_in, **values)  # type: ignore[arg-type]


async def test_persons_teams_and_webhooks_are_told_each_in_their_way(desk: Desk) -> None:
    desk.reload("routing: {as: notify, to: [mate, everybody, hook]}")
    await desk.post("A", annotations={"summary": "Disk is full"})
    assert await desk.pages() == [
        ("mate", "inbox", "P2 Disk is full"),
        ("lead", "inbox", "P2 Disk is full"),
    ]
    assert await desk.said() == [("firing", [("firing", "A")])]


async def test_nothing_is_lost_between_ten_thousand_handed_in_and_told(desk: Desk) -> None:
    tick, desk.dispatcher.tick = desk.dispatcher.tick, _nothing  # type: ignore[method-assign]
    for n in range(100):
        await desk.post(*(f"A{n}-{m}" for m in range(100)), instance=str(n))
    desk.dispatcher.tick = tick  # type: ignore[method-assign]
    await desk.seconds(11)
    assert len(await desk.alerts()) == 10_000
    told = [each for one in await desk.told() for each in one["alerts"]]
    assert len(told) == 10_000
    assert await desk.count("alert.fired") == 10_000


async def test_a_batch_that_cannot_be_read_stops_nothing(desk: Desk) -> None:
    from opsbook.alerts.intake import store as intake

    await desk.database.write(lambda tx: intake.put(
        tx, [{"book": "shop", "source": "x", "at": desk.now, "body": b"[{"}]
    ))  # fmt: skip
    await desk.post("A")
    assert len(await desk.alerts()) == 1
    position = await desk.database.read(lambda tx: events.position(tx, CONSUMER))
    assert position == 2


CHECKED = """\
checks:
  web: {kind: tcp, title: Web, host: localhost, port: 80}
  db: {kind: tcp, title: DB, host: localhost, port: 5432}
rules:
  web-down: {check: web, when: critical, severity: P1, summary: The web is down}
"""


async def own_alert(desk: Desk, *, behind: str, state: str = "firing") -> None:
    """An alert of the book's own, of a check that is or is not behind another."""

    def write(tx: Transaction) -> None:
        tx.execute(sa.delete(status))
        tx.insert(
            status, book="shop", check_id="web", state="critical", since=desk.now, at=desk.now,
            behind=behind,
        )  # fmt: skip
        known = tx.row(sa.select(alert).where(alert.c.rule == "web-down"))
        if known is None:
            id = tx.insert(
                alert, book="shop", rule="web-down", check_id="web", fingerprint="web-down",
                state=state, severity="P1", summary={"": "The web is down"}, pending_since=desk.now,
                labels={"alertname": "web-down", "check": "web"}, fired_at=desk.now,
                seen_at=desk.now,
            )  # fmt: skip
        else:
            id = known["id"]
            over = desk.now if state == "resolved" else None
            change = sa.update(alert).where(alert.c.id == id)
            tx.execute(change.values(state=state, resolved_at=over))
        hand_in(tx, desk.now, "shop", "rules", str(id).encode())

    await desk.database.write(write)
    await desk.dispatcher.tick(desk.now)


async def test_an_alert_behind_a_failed_check_pages_nobody_until_that_is_no_explanation_any_more(
    alone: Desk,
) -> None:
    alone.reload(CHECKED)
    await own_alert(alone, behind="db")
    assert await alone.events("group.firing") == []
    await own_alert(alone, behind="")
    await alone.seconds(20)
    (told,) = await alone.events("group.firing")
    assert told["rule"] == "web-down"


async def test_an_alert_that_ends_while_it_is_behind_a_failed_check_was_never_told(
    alone: Desk,
) -> None:
    alone.reload(CHECKED)
    await own_alert(alone, behind="db")
    alone.now += timedelta(seconds=5)
    await own_alert(alone, behind="db", state="resolved")
    await alone.seconds(60)
    assert await alone.events("group.firing") == []
    assert [one["group"] for one in await alone.events("group.resolved")] == [""]


async def test_an_alert_of_the_books_own_fires_until_its_rule_says_otherwise(alone: Desk) -> None:
    alone.reload(CHECKED)
    await own_alert(alone, behind="")
    await alone.seconds(7200)
    alone.restart()
    await alone.seconds(7200)
    assert len(await alone.events("group.firing")) == 1
    await own_alert(alone, behind="", state="resolved")
    (over,) = await alone.events("group.resolved")
    assert len(over["resolved"]) == 1
