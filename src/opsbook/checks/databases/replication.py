"""How far PostgreSQL's standbys are behind, as the primary sees them or as a standby sees itself.

**The primary** knows how many bytes of its log a standby has not replayed. Its own time
(``replay_lag``) is measured on answers of the standby: it stands still when the standby replays no
more, and is empty after a while without writes. So the check also remembers where the log ended at
each of its looks: a place that has not been replayed by now is as many seconds behind as the look
is ago. The larger of the two counts.

**A standby** knows what it has received and what it has replayed. Where these are the same and the
log still streams in, it is not behind. Where they differ, it is as far behind as its last replayed
transaction is old; after a quiet hour on the primary that is an hour, for a record that arrived
this moment. So it is no more than the time since a look at which all had been received that is
replayed now; a first look, which has none before it, looks twice. One that receives nothing tells
the age of its last transaction: nobody can know from there what has been written since.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final, LiteralString

from opsbook.base.quantities import format_quantity
from opsbook.checks.databases.asked import Asked, Metric
from opsbook.checks.databases.session import Row, Session
from opsbook.checks.model import CannotLook, Reading

PLACES_KEPT: Final = 500

ROLE: Final[LiteralString] = "SELECT pg_catalog.pg_is_in_recovery()"

STANDBYS: Final[LiteralString] = """
SELECT application_name, state,
       pg_wal_lsn_diff(replay_lsn, '0/0'),
       extract(epoch FROM replay_lag),
       pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')
FROM pg_catalog.pg_stat_replication
"""

HERE: Final[LiteralString] = """
SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0'),
       pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'),
       extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()),
       pg_is_wal_replay_paused(),
       (SELECT count(*) FROM pg_catalog.pg_stat_wal_receiver
        WHERE status IS NULL OR status = 'streaming')
"""
AGAIN_S: Final = 0.2
"""How long after its first look a standby gets to replay what had just arrived."""

Places = list[tuple[datetime, float]]
"""Where the log ended at earlier looks, the oldest first."""


async def seconds(session: Session, asked: Asked) -> Reading:
    """How far the furthest standby is behind, in seconds."""
    return await _lag(session, asked, "s")


async def size(session: Session, asked: Asked) -> Reading:
    """How much of the log the furthest standby has not replayed, in bytes."""
    return await _lag(session, asked, "bytes")


async def _lag(session: Session, asked: Asked, unit: str) -> Reading:
    (is_standby,) = await session.row(ROLE)
    if asked.role == "standby" and not is_standby:
        told = "it is no standby: it was promoted, or never was one"
        return Reading(message=told, state="critical")
    if asked.role == "primary" and is_standby:
        return Reading(message="it is no primary: it replays another's log", state="critical")
    places: Places = asked.memory.setdefault("places", [])
    if not is_standby:
        return primary(await session.rows(STANDBYS), asked, places, unit)
    row = await session.row(HERE)
    if not places and row[0] is not None:
        places.append((asked.now, float(row[0])))
        await asyncio.sleep(AGAIN_S)
        row = await session.row(HERE)
    return standby(row, asked, places, unit)


def standby(row: Row, asked: Asked, places: Places, unit: str) -> Reading:
    """What a standby says of itself.

    Raises:
        CannotLook: it cannot know.
    """
    received, replayed, age, paused, streaming = row
    told = "its replay is paused" if paused else "it replays"
    told += "" if streaming else ", and it receives nothing: no primary is connected"
    if unit == "bytes" and (received is None or replayed is None):
        raise CannotLook(f"the standby does not know what it has received; {told}")
    end, done = float(received or 0), float(replayed or 0)
    behind = max(0.0, end - done)
    seen = [at for at, place in places if place <= done]
    _remember(places, asked.now, end, done)
    if unit == "bytes":
        return Reading(behind, unit, told)
    if streaming and received is not None and not behind:
        return Reading(0.0, unit, f"{told}, and has replayed all that it received")
    if age is None:
        raise CannotLook(f"the standby has replayed no transaction since it started; {told}")
    late = max(0.0, float(age))
    if streaming and seen:
        late = min(late, (asked.now - seen[-1]).total_seconds())
    left = f"{format_quantity(behind, 'bytes')} to replay" if behind else "nothing left"
    return Reading(late, unit, f"{told}; {left}")


def primary(rows: list[Row], asked: Asked, places: Places, unit: str) -> Reading:
    """What a primary says of its standbys.

    Fewer than there should be are an answer by themselves.
    """
    if len(rows) < asked.standbys:
        if not rows:
            told = "no standby is connected, and it is none itself"
        else:
            there = ", ".join(str(row[0]) for row in rows)
            told = f"{len(rows)} of {asked.standbys} standbys are connected: {there}"
        return Reading(message=told, state="critical")
    if not rows:
        return Reading(0.0, unit, "no standby is connected, and none is expected")
    if all(row[2] is None for row in rows):
        raise CannotLook(
            "the role may not see how far standbys are, or none has begun to replay; "
            "GRANT pg_read_all_stats to it"
        )
    found = []
    for name, state, replayed, lag, end in rows:
        replayed = float(replayed or 0)
        behind = max(0.0, float(end) - replayed)
        waited = max(
            ((asked.now - at).total_seconds() for at, place in places if place > replayed),
            default=0.0,
        )
        late = max(waited, float(lag or 0)) if behind else 0.0
        found.append((late if unit == "s" else behind, name, state, late, behind))
    _remember(places, asked.now, float(rows[0][4]), min(float(row[2] or 0) for row in rows))
    value, name, state, late, behind = max(found, key=lambda one: one[0])
    told = f"{name} ({state}): {format_quantity(behind, 'bytes')} not replayed"
    told += f" for {format_quantity(late, 's')}" if late else ""
    told += f"; the furthest of {len(rows)}" if len(rows) > 1 else ""
    return Reading(value, unit, told)


def _remember(places: Places, now: datetime, end: float, done: float) -> None:
    """Where the log ends now; of what is replayed only the last place is kept."""
    while len(places) > 1 and places[1][1] <= done:
        del places[0]
    places.append((now, end))
    if len(places) > PLACES_KEPT:  # the ends say how far behind it is; those between, little
        del places[1:-1:2]


METRICS: Final = {
    "replication_lag": Metric("s", seconds),
    "replication_lag_bytes": Metric("bytes", size),
}
