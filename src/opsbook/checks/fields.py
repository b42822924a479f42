"""The kinds of value that only checks have: where to connect, what to look at, what to expect.

A text with ``{opsbook.…}`` in it is let through and judged again once it is filled in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError
from yarl import URL

from opsbook.book import facts


def complaint(sentence: str) -> PydanticCustomError:
    """Return the error of a field; what follows ``"; "`` in the sentence is the remedy."""
    return PydanticCustomError("check", "{why}", {"why": sentence})


def _text(read: Callable[[str], str]) -> BeforeValidator:
    def validate(value: Any) -> str:
        if not isinstance(value, str):
            raise complaint(f"{value!r} is no text; put it in quotes")
        return value if facts.found(value) else read(value)

    return BeforeValidator(validate)


def _path(value: str) -> str:
    if not value.startswith("/") or "\0" in value:
        told = f"{value!r} is no absolute path; start it with / or with {{opsbook.data}}"
        raise complaint(told)
    return value


def _host(value: str) -> str:
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if not bare or any(c.isspace() or c in "/@[]\0" for c in bare):
        raise complaint(f"{value!r} is no host; write a name or an address, without a scheme")
    return bare


def _url(value: str) -> str:
    try:
        url = URL(value)
        whole = url.scheme in {"http", "https"} and bool(url.host) and url.port is not None
    except ValueError:
        whole = False
    if not whole:
        raise complaint(f"{value!r} is no web address; write http://… or https://…")
    return value


def _statuses(value: Any) -> Any:
    listed = value if isinstance(value, (list, tuple)) else [value]
    for one in listed:
        if isinstance(one, bool) or not isinstance(one, int) or not 100 <= one <= 599:
            raise complaint(f"{one!r} is no HTTP status; write a number such as 200")
    return tuple(listed)


def _texts(value: Any) -> Any:
    listed = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    for one in listed:
        if not isinstance(one, str) or not one:
            raise complaint(f"{one!r} is no text; put it in quotes")
    return listed


AbsolutePath = Annotated[str, _text(_path), Field(max_length=4096)]
Host = Annotated[str, _text(_host), Field(max_length=255)]
WebAddress = Annotated[str, _text(_url), Field(max_length=2048)]
Statuses = Annotated[
    tuple[int, ...],
    BeforeValidator(_statuses),
    WithJsonSchema(
        {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]}
    ),
]
Texts = Annotated[
    tuple[Annotated[str, Field(max_length=1000)], ...],
    BeforeValidator(_texts),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""One text, or a list of them."""
