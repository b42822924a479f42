"""The page of a run in a real browser: accessible in every state, live without jumping."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

from opsbook.web.visit import SESSION
from tests.support.servers import CHROMIUM_ARGUMENTS, needs
from tests.web import running
from tests.web.running import Site
from tests.web.test_browser import PHONE, WIDE, faults

SHIFT = """() => { window.moved = 0; new PerformanceObserver((list) => {
  for (const one of list.getEntries()) window.moved += one.value;
}).observe({ type: "layout-shift", buffered: false }); }"""

LAST_IN_SIGHT = """(box) => {
  const text = document.createNodeIterator(box, NodeFilter.SHOW_TEXT);
  let last; for (let one; (one = text.nextNode()); ) if (one.data.trim()) last = one;
  const range = document.createRange();
  range.setStart(last, last.data.trimEnd().lastIndexOf("\\n") + 1);
  range.setEnd(last, last.data.trimEnd().length);
  const line = range.getBoundingClientRect(), frame = box.getBoundingClientRect();
  return { text: last.data.trimEnd(), bottom: line.bottom, top: line.top, begin: frame.top,
           edge: frame.bottom };
}"""
LENGTHEN = "(code) => code.prepend('a long line that has to be wrapped '.repeat(60), '\\n')"


@pytest.fixture
async def site(stage_folder: Path) -> AsyncIterator[Site]:
    async with running.serving(stage_folder) as one:
        yield one


class Browsers:
    """Pages of one browser, each signed in."""

    def __init__(self, browser: Any, site: Site) -> None:
        self.browser, self.site = browser, site

    async def enter(self, login: str, size: Any = WIDE, look: Any = "light", **more: Any) -> Page:
        context = await self.browser.new_context(
            viewport=size, color_scheme=look, base_url=self.site.url, **more
        )
        context.set_default_timeout(20_000)
        cookie = {"name": SESSION, "value": await self.site.session(login), "url": self.site.url}
        await context.add_cookies([cookie])
        page: Page = await context.new_page()
        return page


@pytest.fixture
async def browsers(site: Site) -> AsyncIterator[Browsers]:
    program = needs("chromium")
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(
            executable_path=str(program), args=CHROMIUM_ARGUMENTS
        )
        yield Browsers(made, site)
        await made.close()


async def test_every_state_is_accessible_and_fits_the_screen(
    site: Site, browsers: Browsers
) -> None:
    await running.every_state(site)
    wide = await browsers.enter("operator")
    phone = await browsers.enter("auditor", PHONE, "dark", locale="ko-KR")
    wrong: dict[str, Any] = {}
    runs = site.runs
    paths = [f"/runs/{number}" for number in sorted(set(runs.values()))]
    for page, more in ((wide, [f"/runs/{runs['failed']}/rerun", f"/runs/{runs['secret']}/rerun"]),
                       (phone, [])):  # fmt: skip
        for path in (*paths, *more):
            await page.goto(path)
            too_wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            found = [*await faults(page), *([f"too wide by {too_wide}"] if too_wide > 0 else [])]
            if found:
                wrong[path] = found
    assert wrong == {}


async def test_the_answer_is_on_the_first_screen_of_a_phone(site: Site, browsers: Browsers) -> None:
    run = await site.start("deploy")
    await site.start("stops")
    for path, login in ((f"/runs/{run}", "auditor"), (f"/runs/{site.runs['stops']}", "operator")):
        page = await browsers.enter(login, PHONE)
        await page.goto(path)
        primary = page.locator(".button.primary:visible")
        assert await primary.count() == 1
        box = await primary.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < PHONE["height"] - 60
        assert box["height"] >= 44


async def test_output_is_followed_until_somebody_scrolls_up_and_nothing_jumps(
    site: Site, browsers: Browsers
) -> None:
    run = await site.start("live")
    page = await browsers.enter("operator")
    await page.goto(f"/runs/{run}")
    await page.wait_for_selector("pre[data-attempt] >> text=copied part 14")
    box, follow = page.locator("pre[data-attempt]"), page.locator("[data-follow]")
    assert await follow.get_attribute("aria-pressed") == "true"
    await page.evaluate(SHIFT)
    await page.wait_for_selector("pre[data-attempt] >> text=copied part 18")
    low = "box => box.scrollHeight - box.scrollTop - box.clientHeight"
    assert await box.evaluate(low) < 24
    await box.evaluate("box => (box.scrollTop = 0)")
    await page.wait_for_selector("[data-follow][aria-pressed=false]")
    await page.wait_for_selector("pre[data-attempt] >> text=copied part 21")
    assert await box.evaluate("box => box.scrollTop") == 0
    site.stage.hub.touch([f"run:{run}"])
    await page.wait_for_selector("pre[data-attempt] >> text=copied part 24")
    assert await follow.get_attribute("aria-pressed") == "false"
    await follow.click()
    assert await box.evaluate(low) < 24
    assert await page.locator("details.written").get_attribute("open") is not None
    assert await page.evaluate("window.moved") == 0


async def test_deciding_works_without_scripts(site: Site, browsers: Browsers) -> None:
    run = await site.start("asks")
    page = await browsers.enter("operator", java_script_enabled=False)
    await page.goto(f"/runs/{run}")
    await page.fill("[id='note-switch']", "The disk is full.")
    await page.click("button[value=fail]")
    await page.wait_for_selector("text=Decided.")
    await site.stage.settle()
    await page.reload()
    assert "2 steps rolled it back." in await page.inner_text("#says")
    assert "The disk is full." in await page.inner_text(".timeline")


async def test_the_last_line_of_a_failure_is_in_sight_without_a_script(
    site: Site, browsers: Browsers
) -> None:
    run = await site.start("noisy", mode="badly")
    for size in (WIDE, PHONE):
        page = await browsers.enter("operator", size, java_script_enabled=False)
        await page.goto(f"/runs/{run}")
        box = page.locator(".now .output")
        for _ in ("as it is", "with lines that are too long for it"):
            seen = await box.evaluate(LAST_IN_SIGHT)
            assert seen["text"].endswith("Read-only file system")
            assert seen["bottom"] <= seen["edge"], seen
            assert seen["top"] >= seen["begin"], seen
            await box.locator("code").evaluate(LENGTHEN)
