"""Reminding: whoever is asked, can still answer and has not, is told once more before it ends.

The moment is written with the wait (``reminders``) and taken away by the reminder, in one
transaction with its pages: after a crash there are both or neither, and of two servers one tells.
What has been answered or called off meanwhile is passed over, and so is what ended while no server
was there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from opsbook.access import approvals
from opsbook.base.database import Database, Instant, Transaction
from opsbook.book import Book
from opsbook.book.library import Library
from opsbook.notify import outbox
from opsbook.runs import audience, reminders, store, telling
from opsbook.runs.tables import step, wait

Row = dict[str, Any]
AT_ONCE: Final = 100
TITLES: Final = {
    "approval": {"ko": "승인 대기, {left} 남음: {what}", "en": "{left} left to approve: {what}"},
    "person": {"ko": "수행 대기, {left} 남음: {what}", "en": "{left} left to do it: {what}"},
}
UNTIL: Final = {"ko": "{which}\n{until}까지", "en": "{which}\nuntil {until}"}
UNITS: Final = {"ko": ("{}일", "{}시간", "{}분"), "en": ("{} d", "{} h", "{} min")}


class Reminding:
    """The loop *reminders*."""

    def __init__(self, database: Database, library: Library) -> None:
        self.database = database
        self.library = library

    async def tick(self, now: datetime) -> datetime | None:
        """Remind of everything that is due; return when the next reminder is."""
        while (due := await self.database.read(next_reminder)) is not None and due <= now:
            await self.database.write(partial(self._remind, now=now))
        return due

    def _remind(self, tx: Transaction, now: datetime) -> None:
        for waiting in _due(tx, now):
            mine = (wait.c.id == waiting["id"]) & (wait.c.remind_at == waiting["remind_at"])
            if tx.claim(sa.update(wait).where(mine).values(remind_at=None)):
                self._tell(tx, now, waiting)

    def _tell(self, tx: Transaction, now: datetime, waiting: Row) -> None:
        run = store.get(tx, waiting["run_id"])
        if run is None or run["cancelling"] or _over(tx, now, waiting):
            return
        book = audience.book_now(tx, self.library, run)
        for person in audience.of_wait(tx, now, book, run, waiting):
            outbox.page(
                tx, now, book=book, person_id=person, cause=f"run:{run['id']} reminder",
                key=f"run:{run['id']}/wait:{waiting['id']}/reminder/{person}",
                thread=run["thread"], title=_title(tx, now, waiting),
                body=_body(book, run, waiting), path=telling.path(run, waiting),
                urgent=reminders.urgent(now, waiting["due_at"]),
            )  # fmt: skip


def next_reminder(tx: Transaction) -> datetime | None:
    """Return when somebody is to be reminded next."""
    soonest = sa.type_coerce(sa.func.min(wait.c.remind_at), Instant)
    found: datetime | None = tx.scalar(sa.select(soonest))
    return found


def _due(tx: Transaction, now: datetime) -> list[Row]:
    joined = wait.join(step, step.c.id == wait.c.step_id)
    columns = (*wait.c, step.c.key.label("step"), step.c.title)
    query = sa.select(*columns).select_from(joined).where(wait.c.remind_at <= now)
    return tx.rows(query.order_by(wait.c.remind_at).limit(AT_ONCE))


def _over(tx: Transaction, now: datetime, waiting: Row) -> bool:
    if waiting["due_at"] is None or waiting["due_at"] <= now:
        return True
    approval = waiting["approval_id"]
    return approval is not None and approvals.require(tx, approval)["state"] != "open"


def _title(tx: Transaction, now: datetime, waiting: Row) -> dict[str, str]:
    what = telling.asked(tx, waiting)
    return {
        language: text.format(what=what, left=left(waiting["due_at"] - now, language))
        for language, text in TITLES[waiting["kind"]].items()
    }


def _body(book: Book, run: Row, waiting: Row) -> dict[str, str]:
    until = f"{waiting['due_at'].astimezone(ZoneInfo(book.timezone)):%Y-%m-%d %H:%M %Z}"
    return {
        language: UNTIL[language].format(which=text, until=until)
        for language, text in telling.which(book, run).items()
    }


def left(span: timedelta, language: str) -> str:
    """Return a time that is left in whole minutes and two units at most: ``1 h 15 min``."""
    minutes = max(1, int(span.total_seconds() // 60))
    amounts = (minutes // 1440, minutes % 1440 // 60, minutes % 60)
    told = [unit.format(n) for n, unit in zip(amounts, UNITS[language], strict=True) if n]
    return " ".join(told[:2])
