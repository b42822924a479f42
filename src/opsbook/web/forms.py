"""Forms: the token that shows a form came from our own page, and reading what was sent.

The token of a session never changes and would be in every compressed page; it is therefore mixed
with fresh random bytes each time, so that the length of a compressed answer tells nothing about it
(BREACH). Before sign-in there is no session, and the cookie set with the form takes its place.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.requests import Request

from opsbook.base import ids
from opsbook.web.errors import StaleForm

FIELD = "form_token"
MOST_FIELDS = 200


def masked(secret: str) -> str:
    """Return a token for one form: random bytes, and the secret's hash mixed with them."""
    pad = secrets.token_bytes(32)
    return (pad + _mixed(pad, _key(secret))).hex()


def fits(token: str, secret: str) -> bool:
    """Tell whether a form's token was made from this secret."""
    try:
        raw = bytes.fromhex(token)
    except ValueError:
        return False
    return len(raw) == 64 and ids.same(_mixed(raw[:32], raw[32:]).hex(), _key(secret).hex())


async def read(request: Request, secret: str) -> dict[str, str]:
    """Return the fields of a form whose token fits; files are not taken anywhere.

    Raises:
        StaleForm: the token is missing or belongs to another session.
    """
    fields = await read_lists(request, secret)
    return {name: values[-1] for name, values in fields.items()}


async def read_lists(request: Request, secret: str) -> dict[str, list[str]]:
    """As `read`, with every value of a field that may be ticked several times."""
    found: dict[str, list[str]] = {}
    async with request.form(max_files=0, max_fields=MOST_FIELDS) as form:
        for name, value in form.multi_items():
            if not isinstance(value, UploadFile):
                found.setdefault(name, []).append(value.replace("\r\n", "\n"))
    if not fits(found.pop(FIELD, [""])[-1], secret):
        raise StaleForm
    return found


@dataclass(frozen=True)
class Sent:
    """A file that was sent with a form."""

    name: str
    media_type: str
    content: bytes


async def read_files(
    request: Request, secret: str, most: int, largest: int
) -> tuple[dict[str, str], list[Sent]]:
    """As `read`, with the files that were chosen; of each no more than ``largest`` + 1 bytes.

    They are read once the token fits, and lie on disk until then.

    Raises:
        StaleForm: the token is missing or belongs to another session.
    """
    fields: dict[str, str] = {}
    files: list[Sent] = []
    async with request.form(max_files=most, max_fields=MOST_FIELDS) as form:
        found = form.multi_items()
        fields = {name: value for name, value in found if isinstance(value, str)}
        if not fits(fields.pop(FIELD, ""), secret):
            raise StaleForm
        for _, value in found:
            if isinstance(value, UploadFile) and value.filename:
                content = await value.read(largest + 1)
                files.append(Sent(value.filename, value.content_type or "", content))
    return fields, files


def local_path(wanted: str | None, default: str = "/") -> str:
    """Return a path of this site to go to; anything that could lead elsewhere is not followed."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\")):
        return default
    # A browser leaves tabs and line ends out of an address: "/\t/evil" would be "//evil".
    return default if any(one < " " or one == "\x7f" for one in wanted) else wanted


def text(fields: Mapping[str, str], name: str) -> str:
    """Return a field without the blanks around it; empty when it was not sent."""
    return fields.get(name, "").strip()


def _key(secret: str) -> bytes:
    return hashlib.sha256(f"form:{secret}".encode()).digest()


def _mixed(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
