"""What can be wrong with a run, as its callers are told."""

from __future__ import annotations

from opsbook.base.errors import Conflict, Invalid, NotFound, OpsbookError


class NoSuchRun(NotFound):
    """There is no such run."""

    def __init__(self, run_id: int) -> None:
        super().__init__(
            f"There is no run {run_id}.", remedy="`opsbook runs list` shows those there are."
        )


class UnknownRunbook(NotFound):
    """The book has no such runbook."""


class DraftBook(Conflict):
    """The book is a draft: it is shown, and does nothing."""


class WrongParameters(Invalid):
    """The parameters cannot be used; ``details["problems"]`` has one sentence for each."""


class CannotRun(Invalid):
    """The runbook cannot be run like this; ``details["problems"]`` has why, one each."""


class KeyReused(Conflict):
    """The idempotency key was used for another request."""


class NotWaiting(Conflict):
    """The run does not wait for this (any more)."""


class Over(Conflict):
    """The run is over, or on its way there."""


class CannotResume(Conflict):
    """The run cannot go on, or be repeated from there."""


class LeaseLost(OpsbookError):
    """Another server decides now; what this one was about to write is refused."""
