"""The fields that belong to a check's kind: taken out of the check, and read by the kind's model.

In the book they stand beside the fields that every check has, because that is how people write
them. Which model reads them is the `Vocabulary`'s to say; this package knows no kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from opsbook.book import complaints, facts, walk
from opsbook.book.fields import Part
from opsbook.book.model import Vocabulary
from opsbook.book.positions import Mark, Path, Positions, dotted
from opsbook.book.problems import Problem, suggestion
from opsbook.book.sections.checks import COMMON_FIELDS

MAIN = "book.yaml"


def read(
    raw: dict[str, Any],
    vocabulary: Vocabulary,
    positions: Positions,
    problems: list[Problem],
    unread: list[walk.Found],
) -> tuple[dict[str, Any], frozenset[Path]]:
    """The sections, with the checks' own fields of their kind taken out and validated as `spec`.

    Also the paths of the checks in which something was wrong; what these name is added to
    `unread`. A check that is a model already is left as it is.
    """
    checks = raw.get("checks")
    if not isinstance(checks, dict):
        return raw, frozenset()
    read = dict(checks)
    refused: set[Path] = set()
    for id, check in checks.items():
        if isinstance(check, dict):
            before = len(problems)
            read[id] = _read_one(id, check, vocabulary, positions, problems, unread)
            if len(problems) > before:
                refused.add(("checks", id))
    return {**raw, "checks": read}, frozenset(refused)


def _read_one(
    id: str,
    check: dict[str, Any],
    vocabulary: Vocabulary,
    positions: Positions,
    problems: list[Problem],
    unread: list[walk.Found],
) -> dict[str, Any]:
    common = {key: value for key, value in check.items() if key in COMMON_FIELDS}
    own = {key: value for key, value in check.items() if key not in COMMON_FIELDS}
    path: Path = ("checks", id)
    kind = check.get("kind")
    model: type[BaseModel] | None = None
    if isinstance(kind, str):
        model = vocabulary.check_kinds.get(kind)
        if model is None:
            remedy = suggestion(kind, vocabulary.check_kinds, what="kinds of checks")
            mark = positions.value((*path, "kind")) or Mark(MAIN, 1, 1)
            problems.append(Problem(*mark, f"checks.{id}: there is no kind {kind!r}", remedy))
    spec: BaseModel = Part()
    if model is not None:
        problems += _unknown_facts(own, path, positions)
        try:
            spec = model.model_validate(own)
        except ValidationError as error:
            unread += walk.named(model, own, path)
            problems += complaints.told(
                error, model, path, positions, also=COMMON_FIELDS, whose=f"a check of kind {kind}"
            )
    return {**common, "spec": spec}


def _unknown_facts(value: Any, path: Path, positions: Positions) -> Iterator[Problem]:
    """A problem for each ``{opsbook.x}`` in a check that no server could fill in."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _unknown_facts(part, (*path, key), positions)
    elif isinstance(value, list):
        for n, part in enumerate(value):
            yield from _unknown_facts(part, (*path, n), positions)
    elif isinstance(value, str) and "{" in value:
        for name in facts.found(value):
            if name not in facts.NAMES:
                mark = positions.value(path) or Mark(MAIN, 1, 1)
                yield Problem(
                    *mark,
                    f"{dotted(path)}: {{opsbook.{name}}} is nothing that Opsbook knows",
                    suggestion(name, facts.NAMES, what="after opsbook. may stand"),
                )
