"""Secrets are references, resolved at the last moment and masked wherever text leaves us.

Masking is best effort: it finds a value as it is, base64- and URL-encoded and escaped for JSON. A
program that prints a secret backwards is not caught, and the documentation says so.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from opsbook.base.errors import Invalid

HIDDEN = "••••"
SHORTEST = 6


class SecretMissing(Invalid):
    """A secret that the book refers to is not there."""


def resolve(reference: str) -> str:
    """Return the value behind ``env:NAME`` or ``file:/path``.

    Raises:
        SecretMissing: nothing is there; the message names the reference, never a value.
    """
    kind, _, rest = reference.partition(":")
    if kind == "env" and rest in os.environ:
        return os.environ[rest]
    if kind == "file":
        try:
            return Path(rest).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SecretMissing(
                f"The secret {reference} cannot be read: {error}.",
                remedy="Create the file, readable by the server's user alone.",
            ) from None
    if kind == "env":
        raise SecretMissing(
            f"The secret {reference} is not set.",
            remedy=f"Set the environment variable {rest} before `opsbook up`.",
        )
    raise SecretMissing(
        f"The secret reference {reference!r} is of no known form.",
        remedy="Write env:NAME or file:/path.",
    )


def forms(value: str) -> set[str]:
    """Return the ways in which a value commonly appears in text."""
    plain = value.encode()
    return {
        value,
        base64.b64encode(plain).decode().rstrip("="),
        base64.urlsafe_b64encode(plain).decode().rstrip("="),
        quote(value, safe=""),
        json.dumps(value)[1:-1],
    }


def mask(text: str, values: Iterable[str]) -> str:
    """Return ``text`` with every form of every value hidden; values under 6 characters are not."""
    found = {form for value in values if len(value) >= SHORTEST for form in forms(value)}
    for form in sorted(found, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text
