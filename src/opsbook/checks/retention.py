"""Forgetting old observations, a few thousand at a time so that nothing else has to wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from opsbook.base.database import Database
from opsbook.book.library import Library
from opsbook.book.sections.about import Retention
from opsbook.checks import store

EVERY = timedelta(hours=1)
BATCH = 5000


class Forgetting:
    """The loop ``observations``."""

    def __init__(self, database: Database, library: Library, batch: int = BATCH) -> None:
        self.database = database
        self.library = library
        self.batch = batch

    async def tick(self, now: datetime) -> datetime:
        """Delete what is older than each book keeps; books no longer running keep the default."""
        running = {book.id: book.retention.observations for book in self.library.books()}
        stored = await self.database.read(store.books)
        for book in stored:
            before = now - running.get(book, Retention().observations)
            some = partial(store.forget_old, book=book, before=before, limit=self.batch)
            while await self.database.write(some):
                pass
        return now + EVERY
