"""What a page refuses, beyond what the packages below refuse themselves."""

from __future__ import annotations

from typing import ClassVar

from opsbook.base.errors import OpsbookError


class SignInNeeded(OpsbookError):
    """Sign in first."""

    status: ClassVar[int] = 401
    remedy = "Sign in, then try again."


class StaleForm(OpsbookError):
    """This form was made for another session."""

    status: ClassVar[int] = 403
    remedy = "Go back, reload the page and send it again."


class TooOften(OpsbookError):
    """Too many tries."""

    status: ClassVar[int] = 429


class TooLarge(OpsbookError):
    """The request is too large."""

    status: ClassVar[int] = 413


class TooSlow(OpsbookError):
    """The request took longer than two minutes to arrive."""

    status = 408
    remedy = "Send it again; a large file over a better line."
