"""All YAML files of a book as one map of sections, with the places of everything in them.

Any YAML file outside ``files/``, ``runbooks/`` and ``drills/`` may hold any section, and a section
may be spread over several; the same element twice is an error.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from opsbook.book import complaints, yamlpos
from opsbook.book.assumed import Assumption
from opsbook.book.files import Files
from opsbook.book.memory import Memory, Sheet
from opsbook.book.model import Sections
from opsbook.book.positions import Mark, Path, Positions, dotted
from opsbook.book.problems import Problem

_ELSEWHERE = ("files/", "runbooks/", "drills/")
_SECTION = re.compile(r"^\ufeff?(\w+)[ \t]*:", re.MULTILINE)


@dataclass(slots=True)
class Merged:
    """What the files come to together.

    `raw` has the sections; an element that an earlier load has validated stands in it as its model.
    `unsure` are the sections that a file too broken to read seems to hold: nothing is known of what
    is in them, so that nothing is reported as missing from them. `parts` says which elements of a
    section were taken from which sheet.
    """

    raw: dict[str, Any] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    positions: Positions = field(default_factory=Positions)
    problems: list[Problem] = field(default_factory=list)
    assumed: dict[Path, Assumption] = field(default_factory=dict)
    parts: list[tuple[Sheet, str, list[str]]] = field(default_factory=list)


def merge(files: Files, memory: Memory) -> Merged:
    """Read every YAML file, or take it from memory, and put the sections together."""
    merged = Merged()
    for name in _names(files):
        text = files[name]
        sheet = memory.sheet(name, text, functools.partial(_read, name, text))
        reading = sheet.reading
        merged.problems += reading.problems
        if reading.data is None:
            if reading.problems:
                merged.unsure.update(_SECTION.findall(text))
        elif not isinstance(reading.data, dict):
            told, remedy = "this file holds no sections", "write section: at the start of a line"
            merged.problems.append(Problem(name, 1, 1, told, remedy))
        else:
            _add(merged, sheet)
    return merged


def keep(merged: Merged, sections: Sections, refused: frozenset[Path]) -> None:
    """Let the sheets keep the models their elements came to, but for those that were `refused`."""
    for sheet, section, ids in merged.parts:
        models = getattr(sections, section)
        done = sheet.done.setdefault(section, {})
        for id in ids:
            model = models.get(id)
            if id not in done and isinstance(model, BaseModel) and (section, id) not in refused:
                done[id] = model


def _names(files: Files) -> Iterator[str]:
    for name in sorted(files):
        if name.endswith((".yaml", ".yml")) and not name.startswith(_ELSEWHERE):
            yield name


def _read(name: str, text: str) -> Sheet:
    return Sheet(yamlpos.read(text, name))


def _add(merged: Merged, sheet: Sheet) -> None:
    """Add one file's sections; what is there already is refused, each with its place."""
    reading, refused = sheet.reading, set[Path]()
    fresh: list[Path] = []
    for section, part in reading.data.items():
        into = merged.raw.get(section)
        if part is None:  # all its lines are commented out: as good as not there
            if into is None:
                fresh.append((section,))
            continue
        listed = _is_listed(section) and isinstance(part, dict)
        if into is None:
            into = merged.raw[section] = {} if isinstance(part, dict) else part
            if isinstance(part, dict) and not listed:
                into.update(part)
        elif not (listed and isinstance(into, dict)):
            refused.add((section,))
            continue
        fresh.append((section,))
        if listed:
            ids = [id for id in part if id not in into]
            refused.update((section, id) for id in part if id in into)
            done = sheet.done.get(section, {})
            into.update({id: done.get(id, part[id]) for id in ids})
            merged.parts.append((sheet, section, ids))
            fresh += [(section, id) for id in ids]
    for path in sorted(refused):
        mark = reading.positions.key(path) or Mark("book.yaml", 1, 1)
        told = f"{dotted(path)} is already in {merged.positions.where(path)}"
        merged.problems.append(Problem(*mark, told, "remove or rename one of the two"))
    for path in fresh:
        merged.positions.believe(reading.positions, path)
    for path, said in reading.assumed.items():
        if path[:1] not in refused and path[:2] not in refused:
            merged.assumed[path] = said


@functools.lru_cache(maxsize=256)
def _is_listed(section: str) -> bool:
    return complaints.is_listed(section)
