"""What can be wrong with where books come from, and with editing them."""

from __future__ import annotations

from typing import ClassVar

from opsbook.base.errors import Conflict, Invalid, NotFound, OpsbookError


class InvalidAddress(Invalid):
    """This is no address of a book."""


class Unreachable(OpsbookError):
    """A book's source cannot be read now.

    ``kind`` is the word for programs that ``Trouble`` has: ``gone``, ``access``, ``empty``.
    """

    status: ClassVar[int] = 502
    kind: ClassVar[str] = "gone"


class AccessDenied(Unreachable):
    """The remote refuses us."""

    kind: ClassVar[str] = "access"


class Empty(Unreachable):
    """There is no book in it yet."""

    kind: ClassVar[str] = "empty"


class PushRefused(OpsbookError):
    """The remote did not take the commit: its branch has moved, or it does not allow it."""

    status: ClassVar[int] = 502


class NoSuchDraft(NotFound):
    """There is no such draft."""


class DraftConflict(Conflict):
    """Somebody else has changed the same; ``details["files"]`` says who, what and when."""


class DraftClosed(Conflict):
    """The draft is not open (any more)."""


class SourceBusy(Conflict):
    """The book's source holds something that does not run: an edit on top would publish it too."""


class NotWritten(OpsbookError):
    """The edit could not be written to the book's source; nothing was published."""


class WasRejected(Conflict):
    """Exactly this was rejected before."""
