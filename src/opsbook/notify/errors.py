"""Why a message did not get out."""

from __future__ import annotations

from opsbook.base.errors import OpsbookError


class Undelivered(OpsbookError):
    """The message was not delivered.

    ``unsure`` means that it may have been: the connection broke, or no answer came, after it was
    sent. The next attempt then says "possibly repeated". A message here is shown to people and
    stored, so whoever raises it has masked what is secret in the destination.
    """

    def __init__(self, message: str | None = None, *, remedy: str = "", unsure: bool = False):
        super().__init__(message, remedy=remedy)
        self.unsure = unsure
