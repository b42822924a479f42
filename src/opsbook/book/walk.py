"""Walking a book's models along their types: what names something, and where it stands.

Each class is looked at once and remembered as the few steps that lead to a mark (a reference, a
schedule): a check has one field that names something, and five thousand checks should not pay
for the rest of their fields.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

from pydantic import BaseModel

from opsbook.book.fields import IDLE, Idle
from opsbook.book.positions import Path
from opsbook.book.refs import Refers
from opsbook.book.times import IsSchedule
from opsbook.book.types import bare, marks

Mark = Refers | IsSchedule


class Found(NamedTuple):
    """A marked value, and the path it stands at as the book writes it."""

    path: Path
    mark: Mark
    value: Any


Part = TypeVar("Part", bound=BaseModel)


def marked(part: BaseModel, path: Path = ()) -> list[Found]:
    """Every marked value in `part` and below it, in the order of the fields."""
    found: list[Found] = []
    _collect(part, path, found)
    return found


def named(model: type[BaseModel], raw: Any, path: Path = ()) -> list[Found]:
    """What names something in `raw`, which was meant to be a `model` and could not be read as one.

    Only plain texts where one or several names belong: what else stands there is reported already.
    """
    found: list[Found] = []
    _named(_Shape(below=True, model=model), raw, path, found)
    return found


def parts(part: BaseModel, kind: type[Part], path: Path = ()) -> Iterator[tuple[Path, Part]]:
    """Every model of the class `kind` in `part` and below it."""
    if isinstance(part, kind):
        yield path, part
    for name, key in _leading(type(part), kind):
        value = getattr(part, name)
        if isinstance(value, BaseModel):
            yield from parts(value, kind, (*path, key))
        elif isinstance(value, Mapping):
            for id, inner in value.items():
                yield from parts(inner, kind, (*path, key, id))
        elif value is not None:
            for n, inner in enumerate(value):
                yield from parts(inner, kind, (*path, key, n))


@functools.lru_cache(maxsize=512)
def idle(model: type[BaseModel]) -> frozenset[str]:
    """The keys of `model` that are loaded and shown while nothing acts on them yet."""
    return frozenset(
        field.alias or name
        for name, field in model.model_fields.items()
        if IDLE in field.metadata or any(isinstance(mark, Idle) for mark in marks(field.annotation))
    )


def idle_in(sections: BaseModel) -> tuple[str, ...]:
    """What this book says that nothing acts on yet: sections, and keys of others' elements.

    ``("backups", "rules.acknowledge_within")``, in the order of the model.
    """
    found: dict[str, None] = {}
    waiting = idle(type(sections))
    for name, field in type(sections).model_fields.items():
        value = getattr(sections, name)
        if not value:
            continue
        if (field.alias or name) in waiting:
            found[name] = None
        elif isinstance(value, Mapping):
            for element in value.values():
                if isinstance(element, BaseModel):
                    found |= {f"{name}.{key}": None for key in _idle_said(element)}
    return tuple(found)


def _idle_said(element: BaseModel) -> Iterator[str]:
    model = type(element)
    for key in sorted(idle(model)):
        name = next(name for name, one in model.model_fields.items() if (one.alias or name) == key)
        if name in element.model_fields_set and getattr(element, name) is not None:
            yield key


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a value is made of: a mark itself, models below it, or several of one shape."""

    mark: Mark | None = None
    below: bool = False
    each: _Shape | None = None
    model: type[BaseModel] | None = None


def _collect(part: BaseModel, path: Path, found: list[Found]) -> None:
    for name, key, shape in _steps(type(part)):
        value = getattr(part, name)
        if value is None or value == ():
            continue
        if shape.mark is not None:
            found.append(Found((*path, key), shape.mark, value))
        else:
            _below(shape, value, (*path, key), found)


def _below(shape: _Shape, value: Any, path: Path, found: list[Found]) -> None:
    """What is found in a value that is no mark itself."""
    if shape.below:
        _collect(value, path, found)
        return
    each = shape.each
    if each is None:
        return
    for key, one in value.items() if isinstance(value, Mapping) else enumerate(value):
        if each.mark is not None:
            found.append(Found((*path, key), each.mark, one))
        else:
            _below(each, one, (*path, key), found)


def _named(shape: _Shape, raw: Any, path: Path, found: list[Found]) -> None:
    """What is found in a raw value; a single text where several belong counts as one of them."""
    if isinstance(raw, BaseModel):
        _collect(raw, path, found)
    elif shape.mark is not None:
        if isinstance(shape.mark, Refers) and isinstance(raw, str):
            found.append(Found(path, shape.mark, raw))
    elif shape.model is not None and isinstance(raw, Mapping):
        for _, key, inner in _steps(shape.model):
            if key in raw:
                _named(inner, raw[key], (*path, key), found)
    elif shape.each is not None:
        if isinstance(raw, str):
            _named(shape.each, raw, path, found)
        elif isinstance(raw, (Mapping, list, tuple)):
            several = raw.items() if isinstance(raw, Mapping) else enumerate(raw)
            for at, one in several:
                _named(shape.each, one, (*path, at), found)


@functools.lru_cache(maxsize=512)
def _steps(model: type[BaseModel]) -> tuple[tuple[str, str, _Shape], ...]:
    found = []
    for name, field in model.model_fields.items():
        shape = _shape(field.annotation, tuple(field.metadata), (model,))
        if shape is not None:
            found.append((name, field.alias or name, shape))
    return tuple(found)


def _shape(annotation: Any, said: tuple[Any, ...], inside: tuple[Any, ...]) -> _Shape | None:
    for mark in (*said, *marks(annotation)):
        if isinstance(mark, (Refers, IsSchedule)):
            return _Shape(mark=mark)
    plain = bare(annotation)
    if isinstance(plain, type) and issubclass(plain, BaseModel):
        # A model inside itself (a route's routes) leads where it leads: its own steps tell.
        leads = plain in inside or any(
            _shape(field.annotation, tuple(field.metadata), (*inside, plain)) is not None
            for field in plain.model_fields.values()
        )
        return _Shape(below=True, model=plain) if leads else None
    origin = get_origin(plain)
    if origin is not None and isinstance(origin, type) and issubclass(origin, (tuple, Mapping)):
        args = [one for one in get_args(plain) if one is not Ellipsis]
        each = _shape(args[-1], (), inside) if args else None
        return _Shape(each=each) if each is not None else None
    return None


@functools.lru_cache(maxsize=4096)
def _leading(model: type[BaseModel], kind: type[BaseModel]) -> tuple[tuple[str, str], ...]:
    """The fields of a model under which a model of the class `kind` may be."""
    return tuple(
        (name, field.alias or name)
        for name, field in model.model_fields.items()
        if any(_may_hold(inner, kind, frozenset()) for inner in _models(field.annotation))
    )


def _may_hold(model: type[BaseModel], kind: type[BaseModel], seen: frozenset[Any]) -> bool:
    if issubclass(model, kind):
        return True
    return model not in seen and any(
        _may_hold(inner, kind, seen | {model})
        for field in model.model_fields.values()
        for inner in _models(field.annotation)
    )


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models a field holds, alone or as the values of a list or map."""
    plain = bare(annotation)
    return [
        one
        for one in (plain, *map(bare, get_args(plain)))
        if isinstance(one, type) and issubclass(one, BaseModel)
    ]
