"""From files to a book, or to everything that is wrong with them, at once.

Any YAML file of the book (outside ``files/``, which is what steps use, and ``runbooks/``) may hold
any section, and one section may be spread over several; the same element twice is an error. A part
that is wrong is reported and left out, and the rest is still checked, references and all: a person
should have to run this once, not once for each mistake.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from opsbook.book import complaints, markdown, specs, validate, yamlpos
from opsbook.book.files import Files, dump, parse, read_folder, revision_of
from opsbook.book.model import Book, Sections, Vocabulary
from opsbook.book.positions import Mark, Path, Positions
from opsbook.book.problems import BookError, Problem
from opsbook.book.runbook import BUILT_IN_KINDS, Runbook
from opsbook.book.validate import Known

__all__ = ["dump", "load", "parse", "read_folder"]

MAIN = "book.yaml"
ABOUT: Mapping[str, Any] = {"id": "book", "title": "book", "timezone": "UTC"}
"""Stand-ins for what a book must have, so that the rest can be checked where one is missing."""


def load(files: Files, vocabulary: Vocabulary) -> Book:
    """Read and validate a whole book, or raise BookError with everything that is wrong."""
    problems: list[Problem] = []
    positions = Positions()
    raw, unsure = _merged(files, positions, problems)
    runbooks = _runbooks(files, vocabulary, positions, problems)
    ids = {name: frozenset(part) for name, part in raw.items() if isinstance(part, dict)}
    known = Known({**ids, "runbooks": frozenset(runbooks)}, unsure | (raw.keys() - ids.keys()))
    raw = specs.read(raw, vocabulary, positions, problems)
    sections = _validated(raw, unsure, positions, problems)
    read = {id: runbook for id, runbook in runbooks.items() if runbook is not None}
    problems += validate.references(sections, read, known, positions)
    if problems:
        raise BookError(problems)
    return Book.bind(sections, read, files, revision_of(files), positions)


def _merged(
    files: Files, positions: Positions, problems: list[Problem]
) -> tuple[dict[str, Any], frozenset[str]]:
    """All YAML files as one map of sections, with the places of everything in them.

    Also the names of sections that a file too broken to read seems to hold: nothing is known of
    what is in them, so that nothing is reported as missing from them.
    """
    raw: dict[str, Any] = {}
    unsure: set[str] = set()
    for name in sorted(files):
        if not name.endswith((".yaml", ".yml")) or name.startswith(("files/", "runbooks/")):
            continue
        reading = yamlpos.read(files[name], name)
        problems += reading.problems
        if reading.data is None:
            if reading.problems:
                unsure.update(re.findall(r"^\ufeff?(\w+)[ \t]*:", files[name], re.MULTILINE))
            continue
        if not isinstance(reading.data, dict):
            told = "this file holds no sections"
            problems.append(Problem(name, 1, 1, told, "write section: at the start of a line"))
            continue
        refused: set[Path] = set()
        for section, part in reading.data.items():
            refused |= _merge(raw, section, part)
        problems += [_twice(path, reading.positions, positions) for path in sorted(refused)]
        positions.adopt(reading.positions, without=refused)
    return raw, frozenset(unsure)


def _merge(raw: dict[str, Any], section: str, part: Any) -> set[Path]:
    """Add one file's part of a section; the paths of what is there already are given back.

    A section with nothing in it (all its lines commented out) is as good as none.
    """
    into = raw.get(section)
    if part is None:
        return set()
    if into is None:
        raw[section] = dict(part) if isinstance(part, dict) else part
        return set()
    if not (complaints.is_listed(section) and isinstance(into, dict) and isinstance(part, dict)):
        return {(section,)}
    twice: set[Path] = {(section, id) for id in part if id in into}
    into.update({id: element for id, element in part.items() if id not in into})
    return twice


def _twice(path: Path, here: Positions, positions: Positions) -> Problem:
    mark = here.key(path) or Mark(MAIN, 1, 1)
    name = complaints.dotted(path)
    return Problem(
        *mark, f"{name} is already in {positions.where(path)}", "remove or rename one of the two"
    )


def _markdown(files: Files) -> list[str]:
    return sorted(name for name in files if name.startswith("runbooks/") and name.endswith(".md"))


def _runbooks(
    files: Files, vocabulary: Vocabulary, positions: Positions, problems: list[Problem]
) -> dict[str, Runbook | None]:
    """Every runbook by its id; None stands for one that is there and cannot be read."""
    kinds = vocabulary.step_kinds | BUILT_IN_KINDS
    found: dict[str, Runbook | None] = {}
    for name in _markdown(files):
        reading = markdown.read(files[name], name, kinds)
        problems += reading.problems
        path = ("runbooks", reading.id)
        if reading.id in found:
            where = positions.where(path)
            told = f"the runbook {reading.id!r} is already in {where}"
            problems.append(Problem(*reading.id_mark, told, "give one of the two another id"))
            found[reading.id] = None
            continue
        found[reading.id] = reading.runbook
        positions.keys[path] = Mark(name, 1, 1)
        positions.adopt(reading.positions, under=path)
    return found


def _validated(
    raw: dict[str, Any],
    unsure: Collection[str],
    positions: Positions,
    problems: list[Problem],
) -> Sections:
    """The sections; elements that are wrong are reported and left out."""
    raw = {**{name: value for name, value in ABOUT.items() if name in unsure}, **raw}
    try:
        return Sections.model_validate(raw)
    except ValidationError as error:
        problems += complaints.told(error, Sections, (), positions, whose="the book")
        kept = _without_faults(raw, error)
    try:
        return Sections.model_validate(kept)
    except ValidationError:
        return Sections.model_validate(dict(ABOUT))


def _without_faults(raw: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    kept = dict(raw)
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        section, *rest = fault["loc"]
        part = kept.get(str(section))
        if rest and isinstance(part, dict) and complaints.is_listed(str(section)):
            kept[str(section)] = {id: value for id, value in part.items() if id != rest[0]}
        else:
            kept.pop(str(section), None)
    return {**ABOUT, **kept}
