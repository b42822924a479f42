"""PostgreSQL's sessions: how many there are, what they run for too long, what they wait for.

The texts of statements are not told: they hold what people typed.
"""

from __future__ import annotations

from typing import Final, LiteralString

from opsbook.base.quantities import format_quantity
from opsbook.checks.databases.asked import Asked, Metric
from opsbook.checks.databases.session import Session
from opsbook.checks.growth import Growth
from opsbook.checks.model import CannotLook, Reading

HIDDEN: Final = "the role may not see what other roles' sessions do; GRANT pg_read_all_stats to it"

CONNECTIONS: Final[LiteralString] = """
SELECT current_setting('max_connections')::int,
       current_setting('superuser_reserved_connections')::int
         + coalesce(current_setting('reserved_connections', true)::int, 0),
       count(*),
       count(*) FILTER (WHERE state = 'active'),
       count(*) FILTER (WHERE state LIKE 'idle in transaction%%')
FROM pg_catalog.pg_stat_activity
WHERE backend_type = 'client backend' OR (backend_type IS NULL AND usesysid IS NOT NULL)
"""


async def connections(session: Session, asked: Asked) -> Reading:
    """Sessions in percent of those that are open to roles which are no superusers.

    The slots that are kept for superusers are no way in for anybody else, so that the full share
    is reached when they alone are left. Our own session is one of them. A role that may not see
    others' sessions still sees that there are.
    """
    most, kept, used, active, waiting = await session.row(CONNECTIONS)
    open_to_all = max(1, most - kept)
    told = f"{used} of {open_to_all} connections"
    told += f" ({kept} more are kept for superusers)" if kept else ""
    told += f": {active} active, {waiting} idle in a transaction"
    return Reading(100 * used / open_to_all, "%", told)


SLOW: Final[LiteralString] = """
SELECT count(*) FILTER (WHERE state IS NULL),
       count(*) FILTER (WHERE slow),
       (array_agg(pid ORDER BY query_start) FILTER (WHERE slow))[1],
       (array_agg(usename ORDER BY query_start) FILTER (WHERE slow))[1],
       extract(epoch FROM max(clock_timestamp() - query_start) FILTER (WHERE slow))
FROM (SELECT *, coalesce(state IN ('active', 'fastpath function call')
                AND clock_timestamp() - query_start > %s, false) AS slow
      FROM pg_catalog.pg_stat_activity
      WHERE pid <> pg_backend_pid() AND usesysid IS NOT NULL
        AND (backend_type = 'client backend' OR backend_type IS NULL)) AS sessions
"""


async def slow_queries(session: Session, asked: Asked) -> Reading:
    """Statements that have been running for longer than they should.

    Raises:
        CannotLook: the role may not see others' statements, so that none would be no proof.
    """
    hidden, slow, pid, user, age = await session.row(SLOW, [asked.longer_than])
    if hidden:
        raise CannotLook(HIDDEN)
    limit = format_quantity(asked.longer_than.total_seconds(), "s")
    told = f"{slow} statement{'s' if slow != 1 else ''} longer than {limit}"
    if slow:
        told += f"; the oldest for {format_quantity(float(age), 's')}, pid {pid} of {user}"
    return Reading(slow, "", told)


LOCKS: Final[LiteralString] = """
SELECT count(DISTINCT pid),
       (array_agg(pid ORDER BY waitstart NULLS LAST))[1],
       extract(epoch FROM max(clock_timestamp() - waitstart)),
       (array_agg(pg_blocking_pids(pid) ORDER BY waitstart NULLS LAST))[1:1]
FROM pg_catalog.pg_locks
WHERE NOT granted AND clock_timestamp() - coalesce(waitstart, clock_timestamp()) >= %s
"""


async def locks(session: Session, asked: Asked) -> Reading:
    """Sessions that have been waiting for a lock for longer than they should.

    PostgreSQL 14 and newer: older ones do not say since when.
    """
    waiting, pid, age, blocking = await session.row(LOCKS, [asked.longer_than])
    limit = format_quantity(asked.longer_than.total_seconds(), "s")
    told = f"{waiting} session{'s' if waiting != 1 else ''} waiting longer than {limit}"
    if waiting:
        by = ", ".join(str(one) for one in _flat(blocking)) or "nobody any longer"
        told += f"; pid {pid} for {format_quantity(float(age or 0), 's')}, held up by {by}"
    return Reading(waiting, "", told)


def _flat(found: object) -> list[object]:
    if not isinstance(found, list):
        return []
    return [one for part in found for one in (part if isinstance(part, list) else [part])]


DEADLOCKS: Final[LiteralString] = """
SELECT deadlocks, stats_reset FROM pg_catalog.pg_stat_database WHERE datname = current_database()
"""


async def deadlocks(session: Session, asked: Asked) -> Reading:
    """Deadlocks in this database within the window."""
    count, _ = await session.row(DEADLOCKS)
    growth = Growth.of(asked.memory, asked.now)
    growth.note({"deadlocks": count}, asked.now)
    lately = growth.within(asked.window, asked.now).get("deadlocks", 0.0)
    told = f"{lately:.0f} deadlock{'s' if lately != 1 else ''}"
    told += growth.since(asked.window, asked.now)
    return Reading(lately, "", f"{told}; {count} since the server's statistics began")


METRICS: Final = {
    "connections": Metric("%", connections),
    "slow_queries": Metric("", slow_queries),
    "locks": Metric("", locks),
    "deadlocks": Metric("", deadlocks),
}
