"""From files to a book, or to everything that is wrong with them, at once.

A part that is wrong is reported and left out, and the rest is still checked, references and all: a
person should have to run this once, not once for each mistake.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, TypeVar

from pydantic import ValidationError

from opsbook.book import complaints, drills, markdown, merging, specs, validate, walk
from opsbook.book.files import Files, dump, parse, read_folder, revision_of
from opsbook.book.frontmatter import Reading
from opsbook.book.memory import Memory
from opsbook.book.merging import Merged
from opsbook.book.model import Book, Sections, Vocabulary
from opsbook.book.positions import Mark
from opsbook.book.problems import BookError, Problem
from opsbook.book.runbook import BUILT_IN_KINDS
from opsbook.book.validate import Known, Whole

__all__ = ["dump", "load", "parse", "read_folder"]

ABOUT: Mapping[str, Any] = {"id": "book", "title": "book", "timezone": "UTC"}
"""Stand-ins for what a book must have, so that the rest can be checked where one is missing."""

MAX_PAGE = 512 * 1024
"""A page is parsed as Markdown, which costs; and nobody follows a longer one at night."""


def load(files: Files, vocabulary: Vocabulary, memory: Memory | None = None) -> Book:
    """Read and validate a whole book, or raise BookError with everything that is wrong.

    With the `memory` of an earlier load, what has not changed since is not read again; the outcome
    is the same.
    """
    memory = Memory() if memory is None else memory
    with memory.turn(vocabulary), _collector_paused():
        merged = merging.merge(files, memory)
        kinds = vocabulary.step_kinds | BUILT_IN_KINDS
        procedures = _pages(
            "runbooks", "runbook", files, lambda text, name: markdown.read(text, name, kinds),
            memory, merged,
        )  # fmt: skip
        exercises = _pages(
            "drills", "drill", files, lambda text, name: drills.read(text, name, kinds),
            memory, merged,
        )  # fmt: skip
        known = _known(files, merged, {"runbooks": procedures, "drills": exercises})
        unread: list[walk.Found] = []
        raw, refused = specs.read(
            merged.raw, vocabulary, merged.positions, merged.problems, unread
        )  # fmt: skip
        sections, left_out = _validated(raw, merged)
        merging.keep(merged, sections, refused)
        read = {id: one.runbook for id, one in procedures.items() if one and one.runbook}
        held = {id: one.drill for id, one in exercises.items() if one and one.drill}
        whole = Whole(sections, read, held, known, merged.positions, left_out, unread)
        problems = [*merged.problems, *validate.references(whole)]
        if problems:
            raise BookError(problems)
        return Book.bind(
            sections, read, held, files, revision_of(files), merged.positions, merged.assumed
        )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the search for garbage in cycles, since nothing a load makes is garbage before its end.

    Otherwise the collector walks the growing book again and again, for a third of the time of a
    load. Reference counts go on freeing all that is in no cycle. Another thread that loads at the
    same time may end the pause early, which is only slower; whoever paused it, ends it.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _known(files: Files, merged: Merged, pages: Mapping[str, Collection[str]]) -> Known:
    raw = merged.raw
    ids = {name: frozenset(part) for name, part in raw.items() if isinstance(part, dict)}
    read = {name: frozenset(found) for name, found in pages.items()}
    return Known(
        {**ids, **read, "files": _below(files, "files/")},
        merged.unsure | (raw.keys() - ids.keys()),
    )


def _below(files: Files, folder: str) -> frozenset[str]:
    return frozenset(name for name in files if name.startswith(folder))


Page = TypeVar("Page", bound=Reading[Any])


def _pages(
    section: str,
    what: str,
    files: Files,
    read: Callable[[str, str], Page],
    memory: Memory,
    merged: Merged,
) -> dict[str, Page | None]:
    """Every page of a folder by its id; None stands for one that is there and cannot be read."""
    found: dict[str, Page | None] = {}
    for name in sorted(_below(files, f"{section}/")):
        if not name.endswith(".md"):
            continue
        text = files[name]
        if len(text) > MAX_PAGE:
            told = f"this page is larger than {MAX_PAGE // 1024} KiB"
            remedy = "keep what steps need in files/, or make several pages of it"
            merged.problems.append(Problem(name, 1, 1, told, remedy))
            found[PurePosixPath(name).stem] = None
            continue
        reading = memory.page(name, text, functools.partial(read, text, name))
        merged.problems += reading.problems
        path = (section, reading.id)
        if reading.id in found:
            where = merged.positions.where(path)
            told = f"the {what} {reading.id!r} is already in {where}"
            remedy = "give one of the two another id"
            merged.problems.append(Problem(*reading.id_mark, told, remedy))
            found[reading.id] = None
            continue
        found[reading.id] = reading
        merged.positions.keys[path] = Mark(name, 1, 1)
        merged.positions.adopt(reading.positions, under=path)
        merged.assumed |= {(*path, *inner): said for inner, said in reading.assumed.items()}
    return found


def _validated(raw: dict[str, Any], merged: Merged) -> tuple[Sections, dict[str, Any]]:
    """The sections, and what was reported as wrong and left out of them, as it is written."""
    raw = {**{name: value for name, value in ABOUT.items() if name in merged.unsure}, **raw}
    try:
        return Sections.model_validate(raw), {}
    except ValidationError as error:
        merged.problems += complaints.told(error, Sections, (), merged.positions, whose="the book")
        kept, left_out = _without_faults(raw, error)
    try:
        return Sections.model_validate(kept), left_out
    except ValidationError:
        return Sections.model_validate(dict(ABOUT)), raw


def _without_faults(
    raw: dict[str, Any], error: ValidationError
) -> tuple[dict[str, Any], dict[str, Any]]:
    kept, left_out = dict(raw), dict[str, Any]()
    faulty: dict[str, set[Any]] = {}
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        section, *rest = fault["loc"] or ("",)
        if rest and isinstance(kept.get(str(section)), dict) and complaints.is_listed(str(section)):
            faulty.setdefault(str(section), set()).add(rest[0])
        else:
            left_out[str(section)] = kept.pop(str(section), left_out.get(str(section)))
    for section, ids in faulty.items():  # each section once: a long one may have a fault in each
        if section in kept:
            whole = kept[section]
            kept[section] = {id: one for id, one in whole.items() if id not in ids}
            left_out[section] = {id: one for id, one in whole.items() if id in ids}
    return {**ABOUT, **kept}, left_out
