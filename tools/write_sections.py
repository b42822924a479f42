"""Write docs/reference/sections.md from the models: every section, every key, what it means.

The words are the models' own docstrings, so that the page, the JSON Schema that editors complete
from, and the program cannot say three different things. `make docs` writes the page; a test fails
when it is not what the models say.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from opsbook.base import quantities
from opsbook.book import intervals, walk
from opsbook.book.fields import Named
from opsbook.book.model import Sections
from opsbook.book.refs import Refers
from opsbook.book.texts import Text
from opsbook.book.types import bare, marks

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "sections.md"

HEAD = """# Every section and key

Written by `make docs` from the models that read a book; [book.md](book.md) explains it with examples. Any value may also be written as a map that says that nobody has decided it yet, or where it comes from: `{value: 5m, assumed: true, reason: the guide names no interval}`, `{value: 5m, ref: §2.1}`. Every element takes `ref`.

*Idle* means: it is read, checked and shown, and nothing acts on it yet.
"""  # noqa: E501


def page() -> str:
    """Return the page as it should be."""
    idle = walk.idle(Sections)
    told = [HEAD, "## The book itself\n", _table(Sections, only=_plain)]
    seen: set[type[BaseModel]] = set()
    for name, field in Sections.model_fields.items():
        if _plain(field):
            for model in _models(field.annotation):
                told += _sections_of(model, seen, first=False)
            continue
        told.append(f"## {name}\n")
        doc = field.description or ""
        told.append(f"{doc}{' *Idle.*' if name in idle else ''}\n")
        for model in _models(field.annotation):
            told += _sections_of(model, seen, first=True)
    return "\n".join(told).rstrip() + "\n"


def _sections_of(model: type[BaseModel], seen: set[type[BaseModel]], *, first: bool) -> list[str]:
    if model in seen:
        return []
    seen.add(model)
    told = [] if first else [f"### {_words(model.__name__)}\n", f"{_summary(model)}\n"]
    told.append(_table(model))
    for field in model.model_fields.values():
        for inner in _models(field.annotation):
            if inner is not BaseModel:
                told += _sections_of(inner, seen, first=False)
    return told


def _plain(field: FieldInfo) -> bool:
    """Whether a top-level key is a setting of the book, not a section."""
    models = _models(field.annotation)
    return not any(issubclass(one, Named) or one.__name__ in SINGLE for one in models) and (
        "PermissionText" not in str(field.annotation) and "Permission" not in str(field.annotation)
    )


SINGLE = frozenset({"Route", "Extensions"})


def _table(model: type[BaseModel], only: Any = None) -> str:
    idle = walk.idle(model)
    rows = ["| key | takes | default | |", "| --- | --- | --- | --- |"]
    for name, field in model.model_fields.items():
        if (name in {"id", "ref", "spec"} and model is not Sections) or name == "ref":
            continue
        if only is not None and not only(field):
            continue
        key = field.alias or name
        about = (field.description or "").replace("|", "\\|")
        if only is None and key in idle:
            about += " *Idle.*"
        rows.append(f"| `{key}` | {_takes(field)} | {_default(field)} | {about} |")
    return "\n".join(rows) + "\n"


def _takes(field: FieldInfo) -> str:
    return _type(field.annotation, tuple(field.metadata))


TYPES = {
    "timedelta": "duration",
    "Band": "band",
    "Condition": "condition",
    "Quantity": "quantity",
    "Contact": "contact",
    "Address": "web address, or a reference to one",
    "Permission": "permission",
    "Matcher": "matcher",
    "date": "day",
    "bool": "true or false",
    "int": "number",
    "str": "text",
}


READ_BY = {
    intervals.times: "part of the day",
    intervals.weekdays: "weekday or range",
    intervals.days_of_month: "day or range",
    intervals.months: "month or range",
    intervals.years: "year or range",
}
"""Values of one type that are written in different ways, by what reads them."""


def _type(annotation: Any, said: tuple[Any, ...] = ()) -> str:
    for mark in (*said, *marks(annotation)):
        if isinstance(mark, Refers):
            return f"{mark.what} id"
        if type(mark).__name__ == "IsSchedule":
            return "schedule"
        if isinstance(mark, BeforeValidator) and mark.func in READ_BY:
            return READ_BY[mark.func]
    kind = bare(annotation)
    if kind is Text:
        return "text, also by language"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _words(kind.__name__).lower()
    origin, args = get_origin(kind), get_args(kind)
    if str(origin) == "typing.Literal":
        return ", ".join(f"`{one}`" for one in args)
    if origin is tuple and args[-1] is Ellipsis:
        return f"list of {_type(args[0])}"
    if origin is tuple:
        return f"list of {len(args)}"
    if origin is not None and len(args) == 2:
        return f"map of {_type(args[1])}"
    name = getattr(kind, "__name__", str(kind))
    return TYPES.get(name, name)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or value in ((), {}) or value == "":
        return ""
    if isinstance(value, datetime.timedelta):
        return f"`{quantities.format_duration(value)}`"
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _models(annotation: Any) -> list[type[BaseModel]]:
    kind = bare(annotation)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [model for one in get_args(kind) for model in _models(one)]


def _summary(model: type[BaseModel]) -> str:
    first = (model.__doc__ or "").split("\n\n", maxsplit=1)[0]
    return first.replace("\n    ", " ").replace("``", "`")


def _words(name: str) -> str:
    spaced = "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
    return spaced[:1].upper() + spaced[1:]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
