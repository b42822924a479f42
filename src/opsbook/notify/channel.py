"""What a channel is: the seam that a new one fits into with one file and one line.

"Channel" has two meanings here that do not mix: a way to tell somebody (this class), and a place of
the book where many are told at once (`ChannelOfBook`), which a way leads to.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from opsbook.book.sections.people import Channel as ChannelOfBook
from opsbook.book.sections.people import Person
from opsbook.notify.model import Message


class Channel(ABC):
    """A way to tell somebody. One that is no ``Sender`` has delivered what is recorded."""

    name: ClassVar[str]

    @staticmethod
    @abstractmethod
    def destinations(person: Person) -> list[str]:
        """Return where this channel reaches a person: names of places in the book, no secrets."""


class Sender(Channel):
    """A channel that leads outside."""

    @abstractmethod
    async def send(self, message: Message, to: Person | ChannelOfBook, destination: str) -> None:
        """Send one message; return only when the other side has taken it.

        It is cancelled when it takes too long, and called again after that: it must not depend on
        its own earlier end.

        Raises:
            Undelivered: with masked text, and whether it may have got through after all.
            SecretMissing: the destination is a reference to nothing.
        """

    def close(self) -> None:
        """Let go of what the channel holds open; nothing is sent after this."""
