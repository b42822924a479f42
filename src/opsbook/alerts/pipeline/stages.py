"""The way of a group from its time to its listeners, stage by stage.

    group → what is over · what fires → inhibited · behind · inactive · muted · silenced
          → for each listener: told already? → told, and remembered

`flush` decides all of it and writes what is told; the caller lets go of what was over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from opsbook.alerts.pipeline import deduplicating, muting, telling
from opsbook.alerts.pipeline.deduplicating import Entry
from opsbook.alerts.pipeline.grouping import Group
from opsbook.alerts.pipeline.memory import Memory
from opsbook.alerts.pipeline.model import Alert, in_order
from opsbook.alerts.pipeline.muting import Look, Quiet
from opsbook.alerts.pipeline.routing import INCIDENT, Listener
from opsbook.base.database import Transaction


@dataclass(frozen=True, slots=True)
class Decision:
    """What a listener is told of a group now, and why; `told` is ``None`` for nothing."""

    listener: Listener
    name: str
    told: deduplicating.Told | None
    before: Entry | None
    after: Entry | None


@dataclass(frozen=True, slots=True)
class Flush:
    """Everything that one look at a group decides."""

    group: Group
    alerts: list[Alert]
    heard: list[Alert]
    quiet: dict[str, Quiet] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)


def listeners(group: Group) -> Iterator[Listener]:
    """Yield who hears of a group: the incident first, where its route opens one."""
    if group.node.as_ == INCIDENT:
        yield Listener(INCIDENT)
    yield from group.node.listeners


def about(group: Group, listener: Listener) -> dict[str, str]:
    """Return where what a listener was told of a group belongs."""
    return {
        "book": group.node.book, "group_key": group.key, "receiver": group.node.receiver,
        "listener": listener.id,
    }  # fmt: skip


def entries(memory: Memory, group: Group) -> Iterator[tuple[str, dict[str, str], Entry]]:
    """Yield what each listener was told of a group: the entry's name, where it belongs, itself."""
    for listener in listeners(group):
        name = deduplicating.name(group.node.book, group.key, group.node.receiver, listener.id)
        entry = memory.entries.get(name)
        if entry is not None:
            yield name, about(group, listener), entry


def unsaid(flush: Flush, gone: Sequence[Alert]) -> list[Alert]:
    """Return those that ended of which this flush has told no incident."""
    told = any(one.listener.id == INCIDENT and one.told for one in flush.decisions)
    return [one for one in gone if not told or one.fingerprint in flush.quiet]


def forgotten(
    memory: Memory, group: Group, alerts: Sequence[Alert]
) -> dict[str, tuple[dict[str, str], Entry]]:
    """Let an incident's entry forget alerts that ended without its being told.

    It is never told again of what it was told (there is no ``repeat_interval``), so that an alert
    which fires anew would be taken for one that it knows.
    """
    names = {one.fingerprint for one in alerts}
    found = {}
    for name, where, entry in entries(memory, group):
        if where["listener"] == INCIDENT and not names.isdisjoint(entry.firing):
            memory.entries[name] = deduplicating.without(entry, names)
            found[name] = where, memory.entries[name]
    return found


def decided(memory: Memory, group: Group, look: Look) -> Flush:
    """Decide what becomes of a group now; pure."""
    alerts = in_order(group.alerts.values())
    quiet = {
        one.fingerprint: why
        for one in alerts
        if (why := muting.quiet(one, group.node, look)) is not None
    }
    heard = [one for one in alerts if one.fingerprint not in quiet]
    flush = Flush(group, alerts, heard, quiet)
    if not heard:
        return flush
    firing = [one.fingerprint for one in heard if not one.over(look.now)]
    resolved = [one.fingerprint for one in heard if one.over(look.now)]
    for listener in listeners(group):
        name = deduplicating.name(group.node.book, group.key, group.node.receiver, listener.id)
        before = memory.entries.get(name)
        repeat = _repeat(group, listener)
        told = deduplicating.due(
            before, firing, resolved, repeat=repeat, tells_resolved=listener.resolved, now=look.now
        )
        after = deduplicating.entry(firing, resolved, repeat, look.now) if told else None
        flush.decisions.append(Decision(listener, name, told, before, after))
    return flush


def _repeat(group: Group, listener: Listener) -> timedelta | None:
    """An incident is told of changes only: calling again is its escalation's business."""
    return None if listener.id == INCIDENT else group.node.repeat


def write(tx: Transaction, memory: Memory, flush: Flush, now: datetime, url: str) -> None:
    """Write what a flush tells, in the transaction that remembers it."""
    book = memory.books[flush.group.node.book]
    for one in flush.decisions:
        if one.told is None:
            continue
        alerts = [a for a in flush.heard if one.listener.resolved or not a.over(now)]
        if alerts:
            news = telling.News(flush.group, alerts, now, one.name)
            telling.tell(tx, now, book, one.listener, news, url)
