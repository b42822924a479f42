"""The secrets that this server knows, so that no step's output shows one.

What a step itself reads from a file or is told by a service is not among them: masking is best
effort, and the documentation says so. A run's own secret values are not either, since they are of
that run alone: whoever masks for a run adds them.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from opsbook.base import secrets
from opsbook.base.places import Places
from opsbook.base.sealing import SETTING
from opsbook.book import Book
from opsbook.book.library import Library
from opsbook.notify.webhooks import hook_secrets
from opsbook.runs import targets

KEPT_S: Final = 5.0
_CALLED: Final = re.compile(
    r"(?i)(password|passwd|passphrase|secret|token|credential|(api|access|private|seal|signing)_?key)"
)
_FOLDER: Final = re.compile(r"(?i)_(file|path|dir|url|name|user|id)$")


class Known:
    """All that is known now, looked up again every KEPT_S: it is asked for at each step.

    A value that was replaced stays known for as long as this server runs: what was started with it
    may still print it.
    """

    def __init__(self, library: Library, places: Places, database: str) -> None:
        self._library = library
        self._places = places
        self._database = database
        self._found: tuple[str, ...] = ()
        self._ever: set[str] = set()
        self._at = -KEPT_S

    def __call__(self) -> tuple[str, ...]:
        """Return the values."""
        now = time.monotonic()
        if now - self._at >= KEPT_S:
            self._ever |= set(known_secrets(self._library, self._places, self._database))
            self._found = tuple(sorted(self._ever))
            self._at = now
        return self._found

    def for_run(self, own: Iterable[str]) -> tuple[str, ...]:
        """Return the values with those that a run has of its own."""
        return (*self(), *own)

    def masked(self, text: str, own: Iterable[str] = ()) -> str:
        """Return a text with all of them hidden: what stands in a journal, a page, a message."""
        return secrets.mask(text, self.for_run(own))


def known_secrets(
    library: Library, places: Places, database: str, environ: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """All that this server has itself, and every secret that a running book refers to."""
    found = _of_database(database) | _of_environment(environ)
    with contextlib.suppress(OSError):
        found.add(places.token.read_text(encoding="utf-8").strip())
    with contextlib.suppress(OSError, UnicodeDecodeError):
        found |= set(places.seal_key.read_text(encoding="utf-8").split())
    if reference := environ.get(SETTING):
        found |= {key for one in _resolved(reference) for key in one.split()}
    for book in library.books():
        found |= of_book(book)
    return tuple(sorted(value for value in found if value))


def of_book(book: Book) -> set[str]:
    """Return the secrets that a book refers to, and the telling parts of addresses in it."""
    found: set[str] = targets.known(book) | hook_secrets(book.webhooks.values())
    for person in book.people.values():
        for contact in person.contacts:
            addresses = _resolved(contact.secret) if contact.secret else {contact.url or ""}
            found |= addresses if contact.secret else set()
            for address in addresses:
                found |= secrets.inside(address)
    for hook in book.webhooks.values():
        for address in _resolved(hook.url.secret) if hook.url.secret else ():
            found |= secrets.inside(address)
    return found


def _resolved(reference: str) -> set[str]:
    try:
        return {secrets.resolve(reference)}
    except secrets.SecretMissing:
        return set()


def _of_database(url: str) -> set[str]:
    try:
        split = urlsplit(url)
        password = split.password or ""
        options = [value for name, value in parse_qsl(split.query) if _CALLED.search(name)]
    except ValueError:
        return set()
    return {password, unquote(password), *options}


def _of_environment(environ: Mapping[str, str]) -> set[str]:
    """What in this server's own environment is called a secret, and passwords in addresses there.

    Steps do not get the environment; where they run as the server's own user they can read it.
    """
    found: set[str] = set()
    for name, value in environ.items():
        if _CALLED.search(name) and not _FOLDER.search(name) and not value.startswith("/"):
            found.add(value)
        elif "://" in value:
            found |= _of_database(value)
    return found
