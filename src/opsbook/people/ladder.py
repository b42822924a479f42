"""The escalation ladder: which rung is climbed when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from opsbook.book.sections.people import Escalation


@dataclass(frozen=True)
class Rung:
    """One level of one round: when it is due, whom it names, and whether it is the last of all."""

    due: datetime
    level: int
    round: int
    names: tuple[str, ...]
    last: bool


def next_rung(policy: Escalation, start: datetime, level: int, round_: int) -> Rung | None:
    """Return the rung after ``level`` rungs of round ``round_``; ``None`` at the ladder's end.

    Times count from ``start`` and not from the rung before, so that a server that was away climbs
    what it missed at once instead of pushing everything back. With ``repeat`` the ladder starts
    again that long after its last rung, without end: somebody has to answer.
    """
    levels = policy.levels
    if level >= len(levels):
        if policy.repeat is None:
            return None
        level, round_ = 0, round_ + 1
    length = levels[-1].after + (policy.repeat or timedelta(0))
    due = start + round_ * length + levels[level].after
    last = policy.repeat is None and level == len(levels) - 1
    return Rung(due, level, round_, levels[level].page, last)
