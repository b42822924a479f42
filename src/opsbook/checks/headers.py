"""Headers of requests to where logs are kept, some of them secret.

A value is written as it is sent, or as a reference (``env:NAME``, ``file:/path``) that is resolved
at the look. What lets somebody in is only taken as a reference: a book lies in git.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from opsbook.base import secrets
from opsbook.book.sections.targets import Header
from opsbook.book.sections.webhooks import HEADER_VALUE_FORM, OWN_HEADERS, SECRET_FORM
from opsbook.checks.fields import complaint
from opsbook.checks.model import CannotLook

_LETS_IN: Final = re.compile(r"(?i)authorization|cookie|token|secret|api-?key|password")


def _allowed(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in headers.items():
        if name.lower() in OWN_HEADERS:
            raise complaint(f"{name} is set by the request itself; leave it out")
        if _LETS_IN.search(name) and not re.match(SECRET_FORM, value):
            raise complaint(
                f"the value of {name} is a secret and must not stand in a book; write env:NAME or "
                "file:/path"
            )
    return headers


Headers = Annotated[
    Mapping[Header, Annotated[str, Field(pattern=HEADER_VALUE_FORM)]], AfterValidator(_allowed)
]


def references(headers: Mapping[str, str]) -> Iterator[str]:
    """The secrets that they refer to."""
    yield from (value for value in headers.values() if re.match(SECRET_FORM, value))


def resolved(headers: Mapping[str, str]) -> dict[str, str]:
    """Return them with every reference resolved; may block.

    Raises:
        CannotLook: a secret is not there, or cannot be sent.
    """
    found: dict[str, str] = {}
    for name, value in headers.items():
        found[name] = value
        if re.match(SECRET_FORM, value):
            try:
                found[name] = secrets.resolve(value)
            except secrets.SecretMissing as error:
                raise CannotLook(str(error)) from None
            if not re.match(HEADER_VALUE_FORM, found[name]):
                raise CannotLook(f"the secret {value} is no value of a header: {name}")
    return found
