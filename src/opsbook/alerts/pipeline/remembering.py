"""Making the pipeline's memory from the rows: at a start, a take-over, a failure, a new revision.

What was only repeated since it was last written is in the batches, which are kept until then.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from opsbook.alerts.intake import posted as forms
from opsbook.alerts.pipeline import deduplicating, receiving, stages, store
from opsbook.alerts.pipeline.memory import GRACE, Memory
from opsbook.alerts.pipeline.model import RULES, fingerprint
from opsbook.base.database import Transaction

TOLD_LATE: Final = timedelta(hours=24)


def write_counters(tx: Transaction, memory: Memory) -> None:
    """Write the ends and counters of what was repeated; then its batches are not needed."""
    store.change(tx, [one for one in memory.dirty.values() if one.id])
    memory.dirty.clear()
    store.forget_until(tx, memory.position)


def remembered(tx: Transaction, memory: Memory, now: datetime, *, away: bool) -> Memory:
    """Fill a memory from the rows: what fires, what ended lately, what was told, what came in.

    Batches that were worked in already are gone through for their repetitions alone: what they
    began and ended is in the rows. Where this server was `away`, an alert whose end passed
    meanwhile has a moment left in which its sender may repeat it, or a restart would send that it
    is over and then that it fires.
    """
    memory.entries = store.entries(tx, now)
    told = {name for one in memory.entries.values() for name in one.firing}
    rows = [*store.ended_since(tx, now - TOLD_LATE), *store.firing(tx)]
    for row in rows:
        if row["book"] not in memory.books:
            continue
        alert = store.of_row(row)
        fires = row["state"] == store.FIRING
        if not fires and alert.fingerprint not in told:
            continue  # nobody was told that it fires, so nobody need be told that it is over
        if fires and away and alert.ends_at is not None and alert.ends_at < now + GRACE:
            alert.ends_at = now + GRACE
        memory.know(alert, now)
        if fires and alert.over(now):
            memory.ends_later(alert)  # its end passed between two memories: written with the next
    for row in store.worked_in(tx, memory.position):
        if row["source"] != RULES:
            _repeat(memory, row)
    for group in memory.groups.values():
        group.flushed = any(
            deduplicating.name(group.node.book, group.key, group.node.receiver, one.id)
            in memory.entries
            for one in stages.listeners(group)
        )
        if group.flushed and group.next_at > now:
            group.next_at = now
            memory.look_at(group)
    memory.written_at = now
    return memory


def _repeat(memory: Memory, row: dict[str, Any]) -> None:
    book = memory.books.get(row["book"])
    try:
        alerts = forms.decode(row["body"]) if book is not None else []
    except msgspec.DecodeError:
        return
    for one in alerts:
        if book is None:
            return
        name = fingerprint(book.id, forms.told_apart_by(row["source"], one))
        known = memory.alerts.get(name)
        if known is None or known.updated_at >= row["at"] or known.source == RULES:
            continue
        got = receiving.worked_in(book, row["source"], one, row["at"], known, name)
        if got.effect == "goes on":
            memory.dirty[known.fingerprint] = known
