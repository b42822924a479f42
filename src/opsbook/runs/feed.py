"""Output as it comes, for pages: what is stored first, then each piece as it is committed.

There is no second copy of it in memory. Whoever stores a piece touches the run's topic, and each
listener reads what is new by the pieces' ids: nothing can be lost or come twice, a slow listener
costs nothing but its own reads, and a server that only stands by shows the same.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from opsbook.base.database import Database, Transaction
from opsbook.base.hub import Hub
from opsbook.runs import store

AT_ONCE = 64
LOOK_EVERY_S = 1.0
Piece = tuple[int, int, str]


async def feed(database: Database, hub: Hub, run_id: int) -> AsyncIterator[Piece]:
    """Yield (attempt, first byte, text) from the beginning to the end of a run.

    The pieces of one attempt join without a gap. Where the run is driven by another server, whose
    topics are not heard here, it is looked at once a second.
    """
    listener = hub.subscribe(lambda topic: topic == f"run:{run_id}")
    last = 0
    try:
        while True:
            over, rows = await database.read(partial(_news, run_id=run_id, last=last))
            for row in rows:
                last = row["id"]
                yield row["attempt_id"], row["start"], row["text"]
            if len(rows) == AT_ONCE:
                continue
            if over:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(listener.changed(), LOOK_EVERY_S)
    finally:
        listener.close()


def _news(tx: Transaction, run_id: int, last: int) -> tuple[bool, list[dict[str, Any]]]:
    row = store.get(tx, run_id)
    over = row is None or row["state"] in store.FINISHED
    return over, store.stored_after(tx, run_id, last, AT_ONCE)
