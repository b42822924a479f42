"""The fields that belong to a check's kind: taken out of the check, and read by the kind's model.

In the book they stand beside the fields that every check has, because that is how people write
them. Which model reads them is the `Vocabulary`'s to say; this package knows no kind.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from opsbook.book import complaints, facts
from opsbook.book.fields import Part
from opsbook.book.model import Vocabulary
from opsbook.book.positions import Mark, Path, Positions
from opsbook.book.problems import Problem, suggestion
from opsbook.book.sections.checks import COMMON_FIELDS

MAIN = "book.yaml"


def read(
    raw: dict[str, Any], vocabulary: Vocabulary, positions: Positions, problems: list[Problem]
) -> dict[str, Any]:
    """The sections, with the checks' own fields of their kind taken out and validated as `spec`."""
    checks = raw.get("checks")
    if not isinstance(checks, dict):
        return raw
    read = {
        id: _read_one(id, check, vocabulary, positions, problems)
        for id, check in checks.items()
        if isinstance(check, dict)
    }
    return {**raw, "checks": {**checks, **read}}


def _read_one(
    id: str,
    check: dict[str, Any],
    vocabulary: Vocabulary,
    positions: Positions,
    problems: list[Problem],
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
            problems += complaints.told(
                error, model, path, positions, also=COMMON_FIELDS, whose=f"a check of kind {kind}"
            )
    return {**common, "spec": spec}


def _unknown_facts(value: Any, path: Path, positions: Positions) -> list[Problem]:
    """A problem for each ``{opsbook.x}`` in a check that no server could fill in."""
    if isinstance(value, dict):
        inner = [_unknown_facts(part, (*path, key), positions) for key, part in value.items()]
        return [problem for part in inner for problem in part]
    if isinstance(value, list):
        inner = [_unknown_facts(part, (*path, n), positions) for n, part in enumerate(value)]
        return [problem for part in inner for problem in part]
    if not isinstance(value, str):
        return []
    mark = positions.value(path) or Mark(MAIN, 1, 1)
    return [
        Problem(
            *mark,
            f"{complaints.dotted(path)}: {{opsbook.{name}}} is nothing that Opsbook knows",
            suggestion(name, facts.NAMES, what="after opsbook. may stand"),
        )
        for name in facts.found(value)
        if name not in facts.NAMES
    ]
