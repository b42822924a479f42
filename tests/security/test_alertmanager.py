"""Ways to keep an alert from those whom it concerns, through what speaks like an Alertmanager."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from opsbook.access import accounts, tokens
from opsbook.app import App, build
from opsbook.base.database import Transaction
from opsbook.settings import Settings
from tests.support.servers import proxy

BOOK = """\
id: {id}
title: {id}
timezone: UTC
people:
  lead: {{name: Lead, roles: [lead]}}
  reader: {{name: Reader, roles: [reader]}}
roles:
  lead: ["*:admin"]
  reader: ["alerts:read", "runs:write"]
severities: {{P1: {{title: Down}}}}
intakes:
  prometheus: {{kind: alertmanager, title: Prometheus, token: "env:{token}"}}
  here: {{kind: alertmanager, title: Here{more}}}
"""


@pytest.fixture
async def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[App]:
    monkeypatch.setenv("SHOP_TOKEN", "of-the-shop")
    monkeypatch.setenv("VAULT_TOKEN", "of-the-vault")
    books = []
    for id, more in (("shop", ", default: true"), ("vault", "")):
        folder = tmp_path / id
        folder.mkdir()
        text = BOOK.format(id=id, token=f"{id.upper()}_TOKEN", more=more)
        (folder / "book.yaml").write_text(text)
        books.append(folder)
    made = build(Settings(books=tuple(books), data=tmp_path / "data", listen=("127.0.0.1", 0)))
    await made.start()
    yield made
    await made.stop()


def silence() -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "matchers": [{"name": "severity", "value": "P1", "isRegex": False}],
        "startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "somebody", "comment": "nothing to see",
    }  # fmt: skip


async def silences(app: App, book: str) -> list[Any]:
    """The silences of a book, seen with its own token."""
    async with httpx.AsyncClient(base_url=app.url) as client:
        headers = {"Authorization": f"Bearer of-the-{book}"}
        answer = await client.get(f"/in/{book}/prometheus/api/v2/silences", headers=headers)
        found: list[Any] = answer.json()
        return found


async def test_a_page_in_a_browser_on_the_servers_machine_silences_nothing(app: App) -> None:
    async with httpx.AsyncClient(base_url=app.url) as client:
        for headers in (
            {"Origin": "https://evil.example"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Host": "evil.example"},
            {"X-Forwarded-For": "203.0.113.9"},
        ):
            for path in ("/api/v2/silences", "/in/shop/here/api/v2/silences"):
                answer = await client.post(path, json=silence(), headers=headers)
                assert answer.status_code == 401, (path, headers)
    assert await silences(app, "shop") == []


async def test_a_proxy_on_the_servers_machine_that_says_nothing_lets_nobody_in(app: App) -> None:
    """nginx with `proxy_pass` alone: to the server everybody is 127.0.0.1 and asks 127.0.0.1."""
    with proxy(f"proxy_pass {app.url};") as url:
        async with httpx.AsyncClient(base_url=url) as client:
            for path in ("/api/v2", "/in/shop/here/api/v2"):
                answer = await client.post(f"{path}/silences", json=silence())
                assert answer.status_code == 401
                given = [{"labels": {"alertname": "FromAnywhere"}}]
                assert (await client.post(f"{path}/alerts", json=given)).status_code == 401
            token = {"Authorization": "Bearer of-the-shop"}
            path = "/in/shop/prometheus/api/v2/silences"
            assert (await client.get(path, headers=token)).json() == []


async def test_nor_does_one_that_is_set_up_as_the_page_says(app: App) -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "intakes.md"
    (location,) = re.findall(r"```nginx\nlocation / {\n(.+?)}\n```", page.read_text(), re.DOTALL)
    with proxy(location.replace("http://127.0.0.1:8420", app.url)) as url:
        async with httpx.AsyncClient(base_url=url) as client:
            for host in ("opsbook.example.org", "127.0.0.1"):
                headers = {"Host": host}
                answer = await client.post("/api/v2/silences", json=silence(), headers=headers)
                assert answer.status_code == 401
            token = {"Authorization": "Bearer of-the-shop"}
            path = "/in/shop/prometheus/api/v2/alerts"
            many = [{"labels": {"n": str(n)}, "annotations": {"x": "y" * 3000}} for n in range(900)]
            assert (await client.post(path, json=many, headers=token)).status_code == 200
            assert (await client.get("/sign-in")).status_code == 200


async def test_the_token_of_one_book_reaches_no_silence_or_alert_of_another(app: App) -> None:
    shop = {"Authorization": "Bearer of-the-shop"}
    vault = {"Authorization": "Bearer of-the-vault"}
    async with httpx.AsyncClient(base_url=app.url) as client:
        made = await client.post(
            "/in/vault/prometheus/api/v2/silences", json=silence(), headers=vault
        )
        name = made.json()["silenceID"]
        for path in ("/in/vault/prometheus/api/v2/alerts", "/in/vault/prometheus/api/v2/silences"):
            assert (await client.get(path, headers=shop)).status_code == 401
        mine = f"/in/shop/prometheus/api/v2/silence/{name}"
        assert (await client.get(mine, headers=shop)).status_code == 404
        assert (await client.delete(mine, headers=shop)).status_code == 404
        changed = {**silence(), "id": name}
        answer = await client.post(
            "/in/shop/prometheus/api/v2/silences", json=changed, headers=shop
        )
        assert answer.status_code == 404
    (one,) = await silences(app, "vault")
    assert one["status"]["state"] == "active"


async def test_a_person_without_the_permission_silences_nothing_here_or_there(app: App) -> None:
    now = app.clock.now()

    def make(tx: Transaction) -> str:
        account = accounts.create(tx, now, "reader")
        scopes = ["read", "run", "approve"]
        return tokens.create(tx, now, account, "a test", scopes, timedelta(days=1))

    raw = await app.database.write(make)
    async with httpx.AsyncClient(base_url=app.url) as client:
        client.headers["Authorization"] = f"Bearer {raw}"
        assert (await client.get("/api/v2/silences")).status_code == 200
        assert (await client.post("/api/v2/silences", json=silence())).status_code == 403
        assert (await client.post("/api/v2/alerts", json=[])).status_code == 403
        asked = {"book": "shop", "matchers": ["a=b"], "length": "1h", "comment": "x"}
        assert (await client.post("/api/v1/silences", json=asked)).status_code == 403
    assert await silences(app, "shop") == []


async def test_no_silence_keeps_everything_quiet(app: App) -> None:
    headers = {"Authorization": "Bearer of-the-shop"}
    async with httpx.AsyncClient(base_url=app.url) as client:
        for matchers in (
            [],
            [{"name": "alertname", "value": ".*", "isRegex": True}],
            [{"name": "nobody", "value": "x", "isRegex": False, "isEqual": False}],
        ):
            wanted = {**silence(), "matchers": matchers}
            path = "/in/shop/prometheus/api/v2/silences"
            answer = await client.post(path, json=wanted, headers=headers)
            assert answer.status_code == 400, matchers
    assert await silences(app, "shop") == []


async def test_a_key_that_a_sender_makes_up_hides_no_alert_behind_another(app: App) -> None:
    headers = {"Authorization": "Bearer of-the-shop"}
    path = "/in/shop/prometheus/api/v2/alerts"
    async with httpx.AsyncClient(base_url=app.url, headers=headers) as client:
        for n, key in enumerate(("x", "x", 5)):
            given = [{"labels": {"alertname": f"A{n}"}, "key": key}]
            assert (await client.post(path, json=given)).status_code == 200
        found = (await client.get(path)).json()
    assert sorted(one["labels"]["alertname"] for one in found) == ["A0", "A1", "A2"]
