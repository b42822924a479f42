"""``webhooks``: programs elsewhere that are told what becomes of runs, and of alerts."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from opsbook.book.fields import Flag
from opsbook.book.refs import RunbookId
from opsbook.book.sections.elements import Element
from opsbook.book.sections.people import SECRET, Contact

HookEvent = Literal[
    "run.started", "run.running", "run.waiting", "run.asks", "run.finished", "run.failed",
    "step.failed", "approval.requested", "approval.decided", "alerts",
]  # fmt: skip
SECRET_FORM: Final = r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$"
HEADER_FORM: Final = r"^[A-Za-z][A-Za-z0-9-]{0,63}$"
HEADER_VALUE_FORM: Final = r"^[!-~]([ -~]{0,998}[!-~])?$"
OWN_HEADERS: Final = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "user-agent"}
)
OWN_PREFIX: Final = "opsbook-"


class Address(Contact):
    """Where a webhook leads: an address of the web, or a reference to one.

    The address itself is often the secret: whoever knows it may post there. Plain ``http`` is for
    this machine alone, since what runs are about is nobody's business on the way.
    """

    @classmethod
    def of(cls, value: Any) -> Address:
        """Read ``https://…``, ``http://127.0.0.1…`` or ``{secret: "env:NAME"}``."""
        if isinstance(value, Address):
            return value
        if isinstance(value, str) and len(value) <= 2_000 and _is_address(value):
            return cls(url=value)
        if isinstance(value, dict) and set(value) == {"secret"}:
            secret = str(value["secret"])
            if SECRET.fullmatch(secret):
                return cls(secret=secret)
        raise PydanticCustomError(
            "address",
            "is not where a webhook can lead; write https://… (http:// only for this machine) "
            "without a password, or a reference such as {secret: env:NAME}",
        )


def _is_address(text: str) -> bool:
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


@functools.lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a host as it is written can only mean this machine."""
    if host.lower() in {"localhost", "localhost."}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(value: Address) -> str | dict[str, str]:
    return value.url if value.url is not None else {"secret": value.secret or ""}


AddressText = Annotated[
    Address,
    BeforeValidator(Address.of),
    PlainSerializer(_address),
    WithJsonSchema({"type": ["string", "object"]}),
]
HeaderName = Annotated[str, Field(pattern=HEADER_FORM)]
HeaderText = Annotated[str, Field(pattern=HEADER_VALUE_FORM)]


class Webhook(Element):
    """A program elsewhere that is told what becomes of runs, by a request for each event."""

    url: AddressText
    """Where it is told: https://…, or a reference if the address itself is a secret."""
    secret: str | None = Field(default=None, pattern=SECRET_FORM)
    """What each request is signed with, as env:NAME or file:/path."""
    events: tuple[HookEvent, ...] = Field(min_length=1)
    """What it is told of."""
    runbooks: tuple[RunbookId, ...] = ()
    """Only runs of these; all, if left out."""
    headers: Mapping[HeaderName, HeaderText] = Field(default_factory=dict)
    """Sent with each request; a value that is env:NAME or file:/path is looked up there."""
    loopback: Flag = False
    """Whether it may lead to the machine that Opsbook runs on."""
