"""One server decides: a lease with an epoch, kept in the database.

Whoever holds it runs checks, rules, escalation, routines and timers. Every take-over raises the
epoch, and outcomes are written on condition of it, so that a server that was frozen and wakes up
late finds its writes refused. An observer takes over only after it has watched the lease stand
still for 15 s of its *own* unbroken connection: clocks of two machines are never compared, and a
database outage (during which nobody could renew) starts the wait afresh.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from opsbook.base.database import Database, Instant, Transaction, table

RENEW_EVERY = timedelta(seconds=5)
TAKE_OVER_AFTER = timedelta(seconds=15)
NAME = "deciding"

lease = table(
    "lease",
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("beat", sa.BigInteger, nullable=False),
    sa.Column("renewed_at", Instant, nullable=False),
)


def epoch(tx: Transaction) -> int:
    """Return which leadership this is, by the database; 0 before the first."""
    return int(tx.execute(_EPOCH).scalar() or 0)


_EPOCH = sa.select(lease.c.epoch).where(lease.c.name == NAME)


@dataclass(frozen=True)
class Seen:
    """What an observer last saw of somebody else's lease, and since when it has not moved."""

    epoch: int
    beat: int
    since: datetime


def observe(seen: Seen | None, epoch: int, beat: int, now: datetime) -> tuple[Seen, bool]:
    """Return the new memory, and whether the lease has stood still long enough to be taken."""
    if seen is None or (seen.epoch, seen.beat) != (epoch, beat):
        return Seen(epoch, beat, now), False
    return seen, now - seen.since >= TAKE_OVER_AFTER


class Lease:
    """This server's view of the deciding lease."""

    def __init__(self, database: Database, holder: str) -> None:
        self.database = database
        self.holder = holder
        self.epoch = 0
        self.held = False
        self._seen: Seen | None = None

    async def tick(self, now: datetime) -> datetime:
        """Renew, watch or take over; return when to do so again."""
        try:
            await self.database.write(lambda tx: self._step(tx, now))
        except Exception:
            self._seen = None
            raise
        return now + RENEW_EVERY

    def _step(self, tx: Transaction, now: datetime) -> None:
        row = tx.row(sa.select(lease).where(lease.c.name == NAME))
        if row is None:
            tx.insert(lease, name=NAME, holder=self.holder, epoch=1, beat=0, renewed_at=now)
            self.epoch, self.held = 1, True
            return
        mine = self.held and row["holder"] == self.holder and row["epoch"] == self.epoch
        if not mine:
            self.held = False
            self._seen, stale = observe(self._seen, row["epoch"], row["beat"], now)
            if not (stale or self.database.sqlite):
                return
        epoch = row["epoch"] if mine else row["epoch"] + 1
        unchanged = (
            (lease.c.name == NAME) & (lease.c.epoch == row["epoch"]) & (lease.c.beat == row["beat"])
        )
        self.held = tx.claim(
            sa.update(lease)
            .where(unchanged)
            .values(holder=self.holder, epoch=epoch, beat=row["beat"] + 1, renewed_at=now)
        )
        if self.held:
            self.epoch = epoch

    async def release(self, now: datetime) -> None:
        """Hand the lease back on a clean stop, so that a standby need not wait."""
        if not self.held:
            return
        self.held = False
        mine = (lease.c.name == NAME) & (lease.c.holder == self.holder)
        await self.database.write(
            lambda tx: tx.claim(sa.update(lease).where(mine).values(renewed_at=now))
        )
