"""Named queries over deliveries."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from opsbook.base.database import Instant, Transaction
from opsbook.notify.tables import delivery
from opsbook.notify.webhooks.model import KEPT

Row = dict[str, Any]
WAITING = ("queued", "retry")
REPLACED = "replaced"
"""Not sent, because a later one of the same thread tells how it stands."""
TOPIC = "webhooks"


class Lane(NamedTuple):
    """One hook of one book."""

    book: str
    hook: str


def _next_of_lane() -> sa.Select[Any]:
    under_way = delivery.alias("under_way")
    same_run = sa.exists().where(
        under_way.c.book == delivery.c.book,
        under_way.c.hook == delivery.c.hook,
        under_way.c.thread == delivery.c.thread,
        under_way.c.state == "sending",
    )
    due = (
        delivery.c.book == sa.bindparam("b_book"),
        delivery.c.hook == sa.bindparam("b_hook"),
        delivery.c.state.in_(WAITING),
        delivery.c.next_at <= sa.bindparam("b_now"),
        delivery.c.thread.is_(None) | ~same_run,
    )
    return sa.select(delivery).where(*due).order_by(delivery.c.id).limit(1)


# What every message goes through is built once: building costs more than running.
_NEXT: Final = _next_of_lane()
_REPLACE: Final = (
    sa.update(delivery)
    .where(
        delivery.c.book == sa.bindparam("b_book"),
        delivery.c.hook == sa.bindparam("b_hook"),
        delivery.c.thread == sa.bindparam("b_thread"),
        delivery.c.state.in_(WAITING),
    )
    .values(state=REPLACED, next_at=None)
)
_LANE: Final = tuple(delivery.c[name] for name in Lane._fields)
_WAITS: Final = delivery.c.state.in_(WAITING)
_FOREIGN: Final = (delivery.c.state == "sending") & delivery.c.id.not_in(
    sa.bindparam("b_mine", expanding=True)
)
_NOW: Final = sa.bindparam("b_now", type_=Instant)
_WAITING_LANES: Final = sa.select(*_LANE).distinct().where(_WAITS)
_DUE_LANES: Final = (
    sa.select(*_LANE, sa.func.count().label("due"))
    .where(_WAITS, delivery.c.next_at <= _NOW)
    .group_by(*_LANE)
    .order_by(sa.func.min(delivery.c.attempts), sa.func.min(delivery.c.id))
    .limit(sa.bindparam("b_most", type_=sa.Integer))
)
_OVER: Final = sa.select(delivery.c.id).where(_FOREIGN, delivery.c.next_at <= _NOW).limit(1)
_NEXT_DUE: Final = sa.select(sa.type_coerce(sa.func.min(delivery.c.next_at), Instant)).where(
    _WAITS | _FOREIGN, delivery.c.next_at > _NOW
)


def queue(
    tx: Transaction, now: datetime, *, book: str, hook: str, event: str, key: str,
    thread: str | None, body: str, instead: bool = False,
) -> int | None:  # fmt: skip
    """Keep a delivery to be sent; return its number, or ``None`` when its key is there already.

    One that tells how something stands now comes `instead` of what waits of the same thread: sent
    later, that would say again what is not true any more.
    """
    if instead and thread is not None:
        tx.execute(_REPLACE, {"b_book": book, "b_hook": hook, "b_thread": thread})
    postgres = tx.connection.dialect.name == "postgresql"
    insert: Any = postgresql.insert if postgres else sqlite.insert
    values = {
        "book": book, "hook": hook, "event": event, "key": key, "thread": thread, "body": body,
        "state": "queued", "attempts": 0, "repeated": False, "next_at": now, "created_at": now,
        "error": "",
    }  # fmt: skip
    statement = insert(delivery).values(**values).on_conflict_do_nothing(index_elements=["key"])
    made: int | None = tx.execute(statement.returning(delivery.c.id)).scalar()
    if made is not None:
        tx.touch(TOPIC)
    return made


@dataclass(frozen=True, slots=True)
class Waiting:
    """What there is to send: asked for in one go, since a page to somebody waits for it."""

    over: bool
    lanes: list[Lane]
    due: list[tuple[Lane, int]]
    next_due: datetime | None


def waiting(tx: Transaction, now: datetime, mine: Collection[int], limit: int) -> Waiting:
    """Return what waits; ``mine`` are the deliveries that this server is sending now."""
    lanes = _waiting_lanes(tx)
    due = _due_lanes(tx, now, limit) if lanes else []
    return Waiting(_over(tx, now, mine), lanes, due, _next_due(tx, now, mine))


def get(tx: Transaction, delivery_id: int) -> Row | None:
    """Return one delivery."""
    return tx.row(sa.select(delivery).where(delivery.c.id == delivery_id))


def _waiting_lanes(tx: Transaction) -> list[Lane]:
    """Return every hook that something waits for, due or not."""
    return [Lane(**row) for row in tx.rows(_WAITING_LANES)]


def _due_lanes(tx: Transaction, now: datetime, limit: int) -> list[tuple[Lane, int]]:
    """Return hooks with something to send and how much; what was not tried yet goes first."""
    rows = tx.execute(_DUE_LANES, {"b_now": now, "b_most": limit}).mappings()
    return [(Lane(row["book"], row["hook"]), row["due"]) for row in rows]


def claim(tx: Transaction, now: datetime, lane: Lane, until: datetime) -> Row | None:
    """Take the hook's next delivery that is due, in the order of its events within each run.

    Nothing of a run is taken while something of the same run is on its way to the same hook: two
    requests at once could overtake each other. ``None`` when nothing is due, or somebody else was
    faster.
    """
    about = {"b_book": lane.book, "b_hook": lane.hook, "b_now": now}
    found = tx.execute(_NEXT, about).mappings().first()
    row = dict(found) if found is not None else None
    if row is None:
        return None
    attempts = row["attempts"] + 1
    unchanged = (
        (delivery.c.id == row["id"])
        & (delivery.c.state == row["state"])
        & (delivery.c.attempts == row["attempts"])
    )
    change = sa.update(delivery).where(unchanged)
    if not tx.claim(change.values(state="sending", attempts=attempts, next_at=until)):
        return None
    return {**row, "state": "sending", "attempts": attempts, "next_at": until}


def settle(tx: Transaction, row: Row, **values: Any) -> bool:
    """Write an attempt's outcome; ``False`` when the attempt is not ours any more."""
    mine = (
        (delivery.c.id == row["id"])
        & (delivery.c.state == "sending")
        & (delivery.c.attempts == row["attempts"])
    )
    return tx.claim(sa.update(delivery).where(mine).values(**values))


def newer(tx: Transaction, row: Row) -> bool:
    """Whether a later delivery of the same thread is there, for the same hook."""
    later = (delivery.c.id > row["id"]) & (delivery.c.thread == row["thread"])
    query = sa.select(delivery.c.id).where(*_of(Lane(row["book"], row["hook"])), later)
    return tx.scalar(query.limit(1)) is not None


def abandon(tx: Transaction, lane: Lane, until: datetime, why: str) -> list[Row]:
    """End what waits since ``until`` or longer for a hook that is gone; return what that was."""
    waits = sa.select(delivery).where(*_of(lane), delivery.c.state.in_(WAITING))
    waits = waits.where(delivery.c.created_at <= until)
    ended = []
    for row in tx.rows(waits.order_by(delivery.c.id)):
        unchanged = (delivery.c.id == row["id"]) & (delivery.c.state == row["state"])
        values = {"state": "failed", "next_at": None, "error": why}
        if tx.claim(sa.update(delivery).where(unchanged).values(**values)):
            ended.append({**row, **values})
    return ended


def recover(tx: Transaction, now: datetime, mine: Collection[int], *, everything: bool) -> int:
    """Queue again what somebody else left in sending: it may have arrived, and says so.

    ``everything`` is for a start, when nobody else can be sending; otherwise only claims that are
    over are taken. ``mine`` are the deliveries that this server is sending now.
    """
    left = (delivery.c.state == "sending") & delivery.c.id.not_in(list(mine))
    if not everything:
        left &= delivery.c.next_at <= now
    change = sa.update(delivery).where(left).values(state="queued", next_at=now, repeated=True)
    return tx.execute(change).rowcount


def _over(tx: Transaction, now: datetime, mine: Collection[int]) -> bool:
    """Tell whether a claim of somebody else's is over."""
    return tx.execute(_OVER, {"b_now": now, "b_mine": list(mine)}).scalar() is not None


def _next_due(tx: Transaction, now: datetime, mine: Collection[int]) -> datetime | None:
    """Return when a delivery is due that is not due yet, or when another's claim is over."""
    found: datetime | None = tx.execute(_NEXT_DUE, {"b_now": now, "b_mine": list(mine)}).scalar()
    return found


def listed(
    tx: Transaction, book: str, hook: str, *, state: str | None = None, limit: int = 50,
    before: int | None = None,
) -> list[Row]:  # fmt: skip
    """Return a hook's deliveries, the newest first; ``before`` pages back."""
    query = sa.select(delivery).where(*_of(Lane(book, hook))).order_by(delivery.c.id.desc())
    if state is not None:
        query = query.where(delivery.c.state == state)
    if before is not None:
        query = query.where(delivery.c.id < before)
    return tx.rows(query.limit(limit))


def latest(tx: Transaction, book: str) -> dict[str, Row]:
    """Return the newest delivery of each hook of a book."""
    newest = sa.select(sa.func.max(delivery.c.id)).where(delivery.c.book == book)
    query = sa.select(delivery).where(delivery.c.id.in_(newest.group_by(delivery.c.hook)))
    return {row["hook"]: row for row in tx.rows(query)}


def waiting_for(tx: Transaction, book: str) -> dict[str, int]:
    """Return how many deliveries are not out yet, by hook."""
    query = (
        sa.select(delivery.c.hook, sa.func.count().label("waiting"))
        .where(delivery.c.book == book, delivery.c.state.in_((*WAITING, "sending")))
        .group_by(delivery.c.hook)
    )
    return {row["hook"]: row["waiting"] for row in tx.rows(query)}


def prune(tx: Transaction, now: datetime) -> int:
    """Forget deliveries that ended a month ago; the audit keeps those that were given up."""
    ended = delivery.c.state.in_(("sent", "failed", REPLACED))
    old = sa.delete(delivery).where(ended, delivery.c.created_at < now - KEPT)
    return tx.execute(old).rowcount


def _of(lane: Lane) -> tuple[sa.ColumnElement[bool], ...]:
    return (delivery.c.book == lane.book, delivery.c.hook == lane.hook)
