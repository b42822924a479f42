"""The secrets that this server knows, so that no step's output shows one.

What a step itself reads from a file or is told by a service is not among them: masking is best
effort, and the documentation says so.
"""

from __future__ import annotations

import contextlib
import time
from typing import Final
from urllib.parse import unquote, urlsplit

from opsbook.base import secrets
from opsbook.base.places import Places
from opsbook.book.library import Library

KEPT_S: Final = 5.0


class Known:
    """All that is known now, looked up again every KEPT_S: it is asked for at each step."""

    def __init__(self, library: Library, places: Places, database: str) -> None:
        self._library = library
        self._places = places
        self._database = database
        self._found: tuple[str, ...] = ()
        self._at = -KEPT_S

    def __call__(self) -> tuple[str, ...]:
        """Return the values."""
        now = time.monotonic()
        if now - self._at >= KEPT_S:
            self._found = known_secrets(self._library, self._places, self._database)
            self._at = now
        return self._found


def known_secrets(library: Library, places: Places, database: str) -> tuple[str, ...]:
    """The local token, the database's password, and every secret that a running book refers to."""
    found = {_database_password(database)}
    with contextlib.suppress(OSError):
        found.add(places.token.read_text(encoding="utf-8").strip())
    for book in library.books():
        for person in book.people.values():
            for contact in person.contacts:
                if contact.secret is not None:
                    found |= _resolved(contact.secret)
    return tuple(sorted(value for value in found if value))


def _resolved(reference: str) -> set[str]:
    try:
        return {secrets.resolve(reference)}
    except secrets.SecretMissing:
        return set()


def _database_password(url: str) -> str:
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:
        return ""
