"""Which destinations ail: the last attempt there failed, or one that is under way hangs.

What sends has places for so many attempts at once. A destination that ails is tried all the same,
but in one place, and all that ail together have half of the places: whoever is well never waits for
all of them to run out of time. Nothing of it is kept; after a start nobody is known to ail.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

MOST_KNOWN: Final = 10_000
HANGS: Final = 2.0
"""Seconds after which an attempt that has no end counts as hanging."""

Lane = TypeVar("Lane", bound=Hashable)


class Health(Generic[Lane]):
    """What attempts have shown; moments are seconds of the event loop's clock."""

    def __init__(self, hangs: float = HANGS) -> None:
        self.hangs = hangs
        self._under_way: dict[int, tuple[Lane, float]] = {}
        self._well: dict[Lane, None] = {}
        self._failed: dict[Lane, float] = {}
        self._numbers = itertools.count()

    def begin(self, lane: Lane, at: float) -> int:
        """Note that an attempt begins; return its number."""
        number = next(self._numbers)
        self._under_way[number] = lane, at
        return number

    def end(self, number: int, at: float, *, taken: bool | None) -> bool:
        """Note how an attempt ended, ``None`` for not at all; ``True`` for the first that is taken.

        The first after a failure counts too.
        """
        lane, _ = self._under_way.pop(number)
        if taken is None:
            return False
        if not taken:
            self._well.pop(lane, None)
            self._failed.pop(lane, None)  # the latest is last
            _put(self._failed, lane, at)
            return False
        self._failed.pop(lane, None)
        if lane in self._well:
            return False
        _put(self._well, lane, None)
        return True

    def ailing(self, at: float) -> set[Lane]:
        """Return all that ail."""
        hanging = {lane for lane, since in self._under_way.values() if at - since > self.hangs}
        return hanging | self._failed.keys()

    def well(self, lane: Lane) -> bool:
        """Whether the last attempt there was taken; one that was never tried is not known to be."""
        return lane in self._well

    def failed_at(self, lane: Lane) -> float:
        """Return when the last attempt there failed; zero for one that has not."""
        return self._failed.get(lane, 0.0)


Value = TypeVar("Value")


def _put(known: dict[Lane, Value], lane: Lane, value: Value) -> None:
    """Remember one more; what was remembered first goes where there are too many."""
    if len(known) >= MOST_KNOWN:
        del known[next(iter(known))]
    known[lane] = value
