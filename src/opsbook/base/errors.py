"""The root of every error that Opsbook raises on purpose.

A class docstring is the default message. ``remedy`` says what to do; ``status`` is how the web and
the API answer (RFC 9457), so that a domain's error needs no translation table further up.
"""

from __future__ import annotations

from typing import Any, ClassVar


class OpsbookError(Exception):
    """Something went wrong."""

    status: ClassVar[int] = 500
    remedy: str = ""

    def __init__(self, message: str | None = None, *, remedy: str = "", **details: Any) -> None:
        self.message = message or (self.__doc__ or "").strip().splitlines()[0]
        self.remedy = remedy or type(self).remedy
        self.details = details
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class NotFound(OpsbookError):
    """There is no such thing here."""

    status = 404


class Refused(OpsbookError):
    """You may not do this."""

    status = 403


class Invalid(OpsbookError):
    """The input is not valid."""

    status = 422


class Conflict(OpsbookError):
    """This was already decided, or has changed since you looked."""

    status = 409


class StartError(OpsbookError):
    """Opsbook cannot start."""


class Bug(OpsbookError):
    """An impossible state: this is a bug in Opsbook."""
