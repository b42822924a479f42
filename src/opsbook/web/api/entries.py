"""Audit entries as the API tells them: with a name for the actor and a sentence for people.

Also how they are followed: rows are read by id, and the hub only says when to look again, so a
follower that was away for an hour asks with the last id it has seen and has missed nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable
from datetime import datetime
from typing import Any, Protocol

from opsbook.audit.entries import latest, newest_id
from opsbook.base.database import Database, Transaction
from opsbook.base.hub import Hub
from opsbook.book.library import Library
from opsbook.web.api import store
from opsbook.web.api.models import Entry
from opsbook.web.i18n import Speech
from opsbook.web.sentences import Names, sentence

BATCH = 200
TOPIC = "audit"


class Followed(Protocol):
    """What following needs of the application."""

    @property
    def database(self) -> Database:
        """Where entries are."""

    @property
    def hub(self) -> Hub:
        """Who says that there are new ones."""

    @property
    def library(self) -> Library:
        """Whose people have names."""


def before(tx: Transaction, moment: datetime) -> int:
    """Return the id of the newest entry older than ``moment``, looking back one batch at most."""
    newer = [row["id"] for row in latest(tx, limit=BATCH) if row["at"] >= moment]
    return min(newer) - 1 if newer else newest_id(tx)


async def follow(app: Followed, after: int, language: str) -> AsyncGenerator[list[Entry], None]:
    """Yield entries newer than ``after``, oldest first, as they are committed."""
    listener = app.hub.subscribe(TOPIC.__eq__)

    def read(tx: Transaction) -> list[Entry]:
        return since(tx, after, app.library, language)

    try:
        while True:
            found = await app.database.read(read)
            if found:
                after = found[-1].id
                yield found
            if len(found) < BATCH:
                await listener.changed()
    finally:
        listener.close()


async def wait(app: Followed, after: int, language: str, seconds: float) -> list[Entry]:
    """Return entries newer than ``after``; if there are none, wait up to ``seconds`` for some."""
    following = follow(app, after, language)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await anext(following)
        return []
    finally:
        await following.aclose()


def since(tx: Transaction, after: int, library: Library, language: str) -> list[Entry]:
    """Return the entries that follow ``after``, oldest first, at most a batch."""
    rows = store.entries_after(tx, after, BATCH)
    return shaped(rows, Names(tx, Speech(language), library), language) if rows else []


def shaped(rows: Iterable[dict[str, Any]], names: Names, language: str) -> list[Entry]:
    """Return rows of the audit table as the API tells them."""
    return [_shaped(row, names.of(row["actor"]), language) for row in rows]


def _shaped(row: dict[str, Any], actor_name: str, language: str) -> Entry:
    return Entry(**row, actor_name=actor_name, sentence=sentence(row, actor_name, language))
