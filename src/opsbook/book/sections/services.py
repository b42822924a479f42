"""``services``: what is operated. Thin: an id to hang checks, incidents and an owner on."""

from __future__ import annotations

from opsbook.book.fields import Id, Named
from opsbook.book.texts import Text


class Service(Named):
    """Something people rely on. `owner` is a person or a team."""

    title: Text
    description: Text | None = None
    owner: Id | None = None
