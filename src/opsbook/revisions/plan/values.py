"""Any part of a book as keys and texts, so that two of them can be compared key by key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from pydantic import BaseModel

from opsbook.base.quantities import format_duration
from opsbook.book.sections.people import Contact
from opsbook.book.texts import Text

LONGEST = 80
"""Characters of a value that a sentence quotes; more is in the book."""

Path = tuple[str | int, ...]
_PASSWORD = re.compile(r"(?<=://)[^/@\s]+(?=@)")


class Leaf(NamedTuple):
    """One value: what it is compared by, and what a person is shown of it."""

    raw: str
    shown: str


def flat(  # noqa: PLR0912  one branch for each kind of part
    value: Any, path: Path = ()
) -> Iterator[tuple[Path, Leaf]]:
    """Yield every value in ``value`` with its path; what is not set is left out.

    Defaults count as set, so that writing a default down changes nothing. The fields of a check's
    kind stand among the check's own, as they do in the file.
    """
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            if name == "spec":
                yield from flat(getattr(value, name), path)
            elif name != "id":
                yield from flat(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, Text):
        for language, text in value.by_language.items():
            yield ((*path, language) if language else path), leaf(text)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flat(inner, (*path, shown(key)))
    elif isinstance(value, (tuple, list)):
        if any(isinstance(one, (BaseModel, Text, Mapping)) for one in value):
            for n, inner in enumerate(value):
                yield from flat(inner, (*path, n))
        elif value:
            leaves = [leaf(one) for one in value]
            told = ", ".join(one.shown for one in leaves)
            yield path, Leaf(repr([one.raw for one in leaves]), shortened(told))
    elif value is not None:
        yield path, leaf(value)


def leaf(value: Any) -> Leaf:
    """One value that has no parts."""
    if isinstance(value, Contact):
        return Leaf(repr(value), _contact(value))
    return Leaf(
        f"{type(value).__name__} {shown(value)}", shortened(_PASSWORD.sub("…", shown(value)))
    )


def shown(value: Any) -> str:
    """A value as a book writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, datetime):
        return value.isoformat(" ", "minutes")
    return value.isoformat() if isinstance(value, date) else str(value)


def shortened(text: str) -> str:
    """A text on one line and no longer than a sentence can carry."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1].rstrip()}…"


def dotted(path: Path) -> str:
    """A path as people write it: ``levels.1.after``; lists count from 1."""
    return ".".join(str(step + 1) if isinstance(step, int) else step for step in path)


def _contact(contact: Contact) -> str:
    """Where a contact leads without the address: that one often carries a password."""
    if contact.url is None:
        return f"secret {contact.secret}"
    return f"{contact.url.partition('://')[0]}://…"
