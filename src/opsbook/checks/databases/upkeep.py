"""PostgreSQL's upkeep: how large it is, how well it caches, what vacuum has left behind."""

from __future__ import annotations

from typing import Final, LiteralString

from opsbook.base.quantities import format_quantity
from opsbook.checks.databases.asked import Asked, Metric
from opsbook.checks.databases.session import Session
from opsbook.checks.growth import share
from opsbook.checks.model import Reading

LEAST_BLOCKS: Final = 1000
"""How many blocks must have been asked for since the last look for their share to say anything."""


async def database_size(session: Session, asked: Asked) -> Reading:
    """What the database takes on disk, in bytes."""
    name, size = await session.row(
        "SELECT current_database(), pg_catalog.pg_database_size(current_database())"
    )
    return Reading(size, "bytes", f"{name} takes {format_quantity(size, 'bytes')}")


async def cache_hit(session: Session, asked: Asked) -> Reading:
    """Blocks that were found in shared buffers, in percent of all that were asked for."""
    hits, reads = await session.row(
        "SELECT blks_hit, blks_read FROM pg_catalog.pg_stat_database "
        "WHERE datname = current_database()"
    )
    found, lately = share(asked.memory, hits, reads, LEAST_BLOCKS)
    when = "since the look before" if lately else "since the server's statistics began"
    return Reading(found, "%", f"{format_quantity(found, '%')} of blocks from the cache {when}")


DEAD_ROWS: Final[LiteralString] = """
SELECT format('%%I.%%I', schemaname, relname), n_dead_tup, n_live_tup, last_autovacuum
FROM pg_catalog.pg_stat_user_tables
WHERE n_live_tup + n_dead_tup >= %s
ORDER BY n_dead_tup::float8 / (n_live_tup + n_dead_tup) DESC, n_dead_tup DESC
LIMIT 1
"""


async def dead_rows(session: Session, asked: Asked) -> Reading:
    """Dead rows in percent of all, of the table that has the most; small ones are passed over."""
    rows = await session.rows(DEAD_ROWS, [max(1, asked.least_rows)])
    if not rows:
        return Reading(0.0, "%", f"no table has {asked.least_rows:,} rows")
    table, dead, live, vacuumed = rows[0]
    when = f"{vacuumed:%Y-%m-%d %H:%M %Z}" if vacuumed else "never"
    told = f"{table}: {dead:,} of {dead + live:,} rows are dead; last autovacuum {when}"
    return Reading(100 * dead / (dead + live), "%", told)


AGE: Final[LiteralString] = """
SELECT datname, age(datfrozenxid), mxid_age(datminmxid)
FROM pg_catalog.pg_database
ORDER BY greatest(age(datfrozenxid), mxid_age(datminmxid)) DESC
LIMIT 1
"""
MOST_IDS: Final = 2**31
"""So far apart may two transactions be; three million before that the server stops writing."""


async def transaction_age(session: Session, asked: Asked) -> Reading:
    """How far the oldest database is on its way to a wraparound, in percent.

    Transactions and multixacts both; autovacuum begins in earnest at 10 % of the one and 20 % of
    the other unless it is set otherwise.
    """
    name, age, multi = await session.row(AGE)
    worst = max(age, multi)
    what = "transactions" if age >= multi else "multixacts"
    return Reading(100 * worst / MOST_IDS, "%", f"{name}: {worst:,} {what} since it was frozen")


METRICS: Final = {
    "database_size": Metric("bytes", database_size),
    "cache_hit": Metric("%", cache_hit),
    "dead_rows": Metric("%", dead_rows),
    "transaction_age": Metric("%", transaction_age),
}
