"""What kinds share that ask another system: where it is, what lets a look in, what came back.

A check names a target of the book (``on:``) and is let in with that target's ``read`` credential
and never with the other, or it brings an address and references to secrets of its own. References
become values only here, right before the look; one that is missing is missing data.

Masking: what another system says of a failure may repeat what it was sent, so messages of looks
that failed are searched for the secrets they used. A value that came back is a number.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import aiohttp
from pydantic import model_validator

from opsbook.base import secrets
from opsbook.book.fields import Part
from opsbook.book.refs import TargetId
from opsbook.checks import referred
from opsbook.checks.connect import failed, place
from opsbook.checks.fields import complaint
from opsbook.checks.kind import Context
from opsbook.checks.model import CannotLook, Reading


class Asks(Part):
    """What every kind has that asks another system: a target of the book, or an address.

    `places` are the fields that say where it is; exactly one of them is written.
    """

    placeless: ClassVar[bool] = False
    """Whether nothing may be written, since there is a place to look at anyway."""

    on: TargetId | None = None
    """The target that is asked, with its credential for reading."""

    @property
    def places(self) -> tuple[str, ...]:
        """The fields one of which says where to look."""
        return ("on", "url")

    @property
    def own(self) -> tuple[str, ...]:
        """The fields that mean something only without ``on``, since a target says them itself."""
        return ()

    def references(self) -> Iterator[str]:
        """Every secret that the check itself refers to, so that nothing else shows one."""
        yield from ()

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        said = [name for name in self.places if getattr(self, name) is not None]
        if len(said) > 1 or not (said or self.placeless):
            listed = " or ".join(f"{name}:" for name in self.places)
            raise complaint(f"it must say in one way what it asks; write {listed}, exactly one")
        for name in self.own if self.on is not None else ():
            if getattr(self, name):
                raise complaint(
                    f"{name} means nothing beside on, whose target says it; remove {name}:, "
                    "or write it at the target"
                )
        return self


@dataclass(frozen=True, slots=True)
class Credential:
    """What a look is let in with, as values."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def secret(self) -> frozenset[str]:
        """What no message may show."""
        values = {*self.headers.values(), self.password or ""}
        told = {part for one in values for part in secrets.telling(one)}
        return frozenset(one for one in told if one)


async def credential(
    context: Context,
    headers: Mapping[str, str] | None = None,
    user: str | None = None,
    password: str | None = None,
) -> Credential:
    """What lets this look in: the target's credential for reading, or the check's own references.

    Raises:
        CannotLook: a secret is not there.
    """
    if context.target is not None:
        read = context.target.read
        if read is None:
            return Credential()
        headers, user, password = read.headers, read.user, read.password
    references = {*(headers or {}).values(), *([password] if password is not None else [])}
    found = await referred.values(references, context)
    for name, one in (headers or {}).items():
        if not found[one].isprintable():
            raise CannotLook(f"the secret {one} is no value of a header: {name}")
    return Credential(
        {name: found[one] for name, one in (headers or {}).items()},
        user,
        found[password] if password is not None else None,
    )


async def masked(look: Awaitable[Reading], secret: Collection[str]) -> Reading:
    """The reading of a look, without the secrets in what it says of a failure."""
    try:
        reading = await look
    except CannotLook as error:
        raise CannotLook(secrets.mask(error.message, secret)) from None
    if secret and (reading.state is not None or reading.value is None):
        return replace(reading, message=secrets.mask(reading.message, secret))
    return reading


def unreachable(error: Exception, where: str) -> CannotLook:
    """Why the system that is asked of others could not be asked.

    A refusal is an answer about *it*, and not about what was to be looked at: missing data.
    """
    match error:
        case aiohttp.ClientConnectorCertificateError():
            reading = failed(error.certificate_error, where)
        case aiohttp.ClientConnectorError():
            reading = failed(error.os_error, where)
        case aiohttp.ServerDisconnectedError():
            reading = Reading(message=f"{where} closed the connection without an answer")
        case aiohttp.ClientPayloadError():
            reading = Reading(message=f"{where} broke off in the middle of its answer")
        case aiohttp.ClientResponseError():
            reading = Reading(message=f"{where} does not speak HTTP: {error.message}")
        case _:
            reading = failed(error, where)
    return CannotLook(reading.message)


async def body(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body of an answer.

    Raises:
        CannotLook: it is longer than `most` bytes.
    """
    whole = bytearray()
    async for chunk in response.content.iter_any():
        whole += chunk
        if len(whole) > most:
            response.close()
            where = place(response.url.host or "", response.url.port or "")
            raise CannotLook(f"{where} answers more than {most // 1024**2} MiB; ask for less")
    return bytes(whole)
