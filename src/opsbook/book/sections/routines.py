"""``routines``: calendar entries that start a runbook."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from opsbook.book.fields import Argument, Id, Named, Zone
from opsbook.book.texts import Text


class Routine(Named):
    """What is done regularly. Without a `timezone` the book's holds; `Book.schedule` has both."""

    title: Text
    description: Text | None = None
    schedule: str = Field(min_length=1, max_length=200)
    timezone: Zone | None = None
    runbook: Id
    params: Mapping[Id, Argument] = Field(default_factory=dict)
    owner: Id | None = None
