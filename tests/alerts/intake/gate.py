"""The doors of a book on a real database, with a clock that is wound; asked as a server asks them.

`Gate.post` speaks ASGI, as uvicorn does, so that thousands of requests cost no sockets. What only a
real connection shows is in tests/web/test_doors.py.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from opsbook.alerts.intake import doors, posted
from opsbook.alerts.intake.doors import Doors
from opsbook.alerts.intake.kind import Fetch
from opsbook.alerts.intake.posted import Posted
from opsbook.alerts.tables import intake
from opsbook.app import vocabulary
from opsbook.base.clock import WoundClock
from opsbook.base.database import Database, metadata, sqlite_url
from opsbook.base.hub import Hub
from opsbook.book import Book, load
from opsbook.book.library import Library
from opsbook.web.doors import IntakeDoors
from tests.support.databases import all_tables

NOW = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
TOKEN = "correct-horse-battery-staple"
TOPIC = "arn:aws:sns:ap-northeast-2:123456789012:alarms"
SECRETS = {"DOOR_TOKEN": TOKEN, "SENTRY_SECRET": "0a1b2c3d4e5f60718293a4b5c6d7e8f9"}
BOOK = f"""
id: shop
title: Shop
timezone: Asia/Seoul
languages: [en, ko]
people:
  operator: {{name: Operator, roles: [responder], contacts: ["mailto://mail.example.org?to=a@example.org"]}}
roles:
  responder: ["*:write"]
escalation:
  duty: {{levels: [{{page: [operator]}}]}}
severities:
  P1: {{title: Down, escalation: duty}}
  P2: {{title: Hurts, escalation: duty}}
  P3: {{title: Later}}
services:
  web: {{title: Web}}
intakes:
  open: {{kind: webhook, title: Next door}}
  webhook: {{kind: webhook, title: Alertmanager, token: "env:DOOR_TOKEN"}}
  grafana: {{kind: grafana, title: Grafana, token: "env:DOOR_TOKEN"}}
  sentry: {{kind: sentry, title: Sentry, token: "env:SENTRY_SECRET"}}
  cloudwatch:
    kind: cloudwatch
    title: CloudWatch
    token: env:DOOR_TOKEN
    topics: ["{TOPIC}"]
  newrelic: {{kind: newrelic, title: New Relic, token: "env:DOOR_TOKEN"}}
  pagerduty: {{kind: pagerduty, title: PagerDuty, token: "env:DOOR_TOKEN"}}
  json:
    kind: json
    title: Anything
    token: env:DOOR_TOKEN
    severities: {{Fatal: P1, bad: P2}}
    severity: P3
    fields:
      each: alerts
      name: what.name
      status: state
      severity: level
      summary: text
      starts_at: since
      ends_at: until
      link: url
      labels: {{host: "where[0].host", zone: zone}}
  few: {{kind: webhook, title: Few, token: "env:DOOR_TOKEN", at_most: 60}}
  lost: {{kind: webhook, title: Lost, token: "env:NOT_SET_ANYWHERE"}}
  prometheus: {{kind: alertmanager, title: Prometheus, token: "env:DOOR_TOKEN"}}
"""


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def nothing_else(scope: Any, receive: Any, send: Any) -> None:
    """The rest of the web: it says that it was asked."""
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"the rest"})


async def no_fetch(address: str) -> bytes:
    raise AssertionError(f"nobody should ask {address}")


@dataclass
class Gate:
    """Doors, and what stands behind them."""

    database: Database
    fetch: Fetch = no_fetch
    clock: WoundClock = field(default_factory=lambda: WoundClock(NOW))

    def __post_init__(self) -> None:
        self.library = Library(self.database, vocabulary())
        self.doors = Doors(self.database, self.library, self.clock, self.fetch)
        self.site = IntakeDoors(nothing_else, self.doors)

    async def publish(self, text: str = BOOK) -> Book:
        book = load({"book.yaml": text}, vocabulary())
        now = self.clock.now()
        await self.database.write(lambda tx: self.library.publish(tx, now, book, "a", "test"))
        self.library.remember(book)
        return book

    @property
    def book(self) -> Book:
        return self.library.current("shop")

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = {},
        client: str = "203.0.113.9", parts: int = 1,
    ) -> Answer:  # fmt: skip
        """Send a request; its body comes in as many parts."""
        size = max(1, -(-len(body) // parts))
        cut = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
        messages = [
            {"type": "http.request", "body": one, "more_body": n < len(cut) - 1}
            for n, one in enumerate(cut)
        ]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": method, "path": path, "scheme": "http",
            "client": (client, 4711), "query_string": b"",
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in headers.items()
            ],
        }  # fmt: skip
        await self.site(scope, receive, send)
        head = {a.decode(): b.decode() for a, b in sent[0]["headers"]} if sent else {}
        whole = b"".join(one.get("body", b"") for one in sent[1:])
        return Answer(sent[0]["status"] if sent else 0, head, whole)

    async def post(
        self, door: str, about: Any, token: str = TOKEN, book: str = "shop", **more: Any
    ) -> Answer:
        """Hand something in as JSON, with a bearer token if there is one."""
        body = about if isinstance(about, bytes) else json.dumps(about).encode()
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return await self.ask("POST", f"/in/{book}/{door}", body, headers, **more)

    async def rows(self) -> list[dict[str, Any]]:
        """What is on disk, in the order in which it is worked in."""
        query = sa.select(intake).order_by(intake.c.id)
        return await self.database.read(lambda tx: tx.rows(query))

    async def stored(self, source: str = "") -> list[Posted]:
        """The alerts of letters that are on disk, as their kind has read them.

        What a name with several severities adds is left out: see `opsbook.alerts.intake.keyed`.
        """
        found: list[Posted] = []
        for one in await self.kept(source):
            plain = msgspec.structs.replace(one, key=one.key.partition(" ")[2])
            if one.labels and not (one.key and found and found[-1] == plain):
                found.append(plain)
        return found

    async def kept(self, source: str = "") -> list[Posted]:
        """Everything that is on disk."""
        rows = await self.rows()
        return [
            one
            for row in rows
            if source in ("", row["source"])
            for one in posted.decode(row["body"])
        ]

    async def one(self, source: str = "") -> Posted:
        """The one alert that is on disk."""
        (found,) = await self.stored(source)
        return found

    async def status(self, door: str) -> doors.Status:
        """How a door fares, once all that was refused is written down."""
        await self.settled()
        rows = await self.database.read(lambda tx: doors.status(tx, self.book))
        return next(one for one in rows if one.intake == door)

    async def settled(self) -> None:
        """Wait until what was counted is written down."""
        accepting = self.doors.accepting
        accepting._begin()
        while accepting._task is not None:
            await asyncio.sleep(0.001)


async def opened(database: Database, **more: Any) -> Gate:
    gate = Gate(database, **more)
    await gate.publish()
    return gate


def new_database(folder: Path, hub: Hub | None = None) -> Database:
    """A database of its own in a folder, with every table, started."""
    all_tables()
    touch = hub.touch if hub is not None else lambda _: None
    database = Database(sqlite_url(folder / "gate.db"), touch)
    metadata.create_all(database.engine)
    database.start()
    return database


def notification(*alerts: Any, **more: Any) -> dict[str, Any]:
    """What an Alertmanager sends to a webhook."""
    about = {
        "version": "4", "groupKey": '{}:{alertname="x"}', "truncatedAlerts": 0, "status": "firing",
        "receiver": "opsbook", "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.org:9093", "alerts": list(alerts),
    }  # fmt: skip
    return {**about, **more}


def firing(name: str = "HighLoad", **more: Any) -> dict[str, Any]:
    """One alert of such a notification."""
    about = {
        "status": "firing", "labels": {"alertname": name, "severity": "warning", "job": "node"},
        "annotations": {"summary": "The load is high."}, "startsAt": "2026-03-03T08:59:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "b6a1c8d2e3f40516",
        "generatorURL": "http://prometheus.example.org/graph?g0.expr=load",
    }  # fmt: skip
    return {**about, **more}
