"""amtool and a Prometheus, as Debian has them, speak to Opsbook as they would to Alertmanager."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from opsbook.alerts import silences
from opsbook.app import App, build
from opsbook.incidents import store as incidents
from opsbook.settings import Settings
from tests.support import alertmanager  # noqa: F401  (which package amtool is in)
from tests.support.prometheus import running_prometheus
from tests.support.servers import needs

BOOK = """\
id: shop
title: Shop
timezone: Asia/Seoul
people: {lead: {name: Lead, roles: [lead]}}
roles: {lead: ["*:admin"]}
teams: {everybody: {members: [lead]}}
escalation: {call: {levels: [{page: [everybody]}]}}
severities: {P1: {title: Down, escalation: call}, P2: {title: Slow}}
routing:
  as: incident
  to: [everybody]
  routes:
    - match: {team: web}
      matchers: ['severity=~"P2|warning"']
      receiver: web
      group_by: [alertname]
      mute: [nights]
receivers:
  web: {to: [lead], only_firing: [lead]}
time_intervals:
  nights: {ranges: [{times: ["22:00-24:00"], weekdays: ["monday:friday"], timezone: Asia/Seoul}]}
rules:
  queue-long:
    promql: vector(7) > 5
    severity: P1
    summary: The queue is long
  idle:
    promql: vector(1) > 5
    severity: P2
    summary: Nothing to do
intakes:
  prometheus: {kind: alertmanager, title: Prometheus, token: "env:SHOP_PROMETHEUS"}
  here: {kind: alertmanager, title: This machine, default: true}
"""


@pytest.fixture
async def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[App]:
    monkeypatch.setenv("SHOP_PROMETHEUS", "let-me-in")
    book = tmp_path / "shop"
    book.mkdir()
    (book / "book.yaml").write_text(BOOK)
    app = build(Settings(books=(book,), data=tmp_path / "data", listen=("127.0.0.1", 0)))
    await app.start()
    yield app
    await app.stop()


async def amtool(app: App, *words: str, path: str = "", config: str = "") -> tuple[int, str]:
    """Run amtool against the server; its status and what it said."""
    program = needs("amtool")
    options = [f"--http.config.file={config}"] if config else []
    command = [str(program), f"--alertmanager.url={app.url}{path}", *options, *words]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout + done.stderr


async def test_amtool_adds_and_queries_alerts(app: App) -> None:
    assert await amtool(app, "alert", "add", "Full", "team=web", "severity=P2") == (0, "")
    assert await amtool(app, "alert", "add", "Slow", "severity=P1", "--annotation=summary=so") == (
        0, "",
    )  # fmt: skip
    status, said = await amtool(app, "-o", "json", "alert", "query")
    assert status == 0, said
    assert {one["labels"]["alertname"] for one in json.loads(said)} == {"Full", "Slow"}
    _, said = await amtool(app, "-o", "json", "alert", "query", "team=~w.*")
    assert [one["receivers"] for one in json.loads(said)] == [[{"name": "web"}]]
    _, said = await amtool(app, "-o", "json", "alert", "query", "--receiver=web")
    assert [one["labels"]["alertname"] for one in json.loads(said)] == ["Full"]


async def test_amtool_adds_queries_updates_and_expires_silences(app: App) -> None:
    status, said = await amtool(
        app, "silence", "add", "alertname=Full", "team!=web", "-d", "1h", "-a", "lead",
        "-c", "disk is being replaced",
    )  # fmt: skip
    assert status == 0, said
    name = said.strip()
    _, said = await amtool(app, "-o", "json", "silence", "query")
    (one,) = json.loads(said)
    assert (one["id"], one["createdBy"], one["status"]) == (name, "lead", {"state": "active"})
    assert await amtool(app, "-o", "json", "silence", "query", "alertname=Other") == (0, "[]\n")
    status, said = await amtool(app, "silence", "update", "-d", "2h", "-c", "longer", name)
    assert status == 0, said
    _, said = await amtool(app, "alert", "add", "Full", "severity=P1")
    _, said = await amtool(app, "-o", "json", "alert", "query", "--silenced")
    assert [one["status"]["silencedBy"] for one in json.loads(said)] == [[name]]
    status, said = await amtool(app, "silence", "expire", name)
    assert status == 0, said
    assert await amtool(app, "-o", "json", "silence", "query") == (0, "[]\n")
    _, said = await amtool(app, "-o", "json", "silence", "query", "--expired")
    assert [one["status"]["state"] for one in json.loads(said)] == ["expired"]
    kept = await app.database.read(lambda tx: silences.get(tx, name))
    assert kept is not None
    assert kept.expired_by == "intake:here"


async def test_amtool_tests_routes_against_it(app: App) -> None:
    status, said = await amtool(app, "config", "routes", "test", "team=web", "severity=warning")
    assert (status, said.strip()) == (0, "web"), said
    status, said = await amtool(app, "config", "routes", "test", "team=web", "severity=P1")
    assert (status, said.strip()) == (0, "incident,everybody"), said
    status, said = await amtool(app, "config", "routes", "show")
    assert status == 0, said
    assert "web" in said


async def test_amtool_shows_a_token_in_its_http_config(app: App, tmp_path: Path) -> None:
    config = tmp_path / "http.yml"
    config.write_text("authorization: {credentials: let-me-in}\n")
    path = "/in/shop/prometheus"
    status, said = await amtool(app, "alert", "query", path=path)
    assert status != 0, said
    status, said = await amtool(app, "alert", "query", path=path, config=str(config))
    assert status == 0, said
    status, said = await amtool(app, "cluster", "show", path=path, config=str(config))
    assert status == 0, said
    config.write_text("authorization: {credentials: let-me-out}\n")
    status, said = await amtool(app, "silence", "query", path=path, config=str(config))
    assert status != 0, said


async def test_a_wrong_silence_is_refused_in_words(app: App) -> None:
    status, said = await amtool(app, "silence", "add", "x=~.*", "-c", "all", "-a", "lead")
    assert status != 0
    assert "keep all quiet" in said


@pytest.mark.timeout(120)
async def test_a_real_prometheus_with_the_exported_rules_opens_an_incident(
    app: App, tmp_path: Path
) -> None:
    program = needs("promtool")
    from opsbook.alerts.exchange import rules_out

    book = app.library.current("shop")
    exported = rules_out.write(book, url=app.url)
    (name, rules), *_ = exported.files.items()
    (tmp_path / "rules.yml").write_text(rules)
    checked = subprocess.run(
        [str(program), "check", "rules", str(tmp_path / "rules.yml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
    host, port = app.address
    configuration = f"""\
global: {{scrape_interval: 200ms, evaluation_interval: 200ms}}
rule_files: [{name}]
alerting:
  alertmanagers:
    - path_prefix: /in/shop/prometheus
      authorization: {{credentials: let-me-in}}
      static_configs: [{{targets: ["{host}:{port}"]}}]
"""
    with running_prometheus(configuration, {name: rules}, "--rules.alert.resend-delay=1s"):
        async with asyncio.timeout(60):
            while not (found := await app.database.read(incidents.active)):
                await asyncio.sleep(0.05)
    assert [(one["rule"], one["severity"]) for one in found] == [("queue-long", "P1")]
    (alert,) = await app.database.read(lambda tx: incidents.alerts_of(tx, found[0]["id"]))
    assert alert["labels"]["alertname"] == "queue-long"
    assert alert["source"] == "prometheus"
