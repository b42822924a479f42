"""The form that starts a runbook: typed fields, every fault beside its own, and the plan."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.async_api import Browser, async_playwright

from opsbook.runs.tables import run
from opsbook.web.visit import SESSION
from tests.support.servers import CHROMIUM_ARGUMENTS, needs
from tests.web import cast
from tests.web import rig as sites
from tests.web.conftest import Enter
from tests.web.rig import Rig
from tests.web.test_browser import PHONE, WIDE, faults

CUT_OVER = """---
id: cut-over
title: {ko: 데이터베이스 전환, en: Cut over}
risk: dangerous
lock: database
params:
  version: {choices: ["15", "16"], default: "16", title: {ko: 판, en: Version}}
  shops: {type: list, default: [seoul, busan]}
  regions: {type: list, choices: [kr, jp, us], default: [kr]}
  pause: {type: duration, default: 30s, range: [1s, 10m]}
  room: {type: size, required: false}
  dump: {type: path, under: /backups}
  count: {type: integer, range: [1, 9], default: 3}
  careful: {type: boolean, default: true}
  password: {secret: true}
---
# Cut over
## A week before {phase=D-7}
```bash {#size effect=read save=rows}
wc -l < "$dump"
```
```approval {#may by=release_manager within=2d}
May it be replaced?
```
## On the day {phase="D-Day 22:00"}
```bash {#move each=shops}
./move "$item" "$version" "$password"
```
```bash {#slow when="careful == false"}
sleep 1
```
## Back {.rollback of=move}
```bash {#back}
./back "$version"
```
"""
PATH = "/book/shop/runbooks/cut-over"
GOOD = {
    "param-dump": "/backups/a.dump", "param-password": "open sesame 9",
    "param-regions": "kr", "param-careful": "true", "param-version": "16",
    "param-shops": "seoul\r\nbusan, incheon", "day": "2027-03-31",
}  # fmt: skip


@pytest.fixture
async def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """The shop with a runbook that takes every type of parameter."""
    monkeypatch.setitem(cast.FILES, "runbooks/cut-over.md", CUT_OVER)
    async with sites.serving(tmp_path / "data", sites.calm) as rig:
        yield rig


async def test_every_type_of_parameter_has_a_field_that_fits(shop: Rig, enter: Enter) -> None:
    page = await (await enter(shop)).see(f"{PATH}/start")
    assert '<select id="param-version"' in page
    assert "<option selected>16</option>" in page
    assert ">seoul\nbusan</textarea>" in page
    assert 'type="checkbox" name="param-regions" value="kr" checked' in page
    assert 'type="checkbox" name="param-regions" value="jp">' in page
    assert 'id="param-careful" name="param-careful" value="true" checked' in page
    assert 'type="number" step="1" min="1" max="9" value="3"' in page
    assert 'placeholder="/backups/…"' in page
    assert 'name="param-password" type="password" autocomplete="new-password"' in page
    assert 'id="day" name="day" type="date"' in page
    assert "from 1s to 10m" in page
    assert "Still needed: dump, password" in page


async def test_a_form_that_nobody_has_touched_scolds_nobody(shop: Rig, enter: Enter) -> None:
    page = await (await enter(shop)).see(f"{PATH}/start")
    assert 'class="wrong"' not in page
    assert "is required" not in page


async def test_the_plan_is_shown_without_javascript_and_nothing_is_started(
    shop: Rig, enter: Enter
) -> None:
    operator = await enter(shop)
    page = await operator.send(f"{PATH}/start", "/plan", **GOOD)
    assert "seoul, busan, incheon" in page
    assert "once for each of shops: 3 times" in page
    assert "2027-03-24 00:00" in page
    assert "2027-03-31 22:00" in page
    assert "is left out: not careful == false" in page
    assert "./move &#34;$item&#34; &#34;$version&#34; &#34;$password&#34;" in page
    assert "release_manager · Operator, Approver · within 2 d" in page
    assert "It takes the lock database, which is free now." in page
    assert "undoes move" in page
    count = sa.select(sa.func.count()).select_from(run).where(run.c.runbook == "cut-over")
    assert await shop.database.read(lambda tx: tx.scalar(count)) == 0


async def test_the_start_button_says_what_it_will_do(shop: Rig, enter: Enter) -> None:
    operator, korean = await enter(shop), await enter(shop, "operator", "ko")
    page = await operator.send(f"{PATH}/start", "/plan", **GOOD)
    assert "Start: 1 step changes something, 1 approval by release_manager<" in page
    page = await operator.send(f"{PATH}/start", "/plan", **{**GOOD, "param-careful": ""})
    assert "Start: 2 steps change something, 1 approval" in page
    page = await korean.send(f"{PATH}/start", "/plan", **GOOD)
    assert "시작: 1단계 변경, release_manager 승인 1회<" in page
    morning = await operator.see("/book/shop/runbooks/morning/start")
    assert "Start: changes nothing, 1 step by hand<" in morning


async def test_a_secret_is_never_sent_back(shop: Rig, enter: Enter) -> None:
    operator = await enter(shop)
    page = await operator.send(f"{PATH}/start", "/plan", **GOOD)
    assert "open sesame" not in page
    assert "••••" in page
    assert "Type it again" in page
    answer = await operator.client.post(
        f"{PATH}/start", data={**GOOD, "named": "not it", "form_token": token(page)}
    )
    assert answer.status_code == 422
    assert "open sesame" not in answer.text


def token(page: str) -> str:
    return page.rpartition('name="form_token" value="')[2].partition('"')[0]


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_everything_wrong_is_said_at_once_beside_its_own_field(
    shop: Rig, enter: Enter, language: str
) -> None:
    operator = await enter(shop, "operator", language)
    page = await operator.see(f"{PATH}/start")
    bad = {
        "form_token": token(page), "param-count": "12", "param-pause": "soon", "param-room": "big",
        "param-dump": "/etc/passwd", "param-version": "14", "param-regions": "kr",
        "day": "the ides of march", "named": "cut-over", "param-careful": "true",
    }  # fmt: skip
    answer = await operator.client.post(f"{PATH}/start", data=bad)
    assert answer.status_code == 422
    said = {
        "count": ("outside its range", "범위를 벗어납니다"),
        "pause": ("is not a duration such as 30s or 1h30m", "30s"),
        "room": ("is not a size", "4Gi, 20GB 같은 크기"),
        "dump": ("does not lie in /backups", "/backups 아래에 있지 않습니다"),
        "version": ("not one of its choices", "고를 수 있는 값이 아닙니다"),
        "password": ("is required", "값이 필요합니다"),
    }
    for name, words in said.items():
        hint = answer.text.split(f'<span id="param-{name}-hint"')[1].split("</span>")[0]
        assert words[language == "ko"] in hint, (name, hint)
    assert ("not a date" if language == "en" else "날짜로 입력") in answer.text
    assert 'value="12"' in answer.text
    assert 'aria-invalid="true"' in answer.text


async def test_a_number_that_is_none_stays_as_it_was_typed(shop: Rig, enter: Enter) -> None:
    page = await (await enter(shop)).send(
        f"{PATH}/start", "/plan", **{**GOOD, "param-count": "many"}
    )
    assert 'name="param-count" value="many"' in page


async def test_a_list_reaches_the_run_as_one_value_whichever_way_it_was_typed(
    shop: Rig, enter: Enter
) -> None:
    operator = await enter(shop)
    page = await operator.see(f"{PATH}/start")
    data = {
        **GOOD, "form_token": token(page), "named": "cut-over",
        "param-regions": ["kr", "us"],
    }  # fmt: skip
    answer = await operator.client.post(f"{PATH}/start", data=data, follow_redirects=False)
    assert answer.status_code == 303, answer.text[:500]
    row = await shop.database.read(
        lambda tx: tx.row(sa.select(run).where(run.c.runbook == "cut-over"))
    )
    assert row is not None
    assert row["params"]["shops"] == "seoul,busan,incheon"
    assert row["params"]["regions"] == "kr,us"
    assert row["day"] == "2027-03-31"
    assert "open sesame 9" not in str(row)


async def test_who_may_not_start_sees_no_form_and_no_plan(shop: Rig, enter: Enter) -> None:
    viewer = await enter(shop, "viewer")
    assert (await viewer.client.get(f"{PATH}/start")).status_code == 404
    page = await viewer.see("/profile")
    answer = await viewer.client.post(f"{PATH}/plan", data={"form_token": token(page)})
    assert answer.status_code == 404


async def test_a_form_of_another_session_gets_no_plan(shop: Rig, enter: Enter) -> None:
    answer = await (await enter(shop)).client.post(f"{PATH}/plan", data=GOOD)
    assert answer.status_code in {400, 403}
    assert "open sesame" not in answer.text


# ---- in a browser -------------------------------------------------------------------------------


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    program = needs("chromium")
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(
            executable_path=str(program), args=CHROMIUM_ARGUMENTS
        )
        yield made
        await made.close()


@pytest.mark.parametrize(
    ("look", "size", "language"), [("light", WIDE, "en"), ("dark", PHONE, "ko")]
)
async def test_the_plan_follows_what_is_typed_and_the_page_stays_accessible(
    shop: Rig, browser: Browser, look: str, size: dict[str, int], language: str
) -> None:
    context = await browser.new_context(
        viewport=size, color_scheme=look, locale=language, base_url=shop.url  # type: ignore[arg-type]
    )  # fmt: skip
    cookie = {"name": SESSION, "value": await shop.session("operator"), "url": shop.url}
    await context.add_cookies([cookie])  # type: ignore[list-item]
    page = await context.new_page()
    anger: list[str] = []
    page.on("console", lambda said: anger.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: anger.append(str(error)))
    await page.goto(f"{PATH}/start")
    assert not await page.locator("[data-by-hand]").is_visible()
    await page.fill("#param-shops", "seoul, busan, jeju, daegu")
    await page.wait_for_selector("#plan >> text=jeju")
    await page.fill("#param-count", "12")
    await page.wait_for_selector("#param-count-hint .wrong")
    assert await page.get_attribute("#param-count", "aria-invalid") == "true"
    assert await page.locator(".wrong").count() == 1
    assert await page.evaluate("document.activeElement.id") == "param-count"
    await page.fill("#param-password", "open sesame 9")
    await page.wait_for_selector("#plan >> text=••••")
    assert "open sesame" not in await page.content()
    assert await page.input_value("#param-password") == "open sesame 9"
    await page.uncheck("#param-careful")
    told = "2 steps change" if language == "en" else "2단계 변경"
    await page.wait_for_selector(f"#go >> text={told}")
    assert await faults(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert anger == []
    await context.close()
