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

KEPT_S: Final = 0.25
_CALLED: Final = re.compile(
    r"(?i)(password|passwd|passphrase|secret|token|credential|(api|access|private|seal|signing)_?key)"
)
_FOLDER: Final = re.compile(r"(?i)_(file|path|dir|url|name|user|id)$")


class Known:
    """All that is known now.

    It is asked for at each step and looked up again every KEPT_S, and at once when another book
    runs or the server has begun to: a book's first run must not be one that shows its secrets. A
    value that was replaced stays known for as long as this server runs, since what was started with
    it may still print it.
    """

    def __init__(self, library: Library, places: Places, database: str) -> None:
        self._library = library
        self._places = places
        self._own = _of_database(database) | _of_environment(os.environ)
        self._found: tuple[str, ...] = ()
        self._ever: set[str] = set()
        self._seen: tuple[object, ...] = ()
        self._at = 0.0

    def __call__(self) -> tuple[str, ...]:
        """Return the values."""
        now, books = time.monotonic(), self._library.books()
        seen = (self._places.token.exists(), *(book.revision for book in books))
        if now - self._at >= KEPT_S or seen != self._seen:
            found = self._own | of_server(self._places)
            self._ever |= found.union(*map(of_book, books)) - {""}
            if len(self._ever) != len(self._found):
                self._found = tuple(sorted(self._ever))
            self._at, self._seen = now, seen
        return self._found

    def for_run(self, own: Iterable[str]) -> tuple[str, ...]:
        """Return the values with those that a run has of its own."""
        return (*self(), *own)

    def masked(self, text: str, own: Iterable[str] = ()) -> str:
        """Return a text with all of them hidden: what stands in a journal, a page, a message."""
        return secrets.mask(text, self.for_run(own))


def of_server(places: Places, environ: Mapping[str, str] = os.environ) -> set[str]:
    """Return the local token and the keys that this server seals with."""
    found: set[str] = set()
    for file in (places.token, places.seal_key):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            found |= set(file.read_text(encoding="utf-8").split())
    if reference := environ.get(SETTING):
        found |= {key for one in _resolved(reference) for key in one.split()}
    return found


def of_book(book: Book) -> set[str]:
    """Return the secrets that a book refers to, and the telling parts of addresses in it."""
    found = targets.known(book)
    for value in hook_secrets(book.webhooks.values()):
        found |= set(secrets.telling(value))
    for person in book.people.values():
        for contact in person.contacts:
            addresses = _resolved(contact.secret) if contact.secret else {contact.url or ""}
            found |= addresses if contact.secret else set()
            for address in addresses:
                found |= secrets.inside(address)
    for channel in book.channels.values():
        if channel.to.secret:
            found |= _resolved(channel.to.secret)
    hooks = [hook.url for hook in book.webhooks.values()]
    for told in (*hooks, *(heart.url for heart in book.heartbeats.values())):
        for address in _resolved(told.secret) if told.secret else ():
            found |= {address} | secrets.inside(address)
    for intake in book.intakes.values():
        found |= _resolved(intake.token) if intake.token else set()
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
