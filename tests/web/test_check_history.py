"""A check's past: every span, zoom by links and by dragging, gaps, bands, and how it stands."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from opsbook.base.database import EPOCH, Transaction
from opsbook.book import Book, load
from opsbook.checks import store as checks
from opsbook.checks.rollups import HOUR, SECOND, Rollup
from opsbook.checks.tables import status
from opsbook.web import charts, past
from opsbook.web.charts import Stretch
from opsbook.web.i18n import Speech
from opsbook.web.visit import SESSION
from tests.web import cast, seed
from tests.web.alerting import open_shop, text
from tests.web.conftest import Enter
from tests.web.rig import Rig, vocabulary
from tests.web.test_browser import PHONE, Open, browser, enter_browser, faults
from tests.web.test_pages import title

__all__ = ["browser", "enter_browser"]
H = timedelta(hours=1)
PATH = "/checks/shop/checkout"


def hours(back: int, upto: int = 2, gap: range = range(0)) -> Callable[[Transaction], None]:
    """Rollups of an hour for the checkout, from so many hours back, but for a gap."""

    def put(tx: Transaction) -> None:
        newest = int(datetime.now(UTC).timestamp()) // HOUR
        rows = [
            Rollup((newest - n) * HOUR * SECOND, 120, 118, 0, int(n % 100 == 0) * 2, 0,
                   90.0, 400.0, 150.0, 260.0, "ms")
            for n in range(back, upto, -1)
            if n not in gap
        ]  # fmt: skip
        checks.put(tx, "shop", "checkout", HOUR, rows)

    return put


def data(page: str) -> dict[str, Any]:
    """What the script is given to draw."""
    block = re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    found: dict[str, Any] = json.loads(block[0])
    return found


async def test_every_span_shows_what_was_kept_of_it(trouble: Rig, enter: Enter) -> None:
    await trouble.database.write(hours(24 * 300))
    operator = await enter(trouble)
    seen = {}
    for span in past.SPANS:
        page = await operator.see(f"{PATH}?span={span}")
        given = data(page)
        seen[span] = len([one for one in given["state"] if one])
        assert given["until"] - given["since"] == past.SPANS[span][0].total_seconds()
        assert given["unit"] == "ms"
        assert 'class="chart"' in page
        assert f'href="{PATH}?span={span}" aria-current="true"' in page
        assert len(given["at"]) <= past.POINTS + 2
    assert seen["hour"] == 59
    assert seen["day"] > 30
    assert 160 <= seen["week"] <= 240
    assert seen["year"] > 250
    year = data(await operator.see(f"{PATH}?span=year"))
    assert max(one for one in year["most"] if one) > 2000, "a short peak stays to be seen"
    assert "critical" in year["state"]


async def test_zooming_by_links_needs_no_script(trouble: Rig, enter: Enter) -> None:
    await trouble.database.write(hours(24 * 30))
    operator = await enter(trouble)

    def links(page: str) -> dict[str, str]:
        part = page.split('class="tabs look-at further"')[1].split("</nav>", maxsplit=1)[0]
        found = re.findall(r'<a href="([^"]+)">([^<]+)</a>', part)
        return {word: unescape(path) for path, word in found}

    week = await operator.see(f"{PATH}?span=week")
    assert set(links(week)) == {"Earlier", "Closer", "Wider"}, "nothing is later than now"
    before = await operator.see(links(week)["Earlier"])
    first, second = data(week), data(before)
    assert second["until"] - second["since"] == pytest.approx(7 * 86400, abs=2)
    assert second["since"] < first["since"]
    assert set(links(before)) == {"Earlier", "Newer", "Closer", "Wider"}
    closer = data(await operator.see(links(before)["Closer"]))
    assert closer["until"] - closer["since"] == pytest.approx(3.5 * 86400, abs=2)
    assert closer["since"] > second["since"]
    wider = data(await operator.see(links(before)["Wider"]))
    assert wider["until"] - wider["since"] == pytest.approx(14 * 86400, abs=90000)


@pytest.mark.parametrize(
    "query",
    [
        "span=century", "since=5&until=2", "since=0&until=0", "since=1&until=99999999999999",
        "since=99999999999999&until=1", "since=5", "span=",
    ],
)  # fmt: skip
async def test_an_unreasonable_wish_is_moved_to_where_something_is(
    calm: Rig, enter: Enter, query: str
) -> None:
    operator = await enter(calm)
    page = await operator.see(f"{PATH}?{query}")
    assert title(page) == "Payment API answers" or "Payment API answers" in title(page)
    assert (await operator.client.get(f"{PATH}?since=-1&until=2")).status_code in {400, 404, 422}


def stretches(*offsets: int) -> list[Stretch]:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    return [Stretch(start + n * H, 1, 2, 3, 4, "ok", "ms") for n in offsets]


def test_time_without_looks_is_a_gap_and_not_a_line() -> None:
    points = past.with_gaps(stretches(0, 1, 2, 3, 4, 20, 21, 22, 23), timedelta(minutes=1))
    assert [one.state for one in points].count("") == 1
    drawn = charts.chart(points, [], points[0].at, points[-1].at, "ms", [], "x")
    mean = drawn.split('class="line mean" d="')[1].split('"')[0]
    assert mean.count("M") == 2
    assert drawn.count('class="range"') == 2
    assert drawn.count('class="bar ok"') == 2


def test_coarser_points_further_back_are_no_gaps() -> None:
    fine = [Stretch(one.at + 10 * H, 1, 2, 3, 4, "ok") for one in stretches(0)]
    near = [Stretch(fine[0].at + timedelta(minutes=5) * n, 1, 2, 3, 4, "ok") for n in range(1, 30)]
    points = past.with_gaps([*stretches(*range(10)), *fine, *near], timedelta(minutes=1))
    assert all(one.state for one in points)


def test_the_strip_has_one_bar_for_each_time_a_state_went_on() -> None:
    points = stretches(*range(6))
    points[2] = Stretch(points[2].at, None, None, None, None, "nodata")
    drawn = charts.chart(points, [], points[0].at, points[-1].at + H, "ms", [], "x")
    bars = re.findall(r'class="bar (\w+)" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    assert [tone for tone, _, _ in bars] == ["ok", "nodata", "ok"]
    widths = [float(width) for _, _, width in bars]
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.05)


EN = Speech("en")


def test_bands_are_drawn_as_areas_with_an_open_side() -> None:
    book = _book('bands: {warning: "> 250ms", critical: "> 1s"}', 'bands: {warning: "20ms..80ms"}')
    areas = past.areas(EN, book.checks["checkout"], "ms")
    assert [(one.low, one.high, one.tone) for one in areas] == [(20.0, 80.0, "warning")]
    plain = load(cast.FILES, vocabulary())
    certificate = past.areas(EN, plain.checks["certificate"], "d")
    assert [(one.low, one.high) for one in certificate] == [(None, 30.0), (None, 7.0)]
    checkout = past.areas(EN, plain.checks["checkout"], "ms")
    assert [(one.low, one.high) for one in checkout] == [(250.0, None), (1000.0, None)]
    drawn = charts.chart(stretches(0, 1), checkout, EPOCH, EPOCH + H, "ms", [], "x")
    assert drawn.count('class="area') == 2
    assert "style" not in drawn


def test_the_marks_below_a_year_are_months_of_the_books_own_zone() -> None:
    zone = ZoneInfo("Asia/Seoul")
    until = datetime(2026, 7, 15, tzinfo=UTC)
    found = past.marks(past.Range(until - timedelta(days=365), until), zone)
    assert 4 <= len(found) <= 13
    assert all(at.astimezone(zone).day == 1 for at, _ in found)
    assert "2026/1" in [said for _, said in found]


def _book(old: str, new: str) -> Book:
    assert old in cast.CHECKS
    return load(cast.FILES | {"checks.yaml": cast.CHECKS.replace(old, new)}, vocabulary())


async def test_a_check_says_that_it_flaps_is_behind_or_paused(calm: Rig, enter: Enter) -> None:
    hours_of = 'hours:\n  never: {title: Never, open: "Monday 00:00-00:01"}\n'
    other = cast.CHECKS.replace(
        "  disk:\n    kind: host", "  disk:\n    active: never\n    kind: host"
    )
    await open_shop(calm, **{"checks.yaml": other, "more.yaml": hours_of})

    def mark(tx: Transaction) -> None:
        mine = status.update().where(status.c.check_id == "front")
        tx.execute(mine.values(behind="checkout", flapping=True))

    await calm.database.write(mark)
    operator = await enter(calm)
    page = text(await operator.see("/checks"))
    assert "behind Payment API answers: pages nobody" in page
    assert "flaps" in page
    assert "1 is paused. 6 are fine." in page
    page = await operator.see("/checks/shop/front")
    assert 'It is behind <a href="/checks/shop/checkout">Payment API answers</a>' in page
    assert "its state changes too often to be believed" in page
    page = text(await operator.see("/checks/shop/disk"))
    assert "Paused: outside of its hours. It is looked at again at" in page
    assert "The last look was" in page
    today = await operator.see("/")
    assert title(today) == "6 checks are fine. Nothing needs you.", "paused is no trouble"
    korean = await enter(calm, "operator", "ko")
    assert "일시 중지" in text(await korean.see("/checks/shop/disk"))


async def test_what_a_check_is_called_cannot_close_the_data(calm: Rig, enter: Enter) -> None:
    other = cast.CHECKS.replace('critical: "> 1s"}', 'critical: "> 1s"}\n    unit: "</script>"')
    await open_shop(
        calm, **{"checks.yaml": other.replace("> 250ms", "> 250").replace("> 1s", "> 1000")}
    )
    operator = await enter(calm)
    page = await operator.see(PATH)
    assert page.count("</script>") == page.count("<script")
    assert data(page)["unit"]


async def test_the_script_draws_over_the_picture_and_dragging_looks_closer(
    trouble: Rig, enter_browser: Open
) -> None:
    await trouble.database.write(hours(24 * 10))
    page = await enter_browser(trouble)
    await page.goto(f"{PATH}?span=week")
    canvas = page.locator(".host canvas")
    await canvas.wait_for()
    assert await page.locator(".host > svg").is_hidden()
    assert await faults(page) == []
    box = await page.locator(".host .u-over").bounding_box()
    assert box is not None
    y = box["y"] + 60
    await page.mouse.move(box["x"] + box["width"] * 0.5, y)
    await page.wait_for_function(
        "document.querySelector('.host').shadowRoot.querySelector('.reads').textContent.includes('p95')"
    )
    reads = await page.locator(".host .reads").inner_text()
    assert "150 ms" in reads
    assert "90 ms – 400 ms" in reads
    await page.mouse.move(box["x"] + box["width"] * 0.25, y)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.5, y, steps=4)
    await page.mouse.up()
    await page.wait_for_url(re.compile(r"since=\d+&until=\d+"))
    since, until = (int(one) for one in re.findall(r"=(\d+)", page.url))
    assert until - since == pytest.approx(7 * 86400 / 4, rel=0.1)
    await page.wait_for_function("!document.querySelector('.tabs [aria-current]')")
    await canvas.wait_for()
    await page.go_back()
    await page.wait_for_selector(".tabs [aria-current]")
    await page.click("text=last year")
    await page.wait_for_url("**?span=year")
    await canvas.wait_for()
    assert page.anger == []  # type: ignore[attr-defined]


async def test_a_look_moves_the_picture_and_it_fits_a_phone(
    trouble: Rig, enter_browser: Open
) -> None:
    page = await enter_browser(trouble, size=PHONE, look="dark", language="ko")
    await page.goto(PATH)
    await page.locator(".host canvas").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    block = "document.querySelector('.host script').textContent"
    before = await page.evaluate(block)
    shop = trouble.library.current("shop")
    now = trouble.clock.now()
    await trouble.database.write(
        lambda tx: seed.looks(tx, shop, "checkout", now, [("critical", 5100.0, "slow")], "ms")
    )
    await page.wait_for_function(f"before => {block} !== before", arg=before)
    await page.locator(".host canvas").wait_for()
    assert await page.locator(".host canvas").count() == 1
    assert page.anger == []  # type: ignore[attr-defined]


async def test_without_a_script_the_picture_of_the_server_stays(trouble: Rig, browser: Any) -> None:
    context = await browser.new_context(java_script_enabled=False, base_url=trouble.url)
    cookie = {"name": SESSION, "value": await trouble.session("operator"), "url": trouble.url}
    await context.add_cookies([cookie])
    page = await context.new_page()
    await page.goto(PATH)
    assert await page.locator(".host > svg.chart").is_visible()
