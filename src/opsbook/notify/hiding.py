"""Hiding what is secret in texts that many read.

By itself the outbox knows what the book refers to: the addresses of people and channels. What else
the server knows is handed to it (``secrets=``); what a run keeps secret is left out where the text
is made.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from opsbook.base import secrets
from opsbook.book import Book


def hidden(texts: Iterable[str], book: Book, also: Iterable[str] = ()) -> list[str]:
    """The texts with every secret address of the book, its password and its tokens hidden."""
    values = {*also}
    for address in _addresses(book):
        values |= {address, *secrets.inside(address)}
    return [secrets.mask(text, values) for text in texts]


def _addresses(book: Book) -> Iterator[str]:
    contacts = [contact for person in book.people.values() for contact in person.contacts]
    contacts += [channel.to for channel in book.channels.values()]
    for reference in {contact.secret for contact in contacts if contact.secret is not None}:
        with contextlib.suppress(secrets.SecretMissing):
            yield secrets.resolve(reference)
