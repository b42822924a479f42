"""Where a book refers to secrets (``env:NAME``, ``file:/path``), and what needs each of them.

Found wherever such a text stands in a section that something acts on, so that a new field or kind
has nothing to declare. Whether anything is there is not the book's to know.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from opsbook.book.model import Book
from opsbook.book.positions import Path, dotted
from opsbook.book.sections.webhooks import SECRET_FORM

WITHOUT: Final[Mapping[str, str]] = {
    "people": "nothing reaches them there",
    "channels": "nothing is told there",
    "webhooks": "nothing is sent there",
    "heartbeats": "no sign of life goes out",
    "intakes": "nobody can hand in alerts there, and senders are answered 503",
    "targets": "no step or check that needs it gets in",
    "checks": "it cannot look",
}
"""The sections in which references stand, and what does not work without one of theirs."""


class Reference(NamedTuple):
    """One place in a book that refers to a secret."""

    path: Path
    reference: str
    without: str

    @property
    def what(self) -> str:
        """The place as the book writes it, such as ``intakes.am.token``."""
        return dotted(self.path)


def of(book: Book) -> tuple[Reference, ...]:
    """Return every reference of a book, in the order of its sections."""
    found: list[Reference] = []
    for section, without in WITHOUT.items():
        for id, element in getattr(book, section).items():
            for path, reference in _within(element, (section, id)):
                found.append(Reference(path, reference, without))
    return tuple(found)


def _within(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        if re.fullmatch(SECRET_FORM, value):
            yield path, value
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            # What belongs to a check's kind stands beside its other fields in the book.
            here = path if name == "spec" else (*path, field.alias or name)
            yield from _within(getattr(value, name), here)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _within(inner, (*path, key))
    elif isinstance(value, (list, tuple)):
        for n, inner in enumerate(value):
            yield from _within(inner, (*path, n))
    elif dataclasses.is_dataclass(value) and hasattr(value, "secret"):  # a contact, an address
        yield from _within(value.secret, path)
