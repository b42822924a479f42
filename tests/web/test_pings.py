"""Jobs report over HTTP, in the form of Healthchecks; nobody else does."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from opsbook.checks import pings
from opsbook.web.pings import MOST_REPORTS, MOST_WRONG
from tests.checks.making import book
from tests.support.servers import proxy
from tests.web import rig
from tests.web.rig import Rig

TOKEN = "5f2c7f0e-9a41-4d0b-8b1e-3d6a2f90c111"
RID = "9f0c7a52-8a5d-4a5e-a5f5-6d7a8b9c0d1e"
NIGHTLY = {"kind": "heartbeat", "expect": "every 1d"}
CHECKS = {
    "backup": {**NIGHTLY, "token": "env:BACKUP_TOKEN"},
    "local": NIGHTLY,
    "short": {**NIGHTLY, "token": "env:SHORT_TOKEN"},
    "missing": {**NIGHTLY, "token": "env:NO_SUCH_TOKEN"},
    "load": {"kind": "host", "metric": "load"},
}


@pytest.fixture
async def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setenv("BACKUP_TOKEN", TOKEN)
    monkeypatch.setenv("SHORT_TOKEN", "short")
    async with rig.serving(tmp_path, rig.empty) as one:
        one.library.remember(book(CHECKS, id="jobs"))
        yield one


@pytest.fixture
async def client(jobs: Rig) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=jobs.url, timeout=30) as one:
        yield one


async def kept(jobs: Rig, check: str = "backup") -> list[dict[str, Any]]:
    found = await jobs.database.read(lambda tx: pings.latest(tx, "jobs", check, 1000))
    return found[::-1]


async def said(jobs: Rig, check: str = "backup") -> list[tuple[str, int | None]]:
    return [(one["kind"], one["exit_status"]) for one in await kept(jobs, check)]


async def test_every_word_of_the_form_is_understood(jobs: Rig, client: httpx.AsyncClient) -> None:
    for base in (f"/ping/jobs/backup/{TOKEN}", f"/ping/{TOKEN}"):
        for end in ("/start", "", "/fail", "/log", "/0", "/255", "/"):
            answer = await client.get(f"{base}{end}")
            assert (answer.status_code, answer.text) == (200, "OK"), end
            assert answer.headers["ping-body-limit"] == "10000"
    words = [
        ("start", None), ("success", None), ("fail", None), ("log", None), ("exit", 0),
        ("exit", 255), ("success", None),
    ]  # fmt: skip
    assert await said(jobs) == 2 * words


async def test_get_head_and_post_report_and_the_beginning_of_a_body_is_kept(
    jobs: Rig, client: httpx.AsyncClient
) -> None:
    base = f"/ping/jobs/backup/{TOKEN}"
    await client.head(base)
    await client.get(f"{base}/start?rid={RID}", headers={"User-Agent": "curl/8.0  (job)"})
    await client.post(f"{base}/3", content="tar: 디스크 없음\0\n".encode())
    long = await client.post(base, content=b"x" * 3_000_000)
    assert long.status_code == 200
    rows = await kept(jobs)
    assert [one["kind"] for one in rows] == ["success", "start", "exit", "success"]
    assert rows[1]["run"] == RID
    assert rows[1]["sender"] == "curl/8.0 (job)"
    assert rows[2]["body"] == "tar: 디스크 없음\N{REPLACEMENT CHARACTER}\n"
    assert rows[3]["body"] == "x" * 10_000


REFUSED = [
    (f"/ping/jobs/backup/{TOKEN}x", 404, "not found"),
    ("/ping/jobs/backup", 404, "not found"),
    ("/ping/jobs/backup/start", 404, "not found"),
    (f"/ping/jobs/none/{TOKEN}", 404, "not found"),
    (f"/ping/none/backup/{TOKEN}", 404, "not found"),
    ("/ping/jobs/load", 404, "not found"),
    ("/ping/jobs/short/short", 404, "not found"),
    ("/ping/short", 404, "not found"),
    ("/ping/jobs/missing/", 404, "not found"),
    ("/ping/", 404, "not found"),
    (f"/ping/{'x' * 5000}", 404, "not found"),
    (f"/ping/{TOKEN}/done", 400, "invalid url format"),
    (f"/ping/{TOKEN}/256", 400, "invalid url format"),
    (f"/ping/{TOKEN}/fail/more", 400, "invalid url format"),
    (f"/ping/{TOKEN}?rid=1", 400, "invalid uuid format"),
]


async def test_whatever_else_is_refused_and_kept_nowhere(
    jobs: Rig, client: httpx.AsyncClient
) -> None:
    for path, status, told in REFUSED:
        answer = await client.get(path)
        assert (path, answer.status_code) == (path, status)
        assert answer.text.startswith(told), path
    for check in CHECKS:
        assert await kept(jobs, check) == []


async def test_without_a_token_only_this_machine_reports_and_no_browser_on_it(
    jobs: Rig, client: httpx.AsyncClient
) -> None:
    assert (await client.get("/ping/jobs/local")).status_code == 200
    assert (await client.post("/ping/jobs/local/7", content=b"out")).status_code == 200
    for headers in (
        {"X-Forwarded-For": "203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://evil.example"},
    ):
        answer = await client.get("/ping/jobs/local", headers=headers)
        assert answer.status_code == 403, headers
    assert await said(jobs, "local") == [("success", None), ("exit", 7)]


async def test_nor_through_a_proxy_on_it_that_says_nothing(
    jobs: Rig, client: httpx.AsyncClient
) -> None:
    with proxy(f"proxy_pass {client.base_url};") as url:
        async with httpx.AsyncClient(base_url=url) as outside:
            assert (await outside.get("/ping/jobs/local")).status_code == 403
    assert await said(jobs, "local") == []


async def test_guessing_is_slowed_down_and_never_holds_up_the_job(
    jobs: Rig, client: httpx.AsyncClient
) -> None:
    for _ in range(MOST_WRONG):
        assert (await client.get("/ping/jobs/backup/guess")).status_code == 404
    answer = await client.get("/ping/jobs/backup/guess")
    assert answer.status_code == 429
    assert answer.headers["retry-after"]
    assert (await client.get(f"/ping/jobs/backup/{TOKEN}")).status_code == 200
    assert await said(jobs) == [("success", None)]


async def test_a_job_that_reports_without_end_is_held_back(
    jobs: Rig, client: httpx.AsyncClient
) -> None:
    for _ in range(MOST_REPORTS):
        assert (await client.get(f"/ping/{TOKEN}/log")).status_code == 200
    answer = await client.get(f"/ping/{TOKEN}/log")
    assert (answer.status_code, answer.text[:30]) == (429, "more than 120 reports a minute"[:30])
    assert len(await kept(jobs)) == 100
    assert (await client.get("/ping/jobs/local")).status_code == 200


async def test_a_report_that_cannot_be_kept_says_so_and_shows_no_token(
    jobs: Rig,
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"no room for {TOKEN}")

    monkeypatch.setattr(pings, "record", broken)
    answer = await client.post(f"/ping/{TOKEN}", content=b"x")
    assert (answer.status_code, answer.text) == (500, "the report was not kept")
    out, err = capsys.readouterr()
    ours = "".join(one.getMessage() for one in caplog.records if one.name.startswith("opsbook"))
    said = out + err + ours  # the client of the test may log the address it asks
    assert "report not kept" in said
    assert TOKEN not in said
