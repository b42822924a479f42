"""The short way through a YAML file that has nothing unusual in it, which is nearly every one.

A second, small reader of the same events as in `yamlpos`: it makes the data and nothing else, and
gives up at the first thing that needs thought (an anchor, a tag, a duplicate or empty key, a fault
of any sort). `yamlpos` then reads the text again, slowly and with all the sentences. What both
accept they must read alike; a property test holds them together.

The loop is one function on purpose: a call for each event would double its cost.
"""

from __future__ import annotations

from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from opsbook.book import scalars

_NOT_SEEN: Final = object()


class Unusual(Exception):
    """This text needs the careful reader."""


def read(
    text: str, loader_class: Any, *, max_depth: int, max_values: int
) -> tuple[Any, dict[str, str]]:
    """The data of a plain YAML text, and its keys; raises Unusual for any other text.

    `text` has no control character; one that an escape in quotes makes is unusual.
    """
    loader = loader_class(text)
    try:
        return _build(loader.get_event, max_depth, max_values)
    except (yaml.YAMLError, scalars.TooLong):
        raise Unusual from None
    finally:
        loader.dispose()


def _build(get_event: Any, max_depth: int, max_values: int) -> tuple[Any, dict[str, str]]:  # noqa: PLR0912, PLR0915
    keys: dict[str, str] = {}
    values: dict[str, Any] = {}
    above: list[tuple[Any, bool, str | None]] = []
    data: Any = None
    top: Any = None
    in_map = False
    key: str | None = None
    documents = size = 0
    while (event := get_event()) is not None:
        kind = type(event)
        done: Any
        if kind is ScalarEvent:
            text: str = event.value
            if event.anchor is not None or event.tag is not None:
                raise Unusual
            plain: bool = event.implicit[0]
            if not plain and not text.isprintable() and event.style == '"':
                raise Unusual
            if in_map and key is None:
                if text in top or not text.strip():
                    raise Unusual
                key = keys.setdefault(text, text)
                continue
            size += 1
            if plain:
                done = values.get(text, _NOT_SEEN)
                if done is _NOT_SEEN:
                    done = values[text] = scalars.plain(text)
            else:
                done = text
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            size += 1
            nested = in_map and key is None
            if nested or event.anchor is not None or event.tag is not None:
                raise Unusual
            if len(above) + (top is not None) >= max_depth or size > max_values:
                raise Unusual
            if top is not None:
                above.append((top, in_map, key))
            in_map = kind is MappingStartEvent
            top, key = ({} if in_map else []), None
            continue
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            done = top
            top, in_map, key = above.pop() if above else (None, False, None)
        elif kind is DocumentStartEvent:
            documents += 1
            if documents > 1:
                raise Unusual
            continue
        elif kind is AliasEvent:
            raise Unusual
        else:
            continue
        if in_map:
            top[key] = done
            key = None
        elif top is not None:
            top.append(done)
        else:
            data = done
    if size > max_values:
        raise Unusual
    return data, keys
