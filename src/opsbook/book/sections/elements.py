"""What most elements of a book have in common: a title, a description, an owner, links."""

from __future__ import annotations

from pydantic import Field

from opsbook.book.fields import Named, Part
from opsbook.book.refs import OwnerId
from opsbook.book.texts import Text


class Link(Part):
    """Somewhere else to look: a dashboard, a document, an issue tracker."""

    title: Text
    """What is there."""
    url: str = Field(min_length=1, max_length=2000)
    """A web address, or a path to another document."""


class Element(Named):
    """A thing of the book with a name people know it by, and somebody it belongs to."""

    title: Text
    """What people call it."""
    description: Text | None = None
    """What there is to know about it."""
    owner: OwnerId | None = None
    """The person or team it belongs to."""
    links: tuple[Link, ...] = ()
    """Where to look further."""
