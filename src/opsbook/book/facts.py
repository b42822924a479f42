"""``{opsbook.data}`` and its like in a check's fields: facts about the server that runs the book.

The book cannot know where it will run, so the loader keeps the text and the upper layers fill it in
with `fill` when they know (the port, for one, is known only after listening). Nothing else in a
book is ever substituted into text; parameters reach steps as environment variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

NAMES = ("data", "url", "host", "port")
PLACE = re.compile(r"\{opsbook\.([^{}]*)\}")

Spec = TypeVar("Spec", bound=BaseModel)


def found(value: str) -> tuple[str, ...]:
    """The names of the places in a text, known or not."""
    return tuple(PLACE.findall(value))


def filled(value: Any, facts: Mapping[str, str]) -> Any:
    """`value` with every place in its strings filled; lists and maps are walked."""
    if isinstance(value, str):
        return PLACE.sub(lambda place: str(facts[place[1]]), value)
    if isinstance(value, dict):
        return {key: filled(inner, facts) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [filled(inner, facts) for inner in value]
    return value


def fill(spec: Spec, facts: Mapping[str, str]) -> Spec:
    """A check's own fields with the places filled, validated again as what they now are.

    `facts` has every name of `NAMES`. Raises pydantic's ValidationError where a filled value is not
    what the field takes (a host where a port belongs).
    """
    raw = spec.model_dump(by_alias=True)
    return type(spec).model_validate(filled(raw, facts)) if _has_place(raw) else spec


def _has_place(value: Any) -> bool:
    if isinstance(value, str):
        return PLACE.search(value) is not None
    if isinstance(value, dict):
        return any(_has_place(inner) for inner in value.values())
    return isinstance(value, (list, tuple)) and any(_has_place(inner) for inner in value)
