"""What was read before, by what the file said: so that a reload reads only what has changed.

A `Memory` belongs to one book and is given to every load of it. A page or a YAML file with the same
name and the same text comes to the same reading, and an element of such a file to the same model,
so both are taken over as they are: they are immutable, or nobody writes to them. Nothing that was
wrong is taken over without being told again; readings keep their problems, and an element that was
refused is validated again.

It keeps what the last load used and no more, so that it is bounded by one book.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

from opsbook.book.model import Vocabulary
from opsbook.book.yamlpos import Reading

Kept = TypeVar("Kept")


@dataclass(slots=True)
class Sheet:
    """One YAML file: its reading, and by section and id the models its elements came to."""

    reading: Reading
    done: dict[str, dict[str, BaseModel]] = field(default_factory=dict)


class Memory:
    """Readings by name and text; one load at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._vocabulary: Vocabulary | None = None
        self._kept: dict[tuple[str, str], Any] = {}
        self._before: Mapping[tuple[str, str], Any] = {}

    @contextmanager
    def turn(self, vocabulary: Vocabulary) -> Iterator[None]:
        """One load; with another vocabulary nothing that was read before holds any more."""
        with self._lock:
            if self._vocabulary != vocabulary:
                self._kept, self._vocabulary = {}, vocabulary
            self._before, self._kept = self._kept, {}
            try:
                yield
            finally:
                self._before = {}

    def page(self, name: str, text: str, read: Callable[[], Kept]) -> Kept:
        """The reading of a Markdown page, from memory or from `read`."""
        return self._keep(name, text, read)

    def sheet(self, name: str, text: str, read: Callable[[], Sheet]) -> Sheet:
        """A YAML file with its elements, from memory or from `read`."""
        return self._keep(name, text, read)

    def _keep(self, name: str, text: str, read: Callable[[], Kept]) -> Kept:
        known: Kept | None = self._before.get((name, text))
        kept = known if known is not None else read()
        self._kept[name, text] = kept
        return kept
