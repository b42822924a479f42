"""The library: every runbook somebody may read, found by words, with one way to start it."""

import re
from pathlib import Path

import pytest

from tests.web import cast
from tests.web import rig as sites
from tests.web.conftest import Enter
from tests.web.rig import Rig


def titles(page: str) -> list[str]:
    return re.findall(r'<p class="title"><a class="plain" href="[^"]+">([^<]+)</a>', page)


async def test_all_runbooks_stand_there_with_risk_last_run_and_what_starts_them(
    trouble: Rig, enter: Enter
) -> None:
    page = await (await enter(trouble)).see("/runbooks")
    assert titles(page) == ["Empty the cache", "Morning check", "Restart payments"]
    assert "3 runbooks</h1>" in page
    row = next(one for one in page.split("<li ") if "/runbooks/morning" in one)
    assert "succeeded" in row
    assert "every day 09:00" in row
    restart = next(one for one in page.split("<li ") if "/runbooks/restart-payments" in one)
    assert "failed" in restart
    assert "when Payment API is slow fires" in restart
    assert 'href="/book/shop/runbooks/restart-payments/start"' in restart
    assert '<span class="tag dangerous">dangerous</span>' in page.split("Empty the cache")[1]


@pytest.mark.parametrize(
    ("words", "language", "found"),
    [
        ("restart", "en", ["Restart payments"]),
        ("다시 시작", "ko", ["결제 서비스 다시 시작"]),
        ("결제", "en", ["Restart payments"]),
        ("systemctl", "ko", ["결제 서비스 다시 시작"]),
        ("loadavg", "en", ["Morning check"]),
        ("WIPE-CACHE", "en", ["Empty the cache"]),
        ("dashboard nowhere", "en", []),
    ],
)
async def test_words_are_found_in_titles_steps_and_scripts_in_both_languages(
    trouble: Rig, enter: Enter, words: str, language: str, found: list[str]
) -> None:
    visitor = await enter(trouble, "operator", language)
    answer = await visitor.client.get("/runbooks", params={"q": words})
    assert titles(answer.text) == found


async def test_what_was_found_within_a_script_is_shown(trouble: Rig, enter: Enter) -> None:
    page = await (await enter(trouble)).see("/runbooks?q=systemctl")
    assert "<mark>systemctl</mark> restart &#34;$service&#34;" in page


async def test_a_risk_narrows_it_down(trouble: Rig, enter: Enter) -> None:
    page = await (await enter(trouble)).see("/runbooks?risk=dangerous")
    assert titles(page) == ["Empty the cache"]
    assert "1 of 3 runbooks fits." in page


async def test_who_may_only_look_finds_no_button(trouble: Rig, enter: Enter) -> None:
    viewer = await enter(trouble, "viewer")
    page = await viewer.see("/runbooks")
    assert len(titles(page)) == 3
    assert "/start" not in page.split("<main")[1]
    stranger = await enter(trouble, "stranger")
    assert (await stranger.client.get("/runbooks")).status_code == 403


async def test_nothing_found_says_what_to_do(trouble: Rig, enter: Enter) -> None:
    page = await (await enter(trouble)).see("/runbooks?q=unheard-of")
    assert "0 of 3 runbooks fit." in page
    assert "fewer words find more" in page


async def test_a_book_without_runbooks_teaches_how_one_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enter: Enter
) -> None:
    for name in [one for one in cast.FILES if one.startswith("runbooks/")]:
        monkeypatch.delitem(cast.FILES, name)
    monkeypatch.setitem(cast.FILES, "checks.yaml", "{}")
    async with sites.serving(tmp_path / "data", sites.empty) as rig:
        page = await (await enter(rig)).see("/runbooks")
    assert "The book has no runbooks yet." in page


async def test_a_long_library_goes_on_over_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enter: Enter
) -> None:
    for n in range(100):
        page = f"---\nid: r{n:03}\ntitle: Runbook {n:03}\n---\n```bash\ntrue\n```\n"
        monkeypatch.setitem(cast.FILES, f"runbooks/r{n:03}.md", page)
    seen: list[str] = []
    async with sites.serving(tmp_path / "data", sites.empty) as rig:
        operator, path = await enter(rig), "/runbooks"
        while path:
            page = await operator.see(path)
            seen += titles(page)
            later = re.findall(r'<a class="button" href="([^"]+)">More</a>', page)
            path = later[0].replace("&amp;", "&") if later else ""
    assert len(seen) == len(set(seen)) == 103
