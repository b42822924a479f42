"""pydantic's findings as problems of a book: a place, a sentence, the value, and a remedy."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from opsbook.book.fields import Named
from opsbook.book.model import Sections
from opsbook.book.positions import Mark, Path, Positions
from opsbook.book.problems import Problem, suggestion

_EXPECTED: Mapping[str, tuple[str, str]] = {
    "string_type": ("should be text", "put it in quotes"),
    "int_type": ("should be a whole number", ""),
    "int_parsing": ("should be a whole number", ""),
    "int_from_float": ("should be a whole number", ""),
    "float_type": ("should be a number", ""),
    "float_parsing": ("should be a number", ""),
    "finite_number": ("should be a number", ""),
    "bool_type": ("should be true or false", ""),
    "bool_parsing": ("should be true or false", ""),
    "tuple_type": ("should be a list", "write it as [a, b], or one - item a line"),
    "list_type": ("should be a list", "write it as [a, b], or one - item a line"),
    "mapping_type": ("should be a map", "write key: value below it, indented"),
    "dict_type": ("should be a map", "write key: value below it, indented"),
    "model_type": ("should be a map", "write key: value below it, indented"),
    "model_attributes_type": ("should be a map", "write key: value below it, indented"),
}


def told(
    error: ValidationError,
    model: type[BaseModel],
    under: Path,
    positions: Positions,
    *,
    also: Iterable[str] = (),
    whose: str = "this place",
    main: str = "book.yaml",
) -> list[Problem]:
    """Each finding as a Problem.

    `under` is the path of what was validated, `also` further keys that may stand beside the model's
    own (for the remedy of an unknown one), `whose` keys they are, and `main` the file to name where
    nothing has a place.
    """
    problems = []
    details = error.errors(include_url=False)
    places = {detail["loc"] for detail in details}
    for detail in details:
        if detail["type"] == "too_short" and _has_below(detail["loc"], places):
            continue  # it is short of the very items that are reported on their own
        loc = tuple(part for part in detail["loc"] if part != "[key]")
        path = under + loc
        message, remedy = _sentence(detail, model, loc, also, whose)
        at_key = detail["type"] in {"extra_forbidden", "missing"} or "[key]" in detail["loc"]
        if detail["type"] in {"missing", "extra_forbidden"}:
            subject = dotted(path[:-1])
        else:
            subject = dotted(path)
        if detail["type"] == "missing":
            path = path[:-1]
        mark = (positions.key(path) if at_key else positions.value(path)) or Mark(main, 1, 1)
        problems.append(Problem(*mark, f"{subject}: {message}" if subject else message, remedy))
    return problems


def _has_below(loc: Path, places: Iterable[Path]) -> bool:
    return any(len(place) > len(loc) and place[: len(loc)] == loc for place in places)


def dotted(path: Iterable[str | int]) -> str:
    """A path as people write it: ``checks.disk.bands``, ``escalation.main.levels[0]``."""
    written = ""
    for part in path:
        written += f"[{part}]" if isinstance(part, int) else f".{part}" if written else str(part)
    return written


def is_listed(section: str) -> bool:
    """Whether a top-level key holds elements by id, which several files may add to."""
    field = Sections.model_fields.get(section)
    origin = get_origin(_bare(field.annotation)) if field is not None else None
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _sentence(
    detail: ErrorDetails, model: type[BaseModel], loc: Path, also: Iterable[str], whose: str
) -> tuple[str, str]:
    name, value = str(loc[-1]) if loc else "", detail.get("input")
    match detail["type"]:
        case "missing":
            return f"{name!r} is missing", f"add {name}: with a value"
        case "extra_forbidden":
            keys = {*_keys(_model_at(model, loc[:-1])), *(also if len(loc) == 1 else ())}
            whose = whose if len(loc) == 1 else "this place"
            return f"{whose} has no key {name!r}", suggestion(
                name, keys, what="keys that may stand here"
            )
        case "literal_error" | "enum":
            words = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
            return f"{_shown(value)} is not accepted", suggestion(
                str(value), words, what="accepted"
            )
        case "string_pattern_mismatch":
            return (
                f"{_shown(value)} is not a name that can be used here",
                "use letters, digits, - _ and . (at most 64, starting with a letter or digit)",
            )
        case "too_short":
            return "should not be empty", "write at least one"
        case "string_too_short":
            return "should not be empty", "write it, or remove the key"
        case "string_too_long":
            limit = detail.get("ctx", {}).get("max_length")
            return f"is longer than {limit} characters", "shorten it"
    if detail["type"] in _EXPECTED:
        message, remedy = _EXPECTED[detail["type"]]
        return f"{message}, not {_shown(value)}", remedy
    said = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message, _, remedy = said.partition("; ")
    return message[:1].lower() + message[1:] if message[:6] == "Input " else message, remedy


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _keys(model: type[BaseModel] | None) -> set[str]:
    """The keys a model takes, as the book writes them."""
    fields = model.model_fields if model is not None else {}
    given = {"id", "spec"} if model is not None and issubclass(model, Named) else set()
    return {field.alias or name for name, field in fields.items()} - given


def _model_at(model: type[BaseModel], loc: Path) -> type[BaseModel] | None:
    """The model that stands at `loc` inside `model`, or None where there is none."""
    here: Any = model
    for part in loc:
        if isinstance(here, type) and issubclass(here, BaseModel):
            fields = {field.alias or name: field for name, field in here.model_fields.items()}
            here = _bare(fields[part].annotation) if part in fields else None
        else:
            inner = [arg for arg in get_args(here) if arg is not Ellipsis]
            here = _bare(inner[-1]) if inner else None
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def _bare(annotation: Any) -> Any:
    """An annotation without Annotated and without None."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in {Union, types.UnionType}:
            annotation = next(arg for arg in get_args(annotation) if arg is not type(None))
        else:
            return annotation
