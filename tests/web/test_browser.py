"""Pages in a real browser: accessible, within the screen, live without jumping, usable by keys."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from opsbook.incidents.tables import incident
from opsbook.runs.tables import attempt, output
from opsbook.web.visit import SESSION
from tests.support.servers import CHROMIUM_ARGUMENTS, needs
from tests.web.rig import Rig
from tests.web.test_pages import PAGES, WRITING

WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
Open = Callable[..., Awaitable[Page]]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    program = needs("chromium")
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(
            executable_path=str(program), args=CHROMIUM_ARGUMENTS
        )
        yield made
        await made.close()


@pytest.fixture
async def enter_browser(browser: Browser) -> Open:
    """A signed-in page; what the console says in anger is kept as ``page.anger``."""

    async def entered(
        rig: Rig,
        login: str = "operator",
        *,
        size: Any = WIDE,
        look: Any = "light",
        language: str = "en",
    ) -> Page:
        context = await browser.new_context(
            viewport=size, color_scheme=look, locale="ko-KR" if language == "ko" else "en-US",
            base_url=rig.url,
        )  # fmt: skip
        context.set_default_timeout(20_000)
        page = await context.new_page()
        anger: list[str] = []
        page.anger = anger  # type: ignore[attr-defined]
        page.on("console", lambda said: anger.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: anger.append(str(error)))
        cookie = {"name": SESSION, "value": await rig.session(login), "url": rig.url}
        await context.add_cookies([cookie])  # type: ignore[list-item]
        await page.goto("/")
        return page

    return entered


async def faults(page: Page) -> list[str]:
    """What axe finds that would keep somebody out: serious and critical violations."""
    found = await Axe().run(page)
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:160]}"
        for one in found.response["violations"]
        if one["impact"] in {"serious", "critical"}
    ]


EVERY = (*PAGES, *WRITING, "/nothing")


@pytest.mark.parametrize("third", [0, 1, 2])
@pytest.mark.parametrize(
    ("look", "size", "language"), [("light", WIDE, "en"), ("dark", PHONE, "ko")]
)
async def test_every_page_is_accessible_and_fits_the_screen(
    trouble: Rig, enter_browser: Open, look: str, size: Any, language: str, third: int
) -> None:
    page = await enter_browser(trouble, look=look, size=size, language=language)
    wrong: dict[str, Any] = {}
    for path in EVERY[third::3]:
        await page.goto(path)
        too_wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if found := [*await faults(page), *([f"too wide by {too_wide}"] if too_wide > 0 else [])]:
            wrong[path] = found
    assert wrong == {}
    assert [said for said in page.anger if "404" not in said] == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("look", ["light", "dark"])
async def test_signing_in_is_accessible(calm: Rig, browser: Browser, look: Any) -> None:
    context = await browser.new_context(color_scheme=look, base_url=calm.url, viewport=PHONE)
    page = await context.new_page()
    await page.goto("/sign-in")
    assert await faults(page) == []


async def test_the_one_thing_to_do_is_on_the_first_screen_of_a_phone(
    trouble: Rig, enter_browser: Open
) -> None:
    page = await enter_browser(trouble, size=PHONE)
    for path in ("/", "/incidents", "/incidents/1"):
        await page.goto(path)
        primary = page.locator("button.primary:visible")
        assert await primary.count() == 1, path
        box = await primary.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < PHONE["height"] - 60
        assert box["height"] >= 44


async def test_a_change_appears_in_place_and_what_somebody_types_stays(
    trouble: Rig, enter_browser: Open
) -> None:
    page = await enter_browser(trouble)
    await page.goto("/incidents/1")
    await page.click("text=Add a note")
    await page.fill("#note", "I am looking at the p")
    await page.focus("#note")
    change = (
        sa.update(incident)
        .where(incident.c.id == 1)
        .values(
            state="acknowledged", acknowledged_by=trouble.ids["responder"],
            acknowledged_at=trouble.clock.now(), escalate_at=None,
        )
    )  # fmt: skip

    def write(tx: Any) -> None:
        tx.execute(change)
        tx.touch("incidents", "incident:1")

    await trouble.database.write(write)
    await page.wait_for_selector("text=Responder has it since")
    assert await page.locator("form[action$='/acknowledge']").count() == 0
    assert await page.input_value("#note") == "I am looking at the p"
    assert await page.evaluate("document.activeElement.id") == "note"
    await page.keyboard.type("ool")
    assert await page.input_value("#note") == "I am looking at the pool"
    assert page.anger == []  # type: ignore[attr-defined]


async def test_the_numbers_beside_the_navigation_follow(trouble: Rig, enter_browser: Open) -> None:
    page = await enter_browser(trouble)
    await page.goto("/checks")
    assert await page.locator(".rail .count.critical").inner_text() == "1"

    def write(tx: Any) -> None:
        tx.execute(sa.update(incident).where(incident.c.id == 1).values(state="resolved"))
        tx.touch("incidents")

    await trouble.database.write(write)
    await page.wait_for_selector(".rail .count.critical", state="detached")
    assert "(1)" not in await page.title()


async def test_output_appears_while_the_step_writes(trouble: Rig, enter_browser: Open) -> None:
    page = await enter_browser(trouble)
    await page.goto("/runs/2")
    mine = await trouble.database.read(
        lambda tx: tx.scalar(sa.select(sa.func.max(attempt.c.id)).where(attempt.c.run_id == 2))
    )
    for number in range(3):

        def write(tx: Any, number: int = number) -> None:
            text = f"new line {number} <b>&amp;\n"
            tx.insert(output, attempt_id=mine, start=50_000 + 100 * number, text=text)
            tx.touch("run:2")

        await trouble.database.write(write)
        await page.wait_for_selector(f"pre[data-attempt='{mine}'] >> text=new line {number}")
    text = await page.inner_text(f"pre[data-attempt='{mine}']")
    assert text.count("new line 1 <b>&amp;") == 1


async def test_a_page_that_comes_late_takes_no_line_away(trouble: Rig, enter_browser: Open) -> None:
    """The answer to a refresh is held back until the stream has brought more than it contains."""
    page = await enter_browser(trouble)
    await page.goto("/runs/2")
    mine = await trouble.database.read(
        lambda tx: tx.scalar(sa.select(sa.func.max(attempt.c.id)).where(attempt.c.run_id == 2))
    )
    asked, shown = asyncio.Event(), asyncio.Event()

    async def late(route: Any) -> None:
        answer = await route.fetch()
        asked.set()
        await shown.wait()
        await route.fulfill(response=answer)

    await page.route("**/runs/2", late)

    async def line(number: int) -> None:
        # The gap makes the fresh page say that the beginning is not shown: another element.
        def write(tx: Any) -> None:
            start = 50_000 + 100 * number
            tx.insert(output, attempt_id=mine, start=start, text=f"new line {number}\n")
            tx.touch("run:2")

        await trouble.database.write(write)
        await page.wait_for_selector(f"pre[data-attempt='{mine}'] >> text=new line {number}")

    await line(0)
    await asyncio.wait_for(asked.wait(), 20)
    await line(1)
    async with page.expect_response("**/runs/2"):
        shown.set()
    await page.wait_for_selector("p:visible >> text=The beginning is not shown.")
    await line(2)
    text = await page.inner_text(f"pre[data-attempt='{mine}']")
    assert text.endswith("\nnew line 0\nnew line 1\nnew line 2\n")


async def test_an_open_fold_stays_open_while_the_page_changes(
    trouble: Rig, enter_browser: Open
) -> None:
    page = await enter_browser(trouble)
    await page.goto("/runs/2")
    fold = page.locator("#step-processes details.written")
    await fold.locator("summary").click()
    assert not await fold.evaluate("one => one.open")
    version = await page.get_attribute("body", "data-version")
    trouble.hub.touch(["run:2"])
    await page.wait_for_function("v => document.body.dataset.version !== v", arg=version)
    assert not await fold.evaluate("one => one.open")


async def test_time_goes_on_in_the_visitors_language(trouble: Rig, enter_browser: Open) -> None:
    page = await enter_browser(trouble, language="ko")
    await page.clock.install()
    await page.goto("/incidents/1")
    before = await page.inner_text(".says time[data-tick='for']")
    await page.clock.run_for(3 * 60 * 1000)
    after = await page.inner_text(".says time[data-tick='for']")
    assert before.endswith("분")
    assert int(after.removesuffix("분")) in {
        int(before.removesuffix("분")) + 3, int(before.removesuffix("분")) + 4
    }  # fmt: skip


async def test_keys_search_show_themselves_and_go_to_places(
    trouble: Rig, enter_browser: Open
) -> None:
    page = await enter_browser(trouble)
    await page.keyboard.press("?")
    assert await page.locator("#keys").is_visible()
    assert await faults(page) == []
    await page.keyboard.press("Escape")
    await page.keyboard.press("g")
    await page.keyboard.press("i")
    await page.wait_for_url("**/incidents")
    await page.keyboard.press("/")
    assert await page.evaluate("document.activeElement.id") == "find"
    await page.keyboard.type("payment")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/search?q=payment")
    await page.fill("#q", "disk")
    await page.wait_for_selector("#found >> text=Disk in use")


async def test_acknowledging_and_approving_in_the_browser(
    trouble: Rig, enter_browser: Open
) -> None:
    page = await enter_browser(trouble, size=PHONE)
    await page.click("text=Acknowledge")
    await page.wait_for_url("**/incidents/1")
    await page.wait_for_selector("text=Acknowledged. It is yours.")
    await page.fill("#note-allow", "go ahead")
    await page.click("#step-allow >> button.primary")
    await page.wait_for_selector("text=Approved.")
    assert page.anger == []  # type: ignore[attr-defined]


async def test_a_server_that_is_gone_is_said(calm: Rig, enter_browser: Open) -> None:
    page = await enter_browser(calm)
    await page.clock.install()
    await page.goto("/")
    await page.route("**/live*", lambda route: route.abort())
    await page.evaluate("window.dispatchEvent(new Event('offline'))")
    await page.reload()
    for _ in range(20):  # how soon the browser gives the stream up is its own affair
        await page.clock.run_for(5_000)
        if await page.locator("#lost").is_visible():
            break
    assert await page.locator("#lost").is_visible()
