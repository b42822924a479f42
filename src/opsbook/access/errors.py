"""What access refuses, beyond a permission that is missing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from opsbook.base.errors import Conflict, Invalid, OpsbookError, Refused


class SignInFailed(OpsbookError):
    """That name and password do not fit together.

    The same sentence for a wrong password, an unknown name and a disabled account: which of them it
    was is nobody's business who could not sign in. The audit entry says it.
    """

    status: ClassVar[int] = 401
    remedy = "Try again, or ask an administrator for a sign-in link."


class LinkSpent(OpsbookError):
    """This sign-in link was used already, or is too old."""

    status: ClassVar[int] = 401
    remedy = (
        "Ask an administrator for a new one; `opsbook up` prints one while nobody has a password."
    )


class TooManyTries(OpsbookError):
    """Too many tries; ``wait`` is how long until the next one counts."""

    status: ClassVar[int] = 429

    def __init__(self, wait: timedelta) -> None:
        minutes = max(1, -(-int(wait.total_seconds()) // 60))
        super().__init__(
            "Signing in failed too often.",
            remedy=f"Wait {minutes} min, or ask an administrator for a sign-in link.",
            minutes=minutes,
        )
        self.wait = wait


class WeakPassword(Invalid):
    """The password cannot be used."""


class LoginTaken(Conflict):
    """There is an account of that name already."""


class NotApproved(Refused):
    """You may not approve this.

    ``details["reason"]`` names the rule for programs: ``program``, ``scope``, ``disabled``,
    ``book``, ``role`` or ``excluded``.
    """


class Voted(Conflict):
    """Who has voted on something cannot take it over."""


class Settled(Conflict):
    """This approval is settled; ``details["state"]`` says how."""


def written(moment: datetime) -> str:
    """Return a moment for a sentence: ``2026-03-03 09:00 UTC``."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
