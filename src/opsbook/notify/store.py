"""Named queries over pages."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from opsbook.base.database import Instant, Transaction
from opsbook.notify.tables import page

Row = dict[str, Any]
Persons = str | Iterable[str] | Iterable[tuple[str, str]]
WAITING = ("queued", "retry")


class Lane(NamedTuple):
    """One destination of one person: pages to it are sent one after the other."""

    book: str
    person: str
    channel: str
    destination: str


def add(tx: Transaction, **values: Any) -> int | None:
    """Insert a page unless its key is there already; return its number, or ``None``."""
    postgres = tx.connection.dialect.name == "postgresql"
    insert: Any = postgresql.insert if postgres else sqlite.insert
    statement = insert(page).values(**values).on_conflict_do_nothing(index_elements=["key"])
    made: int | None = tx.execute(statement.returning(page.c.id)).scalar()
    return made


def get(tx: Transaction, page_id: int) -> Row | None:
    """Return one page."""
    return tx.row(sa.select(page).where(page.c.id == page_id))


def due_lanes(tx: Transaction, now: datetime, limit: int) -> list[tuple[Lane, bool]]:
    """Return lanes with something to send, and whether all of it has failed before.

    Urgent first, then what was not tried yet, then the oldest: what hangs does not stand in the way
    of what is new.
    """
    lane = [page.c[name] for name in Lane._fields]
    urgent = sa.func.max(sa.case((page.c.urgent, 1), else_=0))
    tried = sa.func.min(page.c.attempts)
    query = (
        sa.select(*lane, tried.label("tried"))
        .where(page.c.state.in_(WAITING), page.c.next_at <= now)
        .group_by(*lane)
        .order_by(urgent.desc(), tried, sa.func.min(page.c.id))
        .limit(limit)
    )
    return [
        (Lane(*(row[name] for name in Lane._fields)), row["tried"] > 0) for row in tx.rows(query)
    ]


def claim(tx: Transaction, now: datetime, lane: Lane, until: datetime) -> Row | None:
    """Take the lane's next page that is due: its attempt is on record before it is made.

    ``None`` when nothing is due, or another server was faster with the page that was.
    """
    mine = [page.c[name] == value for name, value in lane._asdict().items()]
    due = (*mine, page.c.state.in_(WAITING), page.c.next_at <= now)
    row = tx.row(sa.select(page).where(*due).order_by(page.c.urgent.desc(), page.c.id).limit(1))
    if row is None:
        return None
    attempts = row["attempts"] + 1
    unchanged = (
        (page.c.id == row["id"])
        & (page.c.state == row["state"])
        & (page.c.attempts == row["attempts"])
    )
    change = sa.update(page).where(unchanged)
    if not tx.claim(change.values(state="sending", attempts=attempts, next_at=until)):
        return None
    return {**row, "state": "sending", "attempts": attempts, "next_at": until}


def settle(tx: Transaction, row: Row, **values: Any) -> bool:
    """Write an attempt's outcome; ``False`` when the attempt is not ours any more."""
    mine = (
        (page.c.id == row["id"])
        & (page.c.state == "sending")
        & (page.c.attempts == row["attempts"])
    )
    return tx.claim(sa.update(page).where(mine).values(**values))


def recover(tx: Transaction, now: datetime, mine: Collection[int], *, everything: bool) -> int:
    """Queue again what somebody else left in sending; its next message says "possibly repeated".

    ``everything`` is for a start, when nobody else can be sending; otherwise only claims that are
    over are taken. ``mine`` are the pages this server is sending now.
    """
    left = (page.c.state == "sending") & page.c.id.not_in(list(mine))
    if not everything:
        left &= page.c.next_at <= now
    change = sa.update(page).where(left).values(state="queued", next_at=now, repeated=True)
    return tx.execute(change).rowcount


def over(tx: Transaction, now: datetime, mine: Collection[int]) -> bool:
    """Tell whether a claim of somebody else's is over."""
    left = (page.c.state == "sending") & (page.c.next_at <= now) & page.c.id.not_in(list(mine))
    return tx.scalar(sa.select(page.c.id).where(left).limit(1)) is not None


def next_due(tx: Transaction, now: datetime, mine: Collection[int]) -> datetime | None:
    """Return when a page is due that is not due yet, or when somebody else's claim is over."""
    waits = page.c.state.in_(WAITING)
    foreign = (page.c.state == "sending") & page.c.id.not_in(list(mine))
    soonest = sa.type_coerce(sa.func.min(page.c.next_at), Instant)
    found: datetime | None = tx.scalar(
        sa.select(soonest).where(page.c.next_at > now, waits | foreign)
    )
    return found


def inbox(
    tx: Transaction, persons: Persons, unread_only: bool = False, *, limit: int = 100,
    before: int | None = None,
) -> list[Row]:  # fmt: skip
    """Return what was told to these persons, newest first; ``before`` pages back by id.

    A person is an id, or (book, id) where more than one book runs: ``operator`` may be somebody
    else in the next book.
    """
    query = sa.select(page).where(_to(persons)).order_by(page.c.id.desc()).limit(limit)
    if unread_only:
        query = query.where(page.c.read_at.is_(None))
    if before is not None:
        query = query.where(page.c.id < before)
    return tx.rows(query)


def unread(tx: Transaction, persons: Persons) -> int:
    """Return how many pages in these persons' inboxes are not read."""
    query = sa.select(sa.func.count()).select_from(page)
    return int(tx.scalar(query.where(_to(persons), page.c.read_at.is_(None))) or 0)


def mark_read(tx: Transaction, now: datetime, page_id: int, persons: Persons) -> bool:
    """Mark one page of these persons as read; ``False`` when it is not theirs, or read already."""
    return _read(tx, now, (page.c.id == page_id) & _to(persons)) > 0


def mark_all_read(tx: Transaction, now: datetime, persons: Persons) -> int:
    """Mark everything in these persons' inboxes as read; return how much that was."""
    return _read(tx, now, _to(persons))


def _read(tx: Transaction, now: datetime, which: sa.ColumnElement[bool]) -> int:
    change = sa.update(page).where(which, page.c.read_at.is_(None)).values(read_at=now)
    changed = tx.execute(change).rowcount
    if changed:
        tx.touch("pages")
    return changed


def _to(persons: Persons) -> sa.ColumnElement[bool]:
    every = [persons] if isinstance(persons, str) else list(persons)
    whose = [
        page.c.person == one
        if isinstance(one, str)
        else (page.c.book == one[0]) & (page.c.person == one[1])
        for one in every
    ]
    return (page.c.channel == "inbox") & sa.or_(sa.false(), *whose)
