"""Whether a receiver has to be told, given what it was told of this group last.

Alertmanager's rules (its notification log): a group nobody was told of is told once something in it
fires; after that when something fires that was not told as firing, when something is over that was
not told as over, and otherwise when it has been ``repeat_interval`` since. Sets of fingerprints are
compared and not hashes of them: a set is what a person can read afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

KEPT_AT_MOST: Final = timedelta(hours=120)

Told = Literal["first", "new", "over", "all over", "again"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a receiver was told of a group last, and until when that is remembered."""

    firing: frozenset[str]
    resolved: frozenset[str]
    at: datetime
    expires_at: datetime


def name(book: str, group_key: str, receiver: str, listener: str) -> str:
    """Return the key an entry is kept under."""
    told = "\0".join((book, group_key, receiver, listener))
    return hashlib.sha256(told.encode()).hexdigest()


def due(
    entry: Entry | None,
    firing: Sequence[str],
    resolved: Sequence[str],
    *,
    repeat: timedelta | None,
    tells_resolved: bool,
    now: datetime,
) -> Told | None:
    """Return why a receiver is told now, or ``None``; without `repeat` it is told of changes only.

    Source: ``DedupStage.needsUpdate`` of Alertmanager.
    """
    if entry is None or entry.expires_at <= now:
        return "first" if firing else None
    if not entry.firing.issuperset(firing):
        return "new"
    if not firing:
        return "all over" if entry.firing else None
    if tells_resolved and not entry.resolved.issuperset(resolved):
        return "over"
    if repeat is not None and entry.at < now - repeat:
        return "again"
    return None


def renamed(entry: Entry, was: str, name: str) -> Entry:
    """Return the same, of an alert that has another name now."""
    firing, resolved = (
        frozenset(name if one == was else one for one in some)
        for some in (entry.firing, entry.resolved)
    )
    return Entry(firing, resolved, entry.at, entry.expires_at)


def without(entry: Entry, names: Collection[str]) -> Entry:
    """Return the same as if nothing had been told of these alerts."""
    return Entry(
        entry.firing.difference(names), entry.resolved.difference(names), entry.at,
        entry.expires_at,
    )  # fmt: skip


def entry(
    firing: Sequence[str], resolved: Sequence[str], repeat: timedelta | None, now: datetime
) -> Entry:
    """Return what is remembered after telling."""
    kept = KEPT_AT_MOST if repeat is None else min(2 * repeat, KEPT_AT_MOST)
    return Entry(frozenset(firing), frozenset(resolved), now, now + max(kept, timedelta(minutes=1)))
