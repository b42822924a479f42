"""What is wrong is said where it is first met: in the check's words, with its limit."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from opsbook.alerts.pipeline import grouping, routing, telling
from opsbook.alerts.pipeline.model import RULES, Alert
from opsbook.alerts.tables import alert
from opsbook.base.database import EPOCH
from opsbook.base.quantities import parse_band
from opsbook.book import load
from opsbook.checks.tables import observation, status
from opsbook.incidents.words import page_text
from opsbook.web import checks, readings, words
from opsbook.web.i18n import Speech
from tests.web import cast
from tests.web.alerting import FILES, hand_in, open_shop, text
from tests.web.conftest import Enter
from tests.web.rig import Rig, vocabulary

EN, KO = Speech("en"), Speech("ko")
SHOP = load(cast.FILES, vocabulary())


def row(state: str, value: float | None, message: str = "") -> readings.Row:
    """The checkout check (warning > 250 ms, critical > 1 s) as it was seen."""
    seen = {
        "state": state, "value": value, "unit": "ms", "message": message, "since": EPOCH,
        "at": EPOCH, "behind": "", "flapping": False,
    }  # fmt: skip
    return readings.row(EN, SHOP, SHOP.checks["checkout"], seen)


@pytest.mark.parametrize(
    ("state", "value", "limit"),
    [
        ("ok", 130.0, "limit 250 ms"),
        ("warning", 300.0, "limit 250 ms"),
        ("critical", 1900.0, "limit 1 s"),
        ("critical", 1.9, ""),  # the answer was wrong, not late
        ("critical", None, ""),
        ("nodata", None, ""),
    ],
)
def test_a_limit_is_told_where_the_value_is_over_it(
    state: str, value: float | None, limit: str
) -> None:
    assert row(state, value).limit == limit


def test_limits_read_as_limits_in_both_languages() -> None:
    assert words.limit(EN, parse_band("< 30d")) == "at least 30 d"
    assert words.limit(KO, parse_band("> 60s")) == "기준 60초"
    assert words.limit(EN, parse_band("!= 0")) == "wanted 0"
    assert words.limit(EN, parse_band("20ms..80ms")) == "bad at 20 ms – 80 ms"
    assert words.limit(EN, None) == ""


def test_lengths_of_time_are_korean_in_korean() -> None:
    assert words.value(KO, 876, "s") == "14.6분"
    assert words.value(KO, 5 * 86400, "s") == "5일"
    assert words.band(KO, parse_band("> 60s")) == "> 60초"
    assert words.value(KO, 412, "ms") == "412 ms"
    assert words.value(KO, 3, "/s") == "3/s"
    assert words.value(EN, 876, "s") == "14.6 min"


async def see_wrong(rig: Rig, value: float | None, message: str) -> None:
    """Let the checkout check have seen this last."""
    mine = status.c.check_id == "checkout"
    change = status.update().where(mine).values(value=value, unit="ms", message=message)
    await rig.database.write(lambda tx: tx.execute(change))


async def test_an_incident_on_today_says_why_and_not_only_how_long_it_took(
    trouble: Rig, enter: Enter
) -> None:
    await see_wrong(trouble, 1.9, 'status is "down"; expected "up"')
    operator = await enter(trouble)
    for path in ("/", "/incidents"):
        page = text(await operator.see(path))
        assert 'Payment API answers 1.9 ms: status is "down"; expected "up"' in page
    await see_wrong(trouble, 2980.0, "slow answer")
    page = text(await operator.see("/"))
    assert "Payment API answers 2.98 s (limit 1 s): slow answer" in page


async def test_the_list_of_alerts_says_what_the_check_says_and_who_has_it(
    trouble: Rig, enter: Enter
) -> None:
    await open_shop(trouble)
    change = sa.update(alert).where(alert.c.check_id == "checkout").values(message="1 backend away")
    await trouble.database.write(lambda tx: tx.execute(change))
    page = await (await enter(trouble)).see("/alerts")
    assert "2.98 s · 1 backend away" in page
    assert "incident 1 · unanswered</a>" in page


async def test_what_is_over_is_not_said_to_be_met(trouble: Rig, enter: Enter) -> None:
    await open_shop(trouble)
    over = {"state": "resolved", "resolved_at": trouble.clock.now(), "message": "0 lines matched"}
    change = sa.update(alert).where(alert.c.check_id == "checkout").values(**over)
    await trouble.database.write(lambda tx: tx.execute(change))
    page = text(await (await enter(trouble)).see("/alerts/1"))
    assert "It is over. There is nothing to do." in page
    assert "The rule “Payment API is slow” was met." in page
    assert "at its end: 2.98 s · 0 lines matched" in page
    assert "is met" not in page


async def test_a_check_tells_the_state_it_had_at_first(trouble: Rig, enter: Enter) -> None:
    operator = await enter(trouble)
    page = await operator.see("/checks/shop/checkout")
    changes = text("<main" + page.split('id="changes"')[1].split("</section>")[0])
    assert [one for one in ("critical", "warning", "ok") if one in changes] == [
        "critical", "warning", "ok",
    ]  # fmt: skip
    assert "before" not in changes
    older = (
        sa.update(observation)
        .where(observation.c.check_id == "checkout", observation.c.state == "ok")
        .values(at=trouble.clock.now() - timedelta(days=2))
    )
    await trouble.database.write(lambda tx: tx.execute(older))
    page = await operator.see("/checks/shop/checkout")
    changes = text("<main" + page.split('id="changes"')[1].split("</section>")[0])
    assert "before " in changes
    assert "ok" not in changes


def test_what_a_check_is_made_of_is_written_as_people_write() -> None:
    assert checks._written(EN, {"status": "up", "queue": {"least": 3}}) == (
        "status: up, queue: least: 3"
    )
    assert checks._written(EN, [200, 204]) == "200, 204"
    assert checks._written(KO, True) == "예"


def test_a_rule_without_a_hold_is_not_one_for_nothing() -> None:
    shop = load(
        {name: told.replace("for: 3m", "for: 0") for name, told in FILES.items()}, vocabulary()
    )
    found = [
        one["says"] for check in shop.checks.values() for one in checks._rules(EN, shop, check)
    ]
    assert any("as soon as" in one for one in found)
    assert any(one.endswith("for 10 min") for one in found)
    assert not any("for 0 s" in one for one in found)


def made(n: int, severity: str, **more: Any) -> Alert:
    """An alert of the group ``Disk``."""
    return Alert(
        id=n, book="shop", source=RULES, fingerprint=str(n),
        labels={"alertname": "Disk", "instance": f"web-{n}"}, annotations=more, link="",
        starts_at=EPOCH, ends_at=None, updated_at=EPOCH, severity=severity,
        summary={"ko": f"디스크 {n}", "en": f"Disk {n}"},
    )  # fmt: skip


def test_a_message_has_a_line_for_each_alert_the_worst_first() -> None:
    alerts = [made(1, "P3"), made(2, "P1", description="99 %\nof  /data"), made(3, "P2")]
    group = grouping.begun(routing.root(SHOP), alerts[0], EPOCH)
    title, body = telling.words(SHOP, telling.News(group, alerts, EPOCH, "x"))
    assert title["en"] == "P1 Disk 2 and 2 more"
    assert body["en"].split("\n") == [
        "P1 Disk 2 · web-2 · 99 % of /data", "P2 Disk 3 · web-3", "P3 Disk 1 · web-1",
    ]  # fmt: skip
    many = [made(n, "P3") for n in range(1, 9)]
    _, body = telling.words(SHOP, telling.News(group, many, EPOCH, "x"))
    assert body["en"].split("\n")[-1] == "and 3 more"
    assert body["ko"].split("\n")[-1] == "외 3건"


async def test_the_inbox_keeps_the_lines_of_a_message_apart(trouble: Rig, enter: Enter) -> None:
    page = await (await enter(trouble)).see("/inbox")
    assert '<p class="said-so">' in page


def test_a_page_is_cut_between_alerts_and_says_how_many_are_missing() -> None:
    incident = {"severity": "P1", "title": {"en": "Down", "ko": "중단"}}
    rows = [
        {"state": "firing", "severity": severity, "summary": {"en": f"{severity} {'x' * 100}"},
         "value": None, "unit": "", "message": "", "annotations": {}}
        for severity in ("P3", "P1", "P2")
    ]  # fmt: skip
    _, body = page_text(incident, rows)
    lines = body["en"].split("\n")
    assert [one[:2] for one in lines] == ["P1", "P2", "an"]
    assert lines[-1] == "and 1 more"
    same = {**rows[0], "summary": {"en": "Down"}, "message": "Down"}
    assert page_text(incident, [same])[1]["en"] == "", "the title says it already"


async def test_a_message_of_a_stranger_is_not_said_twice(calm: Rig, enter: Enter) -> None:
    await open_shop(calm)
    given = {"alertname": "Odd", "severity": "P3"}
    (odd,) = await hand_in(calm, given, annotations={"summary": "It is odd"})
    page = (await (await enter(calm)).see(f"/alerts/{odd}")).split('id="why"')[1]
    assert "It is odd" not in page.split('class="way"')[0]
