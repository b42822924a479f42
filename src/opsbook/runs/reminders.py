"""When people are reminded of what they are asked: values in, a moment out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

SHORTEST: Final = timedelta(minutes=10)
"""What is asked for a shorter time is not asked twice: whoever was told has just been told."""
LEAST_LEFT: Final = timedelta(minutes=5)
"""A reminder that leaves less than this to answer comes too late."""
URGENT: Final = timedelta(hours=1)
"""With less than this left it goes to the phone: when time is over the step fails."""


def remind_at(begun: datetime, due: datetime | None) -> datetime | None:
    """Return when to remind of what was asked at one moment and ends at another; None for never.

    At three quarters of its time, and at least five minutes before its end.
    """
    if due is None or due - begun < SHORTEST:
        return None
    return min(begun + (due - begun) * 3 / 4, due - LEAST_LEFT)


def urgent(now: datetime, due: datetime | None) -> bool:
    """Tell whether a reminder may ring: so little time is left that an inbox may not be read."""
    return due is not None and due - now < URGENT
