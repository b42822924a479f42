"""Whatever no other calculator has spoken of: every element key by key, and every file.

This is what makes a plan whole. It looks at all that differs and leaves out what was told already,
so that a new section or a new key of an old one is in the plan without a line of code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from opsbook.book import Book
from opsbook.revisions.plan.keys import keys
from opsbook.revisions.plan.model import N_, WHOLE, Change
from opsbook.revisions.plan.pair import Pair
from opsbook.revisions.plan.values import flat

APART = frozenset({"files", "positions", "revision", "runbooks"})


class Told:
    """What was spoken of so far: whole elements, and keys of elements with all below them."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self._keys: dict[tuple[str, str], set[str]] = {}
        for change in changes:
            self._keys.setdefault((change.section, change.id), set()).update(change.keys)

    def whole(self, section: str, id: str) -> bool:
        """Whether the element as a whole was spoken of."""
        return WHOLE in self._keys.get((section, id), ())

    def key(self, section: str, id: str, key: str) -> bool:
        """Whether this key of the element was spoken of, or one that it is a part of."""
        known = self._keys.get((section, id), set())
        parts = key.split(".")
        return any(".".join(parts[:n]) in known for n in range(1, len(parts) + 1)) or (key in known)


def rest(pair: Pair, told: Told) -> Iterator[Change]:
    """Yield one change for each key that differs and that nobody told."""
    for section in type(pair.new).model_fields:
        if section in APART:
            continue
        before, after = getattr(pair.old, section), getattr(pair.new, section)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            for id in pair.differing(section):
                name = str(id)
                yield from _element(pair, told, section, name, before.get(id), after.get(id))
        elif before != after:
            yield from _element(pair, told, "book", section, before, after)
    yield from _files(pair)


def first(pair: Pair) -> Iterator[Change]:
    """Yield what a book brings that is the first of its name: nothing was there to be loosened."""
    for section in type(pair.new).model_fields:
        held = getattr(pair.new, section)
        if section in APART - {"runbooks"} or not isinstance(held, Mapping):
            continue
        for id in held:
            yield _whole(pair, section, str(id), "added")
    yield pair.tell(
        "book", pair.new.id, N_("The book %(id)s is new; nothing of that name ran before."),
        kind="added", keys=["*"], where="book.yaml:1", soon=True,
    )  # fmt: skip


def _element(
    pair: Pair, told: Told, section: str, id: str, before: Any, after: Any
) -> Iterator[Change]:
    if told.whole(section, id):
        return
    if before is None or after is None:
        yield _whole(pair, section, id, "added" if before is None else "removed")
        return
    was, now = dict(flat(before)), dict(flat(after))
    differing = list(keys(pair, section, id, was, now))
    for change in differing:
        if not any(told.key(section, id, key) for key in change.keys):
            yield change
    if not differing:
        yield pair.tell(section, id, N_("%(section)s: %(id)s was changed."), {"section": section})


def _whole(pair: Pair, section: str, id: str, kind: Any) -> Change:
    template = (
        N_("%(section)s: %(id)s is new.") if kind == "added" else N_("%(section)s: %(id)s is gone.")
    )
    where = None
    if section == "book":
        where = (pair.old if kind == "removed" else pair.new).where(id)
    return pair.tell(
        section, id, template, {"section": section}, kind=kind, keys=["*"], where=where
    )  # fmt: skip


def _files(pair: Pair) -> Iterator[Change]:
    """Scripts and whatever else the book carries; YAML and runbooks are told by what they say."""
    was, now = _carried(pair.old), _carried(pair.new)
    for name in sorted({*was, *now}):
        if was.get(name) == now.get(name):
            continue
        values = {}
        for side, files in (("before", was), ("after", now)):
            if name in files:
                values[side] = _described(files[name])
        if name not in was:
            template = N_("The file %(id)s is new: %(after)s.")
        elif name not in now:
            template = N_("The file %(id)s is gone: %(before)s.")
        else:
            template = N_("The file %(id)s is %(after)s instead of %(before)s.")
        kind: Any = "added" if name not in was else "removed" if name not in now else "changed"
        yield pair.tell(
            "files", name, template, values, kind=kind, keys=["*"], where=f"{name}:1"
        )  # fmt: skip


def layout(pair: Pair) -> Iterator[Change]:
    """Yield the one thing left to say of two books that mean the same and are written otherwise."""
    was, now = pair.old.files, pair.new.files
    files = [name for name in sorted({*was, *now}) if was.get(name) != now.get(name)]
    if files:
        yield pair.tell(
            "files", "", N_("Only comments, order or layout differ, in: %(files)s."),
            {"files": ", ".join(files)}, keys=["*"], where=f"{files[0]}:1",
        )  # fmt: skip


def _carried(book: Book) -> dict[str, str]:
    """The files that are not the model's own text."""
    return {name: text for name, text in book.files.items() if not _is_model(name)}


def _is_model(name: str) -> bool:
    if name.startswith("files/"):
        return False
    if name.startswith("runbooks/"):
        return name.endswith(".md")
    return name.endswith((".yaml", ".yml"))


def _described(text: str) -> str:
    raw = text.encode("utf-8", "surrogateescape")
    return f"{len(raw):,} B, sha256 {hashlib.sha256(raw).hexdigest()[:12]}"
