"""Named queries over observations, what they come to, and the latest state of each check."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from opsbook.base.database import EPOCH, Transaction
from opsbook.base.errors import Bug
from opsbook.base.events import ORDER_LOCK
from opsbook.checks.depending import FAILED
from opsbook.checks.model import Observation
from opsbook.checks.rollups import HOUR, SECOND, Rollup, Seen, floor, merged
from opsbook.checks.tables import observation, rollup, status

LATEST = ("state", "at", "value", "unit", "latency_ms", "message")
MICRO = timedelta(microseconds=1)


def keep(tx: Transaction, seen: Sequence[Observation]) -> None:
    """Store observations in their order, and with them the latest state of their checks.

    Rules follow the observations by id. On PostgreSQL two servers' ids may be committed in another
    order than they were given, so the lock that orders events orders these too: one lock, since
    two could be taken in different orders and wait for each other.

    The two statements go to the driver as they were compiled once: for the busiest writes of all,
    what is done around a statement costs five times the statement.
    """
    if tx.connection.dialect.name == "postgresql":
        tx.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": ORDER_LOCK})
    ats = [(one.at - EPOCH) // MICRO for one in seen]
    _driven(
        tx, observation,
        [(one.book, one.check_id, at, one.state, one.value, one.unit, one.latency_ms, one.message)
         for one, at in zip(seen, ats, strict=True)],
    )  # fmt: skip
    _driven(
        tx, status,
        [(one.book, one.check_id, one.state, at, at, one.value, one.unit, one.latency_ms,
          one.message, False, "")
         for one, at in zip(seen, ats, strict=True)],
    )  # fmt: skip
    tx.touch("checks")


def _driven(tx: Transaction, into: sa.Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Hand rows, with the values of all columns but the id, to the driver."""
    sql, names = _compiled(tx.connection.dialect, into)
    given: Any = rows if not names else [dict(zip(names, row, strict=True)) for row in rows]
    tx.connection.exec_driver_sql(sql, given)


@functools.cache
def _compiled(dialect: sa.Dialect, into: sa.Table) -> tuple[str, tuple[str, ...]]:
    """Return a statement for a driver, and the names it wants values by; none for their order."""
    names = tuple(column.name for column in into.c if column.name != "id")
    statement = _upsert(dialect.name) if into is status else sa.insert(into)
    found = statement.inline().compile(dialect=dialect, column_keys=names)
    places = found.positiontup
    if places is not None and tuple(places) != names:
        raise Bug(f"{places} are not in the order of {names}: this is a bug in Opsbook.")
    return str(found), () if places is not None else names


def _upsert(dialect: str) -> sa.Insert:
    """Insert a status, or replace it; `since` stays as long as the state does."""
    insert = postgresql.insert(status) if dialect == "postgresql" else sqlite.insert(status)
    new = insert.excluded
    same = status.c.state == new.state
    return insert.on_conflict_do_update(
        index_elements=[status.c.book, status.c.check_id],
        set_={
            **{name: new[name] for name in LATEST},
            "since": sa.case((same, status.c.since), else_=new.since),
        },
    )


def statuses(tx: Transaction, book: str) -> dict[str, dict[str, Any]]:
    """Return the latest state of each check of a book that has been looked at, by check."""
    rows = tx.rows(sa.select(status).where(status.c.book == book))
    return {row["check_id"]: row for row in rows}


def status_of(tx: Transaction, book: str, check_id: str) -> dict[str, Any] | None:
    """Return the latest state of one check, or `None` before its first look."""
    mine = (status.c.book == book) & (status.c.check_id == check_id)
    return tx.row(sa.select(status).where(mine))


def series(
    tx: Transaction, book: str, check_id: str, since: datetime, limit: int = 500
) -> list[dict[str, Any]]:
    """Return a check's observations from `since` on, oldest first; of too many, the newest."""
    mine = (observation.c.book == book) & (observation.c.check_id == check_id)
    query = sa.select(observation).where(mine, observation.c.at >= since)
    newest = query.order_by(observation.c.at.desc(), observation.c.id.desc()).limit(limit)
    return tx.rows(newest)[::-1]


def latest(tx: Transaction, book: str, check_id: str, limit: int = 20) -> list[dict[str, Any]]:
    """Return a check's newest observations, newest first."""
    mine = (observation.c.book == book) & (observation.c.check_id == check_id)
    order = (observation.c.at.desc(), observation.c.id.desc())
    return tx.rows(sa.select(observation).where(mine).order_by(*order).limit(limit))


def after(tx: Transaction, position: int, limit: int) -> list[dict[str, Any]]:
    """Return observations of every book behind `position`, in the order they were stored."""
    behind = sa.select(observation).where(observation.c.id > position)
    return tx.rows(behind.order_by(observation.c.id).limit(limit))


def books(tx: Transaction) -> list[str]:
    """Return every book that has been looked at, running or not."""
    return [row["book"] for row in tx.rows(sa.select(status.c.book).distinct())]


def keep_only(tx: Transaction, book: str, checks: Collection[str]) -> int:
    """Forget the latest state of checks that the book no longer has; observations stay."""
    gone = sa.delete(status).where(status.c.book == book, status.c.check_id.not_in(list(checks)))
    count = tx.execute(gone).rowcount
    if count:
        tx.touch("checks")
    return count


# ---- how checks stand ---------------------------------------------------------------------------


def standing(tx: Transaction, book: str, checks: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return of these checks the state, when it was seen and whether it flaps."""
    columns = (status.c.check_id, status.c.state, status.c.at, status.c.flapping)
    mine = (status.c.book == book) & status.c.check_id.in_(list(checks))
    return {row["check_id"]: row for row in tx.rows(sa.select(*columns).where(mine))}


def last_states(tx: Transaction, book: str, check_id: str, count: int) -> list[str]:
    """Return a check's last states, oldest first."""
    mine = (observation.c.book == book) & (observation.c.check_id == check_id)
    order = (observation.c.at.desc(), observation.c.id.desc())
    query = sa.select(observation.c.state).where(mine).order_by(*order).limit(count)
    return [row["state"] for row in tx.rows(query)][::-1]


def messages(
    tx: Transaction, book: str, check_id: str, since: datetime
) -> list[tuple[datetime, str]]:
    """Return when a check was looked at after `since` and what was said, oldest first."""
    mine = (observation.c.book == book) & (observation.c.check_id == check_id)
    query = sa.select(observation.c.at, observation.c.message).where(mine, observation.c.at > since)
    rows = tx.rows(query.order_by(observation.c.at, observation.c.id))
    return [(row["at"], row["message"]) for row in rows]


def set_flapping(tx: Transaction, book: str, check_id: str, flapping: bool) -> bool:
    """Mark a check as flapping or as steady; `False` if it already was."""
    mine = (status.c.book == book) & (status.c.check_id == check_id)
    other = status.c.flapping.is_(not flapping)
    return tx.claim(sa.update(status).where(mine, other).values(flapping=flapping))


def flapping(tx: Transaction, book: str) -> frozenset[str]:
    """Return the checks of a book that flap."""
    query = sa.select(status.c.check_id).where(status.c.book == book, status.c.flapping)
    return frozenset(row["check_id"] for row in tx.rows(query))


def behind(tx: Transaction, book: str) -> dict[str, str]:
    """Return the checks of a book that are behind a failed one, each with that one."""
    mine = (status.c.book == book) & (status.c.behind != "")
    rows = tx.rows(sa.select(status.c.check_id, status.c.behind).where(mine))
    return {row["check_id"]: row["behind"] for row in rows}


def failed(tx: Transaction, book: str) -> list[str]:
    """Return the checks of a book that have failed."""
    mine = (status.c.book == book) & status.c.state.in_(sorted(FAILED))
    return [row["check_id"] for row in tx.rows(sa.select(status.c.check_id).where(mine))]


def set_behind(tx: Transaction, book: str, causes: Mapping[str, str]) -> None:
    """Mark each of these checks as behind another; an empty text unmarks it."""
    checks: dict[str, list[str]] = {}
    for check, cause in causes.items():
        checks.setdefault(cause, []).append(check)
    for cause, some in checks.items():
        mine = (status.c.book == book) & status.c.check_id.in_(some)
        tx.execute(sa.update(status).where(mine).values(behind=cause))
    if causes:
        tx.touch("checks")


# ---- what observations come to ------------------------------------------------------------------


def oldest(tx: Transaction, after: tuple[str, str], limit: int) -> list[tuple[str, str, datetime]]:
    """Return the next checks that have observations, with the time of the oldest of each.

    One step along the index for each check, where a GROUP BY would read every observation.
    """
    columns = (observation.c.book, observation.c.check_id, observation.c.at)
    key = sa.tuple_(observation.c.book, observation.c.check_id)
    found: list[tuple[str, str, datetime]] = []
    while len(found) < limit:
        query = sa.select(*columns).where(key > after).order_by(*columns).limit(1)
        row = tx.execute(query).first()
        if row is None:
            break
        found.append((row.book, row.check_id, row.at))
        after = (row.book, row.check_id)
    return found


def oldest_rollups(
    tx: Transaction, after: tuple[str, str, int], limit: int
) -> list[tuple[str, str, int, datetime]]:
    """Return the next checks and spans that have rollups, with the time of the oldest of each."""
    columns = (rollup.c.book, rollup.c.check_id, rollup.c.span_s, rollup.c.start)
    key = sa.tuple_(*columns[:3])
    found: list[tuple[str, str, int, datetime]] = []
    while len(found) < limit:
        query = sa.select(*columns).where(key > after).order_by(*columns).limit(1)
        row = tx.execute(query).first()
        if row is None:
            break
        found.append((row.book, row.check_id, row.span_s, row.start))
        after = (row.book, row.check_id, row.span_s)
    return found


def looks(
    tx: Transaction, book: str, check_id: str, before: datetime, limit: int
) -> tuple[list[tuple[int, Seen]], bool]:
    """Return a check's oldest observations before a time, with their ids; whole hours of them.

    More than `limit` only where the first hour alone has more. Also whether there are further ones.
    """
    at = sa.type_coerce(observation.c.at, sa.BigInteger)
    columns = (observation.c.id, at.label("at"), observation.c.state, observation.c.value)
    mine = (observation.c.book == book) & (observation.c.check_id == check_id)
    query = sa.select(*columns, observation.c.unit).where(mine, observation.c.at < before)
    query = query.order_by(observation.c.at, observation.c.id)
    rows = tx.execute(query.limit(limit)).all()
    more = len(rows) == limit
    if more:
        last = floor(rows[-1].at, HOUR)
        whole = [row for row in rows if row.at < last]
        end = EPOCH + MICRO * (last + HOUR * SECOND)
        rows = whole or list(tx.execute(query.where(observation.c.at < end)).all())
    return [(row.id, Seen(row.at, row.state, row.value, row.unit)) for row in rows], more


def forget(tx: Transaction, book: str, check_id: str, ids: Sequence[int], until: int) -> int:
    """Delete a check's observations up to a time; only those with the first to the last id."""
    mine = (observation.c.book == book) & (observation.c.check_id == check_id)
    old = observation.c.at <= EPOCH + MICRO * until
    given = observation.c.id.between(min(ids), max(ids))
    return tx.execute(sa.delete(observation).where(mine, old, given)).rowcount


def put(tx: Transaction, book: str, check_id: str, span_s: int, new: Sequence[Rollup]) -> None:
    """Store rollups of one span; what is there already for a time is added to, not replaced."""
    mine = (rollup.c.book == book) & (rollup.c.check_id == check_id) & (rollup.c.span_s == span_s)
    start = sa.type_coerce(rollup.c.start, sa.BigInteger)
    between = start.between(new[0].start, new[-1].start)
    columns = [start.label("start"), *(rollup.c[name] for name in _ROLLUP if name != "start")]
    rows: list[Any] = list(tx.execute(sa.select(*columns).where(mine, between)))
    wanted = {one.start for one in new}
    there = {row.start: Rollup(*row) for row in rows if row.start in wanted}
    whole = [merged(there[one.start], one) if one.start in there else one for one in new]
    if there:
        starts = [EPOCH + MICRO * one for one in there]
        tx.execute(sa.delete(rollup).where(mine, rollup.c.start.in_(starts)))
    common = {"book": book, "check_id": check_id, "span_s": span_s}
    values = [{name: getattr(one, name) for name in _ROLLUP} for one in whole]
    at = [EPOCH + MICRO * one.start for one in whole]
    given = zip(values, at, strict=True)
    tx.execute(sa.insert(rollup), [{**one, **common, "start": start} for one, start in given])


def forget_rollups(tx: Transaction, book: str, check_id: str, span_s: int, before: datetime) -> int:
    """Delete a check's rollups of one span that began before a time."""
    mine = (rollup.c.book == book) & (rollup.c.check_id == check_id) & (rollup.c.span_s == span_s)
    return tx.execute(sa.delete(rollup).where(mine, rollup.c.start < before)).rowcount


_ROLLUP = (
    "start", "count", "ok", "warning", "critical", "nodata", "least", "most", "mean", "p95", "unit",
)  # fmt: skip
