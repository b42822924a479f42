"""Intake: how each kind of sender is pointed here, what came last, what was refused."""

import asyncio
from html import unescape
from typing import get_args

import pytest
import yaml

from opsbook.alerts.intake import accepting
from opsbook.book.sections.intakes import IntakeKind
from opsbook.web import senders
from tests.support.servers import free_port
from tests.web.alerting import ALERTING, hand_in, open_shop, text
from tests.web.conftest import Enter
from tests.web.rig import Rig
from tests.web.test_pages import title

EVERY = """
  am: {kind: webhook, title: Elsewhere, token: "env:A"}
  grafana: {kind: grafana, title: Grafana, token: "env:B"}
  sentry: {kind: sentry, title: Sentry, token: "env:C"}
  aws: {kind: cloudwatch, title: CloudWatch, token: "env:D", topics: ["arn:aws:sns:eu-west-1:123456789012:alarms"]}
  relic: {kind: newrelic, title: New Relic, token: "env:E"}
  pager: {kind: pagerduty, title: An old watcher, token: "file:/etc/opsbook/key"}
  queue: {kind: json, title: The queue, token: "env:F", fields: {name: name}}
"""  # noqa: E501


def written(page: str, door: str) -> str:
    """What a page says to write for a door."""
    part = page.split(f'id="door-shop-{door}"')[1]
    return unescape(part.split('<pre tabindex="0">')[1].split("</pre>")[0])


async def test_each_kind_of_sender_is_told_what_to_write(calm: Rig, enter: Enter) -> None:
    await open_shop(calm, **{"alerting.yaml": ALERTING + EVERY})
    operator = await enter(calm)
    page = await operator.see("/intake")
    assert set(senders.HOWS) == set(get_args(IntakeKind))
    prometheus = yaml.safe_load(written(page, "prometheus"))
    (one,) = prometheus["alerting"]["alertmanagers"]
    host = calm.url.removeprefix("http://")
    assert one["path_prefix"] == "/in/shop/prometheus"
    assert one["static_configs"] == [{"targets": [host]}]
    assert "credentials_file" in one["authorization"]
    (hook,) = yaml.safe_load(written(page, "am"))["receivers"][0]["webhook_configs"]
    assert hook["url"] == f"{calm.url}/in/shop/am"
    assert "authorization" in hook["http_config"]
    (bare,) = yaml.safe_load(written(page, "here"))["receivers"][0]["webhook_configs"]
    assert bare == {"url": f"{calm.url}/in/shop/here", "send_resolved": True}
    assert f"http://opsbook:TOKEN@{host}/in/shop/aws" in written(page, "aws")
    assert f"{calm.url}/in/shop/pager/v2/enqueue" in written(page, "pager")
    for door in ("grafana", "sentry", "relic", "queue"):
        assert f"{calm.url}/in/shop/{door}" in written(page, door)
    assert "The token is what file:/etc/opsbook/key refers to" in page
    assert "%(" not in page.split("<main")[1]


async def test_what_is_written_is_what_lets_a_sender_in(
    calm: Rig, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "open sesame")
    await open_shop(calm)
    operator = await enter(calm)
    assert title(await operator.see("/intake")) == "2 intakes have received nothing yet."
    (one,) = yaml.safe_load(written(await operator.see("/intake"), "prometheus"))["alerting"][
        "alertmanagers"
    ]
    address = (
        f"{one['scheme']}://{one['static_configs'][0]['targets'][0]}{one['path_prefix']}"
        "/api/v2/alerts"
    )
    alert = [{"labels": {"alertname": "Disk", "severity": "P2"}}]
    wrong = await operator.client.post(
        address, json=alert, headers={"Authorization": "Bearer close sesame"}
    )
    assert wrong.status_code == 401
    right = await operator.client.post(
        address, json=alert, headers={"Authorization": "Bearer open sesame"}
    )
    assert right.status_code == 200
    page = await operator.see("/intake")
    assert "1 accepted" in page
    assert "last received just now" in text(page)
    assert "open sesame" not in page
    assert "close sesame" not in page


async def test_a_door_that_refuses_says_why_and_remembers_it_when_it_takes_again(
    calm: Rig, enter: Enter
) -> None:
    await open_shop(calm)
    await hand_in(calm, {"alertname": "Disk"})
    now = calm.clock.now()
    why = "the token is wrong <b>"
    await calm.database.write(
        lambda tx: accepting.accept(tx, now, "shop", "prometheus", [], refused=3, error=why)
    )
    operator = await enter(calm)
    page = await operator.see("/intake")
    assert title(page) == "1 intake refused what came last. 1 intake has received nothing yet."
    assert "the token is wrong &lt;b&gt;" in page
    assert "3 refused" in page
    await asyncio.sleep(0.01)
    await hand_in(calm, {"alertname": "Disk"})
    page = await operator.see("/intake")
    assert "the token is wrong &lt;b&gt;" in page, "3 refused says nothing without the reason"
    assert title(page) == "1 intake has received nothing yet."


async def test_a_batch_of_which_some_was_taken_says_why_the_rest_was_not(
    calm: Rig, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "open sesame")
    await open_shop(calm)
    operator = await enter(calm)
    batch = [
        {"labels": {"alertname": "Good", "unseen": "bell\u0007 \u202eback"}},
        {"labels": {"alertname": "Back"}, "startsAt": "2027-01-01T00:00:00Z",
         "endsAt": "2026-01-01T00:00:00Z"},
        {"labels": {"alertname": 7}, "startsAt": "noon"},
    ]  # fmt: skip
    headers = {"Authorization": "Bearer open sesame"}
    address = f"{calm.url}/in/shop/prometheus/api/v2/alerts"
    answer = await operator.client.post(address, json=batch, headers=headers)
    assert answer.status_code == 400
    back = "alert 1: start time must be before end time: startsAt is 2027-01-01T00:00:00.000Z"
    assert back in answer.json()
    assert "alert 2: labels.alertname is 7, and not text (put it in quotes)" in answer.json()
    form = {**headers, "Content-Type": "text/html"}
    assert (await operator.client.post(address, content="x", headers=form)).status_code == 415
    for _ in range(100):
        await asyncio.sleep(0.05)
        if "3 refused" in (page := await operator.see("/intake")):
            break
    assert "1 accepted" in page
    assert "The Content-Type is &#39;text/html&#39;" in page
    await calm.dispatcher.tick(calm.clock.now())
    found = (await operator.client.get(address, headers=headers)).json()
    assert [one["labels"].get("unseen") for one in found] == ["bell\ufffd \ufffdback"]


async def test_signs_of_life_say_what_came_of_them(calm: Rig, enter: Enter) -> None:
    operator = await enter(calm)
    assert "Nobody outside would notice" in await operator.see("/intake")
    port = free_port()
    beat = f"""
heartbeats:
  out: {{title: The watcher elsewhere, url: "http://127.0.0.1:{port}/beat", loopback: true}}
"""
    await open_shop(calm, **{"alerting.yaml": ALERTING + beat})
    page = await operator.see("/intake")
    assert "The watcher elsewhere" in page
    assert "not told since the start" in page
    calm.loops.add("heartbeats", calm.hearts.tick)
    await calm.hearts.tick(calm.clock.now())
    while (last := calm.hearts.last("shop", "out")) is None:
        await asyncio.sleep(0.01)
    page = await operator.see("/intake")
    assert last.error
    assert title(page).endswith("1 sign of life is not taken.")
    assert "never taken since the start" in page

    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(taken, "127.0.0.1", port)
    async with server:
        while last is not None and last.error:
            calm.hearts._due.clear()
            await calm.hearts.tick(calm.clock.now())
            await asyncio.sleep(0.02)
            last = calm.hearts.last("shop", "out")
    page = await operator.see("/intake")
    assert "told just now" in text(page)
    assert "sign of life is not taken" not in page


async def test_who_may_not_read_the_book_is_not_told_where_tokens_are(
    calm: Rig, enter: Enter
) -> None:
    people = calm.library.current("shop").files["people.yaml"]
    only = people.replace('viewer: ["*:read"]', 'viewer: ["alerts:read"]')
    await open_shop(calm, **{"people.yaml": only})
    viewer = await enter(calm, "viewer")
    page = await viewer.see("/intake")
    assert "SHOP_TOKEN" not in page
    assert "How to send here" in page
    responder = await enter(calm, "responder")
    assert (await responder.client.get("/intake")).status_code == 403
