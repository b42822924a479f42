"""What was worked out from a revision is worked out once: revisions never change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Memo(Generic[Key, Value]):
    """At most `size` results; what was not asked for the longest goes first.

    Pages are read on several threads. Two that ask for the same at once wait for one to make it:
    the index of a large book is worth the wait and not worth making twice.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._held: dict[Key, Value] = {}
        self._lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return what is held for `key`, made first if need be."""
        with self._lock:
            if key in self._held:
                self._held[key] = self._held.pop(key)
            else:
                self._held[key] = make()
                while len(self._held) > self.size:
                    self._held.pop(next(iter(self._held)))
            return self._held[key]

    def has(self, key: Key) -> bool:
        """Tell whether this was made already and is still held."""
        return key in self._held
