"""Headers of requests to where logs are kept, some of them secret.

A value is written as it is sent, or as a reference (``env:NAME``, ``file:/path``) that is resolved
at the look. What lets somebody in is only taken as a reference: a book lies in git.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from opsbook.base import secrets
from opsbook.book.sections.targets import Header
from opsbook.book.sections.webhooks import HEADER_VALUE_FORM, OWN_HEADERS
from opsbook.checks import referred
from opsbook.checks.fields import complaint
from opsbook.checks.kind import Context
from opsbook.checks.model import CannotLook

_LETS_IN: Final = re.compile(r"(?i)authorization|cookie|token|secret|api-?key|password")


def _allowed(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in headers.items():
        if name.lower() in OWN_HEADERS:
            raise complaint(f"{name} is set by the request itself; leave it out")
        if _LETS_IN.search(name) and not referred.is_reference(value):
            raise complaint(
                f"the value of {name} is a secret and must not stand in a book; write env:NAME or "
                "file:/path"
            )
    return headers


Headers = Annotated[
    Mapping[Header, Annotated[str, Field(pattern=HEADER_VALUE_FORM)]], AfterValidator(_allowed)
]


@dataclass(frozen=True, slots=True)
class Credential:
    """The headers of a request, those apart that no message may show."""

    plain: Mapping[str, str]
    secret: Mapping[str, str] = field(repr=False)

    @property
    def all(self) -> dict[str, str]:
        """What is sent."""
        return {**self.plain, **self.secret}

    @property
    def hidden(self) -> frozenset[str]:
        """What no message may show."""
        return frozenset(part for one in self.secret.values() for part in secrets.telling(one))


def references(headers: Mapping[str, str]) -> Iterator[str]:
    """The secrets that they refer to."""
    yield from (value for value in headers.values() if referred.is_reference(value))


async def resolved(headers: Mapping[str, str], context: Context) -> Credential:
    """Return them with every reference resolved.

    Raises:
        CannotLook: a secret is not there, or cannot be sent.
    """
    found = await referred.values({*references(headers)}, context)
    for name, value in headers.items():
        if value in found and not re.match(HEADER_VALUE_FORM, found[value]):
            raise CannotLook(f"the secret {value} is no value of a header: {name}")
    secret = {name: found[value] for name, value in headers.items() if value in found}
    plain = {name: value for name, value in headers.items() if value not in found}
    return Credential(plain, secret)
