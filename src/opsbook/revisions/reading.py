"""What a source holds at one moment: files, their hash, and who wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opsbook.book.files import Revision


@dataclass(frozen=True, slots=True)
class Writer:
    """Somebody as git knows them."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True, slots=True)
class Look:
    """The files of a source, complete and at rest.

    ``writers`` are who wrote what is new since the commit followed before, the last one first;
    ``rewritten`` says that this commit does not build on that one.
    """

    files: Mapping[str, str]
    revision: Revision
    origin: str
    commit: str | None = None
    writers: tuple[Writer, ...] = ()
    rewritten: bool = False
