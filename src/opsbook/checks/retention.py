"""Old observations become rollups, and old rollups are forgotten; a little at a time.

An hour of one check is one transaction: its rollups are written and its observations deleted, or
neither. So each look is counted once, whenever the server was stopped, and what was away for weeks
is put together as it would have been. Nothing that somebody reads in order is deleted before they
have read it: rules follow the observations by id.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import partial

from opsbook.base import events
from opsbook.base.database import EPOCH, Database, Transaction
from opsbook.book.library import Library
from opsbook.book.sections.about import Retention
from opsbook.checks import rollups, store
from opsbook.checks.rollups import HOUR, SPANS

EVERY = timedelta(hours=1)
BATCH = 1000
PAGE = 200
READERS = ("alerts.rules",)
"""The cursors of those who follow observations in their order (`base.events`)."""

DEFAULT = Retention().spans
Kept = Mapping[str, Mapping[int, timedelta]]


class Forgetting:
    """The loop ``observations``."""

    def __init__(
        self,
        database: Database,
        library: Library,
        batch: int = BATCH,
        readers: Collection[str] = READERS,
    ) -> None:
        self.database = database
        self.library = library
        self.batch = batch
        self.readers = tuple(readers)

    async def tick(self, now: datetime) -> datetime:
        """Go through all checks that have anything; books no longer running keep the default."""
        kept = {book.id: book.retention.spans for book in self.library.books()}
        await self._observations(now, kept)
        await self._rollups(now, kept)
        return now + EVERY

    async def _observations(self, now: datetime, kept: Kept) -> None:
        after = ("", "")
        while some := await self.database.read(partial(store.oldest, after=after, limit=PAGE)):
            for book, check, first in some:
                before = hour(now - kept.get(book, DEFAULT)[0])
                work = partial(
                    roll, book=book, check=check, before=before, batch=self.batch,
                    readers=self.readers,
                )  # fmt: skip
                while first < before and await self.database.write(work):
                    pass
                after = (book, check)

    async def _rollups(self, now: datetime, kept: Kept) -> None:
        after = ("", "", 0)
        look = store.oldest_rollups
        while some := await self.database.read(partial(look, after=after, limit=PAGE)):
            for book, check, span, first in some:
                before = hour(now - kept.get(book, DEFAULT).get(span, timedelta()))
                if first < before:
                    work = partial(
                        store.forget_rollups, book=book, check_id=check, span_s=span, before=before
                    )
                    await self.database.write(work)
                after = (book, check, span)


def hour(at: datetime) -> datetime:
    """Return the beginning of the hour: whole hours are put together, so that none is torn."""
    return at - (at - EPOCH) % timedelta(seconds=HOUR)


def roll(
    tx: Transaction,
    book: str,
    check: str,
    before: datetime,
    batch: int = BATCH,
    readers: Collection[str] = READERS,
) -> bool:
    """Put some of a check's oldest hours together; return whether there is more to do.

    An hour of which a reader has not seen everything stays, with all after it.
    """
    seen_by_all = min((events.position(tx, one) for one in readers), default=None)
    found, more = store.looks(tx, book, check, before, batch)
    if seen_by_all is not None:
        unseen = min((one.at for id, one in found if id > seen_by_all), default=None)
        if unseen is not None:
            found = [(id, one) for id, one in found if one.at < rollups.floor(unseen, HOUR)]
    if not found:
        return False
    looks = [one for _, one in found]
    for span in SPANS:
        store.put(tx, book, check, span, rollups.spans(looks, span))
    store.forget(tx, book, check, [id for id, _ in found], looks[-1].at)
    return more
