"""A day is not called quiet while alerts fire that nobody answers, nor while nobody is reached."""

import re
from collections.abc import Sequence
from datetime import timedelta
from html import unescape
from typing import Any

import sqlalchemy as sa

from opsbook.access import tokens
from opsbook.alerts import silences
from opsbook.alerts.pipeline import telling
from opsbook.alerts.silences import Wanted
from opsbook.book.matchers import Matcher
from opsbook.cli.commands import alerts as cli
from opsbook.notify import webhooks
from opsbook.notify.tables import delivery, page
from opsbook.notify.webhooks import store as deliveries
from opsbook.notify.webhooks.store import Lane
from tests.web.alerting import ALERTING, hand_in, open_shop, text
from tests.web.conftest import Enter
from tests.web.rig import Rig
from tests.web.test_pages import title

HOOK = """
webhooks:
  lab: {title: {ko: 연구실 훅, en: Lab hook}, url: "http://127.0.0.1:9/", loopback: true,
        events: [alerts]}
"""
TOLD = (ALERTING + HOOK).replace("as: incident", "as: notify").replace("[operations]", "[lab]")
WITH_INCIDENT = ALERTING + HOOK.replace("lab:", "lab:", 1)
P1 = {"alertname": "Down", "severity": "P1", "zone": "a", "service": "api"}
P3 = {"alertname": "Slow lift", "severity": "P3"}


async def silence(rig: Rig, name: str) -> silences.Silence:
    """Keep the alerts of one name quiet for an hour."""
    now = rig.clock.now()
    wanted = Wanted(
        (Matcher("alertname", "=", name),), now, now + timedelta(hours=1), "operator", "planned"
    )
    return await rig.database.write(lambda tx: silences.put(tx, now, "shop", wanted, "account:1"))


async def refuse(rig: Rig, why: str = "No connection: connection refused.") -> None:
    """Let every delivery that is due be tried once, and refused."""
    now = rig.clock.now()
    lane = Lane("shop", "lab")

    def attempt(tx: Any) -> bool:
        row = deliveries.claim(tx, now, lane, now + timedelta(minutes=1))
        if row is None:
            return False
        again = now + timedelta(seconds=30)
        deliveries.settle(tx, row, state="retry", next_at=again, error=why, status=None)
        return True

    while await rig.database.write(attempt):
        pass


async def take(rig: Rig) -> None:
    """Let every delivery be taken."""
    now = rig.clock.now()
    change = sa.update(delivery).values(state="sent", sent_at=now, next_at=None, error="")
    await rig.database.write(lambda tx: tx.execute(change))


def rows(page: str) -> Sequence[str]:
    """The alerts that a page lists."""
    return [unescape(one) for one in re.findall(r'<li class="row told" id="alert-\d+">.*?<bdi>(.*?)</bdi>', page, re.DOTALL)]  # noqa: E501  # fmt: skip


def counts(page: str) -> list[str]:
    """How many alerts of which severity Today counts."""
    listed = page.split('id="alerts"')[1].split('<p class="summary">')[1].partition("</p>")[0]
    return re.findall(r"(\d+ P\d)<", listed)


async def test_an_alert_that_should_page_somebody_is_on_today_until_an_incident_answers_it(
    calm: Rig, enter: Enter
) -> None:
    await open_shop(calm, **{"alerting.yaml": TOLD})
    operator = await enter(calm)
    assert title(await operator.see("/")).endswith("Nothing needs you.")
    await hand_in(calm, P3, annotations={"summary": "The lift is slow"})
    page = await operator.see("/")
    assert "1 alert fires. Nothing needs you." in title(page), "its severity pages nobody"
    assert rows(page) == ["The lift is slow"]
    await hand_in(calm, P1, annotations={"summary": "api is away", "description": "no port 443"})
    page = await operator.see("/")
    assert title(page).startswith(
        "1 alert fires that should page somebody, and no incident answers it."
    )
    assert "Nothing needs you" not in page
    assert rows(page) == ["api is away", "The lift is slow"], "the worst comes first"
    assert "no port 443" in page
    assert counts(page) == ["1 P1", "1 P3"]
    await silence(calm, "Down")
    page = await operator.see("/")
    assert "1 alert fires. Nothing needs you." in title(page)
    assert rows(page) == ["The lift is slow"]
    assert "1 more is silenced" in page
    korean = await enter(calm, "operator", "ko")
    assert "장애로 다루지 않는 경보" in await korean.see("/")


async def test_an_alert_with_an_incident_is_told_by_its_incident(calm: Rig, enter: Enter) -> None:
    await open_shop(calm)
    (down,) = await hand_in(calm, P1, annotations={"summary": "api is away"})
    operator = await enter(calm)
    page = await operator.see("/")
    assert rows(page) == []
    assert title(page).startswith("1 incident needs you.")
    listed = await operator.see("/alerts")
    assert '<a href="/incidents/1">incident 1 · unanswered</a>' in listed
    story = text(await operator.see(f"/alerts/{down}"))
    assert "incident 1 was opened: P1." in story
    await operator.send("/incidents/1", "/acknowledge")
    assert rows(await operator.see("/")) == [], "somebody has it"
    assert "acknowledged." in text(await operator.see(f"/alerts/{down}"))


async def test_thousands_are_counted_and_a_few_are_shown(calm: Rig, enter: Enter) -> None:
    await open_shop(calm, **{"alerting.yaml": TOLD})
    many = [{"alertname": "Disk", "severity": "P3", "instance": f"web-{n}"} for n in range(2000)]
    await hand_in(calm, *many, P1)
    operator = await enter(calm)
    page = await operator.see("/")
    assert counts(page) == ["1 P1", "2000 P3"]
    assert len(rows(page)) == 5
    assert "1996 more alerts" in page
    await silence(calm, "Disk")
    page = await operator.see("/")
    assert (len(rows(page)), "2000 more are silenced" in page) == (1, True)


async def test_a_webhook_that_is_refused_is_trouble_wherever_it_is_met(
    calm: Rig, enter: Enter
) -> None:
    await open_shop(calm, **{"alerting.yaml": TOLD})
    (down,) = await hand_in(calm, P1)
    operator = await enter(calm)
    assert "on its way for" in text(await operator.see(f"/alerts/{down}"))
    await refuse(calm)
    page = text(await operator.see(f"/alerts/{down}"))
    assert "Lab hooknot reached for" in page
    assert "No connection: connection refused." in page
    assert "told just now" not in page
    assert "The webhook lab is not told yet (tries: 1): No connection" in page
    today = await operator.see("/")
    assert "The webhook “Lab hook” is not reached." in today
    assert "1 message waits; tried again" in text(today)
    assert 'href="/book/shop/webhooks/lab"' in today
    assert "not reached for" in text(await operator.see("/book/shop/webhooks/lab"))
    korean = await enter(calm, "operator", "ko")
    assert "연결 안 됨(연결 거부)." in text(await korean.see("/"))
    await take(calm)
    assert "not reached" not in await operator.see("/")
    assert "not reached" not in await operator.see("/book/shop/webhooks/lab")
    page = text(await operator.see(f"/alerts/{down}"))
    assert "Lab hooktold just now" in page
    assert "The webhook lab was told." in page


async def test_what_was_given_up_is_told_until_something_gets_through(
    calm: Rig, enter: Enter
) -> None:
    await open_shop(calm, **{"alerting.yaml": TOLD})
    await hand_in(calm, P1)
    await refuse(calm, "It answered 503.")
    lost = sa.update(delivery).values(state="failed", next_at=None)
    await calm.database.write(lambda tx: tx.execute(lost))
    operator = await enter(calm)
    assert "1 message was given up." in text(await operator.see("/"))
    now = calm.clock.now()
    await calm.database.write(
        lambda tx: webhooks.queue(
            tx, now, book="shop", hook="lab", event="alerts", key="x", thread=None, body="{}"
        )
    )
    through = sa.update(delivery).where(delivery.c.key == "x").values(state="sent", sent_at=now)
    await calm.database.write(lambda tx: tx.execute(through))
    assert "given up" not in text(await operator.see("/"))


async def test_a_page_that_does_not_get_out_is_trouble(trouble: Rig, enter: Enter) -> None:
    change = sa.update(page).values(
        channel="apprise", state="retry", attempts=2, error="No answer within 30 s.",
        next_at=trouble.clock.now() + timedelta(seconds=40),
    )  # fmt: skip
    await trouble.database.write(lambda tx: tx.execute(change))
    seen = text(await (await enter(trouble)).see("/"))
    assert "is not reached by apprise." in seen
    assert "No answer within 30 s." in seen
    assert "Look at the address of this contact or channel in the book." in seen


async def test_told_is_said_of_this_alert_and_not_of_its_group(calm: Rig, enter: Enter) -> None:
    await open_shop(calm, **{"alerting.yaml": TOLD.replace("to: [responder]", "to: [lab]")})
    disk = {"alertname": "Disk", "severity": "P3", "team": "web"}
    await hand_in(calm, disk | {"instance": "web-1"})
    await take(calm)
    await silence(calm, "Disk")
    (late,) = await hand_in(calm, disk | {"instance": "web-2"})
    operator = await enter(calm)
    page = text(await operator.see(f"/alerts/{late}"))
    assert "Lab hooknot told of this alert; of its group just now" in page
    assert "The webhook lab was told." not in page
    assert "Silences: it is silenced" in page


async def test_the_address_of_an_alert_of_ours_is_its_page(trouble: Rig) -> None:
    await open_shop(trouble, **{"alerting.yaml": TOLD})
    await trouble.dispatcher.tick(trouble.clock.now())
    memory = trouble.dispatcher.memory
    assert memory is not None
    ours = next(one for one in memory.alerts.values() if one.check)
    assert telling.page_of(ours, "http://opsbook/") == f"http://opsbook/alerts/{ours.id}"
    (own,) = await hand_in(trouble, P1, link="http://prometheus.example/graph")
    theirs = next(one for one in memory.alerts.values() if one.id == own)
    assert telling.page_of(theirs, "http://opsbook/") == "http://prometheus.example/graph"


async def test_programs_are_told_what_keeps_an_alert_quiet(calm: Rig, enter: Enter) -> None:
    await open_shop(calm)
    slow = {"alertname": "Slow", "severity": "P2", "zone": "a"}
    down, behind, noise = await hand_in(calm, P1, slow, {"alertname": "Noise", "severity": "P3"})
    await silence(calm, "Noise")
    now, account = calm.clock.now(), calm.ids["operator"]
    made = await calm.database.write(
        lambda tx: tokens.create(tx, now, account, "a test", ["read"], timedelta(hours=1))
    )
    operator = await enter(calm)
    answer = await operator.client.get(
        "/api/v1/alerts?state=active",
        headers={"Authorization": f"Bearer {made}"},
    )
    found = {one["id"]: one for one in answer.json()["alerts"]}
    assert {id: one["quiet"] for id, one in found.items()} == {
        down: "", behind: "inhibited", noise: "silenced",
    }  # fmt: skip
    assert found[behind]["inhibited_by"] == [down]
    assert [cli._row(found[one])[3] for one in (down, behind, noise)] == [
        "firing", "inhibited", "silenced",
    ]  # fmt: skip
