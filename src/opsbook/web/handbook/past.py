"""What became of one element, or of one file, from revision to revision.

Followed is what each revision replaced (its parent), from the running one back: what was stored
and never ran is not part of the story. Nothing of an old revision is loaded: only the element's own
lines are cut out of its file by their indentation and read as YAML, the whole file where that is
not enough. What was read is remembered by the revision's hash, so only a first look costs reading.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Final

from opsbook.base.database import Transaction
from opsbook.book import Book, parse, yamlpos
from opsbook.book import store as revisions
from opsbook.web.handbook import shelf, store
from opsbook.web.handbook.memo import Memo

MOST: Final = 50
"""Revisions that are looked through for one element."""
MOST_READ: Final = 16 * 1024 * 1024
"""Characters of old revisions that one page reads at most."""
SMALL: Final = 1024 * 1024
"""Revisions up to this many characters are kept in memory for the next page."""
MOST_KEYS, LONGEST, MOST_LINES, MOST_COMPARED = 12, 80, 160, 4000

_FILES: Final[Memo[str, Mapping[str, str]]] = Memo(64)
_READ: Final[Memo[tuple[str, str, str], Any]] = Memo(8192)
_DIFFS: Final[Memo[tuple[str, str, str], Sequence[str]]] = Memo(512)
_NOTHING: Final = object()
_ADDRESS: Final = re.compile(r"([A-Za-z][\w+.-]*)://[^\s,]*")


@dataclass(frozen=True)
class Change:
    """One revision in which it changed: the revision's row, and each key with old and new value.

    `kind` is ``first`` (it was there when the story begins), ``added``, ``changed`` or ``removed``.
    """

    row: Mapping[str, Any]
    kind: str
    keys: Sequence[tuple[str, str, str]] = ()
    more: int = 0
    lines: Sequence[str] = ()


@dataclass(frozen=True)
class Past:
    """Changes, newest first; `whole` is false where older revisions were not looked through."""

    changes: Sequence[Change]
    whole: bool = True


def of_element(tx: Transaction, book: Book, section: str, id: str) -> Past:
    """Return the revisions in which an element's YAML changed."""
    return _story(tx, book, section, id)


def of_file(tx: Transaction, book: Book, file: str) -> Past:
    """Return the revisions in which a file changed, each with its changed lines."""
    return _story(tx, book, "", file)


def _story(tx: Transaction, book: Book, section: str, id: str) -> Past:
    chain, whole = _chain(tx, book)
    seen: list[tuple[Mapping[str, Any], Any]] = []
    read = 0
    for row in chain:
        key = (row["revision"], section, id)
        if not _READ.has(key) and not _FILES.has(row["revision"]):
            read += row["size"]
            if read > MOST_READ:
                whole = False
                break
        seen.append((row, _READ.get(key, partial(_cut, tx, book, row, section, id))))
    changes = [
        change
        for (row, new), (earlier, old) in pairwise(seen)
        if (change := _compared(row, earlier, section, id, old, new)) is not None
    ]
    if seen and whole and seen[-1][1] is not _NOTHING:
        changes.append(Change(seen[-1][0], "first"))
    return Past(changes, whole)


def _chain(tx: Transaction, book: Book) -> tuple[list[dict[str, Any]], bool]:
    """The running revision and what it replaced, back to the first or to `MOST`."""
    rows = {row["revision"]: row for row in store.revisions(tx, book.id, 4 * MOST)}
    found: list[dict[str, Any]] = []
    here = rows.pop(book.revision, None)
    while here is not None and len(found) < MOST:
        found.append(here)
        here = rows.pop(here["parent"], None) if here["parent"] else None
    return found, here is None and not (found and found[-1]["parent"] in rows)


def _cut(tx: Transaction, book: Book, row: Mapping[str, Any], section: str, id: str) -> Any:
    files = _files(tx, book, row)
    if not section:
        return files.get(id, _NOTHING)
    return element(files, section, id)


def _files(tx: Transaction, book: Book, row: Mapping[str, Any]) -> Mapping[str, str]:
    digest = row["revision"]
    if digest == book.revision:
        return book.files

    def read() -> Mapping[str, str]:
        return parse(revisions.files_of(tx, digest) or "{}")

    return _FILES.get(digest, read) if row["size"] <= SMALL else read()


def element(files: Mapping[str, str], section: str, id: str) -> Any:
    """Return what the YAML files say of an element, or `_NOTHING`; `id` is empty for a section."""
    begins = re.compile(rf"^(?:\ufeff)?[\"']?{re.escape(section)}[\"']?[ \t]*:", re.MULTILINE)
    for name in sorted(files):
        text = files[name]
        if not name.endswith((".yaml", ".yml")) or name.startswith(("files/", "runbooks/")):
            continue
        if not begins.search(text):
            continue
        found = _of_file(text, name, section, id)
        if found is not _NOTHING:
            return found
    return _NOTHING


def _of_file(text: str, name: str, section: str, id: str) -> Any:
    lines = _lines(text, section, id) if id else None
    if lines is not None:
        reading = yamlpos.read("\n".join(lines) + "\n", name)
        if not reading.problems and isinstance(reading.data, dict) and id in reading.data:
            return reading.data[id]
    data = yamlpos.read(text, name).data
    part = data.get(section, _NOTHING) if isinstance(data, dict) else _NOTHING
    if not id:
        return part
    return part.get(id, _NOTHING) if isinstance(part, dict) else _NOTHING


def _lines(text: str, section: str, id: str) -> list[str] | None:
    """The lines of ``id:`` below ``section:`` by their indentation, moved to the left.

    None where the file is not written in plain blocks; then the whole of it has to be read.
    """
    inside, indent = False, 0
    found: list[str] = []
    key = re.compile(rf"[\"']?{re.escape(id)}[\"']?[ \t]*:(?:[ \t]|$)")
    for line in text.splitlines():
        bare = line.strip()
        depth = len(line) - len(line.lstrip(" "))
        if not bare or bare.startswith("#"):  # of a text in several lines, or a comment
            if found and (not bare or depth >= indent):
                found.append(line[indent:])
            continue
        if depth == 0:
            if found:
                break
            inside, indent = bool(re.fullmatch(rf"{section}[ \t]*:(?:[ \t]+#.*)?", line)), 0
        elif inside:
            indent = indent or depth
            if depth <= indent:
                if found:
                    break
                if key.match(line, depth):
                    found.append(line[indent:])
            elif found:
                found.append(line[indent:])
    return found or None


def _compared(
    row: Mapping[str, Any], earlier: Mapping[str, Any], section: str, id: str, old: Any, new: Any
) -> Change | None:
    if old is _NOTHING and new is _NOTHING:
        return None
    if old is _NOTHING or new is _NOTHING:
        return Change(row, "added" if old is _NOTHING else "removed")
    if old == new:
        return None
    if not section:
        key = (earlier["revision"], row["revision"], id)
        return Change(row, "changed", lines=_DIFFS.get(key, lambda: compared(old, new)))
    before, after = dict(_flat(old)), dict(_flat(new))
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    show = partial(_short, contacts=section == "people")
    told = [(key, show(before.get(key)), show(after.get(key))) for key in keys[:MOST_KEYS]]
    return Change(row, "changed", told, len(keys) - len(told))


def compared(old: str, new: str) -> list[str]:
    """Return the changed lines between two texts with two around them, at most `MOST_LINES`.

    Longer texts than `MOST_COMPARED` lines are not compared: finding the least difference takes
    time that grows with their square.
    """
    before, after = old.splitlines(), new.splitlines()
    if len(before) + len(after) > MOST_COMPARED:
        return []
    lines = list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]
    return lines[:MOST_LINES] + (["@@ …"] if len(lines) > MOST_LINES else [])


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every single value below a key with its path; a list of plain values is one value."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value):
        for number, inner in enumerate(value):
            yield from _flat(inner, f"{path}.{number + 1}")
    elif isinstance(value, list):
        yield path, ", ".join(map(_written, value))
    else:
        yield path, _written(value)


def _written(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: ""}[value]
    return str(value)


def _short(text: str | None, *, contacts: bool = False) -> str:
    """A value as the page shows it: of a person's addresses the kind alone, as everywhere else.

    They carry passwords and tokens.
    """
    if text is None:
        return ""
    if contacts:
        text = _ADDRESS.sub(r"\1://…", text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def has_past(section: str) -> bool:
    """Tell whether a section's elements stand in YAML, so that their story can be told."""
    return section in shelf.ALL and section != "runbooks"
