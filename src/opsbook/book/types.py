"""Looking at annotations: what a field's type is once its wrappings are taken off."""

from __future__ import annotations

import types
from typing import Annotated, Any, Union, get_args, get_origin


def bare(annotation: Any) -> Any:
    """An annotation without Annotated and without None; of a union, its first type."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in {Union, types.UnionType}:
            annotation = next(one for one in get_args(annotation) if one is not type(None))
        else:
            return annotation


def marks(annotation: Any) -> tuple[Any, ...]:
    """What Annotated says of a type, of each one of a union."""
    if get_origin(annotation) is Annotated:
        return get_args(annotation)[1:]
    if get_origin(annotation) in {Union, types.UnionType}:
        return tuple(mark for one in get_args(annotation) for mark in marks(one))
    return ()
