"""Silences in the browser: set from an alert, refused in words, recurring, ended."""

import re
from datetime import timedelta
from html import unescape

import pytest
import sqlalchemy as sa

from opsbook.alerts.tables import silence
from opsbook.audit.tables import entry
from tests.support.visitor import Visitor
from tests.web.alerting import hand_in, open_shop, text
from tests.web.conftest import Enter
from tests.web.rig import Rig
from tests.web.test_pages import title

DISK = {"alertname": "Disk", "severity": "P2", "team": "web", "instance": "web-1"}
OTHER = {**DISK, "instance": "web-2"}
WRONG = re.compile(r'<p class="wrong" id="(\w+)-wrong\d*">(.*?)</p>')


def typed(page: str) -> str:
    """What stands in the field for labels."""
    area = page.split('<textarea id="matchers"')[1].split(">\n", 1)[1]
    return unescape(area.split("</textarea>")[0])


def wrong(page: str) -> dict[str, str]:
    """What is said below each field."""
    return {name: unescape(said) for name, said in WRONG.findall(page)}


async def refused(visitor: Visitor, **fields: str) -> str:
    """Send a form that is to be refused; return the page."""
    page = await visitor.see("/silences")
    token = page.split('action="/silences">')[1].split('value="')[1].split('"')[0]
    data = {"form_token": token, "book": "shop", "length": "2h", **fields}
    answer = await visitor.client.post("/silences", data=data)
    assert answer.status_code == 422
    return answer.text


async def test_a_silence_from_an_alert_keeps_it_quiet_and_is_ended(calm: Rig, enter: Enter) -> None:
    await open_shop(calm)
    disk, other = await hand_in(calm, DISK, OTHER)
    operator = await enter(calm)
    page = await operator.see(f"/alerts/{disk}")
    assert f'href="/silences?alert={disk}#new"' in page
    page = await operator.see(f"/silences?alert={disk}")
    assert typed(page).split("\n") == [
        'alertname="Disk"', 'instance="web-1"', 'severity="P2"', 'team="web"',
    ]  # fmt: skip
    assert "1 of the 2 alerts that fire now has these labels." in page
    page = await operator.send(
        f"/silences?alert={disk}", "/silences", matchers='alertname="Disk"\r\ninstance="web-1",',
        length="90m", comment="the disk is replaced",
    )  # fmt: skip
    assert "Silenced." in page
    assert title(page) == "1 silence holds. 1 alert is quiet by them."
    assert "1 h 30 min left" in page or "1 h 29 min left" in page
    assert "set by operator" in page
    assert "1 of them is kept quiet." in title(await operator.see("/alerts"))
    page = await operator.send("/silences", "/expire")
    assert "The silence is over." in page
    assert title(page) == "Nothing is silenced."
    assert "the disk is replaced" in page, "what is over is still told for a week"
    assert "quiet" not in title(await operator.see("/alerts"))
    actions = sa.select(entry.c.action).where(entry.c.action.like("silence.%"))
    told = await calm.database.read(lambda tx: tx.rows(actions.order_by(entry.c.id)))
    assert [row["action"] for row in told] == ["silence.set", "silence.expired"]
    assert other


async def test_everything_wrong_is_said_at_once_and_the_form_stays_filled_in(
    calm: Rig, enter: Enter
) -> None:
    await open_shop(calm)
    operator = await enter(calm)
    page = await refused(
        operator, matchers='service="api"\r\nteam\r\nzone=~"["', length="soon", comment=" ",
        schedule="whenever", each="a while",
    )  # fmt: skip
    said = wrong(page)
    assert set(said) == {"matchers", "length", "comment", "schedule", "each"}
    assert "'team' is no matcher" in text(page)
    assert "no regular expression of RE2" in page
    assert "'soon' is not a duration" in said["length"]
    assert "no comment that says why" in said["comment"]
    assert "'whenever' is not a schedule" in said["schedule"]
    assert "Nothing is silenced yet." in page
    assert typed(page) == 'service="api"\r\nteam\r\nzone=~"["'.replace("\r\n", "\n")
    for value in ("soon", "whenever", "a while"):
        assert f'value="{value}"' in page
    assert page.count('aria-invalid="true"') == 5
    assert '<details class="fold" open>' in page
    count = sa.select(sa.func.count()).select_from(silence)
    assert await calm.database.read(lambda tx: tx.scalar(count)) == 0


@pytest.mark.parametrize("matchers", ["", 'team=~".*"', 'team!="web"', 'a=""\r\nb=~"x|"'])
async def test_a_silence_that_would_keep_everything_quiet_is_refused(
    calm: Rig, enter: Enter, matchers: str
) -> None:
    await open_shop(calm)
    operator = await enter(calm)
    page = await refused(operator, matchers=matchers, comment="quiet, please")
    assert re.search("would keep (everything quiet|all quiet)", wrong(page)["matchers"])
    korean = await enter(calm, "operator", "ko")
    page = await refused(korean, matchers=matchers, comment="조용히", length="0h")
    assert "모든 경보가 무음이 됩니다" in wrong(page)["matchers"]
    assert "기간이 0이거나" in wrong(page)["length"]


async def test_errors_are_said_in_korean(calm: Rig, enter: Enter) -> None:
    await open_shop(calm)
    korean = await enter(calm, "operator", "ko")
    page = await refused(
        korean, matchers='team="web', length="soon", comment="", schedule="every Sundy 02:00",
    )  # fmt: skip
    said = wrong(page)
    assert "따옴표가 닫히지 않았습니다" in said["matchers"]
    assert "기간이 아닙니다" in said["length"]
    assert "사유가 없습니다" in said["comment"]
    assert "일정이 아닙니다" in said["schedule"]
    assert "매번 이어지는 시간이 없습니다" in said["each"]
    main = page.split("<main")[1]
    assert "is not a" not in main
    assert "is no matcher" not in main


async def test_a_silence_that_comes_again_says_when_and_for_how_long(
    calm: Rig, enter: Enter
) -> None:
    await open_shop(calm)
    await hand_in(calm, DISK)
    operator = await enter(calm)
    page = await refused(
        operator, matchers='team="web"', comment="backups", length="90d",
        schedule="every Sunday 02:00",
    )  # fmt: skip
    assert wrong(page) == {"each": "it comes again without saying for how long each time"}
    page = await operator.send(
        "/silences", "/silences", matchers='team="web"', length="90d", comment="backups",
        schedule="every Sunday 02:00", each="2h",
    )  # fmt: skip
    assert "every Sunday 02:00 · 2 h" in page
    assert "for the last time before" in page
    row = await calm.database.read(lambda tx: tx.row(sa.select(silence)))
    assert row is not None
    assert (row["length_s"], row["timezone"]) == (7200, "Asia/Seoul")
    assert abs(row["ends_at"] - row["starts_at"] - timedelta(days=90)) < timedelta(minutes=1)


async def test_who_may_not_silence_sees_silences_and_no_form(calm: Rig, enter: Enter) -> None:
    await open_shop(calm)
    operator, viewer = await enter(calm), await enter(calm, "viewer")
    page = await operator.send(
        "/silences", "/silences", matchers='team="web"', comment="<b>disk</b>", length="2h"
    )
    assert "<b>disk" not in page
    path = re.findall(r'action="(/silences/[^"]+/expire)"', page)[0]
    page = await viewer.see("/silences")
    assert "&lt;b&gt;disk&lt;/b&gt;" in page
    assert 'id="matchers"' not in page
    assert "/expire" not in page
    token = page.split('name="form_token" value="')[1].split('"')[0]
    data = {"form_token": token, "book": "shop", "matchers": 'a="b"', "length": "2h"}
    answer = await viewer.client.post("/silences", data={**data, "comment": "x"})
    assert answer.status_code == 403
    answer = await viewer.client.post(path, data={"form_token": token})
    assert answer.status_code == 403
    assert title(await viewer.see("/silences")).startswith("1 silence holds.")
    responder = await enter(calm, "responder")
    assert (await responder.client.get("/silences")).status_code == 403
    token = (await responder.see("/")).split('name="form_token" value="')[1].split('"')[0]
    assert (await responder.client.post(path, data={"form_token": token})).status_code == 404


async def test_many_that_are_over_do_not_bury_the_form(calm: Rig, enter: Enter) -> None:
    await open_shop(calm)
    now = calm.clock.now()
    row = {
        "book": "shop", "matchers": [{"name": "a", "op": "=", "value": "b"}], "starts_at": now,
        "ends_at": now, "schedule": "", "length_s": 0, "timezone": "", "created_by": "amtool",
        "comment": "deploy", "created_at": now, "updated_at": now, "expired_by": "",
    }  # fmt: skip
    rows = [{**row, "uuid": f"0000-{n}"} for n in range(80)]
    await calm.database.write(lambda tx: tx.execute(sa.insert(silence), rows))
    operator = await enter(calm)
    page = await operator.see("/silences")
    assert page.count("amtool") == 50
    assert "30 more are not shown." in page
