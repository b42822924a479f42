"""The story on the page, by clicking: a real browser, the real app, a service that goes down.

Pictures of the moments go to the folder that OPSBOOK_TEST_SHOTS names, for a person to look at.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, async_playwright, expect

from opsbook.app import App, build
from opsbook.base.clock import SystemClock
from opsbook.settings import Settings
from tests.support.servers import CHROMIUM_ARGUMENTS, needs
from tests.support.watched import Watched, step_user, write_book

SHOTS = os.environ.get("OPSBOOK_TEST_SHOTS")
PATIENCE = 30_000


@pytest.fixture
async def app(tmp_path: Path, watched: Watched) -> AsyncIterator[App]:
    settings = Settings(
        books=(write_book(tmp_path / "book", watched, every="1s", hold="2s", holds="2s"),),
        data=tmp_path / "data",
        listen=("127.0.0.1", 0),
        database=None,
        step_user=step_user(),
    )
    app = build(settings, SystemClock())
    await app.start()
    yield app
    await app.stop()


async def shot(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/{name}.png")


async def accessible(page: Page) -> None:
    found = await Axe().run(page)
    grave = [
        (one["id"], one["nodes"][0]["html"][:120])
        for one in found.response["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
    assert grave == []


@pytest.mark.parametrize("device", ["desktop", "phone"])
async def test_a_person_follows_the_story_from_the_page_to_the_end(
    app: App, watched: Watched, device: str
) -> None:
    size = {"width": 1280, "height": 860} if device == "desktop" else {"width": 390, "height": 844}
    async with async_playwright() as playwright:
        program = str(needs("chromium"))
        browser = await playwright.chromium.launch(executable_path=program, args=CHROMIUM_ARGUMENTS)
        context = await browser.new_context(viewport=size, locale="en-US")  # type: ignore[arg-type]
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        assert app.sign_in_link is not None
        await page.goto(app.sign_in_link)
        await page.get_by_role("button", name="Sign in").click()
        await page.goto(app.url)
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Nothing needs you")
        await shot(page, f"{device}-calm")

        watched.stop()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("1 incident needs you")
        await shot(page, f"{device}-trouble")
        await accessible(page)
        await page.get_by_role("button", name="Acknowledge").first.click()
        await page.goto(f"{app.url}/incidents/1")
        await expect(page.get_by_text("looking at web")).to_be_attached()
        approve = page.get_by_role("button", name="Approve")
        await expect(approve).to_be_visible()
        await shot(page, f"{device}-approve")
        await accessible(page)
        await approve.click()
        await asyncio.to_thread(watched.until_up)  # the app works in this very loop
        await expect(page.get_by_text("Resolved", exact=False).first).to_be_visible()
        assert watched.starts() == 2
        await shot(page, f"{device}-resolved")

        await page.goto(f"{app.url}/runs/1")
        await page.get_by_role("button", name="Done").click()
        await expect(page.get_by_text("Succeeded", exact=False).first).to_be_visible()
        await shot(page, f"{device}-run")
        await accessible(page)
        await page.goto(f"{app.url}/audit")
        await expect(page.get_by_text("approved", exact=False).first).to_be_visible()
        await shot(page, f"{device}-audit")
        await browser.close()
