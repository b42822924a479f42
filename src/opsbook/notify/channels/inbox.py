"""The inbox in the web page: everybody has it, and a page is in it by being recorded."""

from __future__ import annotations

from typing import ClassVar

from opsbook.book.sections.people import Person
from opsbook.notify.channel import Channel


class Inbox(Channel):
    """The web inbox."""

    name: ClassVar[str] = "inbox"

    @staticmethod
    def destinations(person: Person) -> list[str]:
        """Return the one inbox a person has."""
        return [""]
