"""The history of runs: found by what one remembers of them, and fast however many there are."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from opsbook.access import tokens
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.runs.tables import run
from opsbook.web import runstore
from opsbook.web.runstore import Wanted
from tests.web import rig as sites
from tests.web import seed
from tests.web.conftest import Enter
from tests.web.rig import Rig

M = timedelta(minutes=1)
BOTH = pytest.mark.parametrize("engine", ["sqlite", "postgresql"])


def ids(page: str) -> list[int]:
    return [int(one) for one in re.findall(r'<a class="plain" href="/runs/(\d+)">', page)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [4, 3, 2, 1]),
        ("show=failed", [3]),
        ("show=open", [4, 2]),
        ("q=restart", [3, 2]),
        ("q=결제", [3, 2]),
        ("q=MORNING", [1]),
        ("runbook=wipe-cache", [4]),
        ("trigger=incident", [2]),
        ("trigger=routine", [1]),
        ("trigger=person", [4, 3]),
        ("who=opsbook", [2, 1]),
        ("show=failed&trigger=incident", []),
        ("q=nothing+like+it", []),
        ("since=2199-01-01", []),
        ("until=2000-01-01", []),
        ("since=2000-01-01&until=2199-01-01", [4, 3, 2, 1]),
        ("since=yesterday&who=%27%3B--&show=x&book=nowhere", []),
    ],
)
async def test_each_filter_finds_what_it_says(
    trouble: Rig, enter: Enter, query: str, found: list[int]
) -> None:
    page = await (await enter(trouble)).see(f"/runs?{query}")
    listed = page.split('id="list"')[1]
    assert ids(listed) == found


async def test_runs_of_somebody_are_those_of_their_tokens_as_well(
    trouble: Rig, enter: Enter
) -> None:
    account = trouble.ids["operator"]

    def write(tx: Transaction) -> int:
        now = trouble.clock.now()
        tokens.create(tx, now, account, "deploys", ["read", "run"], timedelta(days=9))
        mine = runstore.tokens_of(tx, account)
        tx.execute(sa.update(run).where(run.c.id == 1).values(started_by=f"token:{mine[0]}"))
        return account

    who = await trouble.database.write(write)
    page = await (await enter(trouble)).see(f"/runs?who={who}")
    assert ids(page.split('id="list"')[1]) == [3, 1]


async def test_a_row_says_what_with_what_by_whom_and_for_whom_it_waits(
    trouble: Rig, enter: Enter
) -> None:
    page = await (await enter(trouble)).see("/runs?runbook=restart-payments&show=open")
    row = page.split('<li class="row run">')[1].split("</li>")[0]
    assert "Restart payments" in row
    assert '<span class="muted">service</span> payments' in row
    assert "waits for release_manager (Operator, Approver)" in row
    assert "left</time>" in row
    assert 'started by <a href="/incidents/1">incident 1</a>' in row
    assert "Only Restart payments." in page
    korean = await (await enter(trouble, "viewer", "ko")).see("/runs?show=open")
    assert "release_manager 대기 (담당자, 승인자)" in korean
    assert "결정 대기" in korean


async def test_a_list_has_neither_a_secret_nor_its_digest(trouble: Rig, enter: Enter) -> None:
    def write(tx: Transaction) -> None:
        given = {"service": "payments", "sealed:api_key": "6f2c1d0b9a"}
        tx.execute(sa.update(run).where(run.c.id == 3).values(params=given))

    await trouble.database.write(write)
    page = await (await enter(trouble)).see("/runs?show=failed")
    row = page.split('id="list"')[1].split('<li class="row run">')[1].split("</li>")[0]
    assert '<span class="muted">service</span> payments' in row
    for text in ("sealed:", "api_key", "6f2c1d0b9a"):
        assert text not in row


async def test_filters_stay_when_the_state_changes_and_an_empty_list_says_so(
    trouble: Rig, enter: Enter
) -> None:
    operator = await enter(trouble)
    page = await operator.see("/runs?q=restart&trigger=incident")
    assert '/runs?show=failed&amp;q=restart&amp;trigger=incident"' in page
    page = await operator.see("/runs?show=cancelled&q=restart")
    assert "No run fits this." in page


async def test_paging_back_shows_each_run_once(tmp_path: Path, enter: Enter) -> None:
    def fill(tx: Transaction, book: Book, now: datetime, people: dict[str, int]) -> None:
        many(tx, book, now, 95)

    async with sites.serving(tmp_path / "data", fill) as rig:
        operator = await enter(rig)
        for query in ("", "show=open", "q=morning", "q=r&trigger=routine"):
            path, seen = f"/runs?{query}", []
            while path:
                page = await operator.see(path)
                seen += ids(page.split('id="list"')[1])
                older = re.findall(r'<a class="button" href="([^"]+)">Older</a>', page)
                path = older[0].replace("&amp;", "&") if older else ""
            assert seen == sorted(set(seen), reverse=True), query
            assert len(seen) == {"": 95, "show=open": 24, "q=morning": 48}.get(query, 31)


def many(tx: Transaction, book: Book, now: datetime, count: int) -> None:
    """Runs a minute apart: every second of the morning, every fourth waiting, every third due."""
    rows: list[dict[str, Any]] = []
    for n in range(count):
        waits = n % 4 == 0
        began = now - (count - n) * M
        rows.append(
            {
                "book": book.id, "revision": book.revision,
                "runbook": "morning" if n % 2 == 0 else "restart-payments",
                "title": "t", "params": {"service": "x" * 40}, "saved": {}, "leave": "",
                "state": "waiting" if waits else "failed" if n % 50 == 1 else "succeeded",
                "cancelling": False, "started_by": "opsbook" if n % 7 else "account:1",
                "trigger": "" if n % 3 == 1 else f"routine:{book.id}/m" if n % 3 else "incident:1",
                "thread": f"run:{n}", "attended": False, "reason": "", "created_at": began,
                "started_at": began, "finished_at": None if waits else began + M,
            }
        )  # fmt: skip
        if len(rows) == 5_000 or n == count - 1:
            tx.execute(sa.insert(run), rows)
            rows = []


async def test_a_search_without_an_index_says_how_far_it_has_looked(
    tmp_path: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runstore, "WINDOW", 40)

    def fill(tx: Transaction, book: Book, now: datetime, people: dict[str, int]) -> None:
        many(tx, book, now, 100)
        tx.execute(sa.update(run).where(run.c.id == 5).values(started_by="account:77"))

    async with sites.serving(tmp_path / "data", fill) as rig:
        operator = await enter(rig)
        page = await operator.see("/runs?who=77")
        assert ids(page.split('id="list"')[1]) == []
        assert "None of the runs since run 61." in page
        looked = 1
        while not ids(page.split('id="list"')[1]):
            older = re.findall(r'<a class="button" href="([^"]+)">Look further back</a>', page)
            page = await operator.see(older[0].replace("&amp;", "&"))
            looked += 1
        assert ids(page.split('id="list"')[1]) == [5]
        assert looked == 3


CASES = (
    (Wanted(("shop",)), None),
    (Wanted(("shop", "other")), 900),
    (Wanted(("shop",), ("queued", "running", "waiting")), None),
    (Wanted(("shop",), ("failed",)), 900),
    (Wanted(("shop",), runbooks=(("shop", "morning"),)), None),
    (Wanted(("shop",), ("failed",), runbooks=(("shop", "restart-payments"),)), None),
    (Wanted(("shop",), actors=("account:1",)), None),
    (Wanted(("shop",), ("waiting",), trigger="incident"), None),
)


def expected(rows: list[dict[str, Any]], wanted: Wanted, before: int | None) -> list[int]:
    """What a history must show, found the slow way."""
    return [
        row["id"]
        for row in reversed(rows)
        if row["book"] in wanted.books
        and (before is None or row["id"] < before)
        and (not wanted.states or row["state"] in wanted.states)
        and (wanted.runbooks is None or (row["book"], row["runbook"]) in wanted.runbooks)
        and (wanted.actors is None or row["started_by"] in wanted.actors)
        and row["trigger"].startswith(wanted.trigger)
        and (wanted.since is None or row["created_at"] >= wanted.since)
        and (wanted.until is None or row["created_at"] < wanted.until)
    ][:30]


@BOTH
async def test_each_filter_finds_the_same_as_a_walk_through_all_runs(
    tmp_path: Path, request: pytest.FixtureRequest, engine: str
) -> None:
    url = None if engine == "sqlite" else request.getfixturevalue("postgres_url")
    made: dict[str, datetime] = {}

    def fill(tx: Transaction, book: Book, now: datetime, people: dict[str, int]) -> None:
        made["now"] = now
        many(tx, book, now, 1_500)

    async with sites.serving(tmp_path / "data", fill, url) as rig:
        rows = await rig.database.read(lambda tx: tx.rows(sa.select(run).order_by(run.c.id)))
        then = made["now"] - 700 * M
        times = (
            (Wanted(("shop",), until=then), None),
            (Wanted(("shop",), since=then, until=then + 20 * M), None),
            (Wanted(("shop",), ("succeeded",), since=then), 1_200),
        )
        for wanted, before in (*CASES, *times):
            found = await rig.database.read(
                lambda tx, w=wanted, b=before: runstore.history(tx, w, 30, b)
            )
            assert [one["id"] for one in found.rows] == expected(rows, wanted, before), wanted


async def test_no_filter_sorts_the_runs_it_finds(tmp_path: Path) -> None:
    """What costs with a hundred thousand runs is sorting them; SQLite says where it would."""

    def fill(tx: Transaction, book: Book, now: datetime, people: dict[str, int]) -> None:
        many(tx, book, now, 500)

    async with sites.serving(tmp_path / "data", fill) as rig:

        def plans(tx: Transaction) -> list[str]:
            told = []

            def note(connection: Any, clause: Any, *_: Any) -> None:
                if isinstance(clause, sa.Select) and clause._limit_clause is not None:
                    text = clause.compile(
                        connection, compile_kwargs={"literal_binds": True}
                    )  # fmt: skip
                    found = tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")
                    told.extend(row[3] for row in found)

            sa.event.listen(tx.connection, "before_execute", note)
            for wanted, before in CASES:
                runstore.history(tx, wanted, 30, before)
            return told

        told = await rig.database.read(plans)
    assert told
    assert [one for one in told if "TEMP B-TREE" in one] == []


async def test_seeds_of_this_file_are_the_ones_the_pages_know(trouble: Rig) -> None:
    """The numbers above are those of `seed.trouble`; they may change there."""
    rows = await trouble.database.read(lambda tx: tx.rows(sa.select(run).order_by(run.c.id)))
    assert [one["runbook"] for one in rows] == [
        "morning", "restart-payments", "restart-payments", "wipe-cache"
    ]  # fmt: skip
    assert seed.S < M
