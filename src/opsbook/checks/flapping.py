"""Whether a check changes its state so often that none of them can be believed: values in and out.

Nagios' way (its ``flapping.c``): of the last looks, how many differ from the look before, as a
share of how many could; a change counts from 0.75 for the oldest to 1.25 for the newest. What was
not looked at yet counts as no change, so a new check does not flap with its second look. It begins
at `high` and ends at `low`, and between the two it stays as it was.

"No data" is a state like the others: a target that answers every other time is flapping too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from opsbook.book.sections.checks import Flapping

OLDEST, NEWEST = 0.75, 1.25


def share(states: Sequence[str] | deque[str], looks: int) -> float:
    """Return the weighted share of changes in percent; `states` oldest first, `looks` at most."""
    if not states or states.count(states[0]) == len(states):
        return 0.0
    places = looks - 1
    first = places - (len(states) - 1)
    step = (NEWEST - OLDEST) / (places - 1)
    pairs = enumerate(pairwise(states), start=first)
    changed = (n for n, (before, after) in pairs if before != after)
    return sum(OLDEST + step * n for n in changed) * 100 / places


def decide(before: bool, found: float, settings: Flapping) -> bool:
    """Whether a check flaps at a share of changes, if it did so `before` or not."""
    if found >= settings.high.value and found > 0:
        return True
    return before and found > settings.low.value
