"""Alerts as somebody meets them at night: what to do, why it is shown, and whatever others send."""

import re
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from opsbook.alerts import silences
from opsbook.alerts.silences import Wanted
from opsbook.book.matchers import Matcher
from opsbook.checks.tables import status
from tests.web.alerting import ALERTING, FILES, hand_in, open_shop, text
from tests.web.conftest import Enter
from tests.web.rig import Rig
from tests.web.test_browser import PHONE, WIDE, Open, browser, enter_browser, faults
from tests.web.test_edit import GUARDED, PEOPLE, ROTA, follow
from tests.web.test_pages import title

__all__ = ["browser", "enter_browser"]
P1 = {"alertname": "Down", "severity": "P1", "zone": "a", "service": "api"}
WEB = [
    {"alertname": "Disk", "severity": "P2", "team": "web", "instance": f"web-{n}"} for n in (1, 2)
]
SAYS = re.compile(r'<p class="says">(.*?)</p>', re.DOTALL)


def says(page: str) -> str:
    """The sentence at the top of a page about one thing."""
    return unescape(re.sub(r"<[^>]+>", "", SAYS.findall(page)[0])).strip()


def shown(page: str) -> int:
    """How many rows of alerts there are."""
    return len(re.findall(r'<li class="row told" id="alert-', page))


async def test_the_list_says_what_fires_and_whether_an_incident_waits(
    calm: Rig, enter: Enter
) -> None:
    await open_shop(calm)
    operator = await enter(calm)
    assert title(await operator.see("/alerts")) == "No alert fires."
    await hand_in(calm, *WEB)
    page = await operator.see("/alerts")
    assert title(page) == "2 alerts fire. No incident waits for an answer."
    assert "2 alerts, told together to Responder" in page
    assert "alertname=Disk" in page
    assert "instance=web-1" in page
    await hand_in(calm, P1)
    page = await operator.see("/alerts")
    assert title(page) == "3 alerts fire. 1 incident waits for an answer."
    assert page.index("alert-3") < page.index("alert-1"), "the worst comes first"
    korean = await enter(calm, "operator", "ko")
    assert title(await korean.see("/alerts")) == "경보 3건 발생 중. 접수를 기다리는 장애 1건."


async def test_an_alert_says_first_what_is_to_be_done(calm: Rig, enter: Enter) -> None:
    await open_shop(calm)
    (down,) = await hand_in(calm, P1, annotations={"summary": "api does not answer"})
    operator = await enter(calm)
    page = await operator.see(f"/alerts/{down}")
    assert title(page).endswith("P1 · api does not answer")
    assert says(page) == (
        "It fires, and nobody has answered its incident yet: acknowledge incident 1."
    )
    assert '<a class="button primary" href="/incidents/1">' in page
    await operator.send("/incidents/1", "/acknowledge")
    assert says(await operator.see(f"/alerts/{down}")) == (
        "It fires; somebody looks after its incident already."
    )
    (disk, _) = await hand_in(calm, *WEB)
    assert says(await operator.see(f"/alerts/{disk}")) == (
        "It fires; 1 receiver hears of it. Nobody has to acknowledge it."
    )
    await hand_in(calm, P1, ends=-timedelta(minutes=1))
    over = await operator.see(f"/alerts/{down}")
    assert says(over) == "It is over. There is nothing to do."
    assert "/silences?alert=" not in over


async def test_what_keeps_an_alert_quiet_is_named_and_one_click_away(
    calm: Rig, enter: Enter
) -> None:
    book = await open_shop(calm)
    slow = {"alertname": "Slow", "severity": "P2", "zone": "a"}
    down, behind = await hand_in(calm, P1, slow, annotations={"summary": "the zone is away"})
    operator = await enter(calm)
    page = await operator.see(f"/alerts/{behind}")
    assert says(page) == ("It fires, and nobody is told of it now: another alert explains it.")
    assert f'<a href="/alerts/{down}"><bdi>the zone is away</bdi></a>' in page
    assert "1 of them is kept quiet." in title(await operator.see("/alerts"))
    now = calm.clock.now()
    (disk, other) = await hand_in(calm, *WEB)
    wanted = Wanted(
        (Matcher("instance", "=", "web-1"),), now, now + timedelta(hours=1), "operator",
        "the disk is being replaced",
    )  # fmt: skip
    made = await calm.database.write(lambda tx: silences.put(tx, now, book.id, wanted, "account:1"))
    page = await operator.see(f"/alerts/{disk}")
    assert says(page) == "It fires, and nobody is told of it now: it is silenced."
    assert f'href="/silences#silence-{made.uuid}"' in page
    assert "the disk is being replaced (operator)" in page
    assert "silenced" not in says(await operator.see(f"/alerts/{other}"))
    korean = await enter(calm, "operator", "ko")
    assert "무음 처리됨" in says(await korean.see(f"/alerts/{disk}"))


async def test_an_alert_of_ours_shows_its_rule_and_the_check_it_is_behind(
    trouble: Rig, enter: Enter
) -> None:
    await open_shop(trouble)
    change = status.update().where(status.c.check_id == "checkout").values(behind="front")
    await trouble.database.write(lambda tx: tx.execute(change))
    operator = await enter(trouble)
    page = await operator.see("/alerts/1")
    assert "The rule “Payment API is slow” is met." in page
    assert '<a href="/checks/shop/checkout">Payment API answers</a>' in page
    assert '<a href="/checks/shop/front"><bdi>Front page</bdi></a>' in page
    assert 'href="/book/shop/runbooks/restart-payments"' in page


async def test_a_draft_is_asked_what_it_would_do_before_it_is_published(
    calm: Rig, enter: Enter, tmp_path: Path
) -> None:
    files = FILES | {"book.yaml": GUARDED, "people.yaml": PEOPLE, "rota.yaml": ROTA}
    await follow(calm, tmp_path / "book", files)
    (disk, _) = await hand_in(calm, *WEB)
    operator = await enter(calm)
    now = await operator.see(f"/alerts/{disk}")
    assert "Route to Responder" in now
    assert "draft" not in text(now)
    other = ALERTING.replace("to: [responder]", "to: [approver, operator]")
    await operator.send("/book/shop/edit?path=alerting.yaml", "/edit/text", text=other)
    page = await operator.see(f"/alerts/{disk}")
    assert "Route to Responder" in page, "a draft changes nothing by being there"
    draft = re.findall(rf'href="/alerts/{disk}\?draft=(\d+)"', page)[0]
    page = await operator.see(f"/alerts/{disk}?draft={draft}")
    assert f"This is what would happen with draft {draft}." in page
    assert "Route to Approver, Operator" in page
    assert "Route to Responder" not in page
    assert "2 receivers hear of it" in says(page)
    assert "Route to Responder" in await operator.see(f"/alerts/{disk}")
    await operator.send(
        f"/book/shop/edit?path=alerting.yaml&draft={draft}", "/edit/text",
        text=other.replace("as: notify", "as: shouting"),
    )  # fmt: skip
    page = await operator.see(f"/alerts/{disk}?draft={draft}")
    assert f"Draft {draft} would not run as it stands" in page
    assert "Route to Responder" in page
    viewer = await enter(calm, "viewer")
    page = await viewer.see(f"/alerts/{disk}?draft={draft}")
    assert "draft" not in text(page), "who may not write the book is not told of drafts"
    assert (await operator.client.get(f"/alerts/{disk}?draft=999")).status_code == 404


async def test_a_thousand_alerts_are_a_page_that_can_be_read(calm: Rig, enter: Enter) -> None:
    await open_shop(calm)
    many = [
        {"alertname": "Disk", "severity": "P2", "team": "web", "instance": f"web-{n:04}"}
        for n in range(700)
    ]  # fmt: skip
    lone = [{"alertname": f"Odd{n:03}", "severity": "P3"} for n in range(300)]
    await hand_in(calm, *many, *lone)
    operator = await enter(calm)
    page = await operator.see("/alerts")
    assert title(page).startswith("1000 alerts fire.")
    assert shown(page) == 200
    assert "110 more alerts fire and are not shown here." in page
    assert "690 more in this group" in page
    assert len(page) < 300_000
    whole = unescape(re.findall(r'href="(/alerts\?match=[^"]+)"', page)[0])
    page = await operator.see(whole)
    assert title(page) == "700 alerts fire."
    assert shown(page) == 200
    page = await operator.see('/alerts?match=instance="web-0042"')
    assert title(page) == "1 alert fires."
    assert shown(page) == 1
    assert title(await operator.see("/alerts?match=instance=nothing")) == "No such alert fires."
    page = await operator.see('/alerts?match=instance="web')
    assert "a quotation mark is not closed" in page
    assert 'value="instance=&#34;web"' in page
    korean = await enter(calm, "operator", "ko")
    assert "따옴표가 닫히지 않았습니다" in await korean.see('/alerts?match=instance="web')


HOSTILE = {
    "alertname": "<script>alert(1)</script>",
    "severity": "P2",
    "html": '"><img src=x onerror=alert(1)>',
    "turned": "\u202egnp.exe",
    "long": "x" * 10_240,
    "l" * 500: "a long name",
    **{f"label_{n}": f"value {n}" for n in range(40)},
}


async def test_whatever_others_send_stays_in_its_place(calm: Rig, enter: Enter) -> None:
    await open_shop(calm)
    notes = {"description": "y" * 10_240, "runbook": "javascript:alert(1)"}
    (bad, bare) = await hand_in(
        calm, HOSTILE, {"severity": "P2", "instance": "z"}, annotations=notes,
        link="javascript:alert(1)",
    )  # fmt: skip
    operator = await enter(calm)
    page = await operator.see("/alerts")
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "more labels" in page
    assert len(page) < 40_000
    page = await operator.see(f"/alerts/{bad}")
    assert "<script>alert" not in page
    assert 'href="javascript:' not in page
    assert "<bdi>\u202egnp.exe</bdi>" in page
    assert "10240 characters" in page
    assert "x" * 10_240 in page, "the whole value is there, folded"
    assert title(await operator.see(f"/alerts/{bare}"))
    page = await operator.see(f"/silences?alert={bad}")
    assert "label_1=" in page


async def test_an_alert_without_a_summary_goes_by_its_name(calm: Rig, enter: Enter) -> None:
    await open_shop(calm)
    (named,) = await hand_in(calm, {"alertname": "QueueLong", "severity": "P2"})
    operator = await enter(calm)
    assert title(await operator.see(f"/alerts/{named}")).endswith("P2 · QueueLong")
    assert "QueueLong" in await operator.see("/alerts")


async def test_who_may_not_read_alerts_is_told_which_role_may(calm: Rig, enter: Enter) -> None:
    await open_shop(calm)
    (down,) = await hand_in(calm, P1)
    responder = await enter(calm, "responder")
    answer = await responder.client.get("/alerts")
    assert answer.status_code == 403
    assert "alerts:read" in answer.text
    assert (await responder.client.get(f"/alerts/{down}")).status_code == 404
    assert 'href="/alerts"' not in await responder.see("/checks")
    viewer = await enter(calm, "viewer")
    page = await viewer.see(f"/alerts/{down}")
    assert "/silences?alert=" not in page, "no button for what would be refused"
    assert "acknowledge incident 1" in says(page)


async def test_older_ones_are_reached_however_many_fire(calm: Rig, enter: Enter) -> None:
    await open_shop(calm)
    gone = [{"alertname": f"Gone{n:02}", "severity": "P3"} for n in range(40)]
    await hand_in(calm, *gone)
    await hand_in(calm, *gone, ends=-timedelta(seconds=5))
    await hand_in(calm, *({"alertname": f"On{n:02}", "severity": "P3"} for n in range(40)))
    operator = await enter(calm)
    page = await operator.see("/alerts")
    assert "Gone39" in page
    assert "Gone05" not in page
    older = re.findall(r'href="(/alerts\?before=\d+)"', page)[0]
    assert "Gone05" in await operator.see(older)


@pytest.mark.parametrize("language", ["ko", "en"])
async def test_the_pages_open_on_an_empty_site(empty: Rig, enter: Enter, language: str) -> None:
    await open_shop(empty)
    operator = await enter(empty, "operator", language)
    for path in ("/alerts", "/alerts?before=9", "/silences", "/intake"):
        page = await operator.see(path)
        assert title(page)
        assert "%(" not in page.split("<main")[1]
    assert (await operator.client.get("/alerts/1")).status_code == 404


@pytest.mark.parametrize(
    ("look", "size", "language"), [("light", WIDE, "en"), ("dark", PHONE, "ko")]
)
async def test_hostile_and_many_alerts_are_accessible_and_fit_the_screen(
    calm: Rig, enter_browser: Open, look: str, size: Any, language: str
) -> None:
    beat = "heartbeats: {out: {title: Elsewhere, url: 'https://watch.example.org/x'}}\n"
    await open_shop(calm, **{"alerting.yaml": ALERTING + beat})
    await hand_in(calm, P1, *WEB, HOSTILE, {**HOSTILE, "team": "web"})
    slow = {"alertname": "Slow", "severity": "P2", "zone": "a"}
    (behind,) = await hand_in(calm, slow, annotations={"long": "word " * 2000})
    page = await enter_browser(calm, look=look, size=size, language=language)
    wrong: dict[str, Any] = {}
    paths = [f"/alerts/{n}" for n in (1, 2, 4, behind)]
    for path in ("/alerts", "/alerts?match=x", *paths, "/silences?alert=4", "/intake"):
        await page.goto(path)
        for fold in await page.locator("details > summary:visible").all():
            await fold.click()
        too_wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if found := [*await faults(page), *([f"too wide by {too_wide}"] if too_wide > 0 else [])]:
            wrong[path] = found
    assert wrong == {}
    assert page.anger == []  # type: ignore[attr-defined]


async def test_the_key_for_alerts_leads_there(calm: Rig, enter_browser: Open) -> None:
    page = await enter_browser(calm)
    await page.keyboard.press("g")
    await page.keyboard.press("l")
    await page.wait_for_url("**/alerts")
