"""What is wrong with a stranger's JSON, all of it, in words: where, which value, what to send.

msgspec stops at the first mistake and shows no value, which is right for the thousands that have
none. Whoever sets a sender up corrects one mistake after the other then; so what it refused is
looked at once more here, along the same types. Costs nothing where nothing is wrong.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Literal, Union, get_args, get_origin

import msgspec

from opsbook.alerts.intake.cleaning import shown

MOST: Final = 20
"""Of one body, or of one alert."""
WANTED: Final[Mapping[Any, tuple[str, str]]] = {
    str: ("text", "put it in quotes"),
    int: ("a whole number", "write one such as 3"),
    datetime: ("a time", "write it as 2026-01-31T18:00:00Z"),
    dict: ("an object", "write it as {…}"),
    list: ("a list", "write it as […]"),
}
"""What belongs there, and how it is written."""


def of(value: Any, form: Any) -> list[str]:
    """Return a sentence for each place in which a value is not of a form; none where it is."""
    found: list[str] = []
    for told in _of(value, form, ""):
        found.append(told)
        if len(found) == MOST:
            break
    return found


def _of(value: Any, form: Any, path: str) -> Iterator[str]:
    origin, inner = get_origin(form), get_args(form)
    if form is Any or form is msgspec.Raw:
        return
    if origin in {Union, types.UnionType}:
        if value is not None or type(None) not in inner:
            yield from _of(value, next(one for one in inner if one is not type(None)), path)
    elif origin is Literal:
        if value not in inner:
            yield f"{_place(path)} is {_shown(value)} (write {_listed(inner)})"
    elif isinstance(form, type) and issubclass(form, msgspec.Struct):
        yield from _of_struct(value, form, path)
    elif origin in {dict, list}:
        yield from _of_many(value, origin, inner[-1], path)
    elif not _fits(value, form):
        yield _other(value, form, path)


def _of_many(value: Any, kind: Any, inner: Any, path: str) -> Iterator[str]:
    if not isinstance(value, kind):
        yield _other(value, kind, path)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _of(one, inner, _below(path, name))
    else:
        for n, one in enumerate(value):
            yield from _of(one, inner, f"{path}[{n}]")


def _of_struct(value: Any, form: type[msgspec.Struct], path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _other(value, dict, path)
        return
    for field in msgspec.structs.fields(form):
        here = _below(path, field.encode_name)
        if field.encode_name in value:
            yield from _of(value[field.encode_name], field.type, here)
        elif field.required:
            yield f"{here} is missing (send it)"


def _fits(value: Any, form: Any) -> bool:
    try:
        msgspec.convert(value, form)
    except msgspec.ValidationError:
        return False
    return True


def _other(value: Any, form: Any, path: str) -> str:
    what, remedy = WANTED.get(form, ("something else", "correct it"))
    return f"{_place(path)} is {_shown(value)}, and not {what} ({remedy})"


def _below(path: str, name: str) -> str:
    shortened = name if len(name) <= 60 else f"{name[:59]}…"
    return f"{path}.{shortened}" if path else shortened


def _place(path: str) -> str:
    return path or "it"


def _shown(value: Any) -> str:
    match value:
        case str():
            return shown(value)
        case None:
            return "null"
        case dict():
            return "an object"
        case list():
            return "a list"
    return msgspec.json.encode(value).decode()[:60]


def _listed(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
