"""What a check's references to secrets stand for, at the moment of the look.

Looked up each time, so that a file that was replaced counts from the next look on. What is this
server's own is not handed out: see `opsbook.checks.own`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Final

from pydantic import Field

from opsbook.base import secrets
from opsbook.book.sections.webhooks import SECRET_FORM
from opsbook.checks import own
from opsbook.checks.kind import Context
from opsbook.checks.model import CannotLook

MOST: Final = 64 * 1024
SecretText = Annotated[str, Field(pattern=SECRET_FORM)]
"""``env:NAME`` or ``file:/path``."""


def is_reference(value: str) -> bool:
    """Whether a text says where a secret is kept, instead of being one."""
    return re.match(SECRET_FORM, value) is not None


async def values(references: Collection[str], context: Context) -> Mapping[str, str]:
    """Return the secret behind each reference; files are read on a thread.

    Raises:
        CannotLook: one is not there. The message names the reference, never a value.
    """
    if not references:
        return {}
    if any(one.startswith("file:") for one in references):
        return await context.blocking(lambda: {one: _read(one, context) for one in references})
    return {one: _read(one, context) for one in references}


def _read(reference: str, context: Context) -> str:
    if reference.startswith("file:"):
        path = reference.removeprefix("file:")
        raw, more = own.beginning(path, own.data_of(context), MOST)
        try:
            if more:
                raise ValueError
            return raw.decode().strip()
        except ValueError:
            raise CannotLook(f"the secret {reference} is no text, or too long") from None
    try:
        return secrets.resolve(reference)
    except secrets.SecretMissing as error:
        raise CannotLook(str(error)) from None
