"""pydantic's findings as problems of a book: a place, a sentence, the value, and a remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from opsbook.book.fields import ID_PATTERN, Named
from opsbook.book.model import Sections
from opsbook.book.positions import Mark, Path, Positions, dotted
from opsbook.book.problems import Problem, nearest, suggestion
from opsbook.book.sections.intakes import JSON_PATH_FORM
from opsbook.book.sections.targets import FOLDER_FORM, USER_FORM, VARIABLE_FORM
from opsbook.book.sections.webhooks import HEADER_FORM, HEADER_VALUE_FORM, SECRET_FORM
from opsbook.book.types import bare

_EXPECTED: Mapping[str, tuple[str, str]] = {
    "string_type": ("should be text", "put it in quotes"),
    "int_type": ("should be a whole number", "write one such as 3"),
    "int_parsing": ("should be a whole number", "write one such as 3"),
    "int_from_float": ("should be a whole number", "write one such as 3"),
    "float_type": ("should be a number", "write one such as 0.5"),
    "float_parsing": ("should be a number", "write one such as 0.5"),
    "finite_number": ("should be a number", "write one such as 0.5"),
    "bool_type": ("should be true or false", "write one of the two, without quotes"),
    "bool_parsing": ("should be true or false", "write one of the two, without quotes"),
    "tuple_type": ("should be a list", "write it as [a, b], or one - item a line"),
    "list_type": ("should be a list", "write it as [a, b], or one - item a line"),
    "mapping_type": ("should be a map", "write key: value below it, indented"),
    "dict_type": ("should be a map", "write key: value below it, indented"),
    "model_type": ("should be a map", "write key: value below it, indented"),
    "model_attributes_type": ("should be a map", "write key: value below it, indented"),
}

FORMS: Mapping[str, tuple[str, str]] = {
    ID_PATTERN: (
        "is not a name that can be used here",
        "use letters, digits, - _ and . (at most 64, starting with a letter or digit)",
    ),
    r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$": (
        "is not a country's code",
        "write one such as KR, or with a part of the country, such as DE-BE",
    ),
    r"^[0-9a-f]{64}$": ("is not a SHA-256 hash", "write its 64 digits, 0-9 and a-f"),
    r"^label:[A-Za-z_]\w*$": ("is not a label", "write label: and the label's name"),
    r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$": ("is not a command's name", "write it without its folder"),
    SECRET_FORM: ("is not a reference to a secret", "write env:NAME or file:/path"),
    HEADER_FORM: ("is not a header's name", "use letters, digits and - (at most 64)"),
    HEADER_VALUE_FORM: (
        "is not a header's value",
        "write it on one line, in ASCII, with at most 1000 characters",
    ),
    VARIABLE_FORM: (
        "is not a variable's name",
        "use letters, digits and _ (at most 64, not starting with a digit)",
    ),
    FOLDER_FORM: ("is not an absolute path", "start it with /, and write each on its own"),
    USER_FORM: ("is not a user's name", "write it on one line, with at most 100 characters"),
    JSON_PATH_FORM: (
        "is not a path into JSON",
        "write names with dots between them and [n] for the n-th, such as alert.tags[0]",
    ),
}
"""What a text is not that lacks the form of its field, and what to write instead."""


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
    meant = set(_meant(details, model, also))
    for detail in details:
        if detail["type"] == "too_short" and _has_below(detail["loc"], places):
            continue  # it is short of the very items that are reported on their own
        if _is_told_of_its_key(detail):
            continue
        if detail["type"] == "missing" and detail["loc"] in meant:
            continue  # it is there, misspelt, and that is reported
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


def _meant(
    details: Iterable[ErrorDetails], model: type[BaseModel], also: Iterable[str]
) -> Iterator[Path]:
    """The keys that unknown ones most likely stand for, as paths."""
    for detail in details:
        *above, name = detail["loc"] or ("",)
        if detail["type"] == "extra_forbidden":
            near = nearest(str(name), _allowed(model, detail["loc"], also))
            if near is not None:
                yield (*above, near)


def _allowed(model: type[BaseModel], loc: Path, also: Iterable[str]) -> set[str]:
    """The keys that may stand where the one at `loc` does."""
    return {*_keys(_model_at(model, loc[:-1])), *(also if len(loc) == 1 else ())}


def _is_told_of_its_key(detail: ErrorDetails) -> bool:
    """Whether it is about a name that is reported already: by the reader, or as the element's key.

    An element gets its id from the key it stands under, and a wrong one would be told twice.
    """
    loc, value = detail["loc"], detail.get("input")
    if detail["type"] != "string_pattern_mismatch":
        return False
    empty = value == "" and "[key]" in loc
    return empty or (len(loc) > 1 and loc[-1] == "id" and loc[-2] == value)


def _has_below(loc: Path, places: Iterable[Path]) -> bool:
    return any(len(place) > len(loc) and place[: len(loc)] == loc for place in places)


def is_listed(section: str) -> bool:
    """Whether a top-level key holds elements by id, which several files may add to."""
    field = Sections.model_fields.get(section)
    origin = get_origin(bare(field.annotation)) if field is not None else None
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _sentence(
    detail: ErrorDetails, model: type[BaseModel], loc: Path, also: Iterable[str], whose: str
) -> tuple[str, str]:
    name, value = str(loc[-1]) if loc else "", detail.get("input")
    match detail["type"]:
        case "missing" if loc and isinstance(loc[-1], int):
            return "one more value is needed", "write both, such as [1, 10]"
        case "missing":
            return f"{name!r} is missing", f"add {name}: with a value"
        case "extra_forbidden":
            whose = whose if len(loc) == 1 else "this place"
            return f"{whose} has no key {name!r}", _other_key(name, model, loc, also)
        case "literal_error" | "enum":
            words = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
            return f"{_shown(value)} is not accepted", suggestion(
                str(value), words, what="accepted"
            )
        case "string_pattern_mismatch":
            written = str(detail.get("ctx", {}).get("pattern", ""))
            told, remedy = FORMS.get(written, ("cannot be used here", f"match {written}"))
            # What stands where a reference belongs may be the secret itself.
            shown = "what stands here" if written == SECRET_FORM else _shown(value)
            return f"{shown} {told}", remedy
        case "greater_than_equal":
            least = detail.get("ctx", {}).get("ge")
            return f"{_shown(value)} is too little", f"write {least} or more"
        case "less_than_equal":
            most = detail.get("ctx", {}).get("le")
            return f"{_shown(value)} is too much", f"write {most} or less"
        case "too_short":
            return "should not be empty", "write at least one"
        case "too_long":
            most = detail.get("ctx", {}).get("max_length")
            return f"has more than {most} values", "remove those that are too many"
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


def _other_key(name: str, model: type[BaseModel], loc: Path, also: Iterable[str]) -> str:
    """What to write for a key that there is not: what others call ours, or the nearest."""
    ours: Mapping[str, str] = getattr(_model_at(model, loc[:-1]), "also_called", {})
    if name in ours:
        return f"write {ours[name]}: for it"
    return suggestion(name, _allowed(model, loc, also), what="keys that may stand here")


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
            here = bare(fields[part].annotation) if part in fields else None
        else:
            inner = [arg for arg in get_args(here) if arg is not Ellipsis]
            here = bare(inner[-1]) if inner else None
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None
