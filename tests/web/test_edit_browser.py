"""Editing in a real browser: a threshold from its page to the commit, and a second person's yes."""

from typing import Any

import pytest

from tests.web import cast
from tests.web.rig import Rig
from tests.web.test_browser import PHONE, WIDE, Open, browser, enter_browser, faults
from tests.web.test_edit import GUARDED, folder, git, look, site, tick

__all__ = ["browser", "enter_browser", "site"]  # fixtures

PAGES = (
    "/edit", "/edit/checks/disk", "/edit/rotations/weekly", "/edit/teams/operations",
    "/edit?path=runbooks/restart-payments.md&line=20", "/edit?new=1", "/held",
    "/drafts/1", "/drafts/2", "/drafts/3", "/drafts/4",
)  # fmt: skip


async def saved(page: Any, address: str, **fields: str) -> None:
    await page.goto(address)
    for label, value in fields.items():
        await page.locator(f"[name='{label}']").fill(value)
    await page.get_by_role("button", name="Save in the draft").first.click()
    await page.wait_for_url("**/drafts/*")


async def publish(page: Any, button: str = "Publish") -> None:
    await page.get_by_label("Why?").fill("it is time")
    await page.get_by_role("button", name=button).click()


async def test_a_threshold_goes_from_its_page_to_the_commit(site: Rig, enter_browser: Open) -> None:
    page = await enter_browser(site)
    await page.goto("/book/shop/checks/disk")
    await page.get_by_role("link", name="Edit", exact=True).click()
    await page.get_by_label("Warning from").fill("> 90%")
    await page.get_by_role("button", name="Save in the draft").click()
    await page.get_by_text("disk warns later: at > 90% instead of > 80%.").wait_for()
    await publish(page)
    await page.get_by_role("heading", name="This draft is published.").wait_for()
    assert (folder(site) / "checks.yaml").read_text() == cast.CHECKS.replace("> 80%", "> 90%")
    assert git(folder(site), "log", "-1", "--format=%s") == "it is time"
    assert page.anger == []  # type: ignore[attr-defined]


async def test_a_finding_leads_to_its_line(site: Rig, enter_browser: Open) -> None:
    page = await enter_browser(site)
    broken = cast.CHECKS.replace("every: 1h", "every: often")
    await saved(page, "/book/shop/edit?path=checks.yaml", text=broken)
    await page.get_by_role("link", name="checks.yaml:").first.click()
    area = page.locator("#text")
    chosen = await area.evaluate("a => a.value.slice(a.selectionStart, a.selectionEnd)")
    assert chosen.strip() == "every: often"
    assert await area.evaluate("a => a.value") == broken
    assert page.anger == []  # type: ignore[attr-defined]


async def test_a_second_person_approves_and_the_page_of_the_first_follows(
    site: Rig, enter_browser: Open
) -> None:
    first, second = await enter_browser(site), await enter_browser(site, "second", size=PHONE)
    loose = GUARDED.replace("self_approval: forbid", "self_approval: record")
    await saved(first, "/book/shop/edit?path=book.yaml", text=loose)
    await publish(first, "Ask for approval")
    await first.get_by_role("heading", name="It waits for an approval.").wait_for()
    await second.goto("/")
    await second.get_by_role("link", name="Approve").click()
    await second.get_by_role("button", name="Approve").click()
    await second.get_by_text("It is decided; what follows is under way.").wait_for()
    await tick(site)
    await first.get_by_role("heading", name="This draft is published.").wait_for()
    assert "self_approval: record" in (folder(site) / "book.yaml").read_text()


@pytest.mark.parametrize(
    ("look_", "size", "language"), [("light", PHONE, "en"), ("dark", WIDE, "ko")]
)
async def test_the_pages_of_an_edit_are_accessible_and_fit_the_screen(
    site: Rig, enter_browser: Open, look_: str, size: Any, language: str
) -> None:
    first, second = await enter_browser(site), await enter_browser(site, "second")
    disk = {"checks.disk.bands.warning": "> 90%"}
    await saved(first, "/book/shop/edit/checks/disk", **disk)
    await saved(second, "/book/shop/edit/checks/disk", **{"checks.disk.every": "2m"})
    broken = cast.CHECKS.replace("every: 1h", "every: often")
    await saved(first, "/book/shop/edit?path=checks.yaml", text=broken)
    loose = GUARDED.replace("self_approval: forbid", "self_approval: record")
    await saved(second, "/book/shop/edit?path=book.yaml", text=loose)
    await publish(second, "Ask for approval")
    await second.get_by_role("heading", name="It waits for an approval.").wait_for()
    await first.goto("/book/shop/drafts/1")
    await publish(first)
    await first.get_by_role("heading", name="This draft is published.").wait_for()
    (folder(site) / "checks.yaml").write_text(broken)
    await look(site)
    page = await enter_browser(site, "second", look=look_, size=size, language=language)
    wrong: dict[str, Any] = {}
    for end in PAGES:
        await page.goto(f"/book/shop{end}")
        too_wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if found := [*await faults(page), *([f"too wide by {too_wide}"] if too_wide > 0 else [])]:
            wrong[end] = found
    assert wrong == {}
    assert page.anger == []  # type: ignore[attr-defined]
