"""Finding what a book says by words: an index in memory, one per revision, and a plain ranking.

Texts are compared in NFC and without regard to case, as parts of words too: Korean puts particles
on its nouns, and somebody who looks for 결제 means 결제를 as well. For 1,000 runbooks and 5,000
checks that is a walk over a few megabytes of text, which takes less time than an index of words
would take to be explained.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from opsbook.book import Book, Text
from opsbook.web.handbook import shelf
from opsbook.web.handbook.memo import Memo

EXACT, BEGINS, WORD, NAMED, SAID = range(5)
AROUND: Final = 64
"""Characters of a snippet on each side of what was found."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that can be found: an element, a word of the glossary, or a file.

    `names` is what it is called, folded, and `words` the same with a space before each word;
    `whole` is all of it, folded; `text` as it is to be read.
    """

    section: str
    id: str
    names: tuple[str, ...]
    words: str
    whole: str
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that was found, and how well it fits: less is better."""

    entry: Entry
    rank: int


_INDEXES: Final[Memo[str, Sequence[Entry]]] = Memo(8)


def ready(book: Book) -> bool:
    """Tell whether the index of this revision is made already."""
    return _INDEXES.has(book.revision)


def of(book: Book) -> Sequence[Entry]:
    """Return the index of a book's revision, made when it is first asked for."""
    return _INDEXES.get(book.revision, lambda: list(_entries(book)))


def find(book: Book, wanted: str) -> list[Hit]:
    """Return everything that holds all the words, what is called so first."""
    sought = _folded(wanted).split()
    if not sought:
        return []
    phrase = " ".join(sought)
    found = [
        Hit(entry, _rank(entry, sought, phrase))
        for entry in of(book)
        if all(word in entry.whole for word in sought)
    ]
    return sorted(found, key=lambda hit: hit.rank)


def snippet(entry: Entry, wanted: str) -> tuple[str, str, str]:
    """Return the line with the first word: before, at and after it; empty if it is not said."""
    folded = _folded(entry.text)
    if len(folded) != len(entry.text):  # a letter that folds into two: its places do not fit
        return "", "", ""
    sought = _folded(wanted).split()
    for word in dict.fromkeys([" ".join(sought), *sought]):
        at = folded.find(word)
        if at >= 0:
            end = at + len(word)
            line = folded.rfind("\n", 0, at) + 1
            stop = folded.find("\n", end)
            stop = len(folded) if stop < 0 else stop
            first, last = max(line, at - AROUND), min(stop, end + AROUND)
            before = ("…" if first > line else "") + entry.text[first:at]
            after = entry.text[end:last] + ("…" if last < stop else "")
            return before, entry.text[at:end], after
    return "", "", ""


def _rank(entry: Entry, sought: Sequence[str], phrase: str) -> int:
    if phrase in entry.names:
        return EXACT
    if any(name.startswith(phrase) for name in entry.names):
        return BEGINS
    if any(all(word in name for word in sought) for name in entry.names):
        return WORD if all(f" {word}" in entry.words for word in sought) else NAMED
    return SAID


def _parted(name: str) -> str:
    """A name with a space before each of its words."""
    return " " + "".join(one if one.isalnum() else " " for one in name)


def _entries(book: Book) -> Iterator[Entry]:
    for name in shelf.ALL:
        section = shelf.section(book, name)
        if section.single is not None:
            yield _entry(name, "", [], _strings(section.single))
        for id, element in section.held.items():
            called = (getattr(element, key, None) for key in ("title", "name", "summary"))
            title = next((one for one in called if isinstance(one, Text)), None)
            names = list(title.by_language.values()) if title is not None else []
            if name == "runbooks":
                texts = [*_strings(element.description), _procedure(element.source)]
            else:
                texts = list(_strings(element))
            yield _entry(name, id, names, texts)
    for term, meaning in book.glossary.items():
        yield _entry("glossary", term, [], _strings(meaning))
    for file in book.files:
        yield _entry("files", file, [file.rpartition("/")[2]], [])


def _procedure(source: str) -> str:
    """A runbook's text without its front matter, which is shown around it and not read."""
    parts = source.split("\n---", maxsplit=1)
    return parts[-1] if source.lstrip("\ufeff").startswith("---") else source


def _entry(section: str, id: str, names: Sequence[str], texts: Any) -> Entry:
    text = unicodedata.normalize("NFC", "\n".join(texts))
    called = tuple(dict.fromkeys(_folded(one) for one in (id, *names) if one))
    words = "".join(map(_parted, called))
    return Entry(section, id, called, words, "\n".join((*called, _folded(text))), text)


def _strings(value: Any) -> Iterator[str]:
    """Every text below a value, in all its languages; ids and titles of the element are names."""
    match value:
        case Text():
            yield from value.by_language.values()
        case str():
            yield value
        case BaseModel():
            for name in type(value).model_fields:
                if name not in {"id", "title", "name"}:
                    yield from _strings(getattr(value, name))
        case Mapping():
            for key, one in value.items():
                yield str(key)
                if isinstance(one, BaseModel):
                    yield from _strings(getattr(one, "title", None))
                yield from _strings(one)
        case tuple():
            for one in value:
                yield from _strings(one)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
