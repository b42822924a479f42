"""A pipeline on a real database with a clock in the hand, and what it has told so far."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from opsbook.alerts.intake import accepting
from opsbook.alerts.intake.posted import Posted
from opsbook.alerts.pipeline.loop import Dispatcher
from opsbook.alerts.tables import alert
from opsbook.audit.tables import entry
from opsbook.base import events
from opsbook.base.database import Database, Transaction
from opsbook.book import Book, Vocabulary, load
from opsbook.book.library import Library
from opsbook.checks import KINDS
from opsbook.incidents import Escalator, Response
from opsbook.incidents.tables import incident
from opsbook.notify.tables import delivery, page
from opsbook.runs import STEP_KINDS

HEAD = """\
id: shop
title: Shop
timezone: UTC
people: {lead: {name: Lead, roles: [lead]}, mate: {name: Mate}}
roles: {lead: ["*:admin"]}
teams: {everybody: {members: [lead, mate]}}
escalation: {call: {levels: [{page: [everybody]}]}}
severities: {P1: {title: Down, escalation: call}, P2: {title: Slow, escalation: call}, P3: {title: Odd}}
webhooks:
  hook: {title: Hook, url: "http://127.0.0.1:9/hook", events: [alerts], loopback: true}
"""  # noqa: E501

GROUPED = """\
routing:
  as: notify
  to: [hook]
  group_by: [alertname]
  group_wait: 10s
  group_interval: 1m
  repeat_interval: 1h
"""
VOCABULARY = Vocabulary({name: kind.model for name, kind in KINDS.items()}, frozenset(STEP_KINDS))


def book(*parts: str) -> Book:
    """A book of the usual head and these parts."""
    return load({"book.yaml": "\n".join((HEAD, *parts))}, VOCABULARY)


@dataclass
class Desk:
    """Post, wind, look."""

    database: Database
    now: datetime
    shop: Book
    library: Library = field(init=False)
    dispatcher: Dispatcher = field(init=False)

    def __post_init__(self) -> None:
        self.library = Library(self.database, VOCABULARY)
        self.library.remember(self.shop)
        self.restart()

    def restart(self) -> None:
        """Forget everything that is not in the database."""
        self.dispatcher = Dispatcher(self.database, self.library, "http://opsbook")

    def reload(self, *parts: str) -> None:
        """Let another revision of the book run."""
        self.shop = book(*parts)
        self.library.remember(self.shop)

    async def post(
        self, *names: str, ends: timedelta | None = timedelta(minutes=5),
        source: str = "prometheus",
        annotations: dict[str, str] | None = None, began: timedelta = timedelta(0), **labels: str,
    ) -> None:  # fmt: skip
        """Hand alerts in; `ends` counts from now, zero is over, none leaves it unsaid."""
        posted = [
            Posted(
                {"alertname": name, **labels}, annotations or {}, self.now - began,
                None if ends is None else self.now + ends, "",
            )
            for name in names
        ]  # fmt: skip
        await self.database.write(lambda tx: accepting.accept(tx, self.now, "shop", source, posted))
        await self.dispatcher.tick(self.now)

    async def post_without_start(self, name: str, ends: timedelta | None) -> None:
        """Hand in an alert that says when it will be over at most, and not when it began."""
        until = None if ends is None else self.now + ends
        posted = [Posted({"alertname": name}, {}, None, until, "")]
        await self.database.write(lambda tx: accepting.accept(tx, self.now, "shop", "x", posted))
        await self.dispatcher.tick(self.now)

    async def over(self, *names: str, **labels: str) -> None:
        """Hand alerts in as over."""
        await self.post(*names, ends=timedelta(0), began=timedelta(seconds=1), **labels)

    async def wind(self, by: timedelta) -> None:
        """Let time pass, with a tick at every moment that is due."""
        target = self.now + by
        for _ in range(10_000):
            due = await self.dispatcher.tick(self.now)
            if due is None or due > target:
                break
            self.now = max(due, self.now)
        self.now = target
        await self.dispatcher.tick(self.now)

    async def seconds(self, count: float) -> None:
        """Let seconds pass."""
        await self.wind(timedelta(seconds=count))

    async def told(self) -> list[dict[str, Any]]:
        """The bodies of webhooks so far."""
        rows = await self.database.read(
            lambda tx: tx.rows(sa.select(delivery).order_by(delivery.c.id))
        )
        return [json.loads(row["body"]) for row in rows]

    async def said(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """What webhooks say in short: the status, and each alert with its own."""
        told = await self.told()
        return [
            (one["status"], [(a["status"], a["labels"]["alertname"]) for a in one["alerts"]])
            for one in told
        ]

    async def pages(self) -> list[tuple[str, str, str]]:
        """Who was written to by which channel, and the title."""
        rows = await self.database.read(lambda tx: tx.rows(sa.select(page).order_by(page.c.id)))
        return [(row["person"], row["channel"], row["title"]) for row in rows]

    async def events(self, *kinds: str) -> list[dict[str, Any]]:
        """The data of events of these kinds."""
        query = sa.select(events.event).where(events.event.c.kind.in_(kinds))
        rows = await self.database.read(lambda tx: tx.rows(query.order_by(events.event.c.id)))
        return [{**row["data"], "kind": row["kind"]} for row in rows]

    async def alerts(self) -> list[dict[str, Any]]:
        """Every alert's row."""
        return await self.database.read(lambda tx: tx.rows(sa.select(alert).order_by(alert.c.id)))

    async def count(self, action: str) -> int:
        """How many audit entries say this."""

        def counted(tx: Transaction) -> int:
            mine = sa.select(sa.func.count()).where(entry.c.action == action)
            return int(tx.scalar(mine) or 0)

        return await self.database.read(counted)


class Room:
    """A desk whose incidents are opened and paged."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.response = Response(desk.library).consumer
        self.escalator = Escalator(desk.database, desk.library)

    async def settle(self, by: float = 0) -> None:
        """Let time pass, and everything that follows happen."""
        await self.desk.seconds(by)
        await events.drain(self.desk.database, self.response, self.desk.now)
        await self.escalator.tick(self.desk.now)

    async def incidents(self) -> list[dict[str, Any]]:
        query = sa.select(incident).order_by(incident.c.id)
        return await self.desk.database.read(lambda tx: tx.rows(query))

    async def paged(self) -> list[str]:
        """The titles of what was paged, to anybody."""
        return [title for _, channel, title in await self.desk.pages() if channel == "inbox"]
