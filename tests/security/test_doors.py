"""Every address there is, tried by who may not: to read, to change, without a form's token.

The addresses are asked of the site itself, so a new one is tried by itself as well.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2 as httpx
import pytest
import sqlalchemy as sa

from opsbook.access import accounts
from opsbook.access.tables import approval
from opsbook.base.database import Transaction
from opsbook.runs.tables import attempt, output
from tests.security import two_books
from tests.security.two_books import MARK, Ids, Site
from tests.web.test_guard import TOKEN

QUERIES = (
    "/search?q=elephantine", "/search?q={run_id}", "/search?q=Open", "/audit?about=run:{run_id}",
    "/audit?about=incident:{incident_id}", "/runs?book=vault", "/runs?q=elephantine",
    "/runs?runbook=open", "/runs?who=keeper", "/runs/compare?a={run_id}&b=2",
    "/runs/compare?a=2&b={run_id}", "/runbooks?q=elephantine", "/runbooks?book=vault",
    "/checks?book=vault", "/incidents?book=vault", "/live?topics=run:{run_id}",
    "/more?from=/runs", "/api/v1/runs?book=vault", "/api/v1/checks?book=vault",
    "/api/v1/incidents?book=vault&state=all", "/api/v1/webhooks?book=vault",
    "/api/v1/audit?thread=run:{run_id}", "/api/v1/audit?thread=incident:{incident_id}",
    "/api/v1/events?after=0", "/api/v1/runs/{run_id}/output?after=0&step=look",
)  # fmt: skip
OURSELVES = re.compile(r"/(sign-in|sign-out|profile|static|-)(/|$)|/api/v1/\{path")
ENDLESS = re.compile(r"/(live|stream)($|\?)|^/runs/[^/]+/output($|\?)")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with two_books.serving(tmp_path / "data") as one:
        yield one


def filled(path: str, ids: Ids, **more: object) -> str:
    """An address with the numbers and names of the vault put in, or with others."""
    names = {
        "run_id": ids.run, "incident_id": ids.incident, "evidence_id": ids.evidence,
        "account_id": ids.account, "page_id": ids.page, "draft_id": ids.draft, "held_id": 1,
        "book_id": "vault", "book": "vault", "check_id": "watch", "check": "watch",
        "hook": "sink", "runbook_id": "open", "step_key": "look", "step": "look",
        "section": "checks", "element_id": "watch", "path": "runbooks/open.md", "wish": "disable",
        "alert_id": ids.alert, "uuid": ids.silence, "exception_id": ids.exception,
        "swap_id": ids.swap, "rotation": "nights", "token_id": 1, "mark": "x", "raw": "x",
        "name": "x", **more,
    }  # fmt: skip
    return re.sub(r"\{(\w+)(:\w+)?\}", lambda found: str(names[found[1]]), path)


async def read(client: httpx.AsyncClient, path: str) -> tuple[int, str]:
    """An answer, or of one that does not end what came within a moment."""
    if not ENDLESS.search(path):
        answer = await client.get(path)
        return answer.status_code, answer.text
    text = ""
    async with client.stream("GET", path) as answer:
        try:
            async with asyncio.timeout(0.5):
                async for piece in answer.aiter_text():
                    text += piece
        except TimeoutError:
            pass
        return answer.status_code, text


async def test_nothing_of_a_book_that_one_may_not_read_comes_through_any_address(
    site: Site,
) -> None:
    ways = [filled(one, site.ids) for one in site.routes("GET") if not OURSELVES.search(one)]
    ways += [filled(one, site.ids) for one in QUERIES]
    assert len(ways) > 70
    shown: dict[str, int] = {}
    for login in ("viewer", "operator", "stranger", "keeper"):
        browser, program = await site.browser(login), await site.program(login, "read", "run")
        for path in ways:
            client = program if path.startswith("/api/") else browser
            status, text = await read(client, path)
            assert status < 500, (login, path, text[:500])
            if MARK in text:
                shown[login] = shown.get(login, 0) + 1
                assert login == "keeper", (login, path)
    assert shown["keeper"] > 40, "the marks are where they would be seen"


SOON = {"starts_at": "2100-01-01T00:00:00Z", "ends_at": "2100-01-01T01:00:00Z"}
SAID = {"reason": "x", "note": "x", "text": "x", "back": "/", "title": "x", "approval": "1",
        "choice": "skip", "login": "x", "book": "vault", "matchers": "a=b", "length": "1h",
        "comment": "x"}  # fmt: skip
BODIES = {
    "/api/v1/silences": {
        "book": "vault",
        "matchers": ["a=b"],
        "length": "1h",
        "comment": "x",
    },
    "/api/v1/runs": {
        "runbook": "restart-payments",
        "book": "shop",
        "params": {"service": "payments"},
    },
    "/oncall/exceptions": {"book": "shop", "rotation": "any", "person": "responder", **SOON},
    "/oncall/swaps": {
        "book": "shop",
        "rotation": "any",
        "giver": "responder",
        "taker": "viewer",
        **SOON,
    },
    "decide": {"choice": "skip"},
    "resume": {"reason": "x"},
    "rerun": {"reason": "x"},
    "/api/v1/accounts": {"login": "operator"},
    "change": {"path": "book.yaml", "text": "id: shop"},
    "publish": {"reason": "x"},
}
MAY = re.compile(r"/comments?$|/plan$|/inbox/|^/audit/verify$")
"""What somebody may who only reads: write a comment, see a plan, tidy their own inbox."""
IDLE = re.compile(r"/(withdraw|confirm)$")
"""What is answered with a conflict: nothing waits there. The engine's own tests try these."""


async def refusals(site: Site, ids: Ids, **more: object) -> list[str]:
    """Send every wish there is as the viewer, and see that nothing has changed; return what was
    not plainly refused.
    """
    program = await site.program("viewer", "read", "run", "approve")
    browser = await site.browser("viewer")
    token = TOKEN.findall((await browser.get("/profile")).text)[-1]
    before, taken, tried = await site.state(), [], 0
    for route in site.routes("POST"):
        if OURSELVES.search(route) or MAY.search(route):
            continue
        tried += 1
        path = filled(route, ids, **more)
        if route.endswith("/evidence") and "interrupted" in more:
            path = filled(route, ids, **{**more, "step_key": "cause", "step": "cause"})
        if route.endswith("/decide") and "interrupted" in more:
            path = filled(route, ids, **{**more, "run_id": more["interrupted"], "step_key": "wipe"})
        if path.startswith("/api/"):
            body = next((BODIES[one] for one in BODIES if route.endswith(one)), {})
            sent = {"content": b"x", "headers": {"File-Name": "x.txt"}}
            answer = await program.post(
                path, **(sent if route.endswith("evidence") else {"json": body})
            )
        else:
            file = {"file": ("x.txt", b"x")} if route.endswith("evidence") else None
            answer = await browser.post(path, data={"form_token": token, **SAID}, files=file)
        allowed = {403, 404, 409} if IDLE.search(route) else {403, 404}
        if answer.status_code not in allowed:
            taken.append(f"{answer.status_code} {path} {answer.text[:200]}")
    assert tried > 40
    assert await site.state() == before
    return taken


async def test_who_may_only_read_changes_nothing_by_any_address(site: Site) -> None:
    seeded = site.rig.made
    assert isinstance(seeded, dict)
    ours = Ids(run=seeded["run"], incident=seeded["incident"], evidence=1,
               account=site.rig.ids["responder"], page=1, draft=1, alert=1,
               silence="none", exception=1, swap=1)  # fmt: skip
    shop = {"book_id": "shop", "book": "shop", "check_id": "front", "check": "front",
            "runbook_id": "restart-payments", "step_key": "allow", "step": "allow",
            "element_id": "front", "interrupted": seeded["interrupted"]}  # fmt: skip
    assert await refusals(site, ours, **shop) == []


async def test_nor_anything_of_a_book_that_they_do_not_know(site: Site) -> None:
    assert await refusals(site, site.ids) == []


async def test_no_wish_is_granted_without_a_forms_token_or_from_another_site(site: Site) -> None:
    operator = await site.browser("operator")
    token = TOKEN.findall((await operator.get("/profile")).text)[-1]
    before = await site.state()
    wishes = [one for one in site.routes("POST") if not one.startswith("/api/")]
    assert len(wishes) > 30
    for route in wishes:
        path = filled(route, site.ids, run_id=2, book_id="shop", step_key="allow")
        data = {"approval": "1", "choice": "skip", "note": "x", "reason": "x"}
        if not route.startswith("/sign-in"):
            answer = await operator.post(path, data=data)
            assert answer.status_code in {403, 404}, (path, answer.status_code)
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = await operator.post(path, data={**data, "form_token": token}, headers=headers)
            assert answer.status_code == 403, (path, answer.status_code)
    assert await site.state() == before


async def test_a_pages_session_changes_nothing_through_the_interface(site: Site) -> None:
    operator = await site.browser("operator")
    before = await site.state()
    for route in site.routes("POST"):
        if route.startswith("/api/"):
            path = filled(route, site.ids, run_id=2, book="shop", step="allow")
            answer = await operator.post(path, json={"reason": "x", "choice": "skip", "text": "x"})
            assert answer.status_code in {401, 403, 404}, (path, answer.status_code, answer.text)
    assert await site.state() == before


async def test_looking_changes_nothing_whatever_the_address(site: Site) -> None:
    """Also the addresses of wishes, asked for as links in a message would be."""
    operator = await site.browser("operator")
    program = await site.program("operator", "read", "run", "approve")
    before = await site.state()
    for route in (*site.routes("GET"), *site.routes("POST")):
        if route == "/api/v1/{path:path}":
            continue
        path = filled(route, site.ids, run_id=2, book_id="shop", step_key="allow")
        client = program if path.startswith("/api/") else operator
        status, text = await read(client, f"{path}?approval=1&choice=skip&note=x&reason=x")
        assert status < 500, (path, text[:300])
    assert await site.state() == before


async def test_an_approval_is_given_by_a_person_with_the_scope_and_by_nobody_else(
    site: Site,
) -> None:
    """The front door itself: no token, the local one, one without the scope, another book's."""

    async def asked() -> str:
        query = sa.select(approval.c.state).where(approval.c.subject == "run:2")
        return str(await site.rig.database.read(lambda tx: tx.scalar(query)))

    local = await site.program(None, "read", "run")
    blind = await site.program("approver", "read", "run")
    keeper = await site.program("keeper", "read", "run", "approve")
    nobody = httpx.AsyncClient(base_url=site.rig.url)
    for client, status in ((nobody, 401), (local, 403), (blind, 403), (keeper, 404)):
        answer = await client.post("/api/v1/runs/2/approve", json={})
        assert answer.status_code == status, answer.text
        assert await asked() == "open"
    approver = await site.program("approver", "approve", "read")
    assert (await approver.post("/api/v1/runs/2/approve", json={})).status_code == 200
    assert await asked() == "approved"


async def test_the_page_of_one_run_does_not_answer_for_another(site: Site) -> None:
    """The form names the approval; it has to be one of the run in the address."""
    approver = await site.browser("approver")
    token = TOKEN.findall((await approver.get("/runs/2")).text)[-1]
    before = await site.state()
    for run, number in ((2, 2), (site.ids.run, 1), (4, 1)):
        data = {"form_token": token, "approval": str(number), "note": ""}
        answer = await approver.post(f"/runs/{run}/steps/allow/approve", data=data)
        assert answer.status_code == 404, (run, number, answer.status_code)
    assert await site.state() == before


async def test_a_yes_is_taken_back_by_its_giver_alone_and_only_while_it_is_open(
    site: Site,
) -> None:
    two = sa.update(approval).where(approval.c.subject == "run:2").values(need=2)
    await site.rig.database.write(lambda tx: tx.execute(two))
    approver = await site.program("approver", "approve", "read")
    operator = await site.program("operator", "approve", "read")
    assert (await approver.post("/api/v1/runs/2/approve", json={})).status_code == 200
    refused = await operator.post("/api/v1/runs/2/withdraw", json={})
    assert (refused.status_code, "nothing to take back" in refused.text) == (409, True)
    local = await site.program(None, "read", "run")
    assert (await local.post("/api/v1/runs/2/withdraw", json={})).status_code == 403
    taken = await approver.post("/api/v1/runs/2/withdraw", json={"note": "a second thought"})
    assert taken.status_code == 200
    assert (await site.state())["approval_vote"] == []
    assert (await operator.post("/api/v1/runs/2/approve", json={})).json()["state"] == "waiting"


@pytest.mark.parametrize("way", ["page", "interface"])
async def test_a_stream_that_is_open_ends_when_its_account_is_disabled(
    site: Site, way: str
) -> None:
    rig, run = site.rig, site.ids.run
    client = await (site.browser("keeper") if way == "page" else site.program("keeper", "read"))
    path = f"/runs/{run}/output" if way == "page" else f"/api/v1/runs/{run}/stream"
    text, later = "", "written after they were shut out"
    async with client.stream("GET", path) as answer:
        pieces = answer.aiter_text()
        async with asyncio.timeout(5):
            while MARK not in text:
                text += await anext(pieces)

        def shut_out_then_write(tx: Transaction) -> None:
            accounts.disable(tx, rig.clock.now(), site.ids.account, by="opsbook")
            made = sa.select(attempt.c.id).where(attempt.c.run_id == run)
            tx.insert(output, attempt_id=tx.scalar(made), start=100, text=later)
            tx.touch(f"run:{run}")

        await rig.database.write(shut_out_then_write)
        with contextlib.suppress(TimeoutError, StopAsyncIteration):
            async with asyncio.timeout(2):
                while later not in text:
                    text += await anext(pieces)
    assert later not in text
