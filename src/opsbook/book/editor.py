"""The JSON Schema that editors check a book with, made from the very models that read it.

Draft 7 and no newer one: the YAML language server behind most editors, and JetBrains' own, know it
whole, and know 2020-12 in part (what they do not know they pass over, silently).

Any YAML file of a book may hold any section, so no key is required at the top; that a book has an
id, a title and a time zone is for the loader to say. What names something else (a check, a person)
is any id here, as one file knows nothing of the next. Apart from that the schema refuses what the
models refuse by its shape: unknown keys, kinds and words, and values of another type. One leniency
of the models it does not share: they take true for the number 1.

Every value may also be written ``{value: …, assumed: true, reason: …}``: `opsbook.book.assumed`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from opsbook.base import quantities
from opsbook.book import drills, editorvalues
from opsbook.book.fields import Idle, Named
from opsbook.book.markdown import FrontMatter
from opsbook.book.model import Sections, Vocabulary
from opsbook.book.sections.checks import Check

DRAFT = "http://json-schema.org/draft-07/schema#"
PAGES: Mapping[str, type[BaseModel]] = {"runbook": FrontMatter, "drill": drills.FrontMatter}
"""Pages whose front matter has a model."""

Schema = dict[str, Any]

_READING = (WithJsonSchema, BeforeValidator)
"""Marks that speak of a whole union and not of each of its types."""


def book_schema(vocabulary: Vocabulary) -> Schema:
    """The schema of a book's YAML files; `vocabulary` brings the kinds of checks."""
    making = _Making(vocabulary)
    found = making.keys_of(Sections)
    for key in found["properties"].values():
        _or_nothing(key)  # a section whose lines are all commented out
    about = "Any section of a book; a file may hold one of them or all."
    return _whole("book", "Opsbook: a book", about, making, found)


def page_schema(page: str) -> Schema:
    """The schema of the front matter of a page, by its name in `PAGES`."""
    making = _Making(Vocabulary({}))
    found = making.keys_of(PAGES[page])
    about = f"What a {page} says of itself, between the two --- lines."
    return _whole(page, f"Opsbook: a {page}'s front matter", about, making, found)


def _whole(name: str, title: str, about: str, making: _Making, found: Schema) -> Schema:
    found.pop("required", None)
    return {
        "$schema": DRAFT,
        "$id": f"urn:opsbook:schema:{name}",
        "title": title,
        **found,
        "description": about,
        "type": ["object", "null"],
        "definitions": dict(sorted(making.definitions.items())),
    }


def _or_nothing(schema: Schema) -> None:
    """Let a key stand without a value."""
    if "anyOf" in schema:
        if {"type": "null"} not in schema["anyOf"]:
            schema["anyOf"].append({"type": "null"})
    else:
        schema["allOf"] = [{"if": {"type": "null"}, "else": one} for one in schema["allOf"]]


@dataclass(slots=True)
class _Making:
    """Schemas of annotations; whatever has a name is defined once and referred to."""

    vocabulary: Vocabulary
    definitions: dict[str, Schema] = field(
        default_factory=lambda: {"reason": editorvalues.REASON, "ref": editorvalues.REF}
    )
    names: dict[type[BaseModel], str] = field(default_factory=dict)

    def keys_of(self, model: type[BaseModel], leaving: frozenset[str] = frozenset()) -> Schema:
        """A model as an object with its keys."""
        if issubclass(model, Named):
            leaving |= {"id"}  # the key that the element stands under
        properties, required = {}, []
        for name, about in model.model_fields.items():
            if name in leaving:
                continue
            key = about.alias or name
            properties[key] = self._key(model, name, about)
            if about.is_required():
                required.append(key)
        found: Schema = {"type": "object"}
        if told := _paragraph(model.__doc__):
            found["description"] = told
        found |= {"properties": properties, "additionalProperties": False}
        return found | ({"required": required} if required else {})

    def _key(self, model: type[BaseModel], name: str, about: FieldInfo) -> Schema:
        told = _words(about.description) or _sentence_on(name, model)
        if any(isinstance(mark, Idle) for mark in about.metadata):
            told = f"{told} (Read and checked; nothing acts on it yet.)".strip()
        found: Schema = {"description": told} if told else {}
        if (default := _default(about)) is not None:
            found["default"] = default
        return found | self._said(self._of(about.annotation, tuple(about.metadata)))

    def _of(self, annotation: Any, marks: tuple[Any, ...] = ()) -> Schema:
        """What a value of this annotation may be."""
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            return self._of(annotation, (*_flat(more), *marks))
        if known := editorvalues.known(annotation, marks):
            return self._defined(*known)
        origin, inner = get_origin(annotation), get_args(annotation)
        if origin in {Union, UnionType}:
            limits = tuple(mark for mark in marks if not isinstance(mark, _READING))
            return _any_of([self._of(one, limits) for one in inner])
        if told := next((mark for mark in marks if isinstance(mark, WithJsonSchema)), None):
            return dict(told.json_schema or {})
        if annotation is type(None):
            return {"type": "null"}
        if origin is Literal:
            return {"enum": list(inner)}
        if origin in {tuple, list}:
            return self._list(inner, marks)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return self._map(inner, marks)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found: Schema = {"$ref": f"#/definitions/{self._named(annotation)}"}
            short = editorvalues.SHORT.get(annotation)
            return _any_of([self._defined(*short), found]) if short is not None else found
        return editorvalues.plain(annotation, marks)

    def _list(self, inner: tuple[Any, ...], marks: tuple[Any, ...]) -> Schema:
        if inner[-1:] == (Ellipsis,) or len(inner) == 1:
            item = self._of(inner[0])
            found: Schema = {"type": "array", "items": self._said(item)}
            found |= editorvalues.bounds(marks, "Items")
            # A list that something reads first is one that a single item may stand for.
            alone = any(isinstance(mark, BeforeValidator) for mark in marks)
            return _any_of([found, item]) if alone else found
        items = [self._said(self._of(one)) for one in inner]
        return {"type": "array", "items": items, "minItems": len(items), "maxItems": len(items)}

    def _map(self, inner: tuple[Any, ...], marks: tuple[Any, ...]) -> Schema:
        key, value = self._of(inner[0]), self._said(self._of(inner[1]))
        found: Schema = {"type": "object", "additionalProperties": value}
        if key != {"type": "string"}:
            found["propertyNames"] = key
        return found | editorvalues.bounds(marks, "Properties")

    def _named(self, model: type[BaseModel]) -> str:
        if model not in self.names:
            name = model.__name__
            if name in self.definitions:
                name = f"{model.__module__.rpartition('.')[2]}.{name}"
            self.names[model] = name
            self.definitions[name] = {}  # a model may hold itself
            self.definitions[name] = self._check() if model is Check else self.keys_of(model)
        return self.names[model]

    def _check(self) -> Schema:
        """A check: once it has a kind, its keys are the common ones and those of the kind."""
        common = self.keys_of(Check, frozenset({"spec"}))
        kinds = sorted(self.vocabulary.check_kinds)
        common["properties"]["kind"] = {
            "description": common["properties"]["kind"]["description"],
            **self._said({"enum": kinds}),
        }
        branches = []
        for kind in kinds:
            own = self.keys_of(self.vocabulary.check_kinds[kind])
            name = f"check.{kind}"
            self.definitions[name] = {
                **common,
                "description": own.get("description", ""),
                "properties": {**common["properties"], **own["properties"]},
                "required": [*common["required"], *own.get("required", ())],
            }
            of_kind = {"properties": {"kind": {"const": kind}}, "required": ["kind"]}
            branches.append({"if": of_kind, "then": {"$ref": f"#/definitions/{name}"}})
        open_ended = {word: common[word] for word in ("type", "description", "properties")}
        return {**open_ended, "required": common["required"], "allOf": branches}

    def _defined(self, name: str, schema: Schema) -> Schema:
        self.definitions.setdefault(name, schema)
        return {"$ref": f"#/definitions/{name}"}

    def _defined_once(self, name: str, schema: Schema) -> Schema:
        """As `_defined`, for a name that was made up: another one where it is taken."""
        number = 1
        while self.definitions.get(name, schema) != schema:
            number += 1
            name = f"{name.removesuffix(f'-{number - 1}')}-{number}"
        return self._defined(name, schema)

    def _said(self, schema: Schema) -> Schema:
        """The value itself, or the value with a word about where it came from."""
        name = _called(schema)
        whole = self._defined_once(f"{name}-said", editorvalues.said(schema))
        if not self._is_map(schema):
            return _any_of([schema, whole])
        # A choice between two maps would have an editor offer the keys of both, so it is asked
        # first which of them it is.
        shape = {"type": "object", "required": ["value"], "minProperties": 2}
        names = {"enum": ["value", "assumed", "reason", "ref"]}
        schema = schema if set(schema) == {"$ref"} else self._defined_once(name, schema)
        choice: Schema = {
            "if": {**shape, "propertyNames": names},
            "then": _any_of([whole, schema]),
            "else": schema,
        }
        return {"allOf": [self._defined_once(f"{name}-any", choice)]}

    def _is_map(self, schema: Schema) -> bool:
        """Whether a map may stand here; a text by language is none, nor is a reference."""
        if "anyOf" in schema:
            return any(self._is_map(one) for one in schema["anyOf"])
        found = self.definitions[name] if (name := _name(schema)) else schema
        # A model that holds itself is asked for before it is made, and is still empty then.
        return not found or found.get("type") == "object"


def _name(schema: Schema) -> str:
    """The definition that a schema refers to, if it does nothing else."""
    return str(schema["$ref"]).rpartition("/")[2] if set(schema) == {"$ref"} else ""


def _called(schema: Schema) -> str:
    """A name for a schema, from what it is made of."""
    if name := _name(schema):
        return name.removesuffix("-said").removesuffix("-any")
    if "anyOf" in schema:
        called = dict.fromkeys(_called(one) for one in schema["anyOf"])
        return "-or-".join([name for name in called if name != "null"][:3])
    if "allOf" in schema:
        return _called(schema["allOf"][0])
    if "enum" in schema:
        words = "-".join(str(word) for word in schema["enum"][:3])
        return f"one-of-{re.sub(r'[^A-Za-z0-9]+', '-', words)}"
    inside = {"array": "items", "object": "additionalProperties"}.get(str(schema.get("type")), "")
    if isinstance(schema.get(inside), dict):
        return f"{'list' if inside == 'items' else 'map'}-of-{_called(schema[inside])}"
    return str(schema.get("type", "value")) if isinstance(schema.get("type"), str) else "value"


def _any_of(schemas: list[Schema]) -> Schema:
    """One of several, without saying any of them twice."""
    flat: dict[str, Schema] = {}
    for schema in schemas:
        for one in schema["anyOf"] if set(schema) == {"anyOf"} else [schema]:
            flat.setdefault(json.dumps(one, sort_keys=True), one)
    return next(iter(flat.values())) if len(flat) == 1 else {"anyOf": list(flat.values())}


def _flat(marks: list[Any]) -> list[Any]:
    """The marks of an annotation, those inside of a Field among them."""
    flat: list[Any] = []
    for mark in marks:
        flat += mark.metadata if isinstance(mark, FieldInfo) else [mark]
    return flat


def _default(about: FieldInfo) -> Any:
    """The default as it would be written; None for an empty one, which is not worth showing."""
    value = about.get_default() if about.default is not PydanticUndefined else None
    if isinstance(value, timedelta):
        return quantities.format_duration(value)
    if isinstance(value, tuple):
        return list(value) or None
    return value if isinstance(value, (str, int, float, bool)) else None


def _sentence_on(name: str, model: type[BaseModel]) -> str:
    """What the docstring of the model says of a key: the sentence that has its name in it."""
    sentences = re.split(r"(?<=[.!?])\s+(?=\S)", " ".join((model.__doc__ or "").split()))
    return _words(next((one for one in sentences if f"`{name}`" in one), ""))


def _paragraph(text: str | None) -> str:
    return _words((text or "").strip().partition("\n\n")[0])


def _words(text: str | None) -> str:
    """A docstring's words on one line, code between single backticks as Markdown has it."""
    return " ".join((text or "").split()).replace("``", "`")
