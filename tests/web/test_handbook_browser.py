"""A whole book's pages in a real browser: accessible, within the screen, readable by keys."""

from typing import Any

import pytest

from tests.web.rig import Rig
from tests.web.test_browser import PHONE, WIDE, Open, browser, enter_browser, faults
from tests.web.test_handbook import shipped

__all__ = ["browser", "enter_browser"]  # fixtures

PAGES = (
    "", "/services", "/services/completion", "/model_updates/completion", "/quotas/standard",
    "/extensions", "/routing", "/rotations/platform-duty", "/change_kinds", "/windows",
    "/severities/P1", "/runbooks", "/runbooks/update-model", "/files", "/backups",
)  # fmt: skip


@pytest.mark.parametrize(
    ("look", "size", "language"), [("light", PHONE, "en"), ("dark", WIDE, "ko")]
)
async def test_a_whole_book_is_accessible_and_fits_the_screen(
    calm: Rig, enter_browser: Open, look: str, size: Any, language: str
) -> None:
    book, login = await shipped(calm, "kubernetes")
    page = await enter_browser(calm, login, look=look, size=size, language=language)
    wrong: dict[str, Any] = {}
    for end in PAGES:
        await page.goto(f"/book/{book.id}{end}")
        too_wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if found := [*await faults(page), *([f"too wide by {too_wide}"] if too_wide > 0 else [])]:
            wrong[end] = found
    assert wrong == {}
    assert page.anger == []  # type: ignore[attr-defined]


async def test_what_the_lines_mean_unfolds_by_keys(calm: Rig, enter_browser: Open) -> None:
    page = await enter_browser(calm)
    await page.goto("/book/shop/checks/disk")
    fold = page.locator("details.fold")
    await fold.locator("summary").focus()
    await page.keyboard.press("Enter")
    assert await fold.get_by_text("How often it looks.").is_visible()
