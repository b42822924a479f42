"""The files of a book: read once from a `folder`, then only a map from relative path to text.

Everything after this works on the map, so a revision stored in the database loads exactly as the
folder did. Content that is not UTF-8 survives the journey (each wrong byte as a lone surrogate, as
Python's ``surrogateescape`` does it); whether it may is the reader's matter: a script in ``files/``
may, a page of YAML may not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from opsbook.base.errors import Invalid
from opsbook.book.folder import (
    MAX_BOOK,
    MAX_FILE,
    MAX_FILES,
    Signature,
    read_as_seen,
    read_folder,
    settled,
    signature,
)

__all__ = [
    "MAX_BOOK",
    "MAX_FILE",
    "MAX_FILES",
    "Files",
    "Revision",
    "Signature",
    "dump",
    "parse",
    "read_as_seen",
    "read_folder",
    "revision_of",
    "settled",
    "signature",
]

Files = Mapping[str, str]


class Revision(str):
    """A book's content hash: 64 hexadecimal digits; the same files give the same revision."""

    __slots__ = ()

    @property
    def short(self) -> str:
        """The first twelve digits, for people."""
        return self[:12]


def revision_of(files: Files) -> Revision:
    """SHA-256 over each path and content in order, each with its length so that none can merge."""
    digest = hashlib.sha256()
    for name in sorted(files):
        for part in (name, files[name]):
            raw = part.encode("utf-8", "surrogateescape")
            digest.update(len(raw).to_bytes(8, "big"))
            digest.update(raw)
    return Revision(digest.hexdigest())


def dump(files: Files) -> str:
    """The files as one line of ASCII JSON, to be stored; `parse` gives them back unchanged."""
    return json.dumps(dict(files), ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def parse(stored: str) -> dict[str, str]:
    """The files from what `dump` wrote; raises Invalid for anything else."""
    try:
        files = json.loads(stored)
    except ValueError as error:
        raise Invalid(f"The stored book is no JSON: {error}.") from None
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
        raise Invalid("The stored book is not a map from path to text.")
    return files
