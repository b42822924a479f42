"""The book that `opsbook init` writes, in Korean and in English, and what is filled into it.

What belongs here: the files themselves (`ko/`, `en/`: the same book twice, with comments that
teach) and filling them in. What does not: the starter book of the repository, which looks after
Opsbook itself, and asking a person anything.

``@@name@@`` in a file is a value. A line that starts with ``%url`` is about the address to look at
and becomes a comment where there is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

from opsbook.book import yamlpos
from opsbook.book.fields import Language

SCHEMA: Final = ".opsbook.schema.json"
"""Beside the files that name it. With a dot it is no part of the book: a new Opsbook may write it
anew without making a new revision of the book."""
_FILES: Final = (
    "book.yaml", "services.yaml", "people.yaml", "checks.yaml", "alerts.yaml", "incidents.yaml",
    "routines.yaml", "runbooks/first-response.md", "runbooks/morning-check.md",
)  # fmt: skip
_VALUE: Final = re.compile(r"@@(\w+)@@")
_ABOUT_URL: Final = re.compile(r"^%url   (.*)$", re.MULTILINE)
_SOME_URL: Final = "https://www.example.org"


@dataclass(frozen=True, slots=True)
class Start:
    """What a starting book is made from. `id` and `owner` can be ids; `folder` is for comments."""

    id: str
    title: str
    timezone: str
    language: Language
    owner: str
    folder: str
    url: str | None = None


def files(start: Start) -> dict[str, str]:
    """The files of the book by their paths, without the schema for editors."""
    values = {
        "id": _plain(start.id),
        "title": json.dumps(start.title, ensure_ascii=False),
        "timezone": _plain(start.timezone),
        "owner": _plain(start.owner),
        "owner_text": json.dumps(start.owner, ensure_ascii=False),
        "folder": start.folder,
        "url": json.dumps(start.url or _SOME_URL, ensure_ascii=False),
    }
    root = resources.files(__package__) / start.language
    return {name: _filled(root.joinpath(name).read_text("utf-8"), name, values, start.url)
            for name in _FILES}  # fmt: skip


def id_of(name: str) -> str:
    """A folder's name as an id; an empty text where nothing of it can be one."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-._")[:64].lower()


def _filled(text: str, name: str, values: Mapping[str, str], url: str | None) -> str:
    text = _ABOUT_URL.sub(r"  # \1" if url is None else r"  \1", text)
    text = _VALUE.sub(lambda found: values[found[1]], text)
    if name.endswith(".md"):
        return text
    return f"# yaml-language-server: $schema={SCHEMA}\n{text}"


def _plain(text: str) -> str:
    """A text as YAML has it, in quotes only where it would be read as something else."""
    return text if yamlpos.read(text, "").data == text else json.dumps(text, ensure_ascii=False)
