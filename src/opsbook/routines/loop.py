"""Starting what is due.

A server that was away starts each missed routine once, not once for every time it missed, and the
audit entry says how late: a morning check at noon is still worth doing, five of them are not.
"""

from __future__ import annotations

import functools
from datetime import datetime, timedelta

from opsbook import audit, runs
from opsbook.base.database import Database, Transaction
from opsbook.base.errors import OpsbookError
from opsbook.book import Book
from opsbook.book.library import Library
from opsbook.routines import store

LATE = timedelta(minutes=2)


class Routines:
    """The loop over every active book's routines."""

    def __init__(self, database: Database, library: Library) -> None:
        self.database = database
        self.library = library

    async def tick(self, now: datetime) -> datetime | None:
        """Plan new and changed routines, start those that are due; return the next due time."""
        due: list[datetime] = []
        for book in self.library.books():
            if book.status != "active":
                await self.database.write(functools.partial(store.rest, book=book.id))
                continue
            plan = functools.partial(self._book, now=now, book=book)
            due += await self.database.write(plan)
        return min(due, default=None)

    def _book(self, tx: Transaction, now: datetime, book: Book) -> list[datetime]:
        known = {row["routine"]: row for row in store.states(tx, book.id)}
        if set(known) - set(book.routines):
            store.forget(tx, book.id, list(book.routines))
        times = []
        holidays = book.holidays.model_dump_json(exclude_defaults=True).replace("{}", "")
        for routine in book.routines.values():
            schedule = book.schedule(routine.id)
            text = f"{routine.schedule} {schedule.zone.key} {holidays}".rstrip()
            row = known.get(routine.id)
            next_at = schedule.next_after(now)
            if row is None or row["schedule"] != text or row["next_at"] is None:
                store.plan(tx, book.id, routine.id, text, next_at)
            elif row["next_at"] <= now:
                if store.claim(tx, book.id, routine.id, row["next_at"], next_at):
                    start(tx, now, book, routine.id, row["next_at"])
            else:
                next_at = row["next_at"]
            times.append(next_at)
        return times


def start(tx: Transaction, now: datetime, book: Book, routine_id: str, due: datetime) -> None:
    """Start the routine's runbook; a refusal is recorded, and the next time is tried again."""
    routine = book.routines[routine_id]
    subject = f"routine:{book.id}/{routine_id}"
    late = int((now - due).total_seconds()) if now - due > LATE else 0
    data = {"book": book.id, "routine": routine_id, "due": due.isoformat(), "late_s": late}
    try:
        run_id = runs.start(
            tx, now, book=book, runbook=routine.runbook, params=dict(routine.params),
            started_by=audit.SERVER, trigger=subject, attended=False,
        )  # fmt: skip
    except OpsbookError as error:
        audit.record(
            tx, now, audit.SERVER, "routine.refused", subject, data={**data, "why": str(error)}
        )
        return
    store.started(tx, book.id, routine_id, run_id)
    audit.record(
        tx, now, audit.SERVER, "routine.started", subject, thread=f"run:{run_id}",
        data={**data, "run": run_id},
    )  # fmt: skip
